"""What is remembered and held of the channels of one twin: ``diagnose``, ``fault``, ``drift``.

Printed and compiled by ``printed_analysis``, never run as it stands here. The same steps as in
numpy under the same names; why they are so stands there, and the constants come from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    Row: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]
    Table: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float64]]

    # What the printer puts beside this text: columns of monitors and of the drift's test,
    # verdicts, and the constants of the modules named above.
    COUNT = LAST_AT = LAST_VALUE = EQUAL_RUN = INNOVATION = SURPRISE = INTERVAL = COMPARED = 0
    LEAST = RUNS = USUAL_RUN = RUN_CHANCE = FAR_RUN = ABOVE = BELOW = SPIKES = LOST = FROZEN = 0
    VERDICT = ACCEPTED_AT = RUN_LOW = RUN_HIGH = 0
    SOUND = STUCK = DEAD = BIASED = SPIKING = 0.0
    DRIFT_EVIDENCE = DRIFT_COUNT = DRIFT_REJECTED = 0
    DIAGNOSE_MEMORY = FAULT_MEMORY = FAULT_FAR = BACK = FAULT_LARGEST = UNLIKELY_RUN = 0.0
    FAR_IN_A_RUN = PASSED_BY = KNOWN_FLOOR = READINGS_TO_RETURN = TOLERATED_BIAS = 0.0
    BIAS_LIMIT = OFTEN = SELDOM = SPIKE_LIMIT = LOST_SLOPE = LOST_COST = LARGEST_LOST = 0.0
    LOST_LIMIT = A_FEW = SILENT = TOLERATED = DRIFT_LARGEST = BET = LEVEL = 0.0
    READINGS_TO_PASS = LONG_RUN = MOVED_BY = 0.0


def untrusted(verdict: float) -> bool:
    """Whether a channel corrects nothing."""
    return verdict == STUCK or verdict == DEAD or verdict == BIASED  # noqa: PLR1714 - fast


def later(a: float, b: float) -> float:
    """``np.fmax``: of a number and NaN the number."""
    return a if a > b or np.isnan(b) else b


def watched(monitor: Row, innovation: float, value: float, valid_at: float) -> None:
    """``diagnose.watched``: how surprising, how often, whether it moves."""
    count = monitor[COUNT] + 1.0
    weight = max(1.0 / count, 1.0 / DIAGNOSE_MEMORY)
    if np.isfinite(innovation):
        monitor[INNOVATION] += weight * (innovation - monitor[INNOVATION])
        monitor[SURPRISE] += weight * (innovation * innovation - monitor[SURPRISE])
    monitor[EQUAL_RUN] = monitor[EQUAL_RUN] + 1.0 if value == monitor[LAST_VALUE] else 1.0
    since = valid_at - monitor[LAST_AT]
    usual = monitor[INTERVAL]
    if np.isfinite(since) and since > 0.0:
        monitor[INTERVAL] = since if np.isnan(usual) else usual + weight * (since - usual)
    monitor[COUNT] = count
    monitor[LAST_VALUE] = value
    monitor[LAST_AT] = later(valid_at, monitor[LAST_AT])


def evidence(was: float, more: float, limit: float) -> float:
    """``fault._sum``: a CUSUM after one more term, held at its limit."""
    return min(max(was + more, 0.0), limit)


def gathered(monitor: Row, run_before: float, far: float, together: float, value: float) -> None:
    """``fault.gathered``: the evidence of a channel after one more reading, already watched.

    ``run_before`` is its run of equal values without this reading.
    """
    compared = np.isfinite(far)
    deviation = far if compared else 0.0
    implausible = abs(deviation) > FAULT_FAR
    equal = monitor[EQUAL_RUN] > 1.0
    was_far = monitor[FAR_RUN]
    run(monitor, run_before, equal, deviation)
    freeze(monitor, value, equal, compared, implausible)
    if monitor[FROZEN] != 0.0:
        monitor[ABOVE] = monitor[BELOW] = monitor[SPIKES] = monitor[LOST] = 0.0
    else:
        if np.isfinite(together):
            bounded = min(max(together, -FAULT_LARGEST), FAULT_LARGEST)
            monitor[ABOVE] = evidence(monitor[ABOVE], bounded - TOLERATED_BIAS, BIAS_LIMIT)
            monitor[BELOW] = evidence(monitor[BELOW], -bounded - TOLERATED_BIAS, BIAS_LIMIT)
            lost = LOST_SLOPE * min(together * together, LARGEST_LOST) - LOST_COST
            monitor[LOST] = evidence(monitor[LOST], lost, LOST_LIMIT)
        if compared:
            back = was_far > 0.0 and abs(deviation) < BACK
            jumped = OFTEN if back else (0.0 if implausible else -SELDOM)
            monitor[SPIKES] = evidence(monitor[SPIKES], jumped, SPIKE_LIMIT)
    if compared:
        monitor[COMPARED] += 1.0
    monitor[LEAST] = min(monitor[LEAST], value)


def run(monitor: Row, run_before: float, equal: bool, deviation: float) -> None:  # noqa: FBT001
    """``fault._run``: how likely the present run of equal values is."""
    usual = monitor[USUAL_RUN]
    if equal:
        monitor[RUN_CHANCE] *= 1.0 - 1.0 / usual
        monitor[RUN_LOW] = min(monitor[RUN_LOW], deviation)
        monitor[RUN_HIGH] = max(monitor[RUN_HIGH], deviation)
        return
    monitor[RUN_CHANCE] = 1.0
    monitor[RUN_LOW] = monitor[RUN_HIGH] = deviation
    if run_before > 0.0 and monitor[FROZEN] == 0.0:
        runs = monitor[RUNS] + 1.0
        monitor[USUAL_RUN] = usual + max(1.0 / runs, 1.0 / FAULT_MEMORY) * (run_before - usual)
        monitor[RUNS] = runs


def freeze(
    monitor: Row,
    value: float,
    equal: bool,  # noqa: FBT001
    compared: bool,  # noqa: FBT001
    implausible: bool,  # noqa: FBT001
) -> None:
    """``fault._freeze``: whether it repeats a value that the rest does not believe."""
    if compared:
        monitor[FAR_RUN] = monitor[FAR_RUN] + 1.0 if implausible else 0.0
    was = monitor[FROZEN]
    if not equal:
        if compared and not implausible:
            monitor[FROZEN] = max(was - 1.0, 0.0)
        return
    often_far = monitor[FAR_RUN] >= FAR_IN_A_RUN
    known = monitor[COMPARED] >= KNOWN_FLOOR
    floor = value == 0.0 or (known and value <= monitor[LEAST])
    dead = often_far and floor
    moved = monitor[RUN_HIGH] - monitor[RUN_LOW]
    long = monitor[EQUAL_RUN] >= LONG_RUN and not floor and moved >= MOVED_BY
    stuck = monitor[RUN_CHANCE] <= UNLIKELY_RUN and (often_far or moved >= PASSED_BY or long)
    if dead or stuck:
        monitor[FROZEN] = READINGS_TO_RETURN
        if was == 0.0 or dead:
            monitor[VERDICT] = DEAD if dead else STUCK


def many(monitors: Table, such: Row) -> bool:
    """``fault._many``: whether more than a few of those that speak and move are such, or all."""
    now = -np.inf
    for c in range(len(monitors)):
        now = later(monitors[c, LAST_AT], now)
    count, every = 0.0, 0.0
    for c in range(len(monitors)):
        interval = monitors[c, INTERVAL]
        recent = np.isnan(interval) or now - monitors[c, LAST_AT] <= SILENT * interval
        if monitors[c, COMPARED] > 0.0 and recent and monitors[c, FROZEN] == 0.0:
            every += 1.0
            count += such[c]
    return count > max(1.0, A_FEW * every) or (count == every and every > 0.0)


def lost(monitors: Table, such: Row) -> bool:
    """``fault.lost``: whether the ensemble is nowhere near what its channels read."""
    any_ = False
    for c in range(len(monitors)):
        far_off = monitors[c, LOST] >= LOST_LIMIT
        such[c] = 1.0 if far_off else 0.0
        any_ = any_ or far_off
    return any_ and many(monitors, such)


def judged(monitors: Table, accused: Row, off: Row, near: Row) -> bool:
    """``fault.judged``: puts a verdict on every channel; whether the model is in doubt."""
    some_off, some_near = False, False
    for c in range(len(monitors)):
        was = monitors[c, VERDICT]
        bias = max(monitors[c, ABOVE], monitors[c, BELOW])
        spikes = monitors[c, SPIKES]
        far_off = monitors[c, LOST] >= LOST_LIMIT
        one_sided = bias >= BIAS_LIMIT / 2.0
        jumps = spikes >= SPIKE_LIMIT or (was == SPIKING and spikes > 0.0)
        biased = bias >= BIAS_LIMIT or (far_off and one_sided) or (was == BIASED and bias > 0.0)
        biased = biased and not jumps
        is_off = jumps or biased or far_off
        half = one_sided or spikes >= SPIKE_LIMIT / 2.0 or monitors[c, LOST] >= LOST_LIMIT / 2.0
        accused[c] = BIASED if biased else (SPIKING if is_off else SOUND)
        off[c] = 1.0 if is_off else 0.0
        near[c] = 1.0 if is_off or half else 0.0
        some_off, some_near = some_off or is_off, some_near or is_off or half
    shared = some_near and many(monitors, near)
    for c in range(len(monitors)):
        if monitors[c, FROZEN] <= 0.0:
            monitors[c, VERDICT] = SOUND if shared else accused[c]
    return some_off and many(monitors, off)


def tested(drift: Row, surprise: float, expected: float) -> None:
    """``drift.tested``: the test after one more reading."""
    square = min(surprise * surprise / expected, DRIFT_LARGEST)
    factor = 1.0 + BET * (square / TOLERATED - 1.0)
    now = drift[DRIFT_COUNT] + 1.0
    grown = factor * (drift[DRIFT_EVIDENCE] + 1.0 / (now * (now + 1.0)))
    if grown >= 1.0 / LEVEL:
        drift[DRIFT_EVIDENCE], drift[DRIFT_COUNT], drift[DRIFT_REJECTED] = 0.0, 0.0, 1.0
        return
    drift[DRIFT_EVIDENCE], drift[DRIFT_COUNT] = grown, now
    if now >= READINGS_TO_PASS:
        drift[DRIFT_REJECTED] = 0.0


def doubted(drift: Row, model: bool, sensor: bool) -> None:  # noqa: FBT001
    """``drift.doubted``: with what is known of the channels taken in."""
    if model or sensor:
        drift[DRIFT_EVIDENCE] = 0.0
    if model:
        drift[DRIFT_COUNT], drift[DRIFT_REJECTED] = 0.0, 1.0
