"""Children that leave no orphan."""

import asyncio
import json
import sys
import textwrap
from pathlib import Path

import psutil

from services.ops.stack.processes import spawn, started_at, stop, stop_orphans

FOREVER = (sys.executable, "-c", "import signal; signal.pause()")


async def test_a_child_stops_when_asked(tmp_path: Path) -> None:
    child = await spawn("sleeper", FOREVER, run_dir=tmp_path, log=tmp_path / "log")
    assert await stop(child, timeout_seconds=10)
    assert not psutil.pid_exists(child.pid)
    assert not child.record.exists()


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    child = await spawn("deaf", (sys.executable, "-c", deaf), run_dir=tmp_path)
    assert child.process.stdout is not None
    await child.process.stdout.readline()
    assert not await stop(child, timeout_seconds=0.2)
    assert not psutil.pid_exists(child.pid)


async def test_a_killed_parent_takes_its_child_along(tmp_path: Path) -> None:
    parent_code = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from services.ops.stack.processes import spawn
        async def main():
            here = Path({str(tmp_path)!r})
            child = await spawn("sleeper", {FOREVER!r}, run_dir=here, log=here / "log")
            print(child.pid, flush=True)
            await child.process.wait()
        asyncio.run(main())
    """)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent_code, cwd=Path(__file__).parents[3], stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    orphan = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(orphan.wait, 10)


async def test_an_orphan_of_an_earlier_run_is_stopped(tmp_path: Path) -> None:
    child = await spawn("sleeper", FOREVER, run_dir=tmp_path, log=tmp_path / "log")
    assert await stop_orphans(tmp_path) == ["sleeper"]
    assert not psutil.pid_exists(child.pid)
    # Whoever stopped it took its exit status; asyncio has to hear of its end before the loop is closed.
    await child.process.wait()


async def test_a_stranger_with_a_recycled_pid_is_left_alone(tmp_path: Path) -> None:
    stranger = await spawn("stranger", FOREVER, run_dir=tmp_path / "theirs", log=tmp_path / "log")
    born = started_at(stranger.pid)
    assert born is not None
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "ledger.json").write_text(json.dumps({"pid": stranger.pid, "started_at": born - 100}))
    assert await stop_orphans(ours) == []
    assert stranger.running
    assert list(ours.iterdir()) == []
    await stop(stranger, timeout_seconds=10)
