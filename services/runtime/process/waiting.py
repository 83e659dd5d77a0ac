import asyncio
import random

BACKOFF_SECONDS_MIN = 0.5
BACKOFF_SECONDS_MAX = 15.0


async def stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Sleeps, but not past the wish to stop; whether that wish came."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True


def backoff_seconds(attempt: int) -> float:
    """A growing pause with jitter, so that processes that failed together do not return together."""
    ceiling = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2.0 ** min(attempt, 10))
    return ceiling * (0.5 + random.random() / 2)
