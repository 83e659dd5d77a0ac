"""The notifier: `python -m services.notifier [api] [consume] [relay] [jobs] [migrate]`."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from schemas.programme import ProgrammePublished
from services.notifier import api, consumer, jobs
from services.notifier.adapters.agenda import PostgresAgenda
from services.notifier.adapters.contacts import HttpContacts, members_client
from services.notifier.adapters.histories import PostgresHistories
from services.notifier.adapters.letters import TemplateLetters
from services.notifier.adapters.member_states import PostgresMemberStates
from services.notifier.adapters.outbox import FactSource, MessagesTopic, OutboxAcknowledgements
from services.notifier.adapters.programmes import Programmes
from services.notifier.adapters.smtp import MailServer, SmtpProvider
from services.notifier.adapters.store import PostgresBirthdayTransactions, PostgresStore, PostgresTransactions
from services.notifier.application.announcing import Announced
from services.notifier.application.celebrating import BirthdayHerald, BirthdayPlanner
from services.notifier.application.sending import Sender, SendingLimits
from services.notifier.domain.messages import Message, Step
from services.notifier.settings import NotifierSettings
from services.runtime.documents import DocumentHandler
from services.runtime.kafka.handler import Handler
from services.runtime.process import Api, Context, Job, ServiceDefinition, main
from services.runtime.telemetry.log import logger
from services.runtime.telemetry.metrics import Metrics

_log = logger(__name__)


def handlers(context: Context[NotifierSettings]) -> Mapping[str, Handler[Any]]:
    programmes = Programmes()
    return {
        "programme": DocumentHandler(lead=context.settings.lead, read=ProgrammePublished.model_validate_json),
        "members": consumer.MembersHandler(PostgresMemberStates, lambda uow: PostgresAgenda(uow, programmes)),
        "tiers": consumer.TiersHandler(lambda uow: PostgresStore(uow, programmes), context.clock),
    }


def served(context: Context[NotifierSettings]) -> Api:
    return Api(routers=[api.router(PostgresHistories(context.database))])


def due_work(context: Context[NotifierSettings]) -> Sequence[Job]:
    birthdays = [jobs.planning(birthday_planner(context)), jobs.announcing(birthday_herald(context))]
    key = context.settings.notifier_key
    if key is None:
        _log.warning("nothing_is_sent", why="LOYALTY_NOTIFIER_KEY is not set: a key with the scope contacts:read")
        return birthdays
    return [*birthdays, jobs.sending(sender(context, key.get_secret_value()))]


def birthday_planner(context: Context[NotifierSettings]) -> BirthdayPlanner:
    transactions = PostgresBirthdayTransactions(context.database, Programmes())
    return BirthdayPlanner(transactions, context.clock, context.settings.birthday_horizon)


def birthday_herald(context: Context[NotifierSettings]) -> BirthdayHerald:
    transactions = PostgresBirthdayTransactions(context.database, Programmes())
    return BirthdayHerald(transactions, context.clock, told=partial(tell_announced, context.metrics))


def sender(context: Context[NotifierSettings], members_key: str) -> Sender:
    settings, database, programmes = context.settings, context.database, Programmes()
    return Sender(
        transactions=PostgresTransactions(database, programmes),
        acknowledgements=OutboxAcknowledgements(database),
        contacts=HttpContacts(members_client(settings.members_url, members_key)),
        writer=TemplateLetters(database, programmes),
        provider=SmtpProvider(mail_server(settings), context.clock),
        clock=context.clock,
        limits=SendingLimits(lease=settings.notifier_lease),
        told=partial(tell, context.metrics),
    )


def tell(metrics: Metrics, message: Message, step: Step) -> None:
    """Counts every step by its reason; those that a person should look at are told in the log."""
    metrics.outcome("message", step.reason or step.fate)
    if step.fate == "maybe_sent" or step.reason == "undeliverable":
        _log.warning("message_in_doubt", message_id=message.message_id, fate=step.fate, reason=step.reason)


def tell_announced(metrics: Metrics, announced: Announced) -> None:
    for message, step in announced.steps:
        tell(metrics, message, step)
    for _ in announced.gifts:
        metrics.outcome("gift", "given")


def mail_server(settings: NotifierSettings) -> MailServer:
    password = settings.smtp_password
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_from,
        tls=settings.smtp_tls,
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
    )


SERVICE = ServiceDefinition(
    name="notifier",
    settings=NotifierSettings,
    api=served,
    handlers=handlers,
    outbox_source=lambda _context: FactSource(),
    topic_owner=lambda _context: MessagesTopic(),
    jobs=due_work,
)

if __name__ == "__main__":
    main(SERVICE)
