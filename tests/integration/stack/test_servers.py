"""What can be lying about where a server starts."""

import sys
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.ops.stack.choice import Provider, choose_kafka, choose_postgres
from services.ops.stack.kafka import LocalKafka
from services.ops.stack.postgres import LocalPostgres
from services.ops.stack.probe import look_around
from services.ops.stack.processes import spawn, stop
from services.ops.stack.providers import dsn


@pytest.mark.skipif(choose_postgres(look_around()) is not Provider.WHEEL, reason="the wheel's server is not used here")
async def test_a_lock_file_that_names_a_stranger_does_not_stop_postgres(tmp_path: Path) -> None:
    stranger = await spawn(
        "stranger", [sys.executable, "-c", "import signal; signal.pause()"], run_dir=tmp_path, log=tmp_path / "log"
    )
    server = LocalPostgres(tmp_path / "postgres", tmp_path / "run")
    await server.start()
    lock = (tmp_path / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    await server.stop()
    lock[0] = str(stranger.pid)
    (tmp_path / "postgres" / "data" / "postmaster.pid").write_text("\n".join(lock) + "\n")

    await server.start()
    connection = await asyncpg.connect(dsn(server.url))
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    await server.stop()

    assert stranger.running
    await stop(stranger, timeout_seconds=10)


@pytest.mark.skipif(choose_kafka(look_around()) is not Provider.JVM, reason="three brokers need the local JVM")
async def test_two_of_three_brokers_go_on_without_the_third(kafka_cluster: LocalKafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_cluster.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name="proof", num_partitions=3, replication_factor=3)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_cluster.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    await kafka_cluster.kill_node(2)
    partitions = {(await producer.send_and_wait("proof", b"x", partition=number)).partition for number in range(3)}
    await producer.stop()
    assert partitions == {0, 1, 2}
