"""What the twin says of turbines whose power, or all of whose channels, it does not hear."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.twins.windfarm.baselines import binned_curve, ridge_on_others
from gemeos.twins.windfarm.checks import SOURCE, Check, mean_of
from gemeos.twins.windfarm.farm import Farm
from gemeos.twins.windfarm.record import Record
from gemeos.twins.windfarm.walk import Walked


def nowcasts_of(described: Farm, record: Record, cut: int, walked: Walked) -> list[Check]:
    """Each turbine's power, against a curve on its own wind and a ridge on the others."""
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
    by = mean_of(ours - theirs)
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
