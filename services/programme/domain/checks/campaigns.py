"""Campaigns and the templates of their messages."""

from collections.abc import Iterator

from services.programme.domain.checks.references import undeclared_template, undeclared_tier, undeclared_unit
from services.programme.domain.document import LANGUAGES, Programme
from services.programme.domain.findings import Finding, error, warning

_NAME_CHARACTERS_MAX = 64
# Both, because a member's language is not known before the message is written.
_SPOKEN = {"zh": "Chinese", "en": "English"}


def campaigns_name_declared_tiers(programme: Programme) -> Iterator[Finding]:
    for index, campaign in enumerate(programme.campaigns):
        if campaign.tier is not None:
            yield from undeclared_tier(programme, ("campaigns", index, "on", "tier"), campaign.tier)


def campaigns_have_templates(programme: Programme) -> Iterator[Finding]:
    for index, campaign in enumerate(programme.campaigns):
        yield from undeclared_template(programme, ("campaigns", index, "template"), campaign.template)


def campaigns_have_time_to_send(programme: Programme) -> Iterator[Finding]:
    for index, campaign in enumerate(programme.campaigns):
        if campaign.tolerance.is_nothing:
            message = "every message would be missed, for it is history as soon as it is due"
            yield error(("campaigns", index, "tolerance"), "tolerates_nothing", message, "say P2D, or leave it out")


def gifts_are_in_declared_units(programme: Programme) -> Iterator[Finding]:
    for index, campaign in enumerate(programme.campaigns):
        if campaign.gift_unit is not None:
            yield from undeclared_unit(programme, ("campaigns", index, "gift", "unit"), campaign.gift_unit)


def gifts_are_told_from_rules(programme: Programme) -> Iterator[Finding]:
    rules = {rule.id for rule in programme.rules}
    for index, campaign in enumerate(programme.campaigns):
        name, path = campaign.gift_rule or "", ("campaigns", index, "id")
        if len(name) > _NAME_CHARACTERS_MAX:
            message = f"the gift is explained as {name!r}, which is longer than {_NAME_CHARACTERS_MAX} characters"
            yield error(path, "id_too_long", message, "give the campaign a shorter id")
        if name in rules:
            message = f"a rule has the id {name!r}, by which the gift of this campaign is explained"
            yield error(path, "duplicate_id", message, "rename the rule")


def templates_speak_every_language(programme: Programme) -> Iterator[Finding]:
    for name, languages in programme.templates.items():
        for language in LANGUAGES:
            if language not in languages:
                message = f"the template {name!r} has no {_SPOKEN[language]} text"
                remedy = f"add {language}: {{subject: …, body: …}}"
                yield error(("templates", name), "template_without_text", message, remedy)


def templates_are_used(programme: Programme) -> Iterator[Finding]:
    used = {campaign.template for campaign in programme.campaigns}
    for name in programme.templates:
        if name not in used:
            message = f"no campaign sends the template {name!r}"
            yield warning(("templates", name), "template_unused", message, "name it in a campaign or remove it")
