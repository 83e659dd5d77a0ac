"""A mail server on this machine that keeps what it receives, so that people and tests can look at it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
SIZE_LIMIT_BYTES = 1_000_000
ACCEPTED = "250 kept"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it arrived; `to` are the addresses of the envelope."""

    sender: str
    to: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The readable part, plain text before HTML."""
        part = self.message.get_body(("plain", "html"))
        return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


class Mailbox:
    """An SMTP server; `received` grows as mails arrive. Port 0 takes a free one, read it from `port` once entered."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.received: list[Mail] = []
        self._arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._conversation, HOST, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def arrival(self, wanted: Callable[[Mail], bool] = lambda _mail: True, *, within_seconds: float) -> Mail:
        """The first mail that is wanted, whether it is here or still to come; TimeoutError when it does not come."""
        async with asyncio.timeout(within_seconds), self._arrived:
            while True:
                for mail in self.received:
                    if wanted(mail):
                        return mail
                await self._arrived.wait()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        async with self._arrived:
            self.received.append(Mail(str(envelope.mail_from), tuple(envelope.rcpt_tos), message))
            self._arrived.notify_all()
        return ACCEPTED

    def _conversation(self) -> SMTP:
        loop = asyncio.get_running_loop()
        return SMTP(self, data_size_limit=SIZE_LIMIT_BYTES, enable_SMTPUTF8=True, hostname="localhost", loop=loop)


def keep(mail: Mail, number: int, directory: Path) -> Path:
    """Writes the mail where a mail reader can open it."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = directory / f"{number:04}.eml"
    file.write_bytes(mail.message.as_bytes())
    return file
