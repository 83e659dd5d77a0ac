"""What a person reads where nothing can be started."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from services.ops.stack.services import existing_services, port_setting

ROOT = Path(__file__).parents[3]


def test_a_machine_without_any_kafka_is_told_its_choices(tmp_path: Path) -> None:
    bare = {"PATH": str(tmp_path), "HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    answer = run("-m", "services.ops.stack", env=bare)
    assert answer.returncode == 2
    assert all(choice in answer.stderr for choice in ("LOYALTY_KAFKA", "Java 17", "Maven", "Docker"))


def test_a_taken_port_of_a_service_is_named_with_its_setting(tmp_path: Path) -> None:
    service = existing_services()[0]
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        environment = {**os.environ, port_setting(service): str(port)}
        answer = up(tmp_path, "--service", service, env=environment)
    assert answer.returncode == 2
    assert f"Port {port} of {service} is taken" in answer.stderr
    assert port_setting(service) in answer.stderr


def test_an_unknown_service_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    answer = up(tmp_path, "--service", "rewards", env=dict(os.environ))
    assert answer.returncode == 2
    assert f"There is no service rewards; there are {', '.join(existing_services())}" in answer.stderr


def up(state_dir: Path, *options: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run("-m", "services.ops", "up", "--state-dir", str(state_dir), *options, env=env)


def run(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )
