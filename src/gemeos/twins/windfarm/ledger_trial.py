"""``gemeos validate ledger``: plans at a farm that the twin does not know, and what came of them.

The plant is a process of its own behind a broker. It lives through recorded weather, has wakes and
losses of its own, obeys, and refuses what its own rules do not allow
(``gemeos_plants.windfarm.obey``). A plan limits all turbines, turns them out of the wind or stops
them; the next one puts them back. Each promises how much more, or less, the farm gives in the hour
to come; the ledger tells what it was.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from gemeos.act.undertaking import Stage
from gemeos.errors import GemeosError, InputError, LinkError
from gemeos.runtime.children import broker, child, free_port
from gemeos.runtime.ledger_row import ACCEPTED, Ledger, LedgerRow
from gemeos.runtime.run import RunningSite, run
from gemeos.runtime.settings import read
from gemeos.twins.windfarm.checks import Check
from gemeos.twins.windfarm.decisions import CONTROLS_A_TURBINE
from gemeos.twins.windfarm.farm import farm
from gemeos.units import instant, span

SOURCE: Final = "docs/validation/windfarm-plans.md"
FARM: Final = "la_haute_borne"
TWIN: Final = "farm"
JUDGED: Final = 30
"""Plans that the promise is held to."""
MOST: Final = 48
"""Plans that are tried for that: some are refused."""
QUICK: Final = 4
START: Final = "2014-02-01T00:00Z"
SPEED: Final = 300
"""Plant seconds a second. To fork, foresee and ask the plant takes a second or two of the machine;
the plant's ten minutes should be no shorter."""
AHEAD: Final = "1 h"
EVERY: Final = "10 min"
ON: Final = "farm.power"
COULD: Final = "farm.potential"
WARM_UP: Final = "12 h"
"""That the twin lives with the farm before the first plan: the wind's memory is part of its state,
and a twin that was just born has none."""
SEEN_S: Final = 60.0
"""Without a heartbeat, until the plant goes back to its fixed programme. On a busy machine a beat
comes late, and a plan that the plant gave up, unseen, would be judged as if it had stood."""
PATIENCE_S: Final = 1200.0
"""Of the machine, for whatever is waited for."""
LOOK_S: Final = 0.1
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that is done to all turbines, each of its own control."""

    control: str
    to: str
    back: str
    least_kw: float
    """What the farm could give at least for it, or for putting it back, to make a difference."""

    def changes(self, value: str) -> dict[str, str]:
        """All turbines set to it."""
        return {f"{turbine.name}.{self.control}": value for turbine in farm(FARM).turbines}


KINDS: Final = (
    Kind("power_limit", "500 kW", "2050 kW", 2400.0),
    Kind("yaw_offset", "20 deg", "0 deg", 1200.0),
    Kind("running", "0", "1", 1200.0),
)
"""Turned as far as the plant lets them: what 15 degrees bring in an hour, some 150 kW, drowns in
what is not known of the wind."""


def validate(
    folder: Path | None = None,  # noqa: ARG001 -- as every validation is called
    *,
    ablations: bool = False,
    quick: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Check]:
    """Apply plans at the plant until enough can be judged, and hold the ledger to its promise.

    Args:
        folder: Not needed: the plant has its own record.
        ablations: Not offered here.
        quick: Four plans, which judge nothing.
        tell: Called with the plans that are over and those there are to be.

    Raises:
        InputError: there is no ablation.
        LinkError: the broker or the plant does not run, or the twin did not come into step.
    """
    if ablations:
        raise InputError("The validation of the ledger has no ablations.")
    wanted, most = (QUICK, QUICK) if quick else (JUDGED, MOST)
    return checks_of(applied(wanted, most, tell), quick=quick)


def applied(wanted: int, most: int, tell: Callable[[int, int], None]) -> Ledger:
    """The ledger of a site whose plans a plant obeyed.

    Args:
        wanted: Plans that can be judged.
        most: Plans that are applied at most.
        tell: Called with the plans that are over and those wanted.
    """
    with tempfile.TemporaryDirectory() as name, _site(Path(name)) as tried:
        while tried.applied < most and tried.ledger.judged < wanted:
            tried.next()
            tell(min(tried.ledger.judged, wanted), wanted)
        return tried.ledger


@contextmanager
def _site(folder: Path) -> Iterator[_Tried]:
    """A broker, the plant, and a site that may set it."""
    port = free_port()
    address = f"mqtt://127.0.0.1:{port}"
    module = (
        *("gemeos_plants.windfarm", "--broker", address, "--no-mischief", "--obey"),
        *("--cursor", str(folder / "cursor.json"), "--told", str(folder / "told.jsonl")),
        *("--start", START, "--speed", str(SPEED), "--patience", str(SEEN_S)),
    )
    template = resources.files("gemeos.twins.windfarm").joinpath("ledger_site.toml")
    text = template.read_text(encoding="utf-8")
    for sign, meant in (
        ("@BROKER@", address),
        ("@START@", START),
        ("@SPEED@", str(SPEED)),
        ("@CONTROLS@", _controls()),
    ):
        text = text.replace(sign, meant)
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    with broker(folder, port), child("plant", folder, module) as plant:

        def alive() -> None:
            if plant.poll() is not None:
                said = (folder / "plant.log").read_text(encoding="utf-8", errors="replace").strip()
                raise LinkError(f"The plant ended: {said or 'it said nothing'}")

        with run(read(path).site) as running:
            yield _Tried(running, alive)


def _controls() -> str:
    """Every control is reported by the plant, and set there."""
    places = [(t.name, c) for t in farm(FARM).turbines for c in CONTROLS_A_TURBINE]
    return "\n".join(
        f'[[twin.{TWIN}.bind]]\nchannel = "scada:{t}/{c}"\nto = "{t}.{c}"\n'
        f'[[twin.{TWIN}.act]]\nplace = "farm:{t}/{c}"\nto = "{t}.{c}"\n'
        for t, c in places
    )


class _Tried:
    """Plans, one after the other."""

    def __init__(self, running: RunningSite, alive: Callable[[], None]) -> None:
        self._running, self._twin, self._alive = running, running[TWIN], alive
        self._turns = list(KINDS)
        self._set: Kind | None = None
        """What was done last, until it is put back."""
        self.applied, self._why = 0, ""

    @property
    def ledger(self) -> Ledger:
        """Of all so far."""
        return self._twin.plans.ledger()

    def next(self) -> None:
        """Apply one more, live its hour, and wait until it is scored.

        Raises:
            LinkError: that takes longer than anybody waits.
        """
        self._until(self._is_warm)
        name = f"plan-{self.applied + 1}"
        kind = self._until(lambda: self._begun(name))
        self.applied += 1
        # One kind after the other, where the wind allows it.
        self._turns.sort(key=lambda each: each is kind)
        row = self._until(lambda: self._scored(name))
        if row.stage is Stage.KEPT:
            self._set = None if self._set else kind

    def _is_warm(self) -> bool | None:
        """Whether it has lived long enough for its first plan; None before."""
        self._why = "the twin was just born"
        return self._running.host.clock.now() >= instant(START) + span(WARM_UP) or None

    def _begun(self, name: str) -> Kind | None:
        """What is set or put back; None where nothing can be applied just now."""
        kind = self._chosen()
        if kind is None:
            return None
        changes = kind.changes(kind.back if self._set else kind.to)
        plans = self._twin.plans
        try:
            self._twin.scenario(name, changes, until=AHEAD, every=EVERY, replacing=True)
            plans.of_scenario(name, on=[ON], expires="2 h", replacing=True)
            plans.apply(name, approve="validation", dry_run=False)
        except GemeosError as error:
            self._why = str(error)
            return None
        return kind

    def _chosen(self) -> Kind | None:
        """What is to be put back, or the first in turn, where the wind makes a difference."""
        try:
            now = self._twin.now()
        except GemeosError as error:
            self._why = str(error)
            return None
        could = float(now[COULD].mean[0])
        for kind in [self._set] if self._set else self._turns:
            if could >= kind.least_kw:
                return kind
        self._why = f"the farm could give {could:.0f} kW, which is too little to make a difference"
        return None

    def _scored(self, name: str) -> LedgerRow | None:
        self._why = f"{name} is not scored"
        row = self._running.host.applying.ledgers.row(TWIN, name)
        return None if row.score is None else row

    def _until(self, look: Callable[[], _T | None]) -> _T:
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            self._alive()
            found = look()
            if found is not None:
                return found
            time.sleep(LOOK_S)
        raise LinkError(f"The trial of plans does not get on: {self._why}.")


def checks_of(ledger: Ledger, *, quick: bool = False) -> list[Check]:
    """The promise of the ledger, and what stands behind it without a goal.

    Args:
        ledger: Of the site.
        quick: Whether too few plans are no miss.
    """
    least, most = ledger.accepted
    enough = ledger.judged >= JUDGED
    short = "" if enough else f"; fewer than {JUDGED} judged, which shows nothing"
    how = (
        f"{len(ledger.rows)} plans at a plant of its own physics and rules; promised is what "
        f"{ON} is more in the {AHEAD} to come, delivered what the ledger finds afterwards"
    )
    return [
        Check(
            name="ledger: delivered gains within the promised 90 %",
            measured=f"{ledger.kept} of {ledger.judged}{short}",
            goal=f"{least} to {most} of {ledger.judged}, of >= {JUDGED} (binomial, {ACCEPTED:.0%})",
            ok=None if quick and not enough else enough and ledger.is_accepted,
            how=how,
            reference="",
            source=SOURCE,
        ),
        *(_of(kind, ledger) for kind in KINDS),
        _left_out(ledger),
    ]


def _of(kind: Kind, ledger: Ledger) -> Check:
    """What plans of one kind promised and delivered."""
    rows = [row for row in ledger.rows if _control(row) == kind.control]
    told = [
        (row.promise.gain.mean, row.score.delivered.mean, bool(row.score.inside))
        for row in rows
        if row.promise and row.score and row.score.delivered and row.score.inside is not None
    ]
    measured = f"0 of {len(rows)} judged"
    if told:
        promised, delivered, kept = np.abs(np.array(told)).mean(axis=0)
        measured = (
            f"{kept * len(told):.0f} of {len(told)}; on average {promised:.0f} kW promised, "
            f"{delivered:.0f} kW delivered, either way"
        )
    return Check(
        name=f"ledger: {kind.control} to {kind.to}, and back",
        measured=measured,
        goal="told, without a goal",
        ok=None,
        how=f"all turbines; where the farm could give {kind.least_kw:,.0f} kW or more",
        reference="",
        source=SOURCE,
    )


def _left_out(ledger: Ledger) -> Check:
    """Plans that cannot be judged, and why."""
    why = [
        f"{row.name}: {'; '.join(row.score.notes)}"
        for row in ledger.rows
        if row.score is not None and row.score.inside is None
    ]
    return Check(
        name="ledger: plans that cannot be judged",
        measured=f"{len(why)} of {len(ledger.rows)}{''.join(f'. {each}' for each in why)}",
        goal="told, without a goal",
        ok=None,
        how="refused by the plant, or what was read hardly tells what they brought",
        reference="",
        source=SOURCE,
    )


def _control(row: LedgerRow) -> str:
    return next(iter(row.changes)).partition(".")[2]
