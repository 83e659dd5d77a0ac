import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from services.runtime.telemetry.log import logger

HARD_EXIT_SECONDS = 20.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_log = logger(__name__)


@contextlib.contextmanager
def stop_on_signals(
    stop: asyncio.Event, *, hard_exit: Callable[[int], object] = os._exit, seconds: float = HARD_EXIT_SECONDS
) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks everything to finish; a second one, or 20 s, ends the process at once."""
    loop = asyncio.get_running_loop()
    deadline = threading.Timer(seconds, _give_up, args=(hard_exit, "deadline"))
    deadline.daemon = True

    def received(name: str) -> None:
        if stop.is_set():
            _give_up(hard_exit, name)
            return
        _log.info("stopping", signal=name)
        stop.set()
        # A thread: the event loop may be what hangs.
        deadline.start()

    for number in _SIGNALS:
        loop.add_signal_handler(number, received, signal.Signals(number).name)
    try:
        yield
    finally:
        deadline.cancel()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _give_up(hard_exit: Callable[[int], object], why: str) -> None:
    _log.error("stopped_hard", why=why)
    hard_exit(1)
