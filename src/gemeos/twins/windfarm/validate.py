"""``gemeos validate windfarm``: the twin walked through months that nothing was fitted on.

Everything is fixed before: the farm's description, and the settings below. The year before serves
as warm-up: parameters, the state and the calibration learn from it as they would have, live. The
test months are walked through once, forward.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.ensemble.blend import LEVELS, Blend, settings_for
from gemeos.ensemble.calibrate import quantiles
from gemeos.ensemble.score import MeanInterval, crps, crps_of_quantiles, mean_interval
from gemeos.ensemble.state import TwinState
from gemeos.twins.windfarm import bound
from gemeos.twins.windfarm.baselines import (
    Persistence,
    binned_curve,
    climatology,
    ridge_on_others,
)
from gemeos.twins.windfarm.farm import Farm, Numbers, farm
from gemeos.twins.windfarm.physics import WindFarm
from gemeos.twins.windfarm.record import Deprived, Record, read_record
from gemeos.twins.windfarm.walk import Kept, Walker, blended_online, forecasts

LEADS: Final = (1, 6, 36, 72, 144)
"""Intervals ahead: 10 minutes, 1, 6, 12 and 24 hours."""
TOLD: Final = {1: "10 min", 6: "1 h", 36: "6 h", 72: "12 h", 144: "24 h"}
ISSUED_EVERY: Final = 6
"""Intervals between issues: an hour."""
TAUGHT_EVERY: Final = 12
"""The same in the warm-up, where forecasts only teach the calibration."""
BLOCK: Final = 120
"""Issues in a block of the bootstrap: five days."""
DRAWS: Final = 2000
SEEDS: Final = (0, 1, 2, 3)
"""Each member is run on once for each: a forecast of 64 members has 1/64 of its CRPS from having
so few (Ferro 2014), which a table of quantiles has not."""
SOURCE: Final = "docs/validation/windfarm.md"


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and what was measured."""

    name: str
    measured: str
    goal: str
    ok: bool | None
    """None for what is told without a goal."""
    how: str
    reference: str
    source: str


def table(checks: Sequence[Check]) -> str:
    """All of them as a Markdown table, the goal beside the result."""
    verdict = {True: "yes", False: "**no**", None: ""}
    rows = [f"| {c.name} | {c.measured} | {c.goal} | {verdict[c.ok]} |" for c in checks]
    return "\n".join(["| what | measured | goal | met |", "|---|---|---|---|", *rows])


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


def blend_of(described: Farm) -> Blend:
    """How forecasts of the whole farm's power are corrected: as of any sensor of that noise."""
    turbines = len(described.turbines)
    noise = described.numbers.power_noise * turbines**0.5
    return settings_for(0.0, described.rated_power_kw, noise, a_day=24.0)


@dataclass(frozen=True, eq=False)
class Scored:
    """Forecasts of the farm's power at one lead, and what is compared with them."""

    lead: int
    truth: Float64[np.ndarray, " issue"]
    raw: Float64[np.ndarray, "issue level"]
    calibrated: Float64[np.ndarray, "issue level"]
    blended: Float64[np.ndarray, "issue level"]
    weights: Float64[np.ndarray, "issue part forecaster"]
    persistence: Float64[np.ndarray, "issue level"]
    climatology: Float64[np.ndarray, "issue level"]


def validate(
    folder: Path,
    *,
    which: str = "la_haute_borne",
    months: Months = LAST_CHECK,
    members: int = 64,
    ablations: bool = True,
) -> list[Check]:
    """Walk the twin of that farm through its record and hold it to its promises.

    Args:
        folder: Where the recorded tables are.
        which: The farm, as in ``twin``.
        months: What is warm-up and what is test.
        members: Size of the ensemble.
        ablations: Whether to walk again without wakes and without joint parameters.

    Raises:
        InputError: no such record.
    """
    described = farm(which)
    record = read_record(folder, described, months.fit, months.until)
    first = record.place(months.warm_up, described.interval_s)
    cut = record.place(months.test, described.interval_s)
    whole = Walked.through(
        record, range(first, cut), WindFarm(described), members=members, alone=ablations
    )
    scored = scored_leads(described, record, cut, whole)
    checks = [c for s in scored for c in _of_lead(s)]
    checks += _nowcasts(described, record, cut, whole)
    if ablations:
        checks += _ablations(described, record, range(first, cut), whole, members)
    return checks


@dataclass(frozen=True, eq=False)
class Walked:
    """A model that went through warm-up and test months.

    Copies in the test months, in this order: one that hears all; one for each turbine that does
    not hear its power; one for each that hears nothing of it; where asked for, one for each that
    hears it alone.
    """

    model: WindFarm
    warm: Kept
    test: Kept

    @staticmethod
    def through(
        record: Record, before: range, model: WindFarm, *, members: int, alone: bool = False
    ) -> Walked:
        """Through the rows ``before`` with all channels, then through the rest as copies."""
        walker, state = Walker.of(bound("windfarm", model, members=members), model.farm)
        turbines = len(model.farm.turbines)
        heard = Deprived.of_nothing(1, turbines)
        warm = walker.follow(state, record, before, heard, every=TAUGHT_EVERY, kept_twins=[0])
        each = np.eye(turbines, dtype=np.bool_)
        deprived = heard.joined(Deprived(each, np.zeros_like(each))).joined(Deprived(each, each))
        if alone:
            deprived = deprived.joined(Deprived(~each, ~each))
        copies = len(deprived.power)
        test = walker.follow(
            copied(warm.state, copies),
            record,
            range(before.stop, len(record)),
            deprived,
            every=ISSUED_EVERY,
            kept_twins=[0, *range(1 + 2 * turbines, copies)],
        )
        return Walked(model, warm, test)


def copied(state: TwinState, copies: int) -> TwinState:
    """The same twin several times."""
    return state.take([0] * copies)


def scored_leads(
    described: Farm, record: Record, cut: int, walked: Walked, seeds: Sequence[int] = SEEDS
) -> list[Scored]:
    """Forecasts of the test months at every lead with what they are compared with."""
    settings, power = blend_of(described), record.farm_power
    first = record.first_tick
    rows = np.concatenate([walked.warm.rows, walked.test.rows])
    ensembles = np.concatenate(
        [
            forecasts(walked.model, kept, 0, first, LEADS, seeds=seeds)
            for kept in (walked.warm, walked.test)
        ]
    )
    raw = quantiles(ensembles, settings.calibration)
    ahead = rows[:, None] + np.array(LEADS)
    known = ahead < len(power)
    truth = np.where(known, power[np.minimum(ahead, len(power) - 1)], np.nan)
    online = blended_online(settings, raw, power, rows, LEADS)
    year = power[:cut]
    day = np.arange(len(power)) * described.interval_s / 86_400.0
    out = []
    for place, lead in enumerate(LEADS):
        table = Persistence.fitted(year, lead, LEVELS, described.rated_power_kw)
        asked = (rows >= cut) & np.isfinite(truth[:, place]) & np.isfinite(power[rows])
        out.append(
            Scored(
                lead,
                truth[asked, place],
                raw[asked, place],
                online.each[asked, place, 0],
                online.blended[asked, place],
                online.weights[asked, place],
                table.quantiles(power[rows[asked]]),
                climatology(year, day[:cut], day[ahead[asked, place]] % 365.0, LEVELS),
            )
        )
    return out


def _rng() -> np.random.Generator:
    return np.random.default_rng(20150101)


def inside(
    given: Float64[np.ndarray, "issue level"], truth: Float64[np.ndarray, " issue"], share: float
) -> tuple[Float64[np.ndarray, " issue"], Float64[np.ndarray, " issue"]]:
    """1 where the truth lies in the central interval of that share, else 0; and its width."""
    low = _at_level(given, 0.5 - share / 2)
    high = _at_level(given, 0.5 + share / 2)
    return ((truth >= low) & (truth <= high)).astype(np.float64), high - low


def _at_level(
    given: Float64[np.ndarray, "issue level"], level: float
) -> Float64[np.ndarray, " issue"]:
    place = float(np.interp(level, LEVELS, np.arange(len(LEVELS))))
    low, part = int(place), place - int(place)
    upper = given[:, min(low + 1, len(LEVELS) - 1)]
    return (1.0 - part) * given[:, low] + part * upper


def relative(
    one: Float64[np.ndarray, " issue"], other: Float64[np.ndarray, " issue"]
) -> MeanInterval:
    """By how much the mean of ``one`` lies above that of ``other``, in per cent of it.

    Blocks of both are drawn together. The ratio's interval is that of ``one - c other`` turned
    round: with c the ratio itself its mean is zero (the linearised ratio, Cochran 1977, Sampling
    Techniques, eq. 2.39), which needs no second bootstrap.
    """
    ratio = float(one.mean() / other.mean())
    block = min(BLOCK, len(one))
    off = mean_interval(one - ratio * other, block=block, rng=_rng(), draws=DRAWS)
    scale = 100.0 / float(other.mean())
    middle = 100.0 * (ratio - 1.0)
    return MeanInterval(middle, middle + scale * off.low, middle + scale * off.high)


def randomised_pit(
    given: Float64[np.ndarray, "issue level"], truth: Float64[np.ndarray, " issue"]
) -> Float64[np.ndarray, " issue"]:
    """Where truths lie in their forecasts, 0..1; spread evenly over an atom at zero power.

    Czado, Gneiting & Held (2009), Biometrics 65, 1254-1261, eq. 2.
    """
    below = np.array(
        [np.searchsorted(g, t, side="left") for g, t in zip(given, truth, strict=True)]
    )
    upto = np.array(
        [np.searchsorted(g, t, side="right") for g, t in zip(given, truth, strict=True)]
    )
    return (below + _rng().random(len(truth)) * (upto - below + 1)) / (len(LEVELS) + 1)


def _of_lead(scored: Scored) -> list[Check]:
    told, truth = TOLD[scored.lead], scored.truth
    checks = []
    for share in (0.5, 0.8, 0.9):
        raw, raw_width = inside(scored.raw, truth, share)
        hit, width = inside(scored.calibrated, truth, share)
        interval = mean_interval(hit, block=BLOCK, rng=_rng(), draws=DRAWS)
        low, high = 100 * interval.low, 100 * interval.high
        judged = share == 0.9 and scored.lead != 72
        good = 86 <= 100 * interval.mean <= 94 and low <= 93 and high >= 87
        checks.append(
            Check(
                f"coverage of {share:.0%}, {told}",
                f"{100 * interval.mean:.1f} % [{low:.1f}, {high:.1f}], width {width.mean():.0f} kW"
                f" (before calibration {100 * raw.mean():.1f} %, {raw_width.mean():.0f} kW)",
                "86 to 94 %, interval overlaps 87 to 93 %" if judged else "told",
                good if judged else None,
                "share of hourly issues whose truth lies in the central interval; 5-day blocks",
                f"{share:.0%}",
                SOURCE,
            )
        )
    checks += [_by_size(scored), _pit_check(scored), *_scores(scored)]
    return checks


def _by_size(scored: Scored) -> Check:
    hit, width = inside(scored.calibrated, scored.truth, 0.9)
    raw, _ = inside(scored.raw, scored.truth, 0.9)
    size = scored.raw.mean(axis=1)
    third = np.digitize(size, np.quantile(size, [1 / 3, 2 / 3]))
    parts = [
        f"{name} {100 * hit[third == k].mean():.1f} % ({width[third == k].mean():.0f} kW; "
        f"before {100 * raw[third == k].mean():.1f} %)"
        for k, name in enumerate(("low", "middle", "high"))
    ]
    return Check(
        f"coverage of 90 % by third of forecast power, {TOLD[scored.lead]}",
        "; ".join(parts),
        "told",
        None,
        "as above, by the size of the forecast",
        "90%",
        SOURCE,
    )


def _pit_check(scored: Scored) -> Check:
    counts, _ = np.histogram(randomised_pit(scored.calibrated, scored.truth), 10, (0.0, 1.0))
    share = 100.0 * counts / counts.sum()
    return Check(
        f"randomised PIT, {TOLD[scored.lead]}",
        "tenths hold " + " ".join(f"{s:.0f}" for s in share) + " %",
        "told",
        None,
        "randomised over the atom at zero power",
        "10 % each",
        SOURCE,
    )


def _scores(scored: Scored) -> list[Check]:
    told = TOLD[scored.lead]
    score = {
        name: crps_of_quantiles(given, LEVELS, scored.truth)
        for name, given in (
            ("calibrated", scored.calibrated),
            ("raw", scored.raw),
            ("persistence", scored.persistence),
            ("climatology", scored.climatology),
        )
    }
    mine = score["calibrated"]
    out = []
    for other, goal in (
        ("persistence", {6: "upper end <= +2 %", 36: "interval below 0 (aim -3 %)"}),
        ("climatology", dict.fromkeys(LEADS, "interval below 0")),
        ("raw", dict.fromkeys(LEADS, "not worse: lower end <= 0")),
    ):
        by = relative(mine, score[other])
        wanted = goal.get(scored.lead, "told")
        good: bool | None = None
        if wanted.startswith("upper"):
            good = by.high <= 2.0
        elif wanted.startswith("interval"):
            good = by.high < 0.0
        elif wanted.startswith("not worse"):
            good = by.low <= 0.0
        name = {"raw": "itself before calibration", "persistence": "persistence with errors"}
        out.append(
            Check(
                f"CRPS against {name.get(other, other)}, {told}",
                f"{by.mean:+.1f} % [{by.low:+.1f}, {by.high:+.1f}] "
                f"({mine.mean():.0f} against {score[other].mean():.0f} kW)",
                wanted,
                good,
                "paired, hourly issues, 95 % interval by 5-day blocks",
                f"{score[other].mean():.1f} kW",
                SOURCE,
            )
        )
    return out


def _nowcasts(described: Farm, record: Record, cut: int, walked: Walked) -> list[Check]:
    turbines = len(described.turbines)
    rows = walked.test.rows
    fit = np.arange(len(record)) < cut
    out = []
    for i, turbine in enumerate(described.turbines):
        power, wind = record.values["power"][:, i], record.values["wind"][:, i]
        for what, copy, other, named in (
            ("own power", 1 + i, binned_curve(wind, power, fit), "binned curve on its own wind"),
            ("all channels", 1 + turbines + i, ridge_on_others(record, i, fit), "ridge on others"),
        ):
            out.append(
                _nowcast(
                    f"nowcast of {turbine.name} without {what}",
                    walked.test.power[:, copy, i],
                    other[rows],
                    power[rows],
                    named,
                )
            )
    return out


def _nowcast(
    name: str,
    mine: Float64[np.ndarray, " issue"],
    other: Float64[np.ndarray, " issue"],
    truth: Float64[np.ndarray, " issue"],
    named: str,
) -> Check:
    known: Bool[np.ndarray, " issue"] = np.isfinite(other) & np.isfinite(truth)
    ours, theirs = (mine - truth)[known] ** 2, (other - truth)[known] ** 2
    by = mean_interval(ours - theirs, block=BLOCK, rng=_rng(), draws=DRAWS)
    return Check(
        name,
        f"RMSE {np.sqrt(ours.mean()):.0f} against {np.sqrt(theirs.mean()):.0f} kW; mean square "
        f"{by.mean:+.0f} [{by.low:+.0f}, {by.high:+.0f}] kW2",
        f"RMSE below that of the {named}",
        bool(ours.mean() < theirs.mean()),
        "hourly instants; fitted on the year before; nothing withheld is used later",
        named,
        SOURCE,
    )


def _ablations(
    described: Farm, record: Record, before: range, walked: Walked, members: int
) -> list[Check]:
    """What wakes, joint parameters and hearing four turbines at once are worth."""
    turbines = len(described.turbines)
    out = []
    for name, model in (
        ("wakes", WindFarm(described, wakes=False)),
        ("joint parameters", WindFarm(replace(described, numbers=_certain(described)))),
    ):
        without = Walked.through(record, before, model, members=members)
        for first, what in ((1, "own power"), (1 + turbines, "all channels")):
            out.append(_worth_now(name, what, record, walked, without, first))
        theirs = scored_leads(described, record, before.stop, without, SEEDS[:1])
        mine = scored_leads(described, record, before.stop, walked, SEEDS[:1])
        for ours, other in zip(mine, theirs, strict=True):
            if ours.lead in (6, 36):
                score = [crps_of_quantiles(s.calibrated, LEVELS, s.truth) for s in (ours, other)]
                out.append(_worth(name, f"CRPS of the farm, {TOLD[ours.lead]}", *score))
    alone = _alone(described, record, walked)
    return [*out, *alone]


def _worth(
    part: str,
    what: str,
    with_it: Float64[np.ndarray, " issue"],
    without: Float64[np.ndarray, " issue"],
) -> Check:
    by = relative(without, with_it)
    verdict = "helps" if by.low > 0 else "does harm" if by.high < 0 else "does not show"
    return Check(
        f"without {part}: {what}",
        f"{by.mean:+.1f} % [{by.low:+.1f}, {by.high:+.1f}]: {part} {verdict}",
        "told",
        None,
        "the same walk with that part switched off; positive means worse without it",
        "the whole twin",
        SOURCE,
    )


def _worth_now(
    part: str, what: str, record: Record, walked: Walked, without: Walked, first: int
) -> Check:
    """Squared errors of the nowcasts of all turbines, each from the copy that is deprived of it."""
    truth = record.values["power"][walked.test.rows]
    each = []
    for side in (walked, without):
        held = np.stack([side.test.power[:, first + i, i] for i in range(truth.shape[1])], axis=1)
        each.append((held - truth) ** 2)
    known = np.isfinite(truth).all(axis=1)
    with_it, off = (e[known].mean(axis=1) for e in each)
    return _worth(part, f"mean square of nowcasts without {what}", with_it, off)


def _alone(described: Farm, record: Record, walked: Walked) -> list[Check]:
    """Each turbine's power an hour ahead, from all turbines against from itself alone."""
    lead = 6
    rows = walked.test.rows
    out = []
    for i, turbine in enumerate(described.turbines):
        power = record.values["power"][:, i]
        inside_record = rows + lead < len(power)
        truth = np.where(inside_record, power[np.minimum(rows + lead, len(power) - 1)], np.nan)
        known = np.isfinite(truth)
        scores = [
            crps(
                forecasts(
                    walked.model,
                    walked.test,
                    copy,
                    record.first_tick,
                    [lead],
                    seeds=[0],
                    what=f"{turbine.name}.power",
                )[known, 0],
                truth[known],
            )
            for copy in (0, 1 + i)
        ]
        out.append(_worth("the other turbines", f"CRPS of {turbine.name}, 1 h", *scores))
    return out


def _certain(described: Farm) -> Numbers:
    """Parameters held at their prior middle: nothing to learn."""
    return replace(
        described.numbers,
        exposure_sd=0.0,
        performance_sd=0.0,
        transfer_sd=0.0,
        expansion_sd=0.0,
        vane_offset_sd=0.0,
        drift_month=0.0,
        vane_drift_month=0.0,
    )
