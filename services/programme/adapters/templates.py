"""Templates are parsed here as the notifier will parse them, so that a slip shows before it is published."""

from collections.abc import Iterator, Mapping, Sequence

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from schemas.programme import Campaign, ProgrammeDocument
from services.programme.domain.findings import Finding, Path, error

KNOWN_FIELDS: Mapping[str, frozenset[str]] = {
    "member": frozenset({"name", "locale"}),
    "tier": frozenset({"id", "name", "since", "valid_until"}),
    "birthday": frozenset({"day"}),
    "gift": frozenset({"points", "unit"}),
    "programme": frozenset(),
}

# Parsed, never rendered: a template could keep a processor busy for hours.
_ENVIRONMENT = SandboxedEnvironment()


def template_findings(document: ProgrammeDocument) -> Iterator[Finding]:
    for name, texts in document.templates.items():
        senders = [campaign for campaign in document.campaigns if campaign.template == name]
        for language, text in texts.items():
            path = ("templates", name, language)
            yield from _parsed((*path, "subject"), text.subject, senders)
            yield from _parsed((*path, "body"), text.body, senders)


def _parsed(path: Path, text: str, senders: Sequence[Campaign]) -> Iterator[Finding]:
    try:
        tree = _ENVIRONMENT.parse(text)
    except (TemplateSyntaxError, RecursionError, ValueError) as fault:
        remedy = "correct the braces: {{ member.name }} is a value, {% if tier.valid_until %} … {% endif %} a condition"
        yield error(path, "template_syntax", f"no template: {fault}", remedy)
        return
    names = meta.find_undeclared_variables(tree)
    yield from _missing(path, names, senders)
    for unknown in sorted(names - KNOWN_FIELDS.keys()):
        remedy = f"use one of {', '.join(sorted(KNOWN_FIELDS))}"
        yield error(path, "template_name_unknown", f"{unknown!r} has no value in a message", remedy)
    yield from _unknown_fields(path, tree)


def _missing(path: Path, names: set[str], senders: Sequence[Campaign]) -> Iterator[Finding]:
    for campaign in senders:
        lacks = {"tier": campaign.on.tier, "birthday": campaign.on.birthday, "gift": campaign.gift}
        for name in sorted(names & {name for name, had in lacks.items() if had is None}):
            message = f"the campaign {campaign.id!r} sends this template and has no {name}"
            remedy = f"give {campaign.id!r} a template of its own, or do without {name}"
            yield error(path, "template_name_missing", message, remedy)


def _unknown_fields(path: Path, tree: nodes.Template) -> Iterator[Finding]:
    for access in tree.find_all(nodes.Getattr):
        owner = access.node.name if isinstance(access.node, nodes.Name) else ""
        if owner in KNOWN_FIELDS and access.attr not in KNOWN_FIELDS[owner]:
            known = ", ".join(f"{owner}.{field}" for field in sorted(KNOWN_FIELDS[owner]))
            message = f"{owner}.{access.attr} has no value in a message"
            yield error(path, "template_name_unknown", message, f"use one of {known or owner}")
