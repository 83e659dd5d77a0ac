"""Joins the rooms of the service and runs it."""

from sqlalchemy.ext.asyncio import AsyncConnection

from services.members.adapters.keys import Keys
from services.members.adapters.publication import MemberPublication, MemberTopic
from services.members.adapters.tables import IdentityDirectory, MemberTables
from services.members.adapters.vault import SealedVault
from services.members.api.office import Office
from services.members.api.routes import REFUSALS, MemberRoutes
from services.members.application import Desk
from services.members.settings import MembersSettings
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.runtime.process import Api, Context, ServiceDefinition, main
from services.runtime.seal import Seal


def api(context: Context[MembersSettings]) -> Api:
    keys = Keys(Seal.from_file(context.settings.required_file("vault_key_file")), context.digests)

    def desk(connection: AsyncConnection, uow: UnitOfWork | None = None) -> Desk:
        return Desk(
            members=MemberTables(connection, uow),
            directory=IdentityDirectory(connection, keys),
            vault=SealedVault(connection, keys.master),
        )

    office = Office(
        database=context.database,
        clock=context.clock,
        digests=keys.digests,
        writing=lambda uow: desk(uow.connection, uow),
        reading=desk,
    )
    return Api(routers=[MemberRoutes(office, context.clock).router()], refusals=REFUSALS)


DEFINITION = ServiceDefinition(
    name="members",
    settings=MembersSettings,
    api=api,
    outbox_source=lambda _: MemberPublication(),
    topic_owner=lambda _: MemberTopic(),
)

if __name__ == "__main__":
    main(DEFINITION)
