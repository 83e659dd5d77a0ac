"""Many requests to one service: a few at a time, patient where it asks for patience, and never twice for one wish."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from services.ingest.application.refusals import Fault
from services.ops.importing.found import ImportMisused
from services.ops.importing.targets import Refused
from services.runtime.errors import Transient

TIMEOUT_SECONDS = 30.0
RETRY_AFTER_DEFAULT_SECONDS = 1.0
RETRY_AFTER_MAX_SECONDS = 60.0
WAITS_MAX = 20
_LATER = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})

P = TypeVar("P")
R = TypeVar("R")


class ServiceClient:
    """`key` goes as bearer; `concurrency` bounds what is asked at once. Raises Transient and ImportMisused."""

    def __init__(self, url: str, key: str, *, concurrency: int) -> None:
        self._url = url
        self._concurrency = concurrency
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            limits=httpx.Limits(max_connections=concurrency),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def post(self, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        """An answer that settles the request: 429 and 503 are waited for as long as they say."""
        for _ in range(WAITS_MAX):
            answer = await self._post(path, body, headers)
            if answer.status_code not in _LATER:
                return self._checked(answer)
            await asyncio.sleep(_retry_after(answer))
        raise Transient(f"{self._url} has no room for more: {_said(answer)}")

    async def each(self, items: Sequence[P], work: Callable[[P], Awaitable[R]]) -> list[R]:
        """Results in the order of the items."""
        results: dict[int, R] = {}
        waiting = iter(enumerate(items))

        async def worker() -> None:
            for place, item in waiting:
                results[place] = await work(item)

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._concurrency, len(items))):
                    workers.create_task(worker())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return [results[place] for place in range(len(items))]

    async def _post(self, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        try:
            return await self._client.post(path, json=body, headers=headers)
        except httpx.InvalidURL as error:
            raise ImportMisused(f"{self._url} is no address: {error}") from None
        except httpx.HTTPError as error:
            raise Transient(f"{self._url} does not answer ({type(error).__name__})") from error

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise ImportMisused(f"{self._url} does not know this key: pass --key or set LOYALTY_KEY")
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise ImportMisused(f"this key may not do it: {_said(answer)}; `loyalty keys new` makes one that may")
        if answer.is_server_error:
            raise Transient(f"{self._url} answered {answer.status_code}: {_said(answer)}")
        return answer


def refused(answer: httpx.Response) -> Refused:
    """The faults of a problem, each in the words of the service."""
    problem = document(answer)
    given = problem.get("errors") or ()
    faults = tuple(Fault(each["pointer"], each["code"], each["detail"]) for each in given)
    code = str(problem.get("code", answer.status_code))
    return Refused(faults or (Fault("", code, str(problem.get("detail") or problem.get("title") or code)),))


def document(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(answer: httpx.Response) -> float:
    said = answer.headers.get("Retry-After", "")
    return min(float(said), RETRY_AFTER_MAX_SECONDS) if said.isdecimal() else RETRY_AFTER_DEFAULT_SECONDS


def _said(answer: httpx.Response) -> str:
    problem = document(answer)
    return ": ".join(str(problem[name]) for name in ("code", "detail") if problem.get(name)) or answer.text[:200]
