"""What the commands about dead letters, parked keys and republishing refuse before they ask anybody."""

import pytest

from tests.support.commands import run_command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("dlq ls till", "there is no service till"),
        ("dlq ls --before 7", "--before 7 is no SERVICE/ID"),
        ("dlq ls --before ingest/99999999999999999999", "is no SERVICE/ID"),
        ("dlq show till 1", "there is no service till"),
        ("dlq show ingest 1 --payload", "--by NAME is needed"),
        ("dlq redrive ingest --by ann", "say which"),
        ("dlq redrive ingest 1 --all --by ann", "say which"),
        ("dlq redrive till --all --by ann", "there is no service till"),
        ("dlq park outcomes 0 0 --by ann", "nobody here reads outcomes"),
        ("dlq park tills 0 0 --by ann", "nobody here reads tills"),
        ("dlq park tiers 0 0 --by ann", "ledger, notifier read tiers: say for which with --service"),
        ("dlq park tiers 0 0 --by ann --service ingest", "ingest does not read tiers; ledger, notifier do"),
        ("republish tills k", "there is no topic tills"),
        ("republish checkouts pos.acme/0457/03", "the till sends it again"),
        ("republish points 4711", "4711 is none"),
    ],
)
def test_wrong_use_is_said_in_one_line(words: str, said: str) -> None:
    answer = run_command(*words.split())
    assert (answer.code, answer.out, len(answer.said.splitlines())) == (2, "", 1)
    assert said in answer.said


@pytest.mark.parametrize("by", ["", "  "])
def test_who_decides_has_a_name(by: str) -> None:
    for words in (("redrive", "ingest", "--all"), ("discard", "ingest", 1, "--why", "x"), ("park", "points", 0, 0)):
        assert run_command("dlq", *words, "--by", by).code == 2
    assert run_command("dlq", "discard", "ingest", 1, "--by", "ann", "--why", " ").code == 2


@pytest.mark.parametrize("letter", ["0", "9223372036854775808", "x"])
def test_an_id_is_one_that_a_database_could_have_given(letter: str) -> None:
    assert run_command("dlq", "show", "ingest", letter).code == 2
    assert run_command("dlq", "redrive", "ingest", letter, "--by", "ann").code == 2
