"""Windows of days: the first day, and the day after the last."""

from collections.abc import Iterator
from datetime import date

from services.programme.domain.document import Programme
from services.programme.domain.findings import Finding, Path, error


def unusable_window(programme: Programme, path: Path, dates: tuple[date, date] | None) -> Iterator[Finding]:
    if dates is None:
        return
    first, end = dates
    if end <= first:
        remedy = f"the second date is the day after the last; for that one day write [{first}, the next day]"
        yield error(path, "dates_empty", f"no day lies in [{first}, {end})", remedy)
    elif end <= programme.starts_on:
        message = f"the last day was over at {end}, before the version starts on {programme.starts_on}"
        yield error(path, "dates_past", message, "move the dates or remove the entry")
