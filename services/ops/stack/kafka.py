"""Apache Kafka on the local JVM: one KRaft node, or three that share every role."""

import asyncio
import base64
import secrets
import signal
from pathlib import Path

from services.ops.stack.errors import PortTaken, StackError
from services.ops.stack.jars import POM
from services.ops.stack.ports import HOST, is_free, remembered_ports
from services.ops.stack.processes import Child, spawn, stop
from services.ops.stack.wire import coordinates

START_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 30.0
HEAP = "-Xmx512m"
POLL_SECONDS = 0.1


class LocalKafka:
    """One or three brokers under `directory`; data and ports stay there from one start to the next."""

    def __init__(self, directory: Path, run_dir: Path, *, java: str, jars: Path, nodes: int = 1) -> None:
        self._directory = directory
        self._run_dir = run_dir
        self._java = java
        self._jars = jars
        self._nodes = nodes
        self._children: dict[int, Child] = {}
        self._ports: list[int] = []

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{self._client_port(node)}" for node in self._node_ids)

    async def start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._ports = remembered_ports(self._directory / "ports.json", 2 * self._nodes)
        for port in self._ports:
            if not is_free(port):
                where = self._directory / "ports.json"
                raise PortTaken(f"Port {port} of Kafka is taken by another program: stop it, or delete {where}")
        await asyncio.gather(*(self._spawn(node) for node in self._node_ids))
        await asyncio.gather(*(self._wait_until_ready(node) for node in self._node_ids))

    async def stop(self) -> None:
        children = list(self._children.values())
        self._children.clear()
        await asyncio.gather(*(stop(child, timeout_seconds=STOP_TIMEOUT_SECONDS) for child in children))

    async def kill_node(self, node: int) -> None:
        """As a power cut would: no clean shutdown, no goodbye to the others."""
        await stop(self._children.pop(node), with_signal=signal.SIGKILL, timeout_seconds=STOP_TIMEOUT_SECONDS)

    def pid(self, node: int = 1) -> int:
        return self._children[node].pid

    def exited(self) -> list[str]:
        return [child.name for child in self._children.values() if not child.running]

    @property
    def _node_ids(self) -> range:
        return range(1, self._nodes + 1)

    def _client_port(self, node: int) -> int:
        return self._ports[2 * (node - 1)]

    def _controller_port(self, node: int) -> int:
        return self._ports[2 * (node - 1) + 1]

    def _home(self, node: int) -> Path:
        return self._directory / f"node-{node}"

    async def _spawn(self, node: int) -> None:
        home = self._home(node)
        home.mkdir(parents=True, exist_ok=True)
        (home / "server.properties").write_text(self._properties(node))
        if not (home / "logs" / "meta.properties").exists():
            await self._format(node)
        self._children[node] = await spawn(
            f"kafka-{node}",
            self._command(node, "kafka.Kafka", str(home / "server.properties")),
            run_dir=self._run_dir,
            log=self._log(node),
        )

    async def _format(self, node: int) -> None:
        arguments = ("format", f"--cluster-id={self._cluster_id()}", "-c", str(self._home(node) / "server.properties"))
        child = await spawn(
            f"kafka-format-{node}",
            self._command(node, "kafka.tools.StorageTool", *arguments),
            run_dir=self._run_dir,
            log=self._log(node),
        )
        code = await child.process.wait()
        child.record.unlink(missing_ok=True)
        if code != 0:
            raise StackError(f"Kafka's storage could not be formatted{self._last_lines(node)}")

    def _cluster_id(self) -> str:
        file = self._directory / "cluster-id"
        if not file.exists():
            file.write_text(base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("="))
        return file.read_text()

    def _command(self, node: int, main_class: str, *arguments: str) -> list[str]:
        return [
            self._java,
            HEAP,
            "-XX:+UseG1GC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={POM.with_name('log4j2.properties')}",
            "-cp",
            f"{self._jars}/*",
            main_class,
            *arguments,
        ]

    async def _wait_until_ready(self, node: int) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                while not await coordinates(HOST, self._client_port(node)):
                    if not self._children[node].running:
                        raise StackError(f"Kafka ended at its start{self._last_lines(node)}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as late:
            raise StackError(
                f"Kafka was not ready after {START_TIMEOUT_SECONDS:.0f} s, see {self._log(node)}"
            ) from late

    def _log(self, node: int) -> Path:
        return self._home(node) / "server.log"

    def _last_lines(self, node: int) -> str:
        lines = self._log(node).read_text(errors="replace").splitlines()[-5:]
        return "\n".join([f", see {self._log(node)}:", *lines])

    def _properties(self, node: int) -> str:
        replicas = min(self._nodes, 3)
        voters = ",".join(f"{n}@{HOST}:{self._controller_port(n)}" for n in self._node_ids)
        listeners = f"PLAINTEXT://{HOST}:{self._client_port(node)},CONTROLLER://{HOST}:{self._controller_port(node)}"
        settings: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self._client_port(node)}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._home(node) / "logs",
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            "default.replication.factor": replicas,
            "min.insync.replicas": max(1, replicas - 1),
            "offsets.topic.num.partitions": 3,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": 3,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": max(1, replicas - 1),
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": max(1, replicas - 1),
            # So soon a killed broker's partitions find another leader; alone, there is nobody to hand over to.
            "broker.session.timeout.ms": 9_000 if self._nodes == 1 else 4_000,
            "broker.heartbeat.interval.ms": 1_000,
            # Index files are allocated in advance; the tests make hundreds of partitions.
            "log.index.size.max.bytes": 1_048_576,
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())
