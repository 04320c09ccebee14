"""What wakes, joint parameters and hearing several turbines at once are worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from gemeos.ensemble.blend import LEVELS
from gemeos.ensemble.score import crps, crps_of_quantiles
from gemeos.twins.windfarm.checks import SOURCE, Check, relative
from gemeos.twins.windfarm.farm import Farm, Numbers
from gemeos.twins.windfarm.forecasts import SEEDS, TOLD, scored_leads
from gemeos.twins.windfarm.physics import Wakes, WindFarm
from gemeos.twins.windfarm.record import Record
from gemeos.twins.windfarm.walk import ISSUED_EVERY, Walked, forecasts, untold


def steps_of_ablations(before: int, test: int, turbines: int) -> int:
    """How long they take, in rows walked or states run on for a day."""
    each = before + test + (before + test) // ISSUED_EVERY
    return 2 * each + (before + test + 2 * turbines * test) // ISSUED_EVERY


def ablations_of(
    described: Farm,
    record: Record,
    before: range,
    walked: Walked,
    members: int,
    tell: Callable[[int], None] = untold,
) -> list[Check]:
    """What wakes, joint parameters and hearing four turbines at once are worth."""
    turbines = len(described.turbines)
    out = []
    mine = scored_leads(described, record, before.stop, walked, seeds=SEEDS[:1], tell=tell)
    for name, model in (
        ("wakes", WindFarm(described, wakes=Wakes.NONE)),
        ("joint parameters", WindFarm(replace(described, numbers=_certain(described)))),
    ):
        without = Walked.through(record, before, model, members=members, tell=tell)
        for first, what in ((1, "own power"), (1 + turbines, "all channels")):
            out.append(_worth_now(name, what, record, walked, without, first))
        theirs = scored_leads(described, record, before.stop, without, seeds=SEEDS[:1], tell=tell)
        for ours, other in zip(mine, theirs, strict=True):
            if ours.lead in (6, 36):
                score = [crps_of_quantiles(s.blended, LEVELS, s.truth) for s in (ours, other)]
                out.append(_worth(name, f"CRPS of the farm, {TOLD[ours.lead]}", *score))
    alone = _alone(described, record, walked, tell)
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


def _alone(
    described: Farm, record: Record, walked: Walked, tell: Callable[[int], None]
) -> list[Check]:
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
                    tell=tell,
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
