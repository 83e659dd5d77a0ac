import asyncio

BEAT_SECONDS = 0.5
DELAY_LIMIT_SECONDS = 10.0


class Heartbeat:
    """Whether the event loop makes progress: how late its last beat came, and how overdue the next one is."""

    def __init__(self) -> None:
        self._beaten_at: float | None = None
        self._last_delay_seconds = 0.0

    @property
    def delay_seconds(self) -> float:
        if self._beaten_at is None:
            return 0.0
        overdue = asyncio.get_running_loop().time() - self._beaten_at - BEAT_SECONDS
        return max(self._last_delay_seconds, overdue)

    @property
    def alive(self) -> bool:
        return self.delay_seconds < DELAY_LIMIT_SECONDS

    async def run(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            began = loop.time()
            await asyncio.sleep(BEAT_SECONDS)
            self._beaten_at = loop.time()
            self._last_delay_seconds = max(0.0, self._beaten_at - began - BEAT_SECONDS)
