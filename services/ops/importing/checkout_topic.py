"""Checkouts to the topic `checkouts`, read as the door reads them and published as its HTTP face publishes them."""

import secrets
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from services.ingest.adapters.publication import CHECKOUTS_TOPIC, checkout_message
from services.ingest.adapters.reading import Reader
from services.ops.importing.targets import Answer
from services.runtime.digests import IdentityDigests
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.reader import end_offsets
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.key_files import KEY_BYTES
from services.runtime.ports import Clock, Message
from services.runtime.seal import Seal


class CheckoutTopic:
    """Fields that the contract does not know are left out and counted, as at the door."""

    batch_records = 2_000

    def __init__(self, kafka: KafkaSettings, *, phone_region: str, clock: Clock) -> None:
        self._kafka = kafka
        self._publisher = KafkaPublisher(kafka)
        self._clock = clock
        self._unknown_fields = 0
        # Keys that nobody else has: whatever is digested or sealed here is thrown away; only the plain text is sent.
        self._reader = Reader(
            digests=IdentityDigests(secrets.token_bytes(KEY_BYTES)),
            seal=Seal(secrets.token_bytes(KEY_BYTES)),
            region=phone_region,
            declared=(),
            count_unknown=self._count_unknown,
        )

    async def __aenter__(self) -> Self:
        # Asked first, as a producer would wait for a topic that is missing instead of saying so.
        await end_offsets(self._kafka, CHECKOUTS_TOPIC)
        await self._publisher.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._publisher.stop()

    @property
    def unknown_fields(self) -> int:
        return self._unknown_fields

    def read(self, body: bytes) -> Message:
        return checkout_message(self._reader.checkout(body, self._clock()))

    async def deliver(self, batch: Sequence[Message]) -> Sequence[Answer]:
        await self._publisher.send_many(batch)
        return ["published"] * len(batch)

    def _count_unknown(self, fields: int) -> None:
        self._unknown_fields += fields
