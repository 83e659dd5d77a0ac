"""Every question asked of a programme before it may be published; each check is a function from it to findings."""

from collections.abc import Callable, Iterator

from services.programme.domain.checks import campaigns, earning, identities, rewards, tiers, units
from services.programme.domain.document import Programme
from services.programme.domain.findings import Finding

Check = Callable[[Programme], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    units.currency_is_known,
    units.expiry_leaves_time,
    units.restored_points_last,
    units.qualifying_units_do_not_expire,
    identities.ids_are_unique,
    earning.rules_name_declared_units,
    earning.rules_name_declared_tiers,
    earning.a_cap_holds_an_award,
    earning.windows_are_not_past,
    earning.pending_ends_before_expiry,
    earning.activities_are_no_baskets,
    earning.groups_have_rivals,
    earning.categories_are_not_excluded,
    tiers.the_metric_is_a_qualifying_unit,
    tiers.the_metric_is_earned,
    tiers.the_window_is_measured,
    tiers.ends_are_judged_before_the_next,
    tiers.levels_ascend,
    tiers.keeping_needs_no_more_than_reaching,
    rewards.prices_are_in_spendable_units,
    rewards.rewards_are_open_to_declared_tiers,
    rewards.rewards_are_not_past,
    rewards.the_minimum_is_a_step,
    campaigns.campaigns_name_declared_tiers,
    campaigns.campaigns_have_templates,
    campaigns.campaigns_have_time_to_send,
    campaigns.gifts_are_in_declared_units,
    campaigns.gifts_are_told_from_rules,
    campaigns.templates_speak_every_language,
    campaigns.templates_are_used,
)


def findings_of(programme: Programme) -> tuple[Finding, ...]:
    """What can be said of a version without knowing the one before it."""
    return tuple(finding for check in CHECKS for finding in check(programme))
