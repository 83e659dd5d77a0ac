import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn, TypeVar

import typer

from services.runtime.errors import HaltError, Transient
from services.runtime.key_files import KeyFileError
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.faults import is_transient, sqlstate
from services.runtime.postgres.unit_of_work import Database
from services.runtime.seal import UnsealError
from services.runtime.settings import ServiceSettings, SettingsError
from services.runtime.telemetry.log import describe

FOUND, MISUSED = 1, 2
NAME = "ops"
_UNMIGRATED_STATES = frozenset({"3F000", "42P01"})
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work; what the person at the terminal can mend is said in one line and ends with exit code 2."""
    # The client tells every attempt; the person is told once, by the sentence below.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work)
    except (SettingsError, KeyFileError) as error:
        misused(str(error))
    except UnsealError as error:
        misused(
            f"LOYALTY_SEAL_KEY_FILE does not open what was set aside ({error}): name the key that it was sealed with"
        )
    except HaltError as error:
        misused(f"{error.what}: {error.remedy}")
    except Transient as error:
        where = settings().kafka
        misused(f"Kafka does not answer at {where} ({error}): start `loyalty up` here, or set LOYALTY_KAFKA")
    except Exception as error:
        if sqlstate(error) in _UNMIGRATED_STATES:
            misused("this database is not migrated: run `loyalty migrate`")
        if sqlstate(error) is None and not is_transient(error):
            raise
        misused(f"no database ({describe(error)}): start `loyalty up` here, or set LOYALTY_DATABASE_URL")


def missed(sentence: str) -> NoReturn:
    """Ends the command: what was asked about is not there."""
    _end(sentence, FOUND)


def misused(sentence: str) -> NoReturn:
    """Ends the command: what was asked cannot be meant."""
    _end(sentence, MISUSED)


def settings() -> ServiceSettings:
    return ServiceSettings.load(NAME)


@asynccontextmanager
async def database(schema: str) -> AsyncIterator[Database]:
    """A session as the login role, which may do what no service's role may."""
    url = settings().database_url.get_secret_value()
    opened = Database(create_engine(url, role=None, schema=schema, pool_size=2))
    try:
        yield opened
    finally:
        await opened.dispose()


def _end(sentence: str, code: int) -> NoReturn:
    sys.stderr.write(f"loyalty: {sentence}\n")
    raise typer.Exit(code) from None
