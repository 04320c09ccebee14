"""``gemeos validate forecasts``: the twin walked through months that nothing was fitted on.

Everything is fixed before: the farm's description, and the settings. The year before serves as
warm-up: parameters, the state, the calibration and the blend learn from it as they would have,
live. The test months are walked through once, forward.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gemeos.twins.windfarm import MEMBERS
from gemeos.twins.windfarm.ablations import ablations_of, steps_of_ablations
from gemeos.twins.windfarm.checks import Check
from gemeos.twins.windfarm.farm import farm
from gemeos.twins.windfarm.forecasts import SEEDS, TEACHING_SEEDS, checks_of, scored_leads
from gemeos.twins.windfarm.nowcasts import nowcasts_of
from gemeos.twins.windfarm.physics import WindFarm
from gemeos.twins.windfarm.record import read_record
from gemeos.twins.windfarm.walk import ISSUED_EVERY, Walked


@dataclass(frozen=True, slots=True)
class Months:
    """Which rows are what. No row from ``until`` on is read."""

    fit: dt.date = dt.date(2014, 1, 1)
    """First of January of the year that baselines are fitted on, up to ``test``."""
    warm_up: dt.date = dt.date(2014, 1, 1)
    test: dt.date = dt.date(2015, 1, 1)
    until: dt.date = dt.date(2015, 7, 1)


LAST_CHECK: Final = Months()
TUNING: Final = Months(
    dt.date(2014, 1, 1), dt.date(2014, 3, 1), dt.date(2014, 9, 1), dt.date(2015, 1, 1)
)
"""What settings were chosen on."""
QUICK: Final = Months(
    dt.date(2014, 1, 1), dt.date(2014, 11, 15), dt.date(2014, 12, 1), dt.date(2015, 1, 1)
)
"""A month of the year that settings were chosen on, after two weeks: shows that it works."""
QUICK_MEMBERS: Final = 32


def validate(
    folder: Path,
    *,
    which: str = "la_haute_borne",
    months: Months = LAST_CHECK,
    members: int = MEMBERS,
    ablations: bool = False,
    quick: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Check]:
    """Walk the twin of that farm through its record and hold it to its promises.

    Args:
        folder: Where the recorded tables are.
        which: The farm, as in ``twin``.
        months: What is warm-up and what is test.
        members: Size of the ensemble.
        ablations: Whether to walk again without wakes and without joint parameters.
        quick: ``QUICK`` in place of the months, with few members.
        tell: Called now and then with the steps done and those there are, of about equal length.

    Raises:
        InputError: no such record.
    """
    if quick:
        months, members = QUICK, min(members, QUICK_MEMBERS)
    described = farm(which)
    record = read_record(folder, described, months.fit, months.until)
    first = record.place(months.warm_up, described.interval_s)
    cut = record.place(months.test, described.interval_s)
    before, test = range(first, cut), len(record) - cut
    issued = len(before) * len(TEACHING_SEEDS) + test * len(SEEDS)
    steps = len(before) + test + issued // ISSUED_EVERY
    if ablations:
        steps += steps_of_ablations(len(before), test, len(described.turbines))
    work = _Work(steps, tell)
    whole = Walked.through(
        record, before, WindFarm(described), members=members, alone=ablations, tell=work
    )
    scored = scored_leads(described, record, cut, whole, tell=work)
    checks = [c for s in scored for c in checks_of(s)]
    checks += nowcasts_of(described, record, cut, whole)
    if ablations:
        checks += ablations_of(described, record, before, whole, members, work)
    return checks


@dataclass
class _Work:
    """Counts the steps of all parts together."""

    total: int
    tell: Callable[[int, int], None]
    done: int = 0

    def __call__(self, steps: int) -> None:
        self.done = min(self.done + steps, self.total)
        self.tell(self.done, self.total)
