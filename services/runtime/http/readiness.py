import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

CHECK_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of /readyz; what is not `ok` says why, and where somebody can act, with which command."""

    ok: bool
    detail: str = ""
    remedy: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        words = {"detail": self.detail, "remedy": self.remedy}
        return {"ok": self.ok} | {name: word for name, word in words.items() if word} | dict(self.more)


RunCheck = Callable[[], Awaitable[Check]]


class Readiness:
    """Whether this process should be sent work: its checks, and a gate that is shut until deciding is safe."""

    def __init__(self) -> None:
        self._checks: dict[str, RunCheck] = {}
        self._shut: Check | None = None

    def add(self, name: str, check: RunCheck) -> None:
        self._checks[name] = check

    def shut(self, detail: str, remedy: str = "") -> None:
        self._shut = Check(ok=False, detail=detail, remedy=remedy)

    def open(self) -> None:
        self._shut = None

    @property
    def gate(self) -> Check:
        return self._shut or Check(ok=True)

    async def report(self) -> dict[str, Check]:
        names = tuple(self._checks)
        results = await asyncio.gather(*(_bounded(self._checks[name]) for name in names))
        return dict(zip(names, results, strict=True)) | {"guard": self.gate}


async def _bounded(check: RunCheck) -> Check:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            return await check()
    except TimeoutError:
        return Check(ok=False, detail=f"no answer within {CHECK_TIMEOUT_SECONDS:g} s")
