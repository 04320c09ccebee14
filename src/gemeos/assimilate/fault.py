"""Telling a bad sensor from a model that drifts, from what is remembered of each channel.

Every reading is compared with what the ensemble and all other readings say (``temper.apart``). Four
sums of evidence are kept a channel, each a CUSUM: Page (1954), Biometrika 41, 100-115. A sum of
logarithms of likelihood ratios that falls back to zero reaches h, where the null hypothesis holds,
on average not before exp(h) readings: Lorden (1971), Ann. Math. Statist. 42, 1897-1908, th. 2. The
null hypotheses are wide (errors of one and a half expected deviations are no fault), so that a
channel whose errors are as declared is accused far less often than that.

One channel against the others is a sensor, as are a few of many. More than that, or all, is the
model: then no sensor is accused, and ``recover`` or the phase *drifting* says so. Only a channel
that does not move can be named whatever the others do.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.assimilate.fault_counts import LEAST_CHANCE
from gemeos.ensemble.state import Monitor, Verdict

MEMORY = 100.0
"""Runs of equal values after which an old one counts 1/e."""
FAR = 3.5
"""Expected deviations beyond which a reading is called far: 1 in 2,000 where all is as declared."""
BACK = 1.75
"""A reading within this, behind a far one, has jumped back; a bias never does."""
LARGEST = 4.0
"""Expected deviations that one reading counts at most in a mean."""

UNLIKELY_RUN = 1e-6
"""A run of equal values is odd where its channel had one like it so seldom."""
FAR_IN_A_RUN = 2
"""So many far readings in a row, all equal, and the channel does not follow its sensor."""
PASSED_BY = 3.0
"""Expected deviations that the ensemble moved by while the channel read the same."""
LONG_RUN, MOVED_BY = 6.0, 1.0
"""A run of so many, not at the channel's floor, is believed to be a fault already when the ensemble
moved by so little meanwhile: a wind vane that never repeats a value, and then does, is stuck, but
the wind need not turn far for that to be seen."""
KNOWN_FLOOR = 10
"""Readings after which the least of them counts as the channel's floor."""
READINGS_TO_RETURN = 10
"""Moving and plausible readings after which a stuck or dead channel counts again."""

TOLERATED_BIAS = 1.125
"""Half the bias in question (one deviation) on errors of one and a half, as a variance 2.25."""
BIAS_LIMIT = 15.0
OFTEN, SELDOM = 2.3, 0.046
"""log(0.05/0.005), -log(0.95/0.995): one reading in twenty jumps, against one in two hundred."""
SPIKE_LIMIT = 8.0
LOST_SLOPE, LOST_COST, LARGEST_LOST = 1.0 / 6.0, 0.6931, 25.0
"""Errors of three expected deviations against one and a half: (1/2.25 - 1/9)/2, log(2)."""
LOST_LIMIT = 8.0

A_FEW = 0.25
"""Share of the channels that can be bad sensors at once; one of two or more always can."""
SILENT = 10.0
"""Usual intervals after which a channel has no say in how many are off."""


def gathered(
    before: Float64[np.ndarray, "heard monitor"],
    watched: Float64[np.ndarray, "heard monitor"],
    far: Float64[np.ndarray, " heard"],
    together: Float64[np.ndarray, " heard"],
    value: Float64[np.ndarray, " heard"],
    repeats: Float64[np.ndarray, " heard"] | None = None,
) -> Float64[np.ndarray, "heard monitor"]:
    """The evidence of channels after one more reading each.

    Args:
        before: As they were.
        watched: With the reading in (``diagnose.watched``).
        far: How far it lies from what the rest says, in expected deviations; NaN where it was not
            compared.
        together: The same of the mean of all readings of the channel at the instant, at the first
            of them; NaN at the others, which say the same of the channel again.
        value: What was read.
        repeats: Of counts the chance of what was read (``fault_counts.chance``); NaN of all else.
    """
    if repeats is None:
        repeats = np.full(len(value), np.nan)
    after = watched.copy()
    compared = np.isfinite(far)
    deviation = np.where(compared, far, 0.0)
    implausible = np.abs(deviation) > FAR
    equal = watched[:, Monitor.EQUAL_RUN] > 1
    _run(after, before, equal, deviation, repeats)
    _freeze(after, before, value, equal, compared, implausible, np.isfinite(repeats))
    moving = after[:, Monitor.FROZEN] == 0
    counted = np.isfinite(together) & moving
    of_all = np.where(counted, together, 0.0)
    bounded = np.clip(of_all, -LARGEST, LARGEST)
    for column, signed in ((Monitor.ABOVE, bounded), (Monitor.BELOW, -bounded)):
        after[:, column] = _sum(before[:, column], signed - TOLERATED_BIAS, BIAS_LIMIT, counted)
    back = (before[:, Monitor.FAR_RUN] > 0) & (np.abs(deviation) < BACK)
    jumped = np.where(back, OFTEN, np.where(implausible, 0.0, -SELDOM))
    after[:, Monitor.SPIKES] = _sum(before[:, Monitor.SPIKES], jumped, SPIKE_LIMIT, compared)
    lost = LOST_SLOPE * np.minimum(of_all**2, LARGEST_LOST) - LOST_COST
    after[:, Monitor.LOST] = _sum(before[:, Monitor.LOST], lost, LOST_LIMIT, counted)
    still = ~moving[:, None]
    sums = [Monitor.ABOVE, Monitor.BELOW, Monitor.SPIKES, Monitor.LOST]
    after[:, sums] = np.where(still, 0.0, after[:, sums])
    after[:, Monitor.COMPARED] = before[:, Monitor.COMPARED] + compared
    after[:, Monitor.LEAST] = np.minimum(before[:, Monitor.LEAST], value)
    return after


def _sum(
    was: Float64[np.ndarray, " heard"],
    more: Float64[np.ndarray, " heard"],
    limit: float,
    counted: Bool[np.ndarray, " heard"],
) -> Float64[np.ndarray, " heard"]:
    """A CUSUM after one more term. It is held at its limit, so that it can come back."""
    return np.where(counted, np.clip(was + more, 0.0, limit), was)


def _run(
    after: Float64[np.ndarray, "heard monitor"],
    before: Float64[np.ndarray, "heard monitor"],
    equal: Bool[np.ndarray, " heard"],
    deviation: Float64[np.ndarray, " heard"],
    repeats: Float64[np.ndarray, " heard"],
) -> None:
    """How likely the present run of equal values is, as the channel's runs went so far.

    Lengths of runs are taken to be geometric: one of mean length m goes on with chance 1 - 1/m.
    Counts are as likely as they are expected.
    """
    usual = before[:, Monitor.USUAL_RUN]
    goes_on = before[:, Monitor.RUN_CHANCE] * np.where(
        np.isfinite(repeats), np.maximum(repeats, LEAST_CHANCE), 1.0 - 1.0 / usual
    )
    after[:, Monitor.RUN_CHANCE] = np.where(equal, goes_on, 1.0)
    low, high = before[:, Monitor.RUN_LOW], before[:, Monitor.RUN_HIGH]
    after[:, Monitor.RUN_LOW] = np.where(equal, np.minimum(low, deviation), deviation)
    after[:, Monitor.RUN_HIGH] = np.where(equal, np.maximum(high, deviation), deviation)
    # What a stuck sensor did is no history of a sound one.
    ended = ~equal & (before[:, Monitor.EQUAL_RUN] > 0) & (before[:, Monitor.FROZEN] == 0)
    runs = before[:, Monitor.RUNS] + ended
    weight = np.maximum(1.0 / runs, 1.0 / MEMORY)
    longer = weight * (before[:, Monitor.EQUAL_RUN] - usual)
    after[:, Monitor.USUAL_RUN] = np.where(ended, usual + longer, usual)
    after[:, Monitor.RUNS] = runs


def _freeze(
    after: Float64[np.ndarray, "heard monitor"],
    before: Float64[np.ndarray, "heard monitor"],
    value: Float64[np.ndarray, " heard"],
    equal: Bool[np.ndarray, " heard"],
    compared: Bool[np.ndarray, " heard"],
    implausible: Bool[np.ndarray, " heard"],
    counts: Bool[np.ndarray, " heard"],
) -> None:
    """Which channels repeat a value that the rest does not believe, and which move again."""
    far_run = np.where(implausible, before[:, Monitor.FAR_RUN] + 1.0, 0.0)
    far_run = np.where(compared, far_run, before[:, Monitor.FAR_RUN])
    known = before[:, Monitor.COMPARED] >= KNOWN_FLOOR
    floor = (value == 0) | (known & (value <= before[:, Monitor.LEAST]))
    refuses = equal & (far_run >= FAR_IN_A_RUN)
    odd = equal & (after[:, Monitor.RUN_CHANCE] <= UNLIKELY_RUN)
    # Counts near zero are no sign of anything: only how likely their run is counts.
    dead = np.where(counts, odd & (value == 0), refuses & floor)
    # A sensor that is alone pulls the estimate along and is never far from it; but the estimate
    # moves, and a constant that the model expects too stays where it is.
    moved = after[:, Monitor.RUN_HIGH] - after[:, Monitor.RUN_LOW]
    long = (after[:, Monitor.EQUAL_RUN] >= LONG_RUN) & ~floor & (moved >= MOVED_BY)
    stuck = odd & (counts | (far_run >= FAR_IN_A_RUN) | (moved >= PASSED_BY) | long)
    was = before[:, Monitor.FROZEN]
    returns = compared & ~equal & ~implausible
    less = np.maximum(was - returns, 0.0)
    after[:, Monitor.FAR_RUN] = far_run
    after[:, Monitor.FROZEN] = np.where(dead | stuck, READINGS_TO_RETURN, less)
    named = np.where(dead, Verdict.DEAD, Verdict.STUCK)
    begins = (dead | stuck) & ((was == 0) | dead)
    after[:, Monitor.VERDICT] = np.where(begins, named, before[:, Monitor.VERDICT])


def judged(
    monitors: Float64[np.ndarray, "twin channel monitor"],
) -> tuple[Float64[np.ndarray, "twin channel monitor"], Bool[np.ndarray, " twin"]]:
    """The monitors with a verdict on every channel, and which twins' models are in doubt."""
    after = monitors.copy()
    was, frozen = monitors[:, :, Monitor.VERDICT], monitors[:, :, Monitor.FROZEN] > 0
    bias = np.maximum(monitors[:, :, Monitor.ABOVE], monitors[:, :, Monitor.BELOW])
    spikes = monitors[:, :, Monitor.SPIKES]
    far_off = monitors[:, :, Monitor.LOST] >= LOST_LIMIT
    one_sided = bias >= BIAS_LIMIT / 2
    # A bias does not jump back; noise that is too large may look like one for a while.
    jumps = (spikes >= SPIKE_LIMIT) | ((was == Verdict.SPIKING) & (spikes > 0))
    biased = (bias >= BIAS_LIMIT) | (far_off & one_sided) | ((was == Verdict.BIASED) & (bias > 0))
    biased &= ~jumps
    off = jumps | biased | far_off
    # Where others are on the way there, it is not this one alone.
    half = (
        one_sided | (spikes >= SPIKE_LIMIT / 2) | (monitors[:, :, Monitor.LOST] >= LOST_LIMIT / 2)
    )
    shared = _many(monitors, off | half)
    alone = np.where(biased, Verdict.BIASED, np.where(off, Verdict.SPIKING, Verdict.SOUND))
    accused = np.where(shared[:, None], Verdict.SOUND, alone)
    after[:, :, Monitor.VERDICT] = np.where(frozen, was, accused)
    return after, _many(monitors, off)


def lost(monitors: Float64[np.ndarray, "twin channel monitor"]) -> Bool[np.ndarray, " twin"]:
    """Twins whose ensembles are nowhere near what their channels read."""
    return _many(monitors, monitors[:, :, Monitor.LOST] >= LOST_LIMIT)


def _many(
    monitors: Float64[np.ndarray, "twin channel monitor"],
    such: Bool[np.ndarray, "twin channel"],
) -> Bool[np.ndarray, " twin"]:
    """Where more than a few of the channels that speak and move are such, or all."""
    last = monitors[:, :, Monitor.LAST_AT]
    now = np.fmax.reduce(last, axis=1, initial=-np.inf)[:, None]
    interval = monitors[:, :, Monitor.INTERVAL]
    # A channel read once has no interval yet: it has its say.
    recent = np.isnan(interval) | (now - last <= SILENT * interval)
    compared = monitors[:, :, Monitor.COMPARED] > 0
    heard = compared & recent & (monitors[:, :, Monitor.FROZEN] == 0)
    count, every = (such & heard).sum(axis=1), heard.sum(axis=1)
    return (count > np.maximum(1.0, A_FEW * every)) | ((count == every) & (every > 0))
