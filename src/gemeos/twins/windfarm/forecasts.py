"""Forecasts of the whole farm's power, held to persistence and climatology."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.ensemble.blend import FORECASTERS, LEVELS, PARTS, Blend, settings_for
from gemeos.ensemble.calibrate import quantiles
from gemeos.ensemble.score import crps_of_quantiles
from gemeos.twins.windfarm.baselines import Persistence, climatology
from gemeos.twins.windfarm.checks import (
    SOURCE,
    Check,
    inside,
    mean_of,
    randomised_pit,
    relative,
)
from gemeos.twins.windfarm.farm import Farm
from gemeos.twins.windfarm.record import Record
from gemeos.twins.windfarm.walk import Walked, blended_online, forecasts, untold

LEADS: Final = (1, 6, 36, 72, 144)
"""Intervals ahead: 10 minutes, 1, 6, 12 and 24 hours."""
TOLD: Final = {1: "10 min", 6: "1 h", 36: "6 h", 72: "12 h", 144: "24 h"}
SEEDS: Final = (0, 1)
"""Each member is run on once for each: a forecast of N members has 1/N of its CRPS from having so
few (Ferro 2014), which a table of quantiles has not."""
TEACHING_SEEDS: Final = SEEDS[:1]
"""In the warm-up, where forecasts only teach."""


def blend_of(described: Farm) -> Blend:
    """How forecasts of the whole farm's power are blended.

    As of any sensor of that noise, but for the prior weights and the rate: wind is foreseen by its
    present long before it is by its climate. Chosen on 2014, each part with dynamics that were
    fitted on the other.
    """
    noise = described.numbers.power_noise * len(described.turbines) ** 0.5
    settings = settings_for(0.0, described.rated_power_kw, noise, a_day=24.0)
    return replace(settings, prior=(0.6, 0.38, 0.02), rate=0.02)


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


def scored_leads(
    described: Farm,
    record: Record,
    cut: int,
    walked: Walked,
    *,
    seeds: Sequence[int] = SEEDS,
    tell: Callable[[int], None] = untold,
) -> list[Scored]:
    """Forecasts of the test months at every lead with what they are compared with."""
    settings, power = blend_of(described), record.farm_power
    first = record.first_tick
    rows = np.concatenate([walked.warm.rows, walked.test.rows])
    raw = np.concatenate(
        [
            quantiles(
                forecasts(walked.model, kept, 0, first, LEADS, seeds=some, tell=tell),
                settings.calibration,
            )
            for kept, some in (
                (walked.warm, seeds[: len(TEACHING_SEEDS)]),
                (walked.test, seeds),
            )
        ]
    )
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


def checks_of(scored: Scored) -> list[Check]:
    """All that is told of one lead."""
    told, truth = TOLD[scored.lead], scored.truth
    checks = []
    for share in (0.5, 0.8, 0.9):
        hit, width = inside(scored.blended, truth, share)
        alone, alone_width = inside(scored.calibrated, truth, share)
        raw, raw_width = inside(scored.raw, truth, share)
        interval = mean_of(hit)
        low, high = 100 * interval.low, 100 * interval.high
        judged = share == 0.9 and scored.lead != 72
        good = 86 <= 100 * interval.mean <= 94 and low <= 93 and high >= 87
        checks.append(
            Check(
                f"coverage of {share:.0%}, {told}",
                f"{100 * interval.mean:.1f} % [{low:.1f}, {high:.1f}], width {width.mean():.0f} kW"
                f" (before blending {100 * alone.mean():.1f} %, {alone_width.mean():.0f} kW; "
                f"before calibration {100 * raw.mean():.1f} %, {raw_width.mean():.0f} kW)",
                "86 to 94 %, interval overlaps 87 to 93 %" if judged else "told",
                good if judged else None,
                "share of hourly issues whose truth lies in the central interval; 5-day blocks",
                f"{share:.0%}",
                SOURCE,
            )
        )
    return [*checks, _by_size(scored), _pit_check(scored), *_scores(scored), _weights(scored)]


def _by_size(scored: Scored) -> Check:
    hit, width = inside(scored.blended, scored.truth, 0.9)
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
    counts, _ = np.histogram(randomised_pit(scored.blended, scored.truth), 10, (0.0, 1.0))
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
    score = {
        name: crps_of_quantiles(given, LEVELS, scored.truth)
        for name, given in (
            ("the blend", scored.blended),
            ("the twin alone", scored.calibrated),
            ("the twin before calibration", scored.raw),
            ("persistence with errors", scored.persistence),
            ("climatology", scored.climatology),
        )
    }
    blend, alone, raw, persistence, climate = score
    goal = {1: "told", 6: "upper end <= +2 %", 36: "interval below 0 (aim -3 %)"}
    out = []
    for mine, other, wanted in (
        (blend, persistence, goal.get(scored.lead, "told")),
        (blend, climate, "interval below 0"),
        (blend, alone, "not worse: lower end <= 0"),
        (alone, raw, "not worse: lower end <= 0"),
        (alone, persistence, "told"),
    ):
        by = relative(score[mine], score[other])
        good: bool | None = None
        if wanted.startswith("upper"):
            good = by.high <= 2.0
        elif wanted.startswith("interval"):
            good = by.high < 0.0
        elif wanted.startswith("not worse"):
            good = by.low <= 0.0
        out.append(
            Check(
                f"CRPS of {mine} against {other}, {TOLD[scored.lead]}",
                f"{by.mean:+.1f} % [{by.low:+.1f}, {by.high:+.1f}] "
                f"({score[mine].mean():.0f} against {score[other].mean():.0f} kW)",
                wanted,
                good,
                "paired, hourly issues, 95 % interval by 5-day blocks",
                f"{score[other].mean():.1f} kW",
                SOURCE,
            )
        )
    return out


def _weights(scored: Scored) -> Check:
    mean = 100.0 * scored.weights.mean(axis=0)
    last = 100.0 * scored.weights[-1, 1]
    parts = [
        f"{name} " + " / ".join(f"{mean[p, f]:.0f}" for p in range(len(PARTS))) + " %"
        for f, name in enumerate(FORECASTERS)
    ]
    end = ", ".join(f"{x:.0f}" for x in last)
    return Check(
        f"weights earned, {TOLD[scored.lead]}",
        "; ".join(parts) + f" (low end / middle / high end); at the end {end} % in the middle",
        "told",
        None,
        "mean over test issues; learned online from forecasts whose truth had come",
        "by lead",
        SOURCE,
    )
