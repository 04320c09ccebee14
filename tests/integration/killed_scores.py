"""The child of contract 8's test: a twin lives through a series until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import gemeos as gm
from gemeos.link.format import TimeForm
from gemeos.testing.linear import Linear
from gemeos.units.instant import SECOND

START = 1_700_000_000 * SECOND
SENSOR_SD = 0.05
RECORDED_S_A_SECOND = 150.0


def walk(a: float, *, step_sd: float = 1.0) -> Linear:
    """``x' = a x`` and noise, read nearly as it is."""
    return Linear(
        matrix=np.array([[a]]),
        observation=np.array([[1.0]]),
        prior_mean=np.zeros(1),
        prior_sd=np.full(1, 3.0),
        step_noise_sd=np.full(1, step_sd),
        sensor_noise_sd=SENSOR_SD,
    )


def twin_of(model: Linear, leads: tuple[str, ...], *, members: int = 64) -> gm.Twin:
    """A twin that is held to its forecasts, bound to the recorded series."""
    twin = gm.Twin("walk", model, members=members, leads=leads, forecast_every="1 s")
    return twin.bind("file:y0", to="y0")


def site_of(twin: gm.Twin, table: Path, store: Path | None, pace: float | None) -> gm.Site:
    """The site that lives through the file."""
    link = gm.FileLink(name="file", path=str(table), time="time", form=TimeForm.SECONDS, pace=pace)
    clock = gm.Replay(START, 1.0, "made by the test")
    return gm.Site("walks", twins=(twin,), links=(link,), clock=clock, store=store)


def main() -> None:
    table, store = Path(sys.argv[1]), Path(sys.argv[2])
    twin = twin_of(walk(0.9), ("1 s", "5 s"), members=16)
    with gm.run(site_of(twin, table, store, RECORDED_S_A_SECOND)) as running:
        while not running.wait(0.05):
            scored = sum(score.count for score in twin.trust().scores)
            sys.stdout.write(f"{scored}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
