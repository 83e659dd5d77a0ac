"""Kafka's jars, fetched by Maven once and kept in the user's cache."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from services.ops.stack.errors import StackError

POM = Path(__file__).resolve().parents[3] / "deploy" / "kafka" / "pom.xml"
FETCH_TIMEOUT_SECONDS = 600


def are_cached() -> bool:
    return POM.exists() and (jar_directory() / "complete").exists()


def jar_directory() -> Path:
    """Keyed by version and content of the pom, so that a change of either fetches anew."""
    content = POM.read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "loyalty" / f"kafka-{_version(content)}-{hashlib.sha256(content).hexdigest()[:8]}"


def fetch(maven: str) -> Path:
    """Blocks for seconds or minutes; several processes may call it at once."""
    target = jar_directory()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not are_cached():
            _copy_dependencies(maven, target)
    return target


def _copy_dependencies(maven: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        jars = Path(scratch) / "jars"
        command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime"]
        try:
            answer = subprocess.run(
                [*command, f"-DoutputDirectory={jars}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=FETCH_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            raise StackError(f"Maven did not bring Kafka's jars within {FETCH_TIMEOUT_SECONDS} s") from expired
        if answer.returncode != 0 or not list(jars.glob("kafka_*.jar")):
            last = "\n".join((answer.stdout + answer.stderr).strip().splitlines()[-8:])
            raise StackError(f"Maven could not bring Kafka's jars:\n{last}\nOr set LOYALTY_KAFKA to a broker.")
        (jars / "complete").touch()
        shutil.rmtree(target, ignore_errors=True)
        jars.rename(target)


def _version(pom: bytes) -> str:
    for dependency in ElementTree.fromstring(pom).iterfind(".//{*}dependency"):
        if dependency.findtext("{*}artifactId", "").startswith("kafka_"):
            return dependency.findtext("{*}version", "")
    raise StackError(f"{POM} names no Kafka")
