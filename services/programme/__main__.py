"""The programme service: its parts, joined."""

from schemas.programme import ProgrammePublished
from services.programme import api
from services.programme.adapters.publication import TOPIC, ProgrammeTopic, VersionSource
from services.programme.adapters.reading import DocumentReader
from services.programme.adapters.versions import VersionTable
from services.programme.settings import ProgrammeSettings
from services.runtime.documents import DocumentHandler
from services.runtime.process.command import main
from services.runtime.process.definition import Api, Context, ServiceDefinition


def _api(context: Context[ProgrammeSettings]) -> Api:
    routes = api.router(context.database, DocumentReader(), VersionTable, context.clock, context.settings.lead)
    return Api([routes], api.refusals(), body_limit_bytes=api.BODY_BYTES_MAX, streamed=api.STREAMED)


# It reads its own topic back, because only the topic knows when a version was appended, and so when it starts.
SERVICE = ServiceDefinition(
    name="programme",
    settings=ProgrammeSettings,
    api=_api,
    handlers=lambda context: {
        TOPIC: DocumentHandler(lead=context.settings.lead, read=ProgrammePublished.model_validate_json)
    },
    outbox_source=lambda _: VersionSource(),
    topic_owner=lambda _: ProgrammeTopic(),
)

if __name__ == "__main__":
    main(SERVICE)
