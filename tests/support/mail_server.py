"""A mailbox that can also misbehave as real mail servers do."""

import asyncio

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.ops.mailbox import Mailbox


class MailServer(Mailbox):
    """`recipient_answer` and `data_answer` replace the server's yes; while `silent` is set, a mail that was taken
    over gets no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.recipient_answer: str | None = None
        self.data_answer: str | None = None
        self.silent = False
        self._speak = asyncio.Event()

    def answer_again(self) -> None:
        self.silent = False
        self._speak.set()

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient_answer is not None:
            return self.recipient_answer
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_answer is not None:
            return self.data_answer
        answer = await super().handle_DATA(server, session, envelope)
        if self.silent:
            await self._speak.wait()
        return answer
