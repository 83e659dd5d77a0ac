"""The ledger's own process, as an operator starts it, for benchmarks."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path


@contextlib.asynccontextmanager
async def ledger_process(
    env: Mapping[str, str], url: str, roles: tuple[str, ...], state_dir: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Its log stands in the state directory; it is ended with the block."""
    log = (state_dir / f"bench-{'-'.join(roles)}.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ledger",
        *roles,
        env={**os.environ, **env, "LOYALTY_DATABASE_URL": url},
        stdout=log,
        stderr=log,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        log.close()
