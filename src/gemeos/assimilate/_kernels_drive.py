"""One twin after the other through what follows the step: ``analyst.InNumpy``, compiled.

Printed and compiled by ``printed_analysis``, never run as it stands here. Each twin goes through
all of it at once, so that nothing of it leaves the nearest cache: what was expected, ``temper``,
``esrf``, ``temper.apart``, monitors and verdicts, ``inflate``, ``turn``, bounds.
"""
# ruff: noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - see ``simulate._kernels_drive``
# ruff: noqa: FURB136 - min and max are calls

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from gemeos.assimilate._kernels_channels import (
        doubted,
        gathered,
        judged,
        later,
        lost,
        tested,
        untrusted,
        watched,
    )
    from gemeos.assimilate._kernels_members import (
        blended,
        centred,
        corrected,
        finite,
        floored,
        gains,
        plane,
        product,
        products,
        shifted,
        stretched,
        stretched_back,
        turned,
    )
    from gemeos.simulate._kernels_noise import noise_word

    Rows: TypeAlias = np.ndarray[tuple[int], np.dtype[np.floating]]
    Ensemble: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.floating]]
    Row: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]
    Table: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float64]]
    Monitors: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]
    Numbers: TypeAlias = np.ndarray[tuple[int], np.dtype[Any]]
    Places: TypeAlias = np.ndarray[tuple[int, int], np.dtype[Any]]

    # What the printer puts beside this text.
    KIND = np.float64
    TIMES_SAMPLING_ERROR = TEMPER_FAR = LEAST_SHARE = SPIKING_VARIANCE = 0.0
    LARGEST_SQUARE = MEAN_SQUARE = SPIKING = SOUND = 0.0
    NO_CHANNEL = VERDICT = ACCEPTED_AT = EQUAL_RUN = 0
    MEAN = SPREAD = DISTANCE = WEIGHED = GIVEN = SURPRISE_NOW = DOUBT = RESIDUAL = LEFT = 0
    EACH = TOGETHER = VALUE = SLOT = TRUSTED = VERDICT_THEN = 0
    VECTOR = 1
    PLANE_FIRST = PLANE_SECOND = np.uint32(0)

U = np.uint64


def prepared(
    members: Ensemble, least: Rows, most: Rows, monitors: Monitors, such: Row, is_lost: Numbers
) -> bool:
    """Members put within bounds; which twins' ensembles are lost, and whether any is."""
    twins, rows, size = members.shape
    any_ = False
    for t in range(twins):
        for r in range(rows):
            low, high = least[r], most[r]
            if low > -np.inf or high < np.inf:
                for i in range(size):
                    y = members[t, r, U(i)]
                    y = low if y < low else y
                    members[t, r, U(i)] = high if y > high else y
        is_lost[t] = lost(monitors[t], such)
        any_ = any_ or is_lost[t]
    return any_


def tempered(channel: Places, t: int, v: Table, count: int, is_lost: bool) -> None:  # noqa: FBT001
    """``temper.tempered``: variances of the readings, larger for those that are implausible."""
    first = 0
    while first < count:
        behind = first
        far = 0.0
        while behind < count and channel[t, behind] == channel[t, first]:
            square = v[DISTANCE, behind] * v[DISTANCE, behind]
            is_far = square > TEMPER_FAR**2 * (v[SPREAD, behind] + v[WEIGHED, behind])
            is_far = is_far and v[TRUSTED, behind] > 0.0 and not is_lost
            far += 1.0 if is_far else 0.0
            v[GIVEN, behind] = -1.0 if is_far else v[WEIGHED, behind]
            behind += 1
        for p in range(first, behind):
            if v[GIVEN, p] < 0.0:
                square = v[DISTANCE, p] * v[DISTANCE, p]
                v[GIVEN, p] = far * (square / TEMPER_FAR**2 - v[SPREAD, p])
        first = behind


def apart(channel: Places, variance: Table, t: int, v: Table, count: int) -> None:
    """``temper.apart``: how far readings lie from what all *other* channels say."""
    first = 0
    while first < count:
        behind = first
        trust, mean, residual, declared = 0.0, 0.0, 0.0, 0.0
        while behind < count and channel[t, behind] == channel[t, first]:
            weight = 1.0 / v[GIVEN, behind] if v[TRUSTED, behind] > 0.0 else 0.0
            trust += weight
            mean += weight * v[RESIDUAL, behind]
            residual += v[RESIDUAL, behind]
            declared += variance[t, behind]
            behind += 1
        mean = mean / trust if trust > 0.0 else mean
        number = float(behind - first)
        for p in range(first, behind):
            back = 1.0 / max(1.0 - v[LEFT, p] * trust, LEAST_SHARE)
            without, doubt = (back - 1.0) * mean, v[LEFT, p] * back
            v[EACH, p] = (v[RESIDUAL, p] + without) / np.sqrt(doubt + variance[t, p])
            noise = declared / number**2
            v[TOGETHER, p] = (residual / number + without) / np.sqrt(doubt + noise)
        first = behind


def analysed(
    members: Ensemble,
    expected: Ensemble,
    place: Places,
    channel: Places,
    sensor: Places,
    raw: Table,
    told: Table,
    variance: Table,
    valid_at: Places,
    usable: Places,
    alive: Numbers,
    is_lost: Numbers,
    keys: Numbers,
    ticks: Numbers,
    least: Rows,
    most: Rows,
    garrote: Rows,
    wraps: Row,
    settings: Row,
    counters: Numbers,
    w: Rows,
    v: Table,
    by_channel: Table,
    word: Numbers,
    monitors: Monitors,
    relaxation: Row,
    drift: Table,
    assimilated: Numbers,
    out: Ensemble,
    monitors_out: Monitors,
) -> None:
    """Members into ``out``, monitors into ``monitors_out``; the three before them change in place.

    ``expected[t, place[t, p]]`` is what the members would have read for the reading ``p``.
    """
    twins, rows, size = members.shape
    readings = channel.shape[1]
    channels = monitors.shape[1]
    pitch = (size + VECTOR - 1) // VECTOR * VECTOR
    joint = rows + readings
    before, after = 0, rows * pitch
    seen = after + joint * pitch
    first, second = seen + pitch, seen + 2 * pitch
    covariance = seen + 4 * pitch
    wide, gain, factor = covariance + joint, covariance + 2 * joint, covariance + 3 * joint
    moved, garroted = covariance + 4 * joint, covariance + 5 * joint
    less_one = KIND(size - 1)
    unbelieved = min(TIMES_SAMPLING_ERROR / np.sqrt(float(size)), 1.0)
    limit = KIND(unbelieved**2)
    adapts, memory, lower, upper, alpha = settings
    accused, off, near = by_channel[0], by_channel[1], by_channel[2]
    for r in range(joint):
        w[garroted + r] = garrote[r] if r < rows else KIND(0)
        w[factor + r] = KIND(1)
    for t in range(twins):
        for c in range(channels):
            for m in range(monitors.shape[2]):
                monitors_out[t, c, U(m)] = monitors[t, c, U(m)]
        count = readings
        while count > 0 and channel[t, count - 1] == NO_CHANNEL:
            count -= 1
        # What was read, beside what was expected: ``analyst.met_with``.
        compared = 0
        trusted = 0
        for p in range(count):
            verdict = monitors[t, max(channel[t, p], 0), VERDICT]
            mean = 0.0
            v[SLOT, p], v[TRUSTED, p], v[SPREAD, p] = -1.0, 0.0, 0.0
            if usable[t, p] and alive[t]:
                at = after + (rows + compared) * pitch
                shifted(expected, t, place[t, p], w, at, pitch)
                if finite(expected, t, place[t, p], w, at, pitch):
                    shift = centred(w, at, size, pitch)
                    mean = np.float64(expected[t, place[t, p], 0]) + np.float64(shift)
                    v[SPREAD, p] = product(w, at, at, pitch) / less_one
                    v[SLOT, p] = rows + compared
                    w[moved + rows + compared] = KIND(0)
                    compared += 1
                    if not untrusted(verdict):
                        v[TRUSTED, p] = 1.0
                        trusted += 1
            value = told[t, p]
            wrap = wraps[sensor[t, p]] if sensor[t, p] >= 0 else 0.0
            if wrap > 0.0:
                value -= np.rint((value - mean) / wrap) * wrap
            value = value if v[SLOT, p] >= 0.0 else 0.0
            v[MEAN, p], v[VALUE, p], v[VERDICT_THEN, p] = mean, value, verdict
            v[DISTANCE, p] = value - mean
            v[WEIGHED, p] = variance[t, p] * (SPIKING_VARIANCE if verdict == SPIKING else 1.0)
        tempered(channel, t, v, count, is_lost[t])
        if trusted > 0:
            for r in range(rows):
                shifted(members, t, r, w, before + r * pitch, pitch)
                centred(w, before + r * pitch, size, pitch)
                w[moved + r] = KIND(0)
            for i in range(rows * pitch):
                w[U(after + i)] = w[U(before + i)]
        # The readings one by one: ``esrf.SerialSquareRoot``.
        for p in range(count):
            v[SURPRISE_NOW, p], v[DOUBT, p] = v[VALUE, p], 0.0
            if v[SLOT, p] < 0.0:
                continue
            slot = int(v[SLOT, p])
            mine = after + slot * pitch
            spread = product(w, mine, mine, pitch) / less_one
            v[DOUBT, p] = spread
            v[SURPRISE_NOW, p] = v[VALUE, p] - (v[MEAN, p] + w[moved + slot])
            if v[TRUSTED, p] == 0.0:
                continue
            noise = floored(v[GIVEN, p], w, mine, pitch, v[MEAN, p], spread, less_one)
            for i in range(pitch):
                w[U(seen + i)] = w[U(mine + i)]
            many_rows = rows + compared
            for r in range(many_rows):
                at = after + r * pitch
                both, own = products(w, at, seen, at, pitch)
                w[U(covariance + r)] = both / less_one
                w[U(wide + r)] = own / less_one
            gains(w, many_rows, covariance, wide, garroted, gain, spread, noise, limit)
            weight = spread / (spread + noise)
            if adapts > 0.0:
                stretched(w, many_rows, covariance, wide, gain, factor, weight, size)
            pull = KIND(v[SURPRISE_NOW, p])
            for r in range(many_rows):
                w[U(moved + r)] += w[U(gain + r)] * pull
            reduced = KIND(1) / (KIND(1) + np.sqrt(noise / (spread + noise)))
            corrected(w, many_rows, after, pitch, gain, factor, seen, reduced)
        for p in range(count):
            v[RESIDUAL, p], v[LEFT, p] = v[VALUE, p], 0.0
            if v[SLOT, p] >= 0.0:
                slot = int(v[SLOT, p])
                mine = after + slot * pitch
                v[RESIDUAL, p] = v[VALUE, p] - (v[MEAN, p] + w[moved + slot])
                v[LEFT, p] = product(w, mine, mine, pitch) / less_one
        apart(channel, variance, t, v, count)
        # What is remembered of the channels: ``cycle._remembered``.
        for p in range(count):
            monitor = monitors_out[t, channel[t, p]]
            innovation, each, together = np.nan, np.nan, np.nan
            if v[SLOT, p] >= 0.0:
                innovation = v[DISTANCE, p] / np.sqrt(v[SPREAD, p] + variance[t, p])
                each = v[EACH, p]
                if p == 0 or channel[t, p] != channel[t, p - 1]:
                    together = v[TOGETHER, p]
            run_before = monitor[EQUAL_RUN]
            watched(monitor, innovation, raw[t, p], np.float64(valid_at[t, p]))
            gathered(monitor, run_before, each, together, raw[t, p])
            if not untrusted(v[VERDICT_THEN, p]):
                monitor[ACCEPTED_AT] = later(np.float64(valid_at[t, p]), monitor[ACCEPTED_AT])
        model = judged(monitors_out[t], accused, off, near)
        newly_named = False
        for c in range(channels):
            named = monitors[t, c, VERDICT] == SOUND and monitors_out[t, c, VERDICT] != SOUND
            newly_named = newly_named or named
        share = max(relaxation[t], 0.0) if adapts > 0.0 else alpha
        kept, misfit, information = 1.0, 0.0, 0.0
        for p in range(count):
            if v[TRUSTED, p] > 0.0:
                doubt, given, surprise = v[DOUBT, p], v[GIVEN, p], v[SURPRISE_NOW, p]
                kept *= given / (doubt + given)
                weight_then = doubt / (doubt + given)
                square = min(surprise * surprise / (doubt + given), LARGEST_SQUARE)
                misfit += weight_then * (square / MEAN_SQUARE - 1.0)
                information += weight_then * weight_then
                if v[VERDICT_THEN, p] == SOUND:
                    tested(drift[t], surprise, doubt + v[WEIGHED, p])
        if adapts > 0.0:
            learned = relaxation[t] + misfit / (memory + information)
            relaxation[t] = min(max(learned, lower), upper)
        doubted(drift[t], model, newly_named)
        assimilated[t] += trusted
        # Spread given back, anomalies turned, bounds: ``cycle._spread``.
        if trusted == 0:
            for r in range(rows):
                for i in range(size):
                    y = members[t, r, U(i)]
                    y = least[r] if y < least[r] else y
                    out[t, r, U(i)] = most[r] if y > most[r] else y
            continue
        if share > 0.0 and adapts > 0.0:
            blended(w, after, before, rows * pitch, KIND(share))
        elif share > 0.0:
            stretched_back(w, after, before, rows, size, pitch, KIND(share))
        told_all = KIND(1.0 - kept)
        if told_all > KIND(0):
            word[0] = noise_word(keys[t], ticks[t], PLANE_FIRST)
            word[1] = noise_word(keys[t], ticks[t], PLANE_SECOND)
            plane(w, first, second, size, pitch, word, counters)
        else:
            # Nobody turns: what happened to lie there must not count, not even times nought.
            for i in range(2 * pitch):
                w[U(first + i)] = KIND(0)
        for r in range(rows):
            mine, was = after + r * pitch, before + r * pitch
            move = w[moved + r]
            low, high = least[r], most[r]
            turned(
                members, t, r, w, mine, was, first, second, pitch, move, told_all, low, high, out
            )
