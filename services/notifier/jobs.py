"""What the notifier does by itself as time passes."""

from services.notifier.application.sending import Sender
from services.runtime.process import Job

SEND_EVERY_SECONDS = 1.0


def sending(sender: Sender) -> Job:
    return Job("send_messages", SEND_EVERY_SECONDS, sender.run_once)
