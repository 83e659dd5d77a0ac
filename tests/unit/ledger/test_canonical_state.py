import json
from fractions import Fraction

from services.ledger.adapters.canonical import decode_state, encode_state
from services.ledger.domain.instants import parse_instant
from services.ledger.domain.lots import Lot, lot_terms
from services.ledger.domain.state import AccountState, Balance, TierStep
from tests.unit.ledger.builders import MEMBER

ODD = 'gr"ün\\积分'
LOTS = [f"{ODD}@never", "points@2027-03-31T16:00:00Z"]
FULL = AccountState(
    MEMBER,
    member_seq=7,
    last_recorded_at=parse_instant("2026-03-11T01:24:31.000120Z"),
    status="blocked",
    status_version=3,
    units={"points": Balance(issued=5, available=4, spent=1), ODD: Balance(issued=9, pending=9)},
    lots={lot: Lot(lot, *lot_terms(lot), 1, 2, 3) for lot in LOTS},
    caps={"weekly": {"2026-W11": 30, "2026-W10": 2}, ODD: {"lifetime": 1}},
    carries={f"{ODD}/points": Fraction(2, 3), "base/points": Fraction(1, 7)},
    tiers=(
        TierStep(parse_instant("2026-01-01T00:00:00Z"), None, 1),
        TierStep(parse_instant("2026-02-01T00:00:00.5Z"), ODD, 2),
    ),
    tier_seq=2,
    visits=4,
)


def test_an_account_is_written_as_a_json_writer_with_sorted_keys_would() -> None:
    encoded = encode_state(FULL)

    plain = json.dumps(json.loads(encoded), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert encoded == plain.encode()


def test_an_account_with_every_field_filled_reads_back() -> None:
    assert decode_state(encode_state(FULL)) == FULL
