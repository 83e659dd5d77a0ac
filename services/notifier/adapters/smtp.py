"""Hands letters to a mail server and says exactly how far that came."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8
from email.utils import format_datetime, parseaddr
from html.parser import HTMLParser
from typing import Literal

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPRecipientRefused, SMTPResponseException

from services.notifier.application.ports import Letter
from services.notifier.domain.sending import Accepted, Delivery, Refused, Unavailable, Unclear
from services.runtime.ports import Clock
from services.runtime.telemetry.log import logger

FAREWELL_SECONDS = 2.0
_NO = range(400, 600)
_NEVER = range(500, 600)
_NOT_READ = frozenset({"style", "script", "title"})
_BREAKS = frozenset({"p", "br", "div", "h1", "h2", "h3", "li", "tr", "ul", "ol", "table"})
_log = logger("notifier.smtp")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters go; `sender` is an address with or without a display name."""

    host: str
    port: int
    sender: str
    tls: Literal["none", "starttls", "tls"] = "none"
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class SmtpProvider:
    """One connection per letter; only from the DATA command on can a letter have been taken over."""

    server: MailServer
    clock: Clock

    async def submit(self, letter: Letter, *, within: timedelta) -> Delivery:
        try:
            mail = compose(letter, sender=self.server.sender, now=self.clock())
        except ValueError:
            # An address or subject that no header can carry.
            return Refused(for_good=True)
        conversation = _Conversation(self._client(within))
        try:
            delivery = await self._deliver(conversation, letter.address, mail, within)
            if not isinstance(delivery, Unclear):
                await conversation.say_goodbye()
            return delivery
        finally:
            conversation.close()

    async def _deliver(self, conversation: "_Conversation", address: str, mail: bytes, within: timedelta) -> Delivery:
        try:
            async with asyncio.timeout(within.total_seconds()):
                await conversation.deliver(self.server.sender, address, mail)
        except (SMTPException, OSError, TimeoutError) as error:
            delivery = conversation.verdict(error)
            code = error.code if isinstance(error, SMTPResponseException) else None
            _log.warning("mail_not_accepted", verdict=type(delivery).__name__, fault=type(error).__name__, code=code)
            return delivery
        return Accepted()

    def _client(self, within: timedelta) -> SMTP:
        return SMTP(
            hostname=self.server.host,
            port=self.server.port,
            # The default asks DNS for this machine's name, which may take longer than the letter.
            local_hostname=_domain(self.server.sender),
            username=self.server.username,
            password=self.server.password,
            use_tls=self.server.tls == "tls",
            start_tls=self.server.tls == "starttls",
            timeout=within.total_seconds(),
        )


def compose(letter: Letter, *, sender: str, now: datetime) -> bytes:
    """The letter as it travels; its Message-ID is the same for the same message. ValueError for an unfit header."""
    mail = EmailMessage(policy=SMTP_POLICY if letter.address.isascii() else SMTPUTF8)
    mail["Message-ID"] = f"<{letter.message.message_id}@{_domain(sender)}>"
    mail["Date"] = format_datetime(now)
    mail["From"] = sender
    mail["To"] = _addressee(letter.address)
    mail["Subject"] = letter.subject
    mail["Auto-Submitted"] = "auto-generated"
    if letter.html:
        mail.set_content(_readable(letter.body))
        mail.add_alternative(letter.body, subtype="html")
    else:
        mail.set_content(letter.body)
    return mail.as_bytes()


class _Conversation:
    def __init__(self, client: SMTP) -> None:
        self._client = client
        self._handing_over = False

    async def deliver(self, sender: str, address: str, mail: bytes) -> None:
        await self._client.connect()
        options = () if address.isascii() else ("SMTPUTF8",)
        await self._client.mail(parseaddr(sender)[1], options=options, encoding="utf-8")
        await self._client.rcpt(address, encoding="utf-8")
        self._handing_over = True
        await self._client.data(mail)

    def verdict(self, error: Exception) -> Delivery:
        match error:
            case SMTPRecipientRefused() | SMTPDataError() if error.code in _NO:
                return Refused(for_good=error.code in _NEVER)
            case _ if self._handing_over:
                return Unclear()
            case _:
                return Unavailable()

    async def say_goodbye(self) -> None:
        # What the server says to QUIT changes nothing about the letter.
        with contextlib.suppress(SMTPException, OSError, TimeoutError):
            await self._client.quit(timeout=FAREWELL_SECONDS)

    def close(self) -> None:
        self._client.close()


def _addressee(address: str) -> Address:
    user, _, domain = address.rpartition("@")
    if not user or not domain or any(character.isspace() for character in address):
        raise ValueError("not an address")
    return Address(username=user, domain=domain)


def _domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2]


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _NOT_READ
        self.parts.append("\n" if tag in _BREAKS else "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _NOT_READ
        self.parts.append("\n" if tag in _BREAKS else "")

    def handle_data(self, data: str) -> None:
        self.parts.append("" if self._hidden else data)


def _readable(html: str) -> str:
    words = _Words()
    words.feed(html)
    words.close()
    lines = (" ".join(line.split()) for line in "".join(words.parts).splitlines())
    return "\n".join(line for line in lines if line) + "\n"
