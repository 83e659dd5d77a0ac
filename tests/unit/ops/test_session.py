"""What a command says where its work ends on something that the person at the terminal can mend."""

import asyncpg
import pytest
import typer

from services.ops.session import MISUSED, run
from services.runtime.errors import CommitUnclear, NotReady, Transient


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Transient("Kafka: NodeNotReadyError"), "Kafka does not answer"),
        (NotReady("topic `loyalty.points` does not exist: loyalty topics apply"), "loyalty: topic `loyalty.points`"),
        (CommitUnclear("the connection was lost on COMMIT"), "look whether it is done"),
        (asyncpg.CannotConnectNowError("starting up"), "no database"),
        (asyncpg.LockNotAvailableError("lock timeout"), "the database is busy"),
        (asyncpg.QueryCanceledError("statement timeout"), "the database is busy"),
        (asyncpg.UndefinedTableError("checkpoint"), "loyalty migrate"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else "",
)
def test_a_command_names_the_trouble_that_there_is(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        run(failing(error))
    assert ended.value.exit_code == MISUSED
    assert words in capsys.readouterr().err


async def failing(error: Exception) -> None:
    raise error
