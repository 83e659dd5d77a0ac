"""Two questions to a broker in Kafka's own protocol, asked before any client library is loaded."""

import asyncio
import struct

API_VERSIONS = 18
FIND_COORDINATOR = 10
QUESTION_TIMEOUT_SECONDS = 5.0
NO_ERROR = 0


async def answers(host: str, port: int) -> bool:
    """True if a Kafka broker, not just any program, answers there."""
    reply = await _ask(host, port, API_VERSIONS, 0, b"")
    return reply is not None and _error(reply, at=0) == NO_ERROR


async def coordinates(host: str, port: int) -> bool:
    """True if consumer groups and transactions have a coordinator; asking makes the broker create their topics."""
    return all([await _finds_coordinator(host, port, kind) for kind in (0, 1)])


async def _finds_coordinator(host: str, port: int, kind: int) -> bool:
    name = b"readiness"
    reply = await _ask(host, port, FIND_COORDINATOR, 1, struct.pack(">h", len(name)) + name + struct.pack(">b", kind))
    return reply is not None and _error(reply, at=4) == NO_ERROR


async def _ask(host: str, port: int, api: int, version: int, body: bytes) -> bytes | None:
    """The reply behind its correlation id, or None where nobody, or somebody else, answers."""
    try:
        async with asyncio.timeout(QUESTION_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                request = struct.pack(">hhih", api, version, 1, -1) + body
                writer.write(struct.pack(">i", len(request)) + request)
                size, correlation = struct.unpack(">ii", await reader.readexactly(8))
                return await reader.readexactly(size - 4) if correlation == 1 else None
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
        return None


def _error(reply: bytes, *, at: int) -> int:
    return int.from_bytes(reply[at : at + 2], "big", signed=True)
