from services.runtime.http.readiness import Check
from services.runtime.kafka.status import ConsumerStatus, PartitionStatus


def consumption(status: ConsumerStatus | None) -> Check:
    """Not ready before the group has answered, nor while a partition is stopped by a record; a waiting one is told."""
    if status is None or not status.assigned:
        return Check(ok=False, detail="no assignment yet")
    partitions = [_document(each) for each in status.partitions]
    stopped = [f"{each.topic}/{each.partition} is stopped: {each.cause}" for each in status.stopped]
    return Check(ok=not stopped, detail="; ".join(stopped), more={"partitions": partitions})


def _document(partition: PartitionStatus) -> dict[str, object]:
    return {
        "topic": partition.topic,
        "partition": partition.partition,
        "state": partition.state,
        "cause": partition.cause,
        "lag_records": partition.lag_records,
        "lag_seconds": partition.lag_seconds,
    }
