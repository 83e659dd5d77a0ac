"""Campaigns and the templates of their messages."""

from collections.abc import Iterator

from services.programme.domain.checks.references import undeclared_template, undeclared_tier, undeclared_unit
from services.programme.domain.document import LANGUAGES, Programme
from services.programme.domain.findings import Finding, error, warning

# Both, because a member's language is not known before the message is written.
_SPOKEN = {"zh": "Chinese", "en": "English"}


def campaigns_name_declared_tiers(programme: Programme) -> Iterator[Finding]:
    for index, campaign in enumerate(programme.campaigns):
        if campaign.tier is not None:
            yield from undeclared_tier(programme, ("campaigns", index, "on", "tier"), campaign.tier)


def campaigns_have_templates(programme: Programme) -> Iterator[Finding]:
    for index, campaign in enumerate(programme.campaigns):
        yield from undeclared_template(programme, ("campaigns", index, "template"), campaign.template)


def gifts_are_in_declared_units(programme: Programme) -> Iterator[Finding]:
    for index, campaign in enumerate(programme.campaigns):
        if campaign.gift_unit is not None:
            yield from undeclared_unit(programme, ("campaigns", index, "gift", "unit"), campaign.gift_unit)


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
