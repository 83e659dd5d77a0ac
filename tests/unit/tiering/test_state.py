"""A standing that is written and read is the same standing."""

from services.tiering.adapters.facts import chain, chain_start, encode
from services.tiering.adapters.state import decode_state, encode_state
from services.tiering.domain.changes import MemberStanding
from tests.support.tiering_worlds import MEMBER, arrived, at, growth, rules


def test_an_empty_standing_survives() -> None:
    empty = MemberStanding(MEMBER)
    assert decode_state(MEMBER, encode_state(empty)) == empty


def test_a_standing_with_everything_survives() -> None:
    state, _ = arrived([growth(at(2026, 6, 10), 5200), growth(at(2026, 3, 1), 1000)], now=at(2026, 7, 1))
    assert decode_state(MEMBER, encode_state(state)) == state


def test_open_windows_survive() -> None:
    state, _ = arrived([growth(at(2026, 6, 10), 1000)], [rules(window="lifetime")])
    assert decode_state(MEMBER, encode_state(state)) == state


def test_a_fact_has_one_spelling_and_a_chain_of_its_own() -> None:
    _, (change,) = arrived([growth(at(2026, 6, 10), 5200)])
    encoded = encode(change)
    assert encoded.startswith(b'{"effective_from":"2026-06-10T16:00:00Z","event_id":')
    assert chain(chain_start(MEMBER), encoded) != chain(chain_start("another"), encoded)
