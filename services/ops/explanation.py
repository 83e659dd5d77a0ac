"""An explanation for people: what the door made of a checkout, and where every point came from."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from schemas.purchases import GIFT_ACTIVITY, GIFT_SOURCE

Json = Mapping[str, Any]


def narrate(found: Json, console: Console) -> None:
    """Prints the document of `loyalty explain`, one thought a line."""
    for line in narration(found):
        console.print(line, highlight=False, soft_wrap=True)


def narration(found: Json) -> Iterator[str]:
    yield f"[bold]event {found['event_id']}[/]"
    explanation = found["explanation"]
    if not _is_of_an_activity(explanation):
        yield from _outcome(found["outcome"])
    if explanation is None:
        yield "  the books hold no fact of it"
        return
    for entry in explanation["facts"]:
        yield from _fact(entry)
    for entry in explanation["later"]:
        yield from (f"[dim]{line}[/]" for line in _fact(entry, later=True))


def _is_of_an_activity(explanation: Json | None) -> bool:
    # The door tells what became of checkouts; an activity is in the books or nowhere.
    return explanation is not None and any("activity" in entry["fact"] for entry in explanation["facts"])


def _outcome(outcome: Json | None) -> Iterator[str]:
    if outcome is None:
        yield "  the door does not know it"
        return
    reason = f" ({outcome['reason']})" if outcome.get("reason") else ""
    yield f"  the door: [green]{outcome['outcome']}[/]{reason}, {outcome['duplicates']} duplicates"
    if outcome.get("waits_until") and outcome["outcome"] in ("unclaimed", "waiting"):
        yield f"  it waits until {outcome['waits_until']}"
    undecided = [each for each in outcome.get("conflicts", ()) if each.get("verdict") is None]
    if undecided:
        yield f"  [red]{len(undecided)} conflicts[/]: the same identity came with other content or another member"
    for each in outcome.get("conflicts", ()):
        if each.get("accepted_as"):
            yield f"  another sale under this identity was accepted as {each['accepted_as']}"


def _fact(entry: Json, *, later: bool = False) -> Iterator[str]:
    fact = entry["fact"]
    when = f"{fact['occurred_at']}, number {entry['member_seq']}"
    yield f"  {'later: ' if later else ''}{fact['type'].replace('_', ' ')} at {when}"
    if fact.get("review"):
        yield f"    [red]a person should look[/]: {fact['review'].replace('_', ' ')}"
    for change in fact.get("changes", ()):
        yield f"    rule [bold]{change['rule']}[/]: {change['before']} {change['unit']} became {change['after']}"
    for waived in fact.get("waived", ()):
        yield f"    {waived['points']} {waived['unit']} waived"
    if "redemption_id" in fact and "order" not in fact:
        yield f"    of redemption {fact['redemption_id']}"
    if later:
        yield from _moves(fact["moves"])
        return
    if fact.get("programme_version") is not None:
        tier = fact.get("tier") or "no tier"
        yield f"    programme version {fact['programme_version']}, {tier}"
    if "eligible_minor" in fact:
        yield f"    eligible {money(fact['eligible_minor'])} {fact['currency']} of {len(fact['lines'])} lines"
    if "activity" in fact:
        yield f"    {_activity(fact)}"
    if "order" in fact:
        bought = fact["reward"] or fact["as_money"] or "what the till knows"
        yield f"    for {bought}, order {escape(fact['order'] or 'not named')}"
    for award in fact.get("awards", ()):
        yield from _award(award)
    yield from _moves(fact["moves"])


def _activity(fact: Json) -> str:
    if (fact["source"], fact["activity"]) == (GIFT_SOURCE, GIFT_ACTIVITY):
        campaign, _, occurrence = fact["reference"].partition("/")
        return f"a gift of the campaign [bold]{campaign}[/] for {occurrence}"
    return f"{fact['activity']} of {fact['source']}, reference {escape(fact['reference'])}"


def _award(award: Json) -> Iterator[str]:
    cap = award.get("cap") if award["points"] < award["uncapped"] else None
    capped = f", capped from {award['uncapped']} ({cap['used']} of {cap['limit']} were used)" if cap else ""
    yield f"    rule [bold]{award['rule']}[/] gave {award['points']} {award['unit']}{capped} into {award['lot']}"
    shares = ", ".join(f"line {line}: {_ratio(points, award['over'])}" for line, points in award["lines"][:6])
    if shares:
        yield f"      {shares}{' …' if len(award['lines']) > 6 else ''}"


def _moves(moves: Iterable[Json]) -> Iterator[str]:
    for move in moves:
        yield f"    {move['points']} {move['unit']}: {move['source']} → {move['target']}"


def money(minor: int) -> str:
    """Minor units with two decimals, for people."""
    return f"{minor // 100:,}.{minor % 100:02}"


def _ratio(points: int, over: int) -> str:
    whole, rest = divmod(points * 100, over)
    return f"{whole // 100}.{whole % 100:02}" + ("…" if rest else "")
