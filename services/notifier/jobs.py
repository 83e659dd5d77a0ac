"""What the notifier does by itself as time passes."""

from services.notifier.application.celebrating import BirthdayHerald, BirthdayPlanner
from services.notifier.application.sending import Sender
from services.runtime.process import Job

SEND_EVERY_SECONDS = 1.0
ANNOUNCE_EVERY_SECONDS = 1.0
PLAN_EVERY_SECONDS = 5.0


def sending(sender: Sender) -> Job:
    return Job("send_messages", SEND_EVERY_SECONDS, sender.run_once)


def planning(planner: BirthdayPlanner) -> Job:
    return Job("plan_birthdays", PLAN_EVERY_SECONDS, planner.run_once)


def announcing(herald: BirthdayHerald) -> Job:
    return Job("announce_birthdays", ANNOUNCE_EVERY_SECONDS, herald.run_once)
