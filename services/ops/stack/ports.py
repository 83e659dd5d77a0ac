"""Ports on 127.0.0.1: free ones, taken ones, and those that a state directory remembers."""

import json
import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections: one of those could block a restart.
FIRST_PORT, LAST_PORT = 20_000, 32_000


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    candidates = random.SystemRandom().sample(range(FIRST_PORT, LAST_PORT), LAST_PORT - FIRST_PORT)
    free = (port for port in candidates if is_free(port))
    return [next(free) for _ in range(count)]


def remembered_ports(file: Path, count: int) -> list[int]:
    """The same ports at every start, so that addresses given out yesterday still hold."""
    if file.exists():
        ports = [int(port) for port in json.loads(file.read_text())]
        if len(ports) == count:
            return ports
    ports = free_ports(count)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(ports))
    return ports
