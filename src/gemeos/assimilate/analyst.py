"""What follows the step: from members at an instant, and what was read there, to the state after.

``InNumpy`` is the reference, step by step. ``fast.Compiled`` does the same in one pass a twin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64

from gemeos.assimilate.base import Analysis, Assimilator
from gemeos.assimilate.bound import limits
from gemeos.assimilate.diagnose import watched
from gemeos.assimilate.drift import doubted, tested
from gemeos.assimilate.fault import gathered, judged, lost
from gemeos.assimilate.fault_counts import chance
from gemeos.assimilate.observe import NO_CHANNEL, Observed, nearest_turn, predicted, told
from gemeos.assimilate.recover import recovered
from gemeos.assimilate.temper import Apart, apart, tempered
from gemeos.assimilate.turn import turned
from gemeos.ensemble.state import NEVER, UNTRUSTED, Monitor, TwinState, Verdict
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Crew, Steps

SPIKING_VARIANCE: Final = 4.0
"""What a spiking channel reads between its spikes counts, with twice the deviation declared."""


class Analyst(Protocol):
    """Takes in what was read at one instant."""

    @property
    def identity(self) -> str:
        """The filter, its settings, and how it is computed where that changes the rounding."""
        ...

    def twins_at_once(self, state: TwinState) -> int:
        """How many twins like these one call should be given. No bit depends on it."""
        ...

    def __call__(
        self,
        stepper: Steps,
        before: TwinState,
        state: TwinState,
        crew: Crew,
        read: Observed,
        room: TwinState | None = None,
    ) -> TwinState:
        """The twins after what was read at ``read.tick``.

        Args:
            stepper: The model.
            before: The twins one step earlier.
            state: The twins at ``read.tick``, born if they can be. Its members are given away:
                they may be written to.
            crew: Names, keys, constants.
            read: What was read.
            room: Arrays that may be filled and become the answer's own.
        """
        ...


@dataclass(frozen=True)
class InNumpy:
    """Batched numpy, for any filter: the reference."""

    assimilator: Assimilator
    schema: Schema
    counts: tuple[float, ...] = ()
    """Of each sensor the size of one count, where it counts what comes by chance; 0 of others."""

    @property
    def identity(self) -> str:
        """The filter's."""
        return self.assimilator.identity

    def twins_at_once(self, state: TwinState) -> int:
        """All: fewer calls are faster."""
        return len(state)

    @cached_property
    def _limits(self) -> tuple[Float[np.ndarray, "row 1"], Float[np.ndarray, "row 1"]]:
        least, most = limits(self.schema)
        return least[:, None], most[:, None]

    def __call__(
        self,
        stepper: Steps,
        before: TwinState,
        state: TwinState,
        crew: Crew,
        read: Observed,
        room: TwinState | None = None,  # noqa: ARG002 - numpy makes arrays of its own
    ) -> TwinState:
        """The twins after what was read; see ``Analyst``."""
        state = replace(state, members=np.clip(state.members, *self._limits))
        lost_now = lost(state.monitors)
        state = recovered(stepper.schema, state, crew, lost_now)
        met = met_with(stepper, before, state, crew, read)
        given = tempered(
            met.surprise, met.spread, met.weighed, met.trusted & ~lost_now[:, None], read.channel
        )
        analysis = self.assimilator.analysis(
            state.members, met.expected, met.value, given, met.trusted
        )
        far = apart(
            analysis.residual, analysis.left, given, read.variance, met.trusted, read.channel
        )
        monitors, model = judged(
            _remembered(state.monitors, met, far, read, self._repeats(met, read))
        )
        return replace(
            state,
            members=np.clip(self._spread(analysis, given, met, state, crew), *self._limits),
            monitors=monitors,
            assimilated=state.assimilated + met.trusted.sum(axis=1),
            relaxation=self.assimilator.inflation.learned(
                state.relaxation, analysis.surprise, analysis.doubt, given, met.trusted
            ),
            drift=doubted(
                tested(
                    state.drift,
                    analysis.surprise,
                    analysis.doubt + met.weighed,
                    met.trusted & (met.verdict == Verdict.SOUND),
                ),
                model,
                _newly_named(state.monitors, monitors),
            ),
        )

    def _repeats(self, met: Met, read: Observed) -> Float64[np.ndarray, "twin reading"]:
        """Of counts the chance of what was read; NaN of all else.

        What is not compared with anything is no evidence: its chance is 1.
        """
        found = np.full(read.channel.shape, np.nan)
        if not any(self.counts):
            return found
        unit = np.where(read.sensor >= 0, np.array(self.counts)[np.maximum(read.sensor, 0)], 0.0)
        found[unit > 0] = 1.0
        here = met.compared & (unit > 0)
        size, value = unit[here], met.value[here]
        mean = (value - met.surprise[here]) / size
        # Members that meet chances of their own scatter by those too: they stand in the count's.
        own = np.maximum(met.spread[here] / size**2 - np.maximum(mean, 0.0), 0.0)
        found[here] = chance(value / size, mean, own + read.variance[here] / size**2)
        return found

    def _spread(
        self,
        analysis: Analysis,
        given: Float64[np.ndarray, "twin reading"],
        met: Met,
        state: TwinState,
        crew: Crew,
    ) -> Float[np.ndarray, "twin row member"]:
        """The analysed members with their share of the lost spread, and mixed."""
        inflation = self.assimilator.inflation
        share = inflation.strength(state.relaxation)
        members = inflation.inflated(analysis.members, state.members, share)
        kept = np.ones(len(state), np.float64)
        rest = np.where(met.trusted, given / (analysis.doubt + given), 1.0)
        for place in range(rest.shape[1]):
            kept = kept * rest[:, place]
        return turned(members, crew.keys, state.tick, 1.0 - kept)


def met_with(
    stepper: Steps, before: TwinState, state: TwinState, crew: Crew, read: Observed
) -> Met:
    """What was read, beside what was expected."""
    schema = stepper.schema
    expected = predicted(stepper, before, state, crew, read)
    value, usable = told(schema, state, read)
    alive = state.born != NEVER
    compared = usable & alive[:, None] & np.isfinite(expected).all(axis=2)
    # A NaN says "cannot be compared"; left in, it would reach every row as 0 * NaN.
    expected = np.where(compared[:, :, None], expected, expected.dtype.type(0))
    # About the first member: the square of a mean of 4e6 would eat float32's digits.
    shifted = expected - expected[:, :, :1]
    mean = expected[:, :, 0].astype(np.float64) + shifted.mean(axis=2, dtype=np.float64)
    value = nearest_turn(schema, read, value, mean)
    twins = np.arange(len(state))[:, None]
    verdict = state.monitors[twins, np.maximum(read.channel, 0), Monitor.VERDICT]
    doubted_more = np.where(verdict == Verdict.SPIKING, SPIKING_VARIANCE, 1.0)
    return Met(
        expected=expected,
        # The first reading of a counter tells nothing of how much it grew: it is NaN.
        value=np.where(compared, value, 0.0),
        surprise=np.where(compared, value - mean, 0.0),
        spread=shifted.var(axis=2, ddof=1, dtype=np.float64),
        weighed=read.variance * doubted_more,
        compared=compared,
        trusted=compared & ~np.isin(verdict, UNTRUSTED),
        verdict=verdict,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Met:
    """Readings of one instant beside what was expected of them before any was used."""

    expected: Float[np.ndarray, "twin reading member"]
    value: Float64[np.ndarray, "twin reading"]
    surprise: Float64[np.ndarray, "twin reading"]
    """Read less expected; 0 where nothing is compared."""
    spread: Float64[np.ndarray, "twin reading"]
    """Variance of what was expected."""
    weighed: Float64[np.ndarray, "twin reading"]
    """Variance of the reading, as declared or, for a spiking channel, more."""
    compared: Bool[np.ndarray, "twin reading"]
    trusted: Bool[np.ndarray, "twin reading"]
    """Compared, and of a channel that may correct."""
    verdict: Float64[np.ndarray, "twin reading"]
    """On the reading's channel, from readings before this instant."""


def _remembered(
    monitors: Float64[np.ndarray, "twin channel monitor"],
    met: Met,
    far: Apart,
    read: Observed,
    repeats: Float64[np.ndarray, "twin reading"],
) -> Float64[np.ndarray, "twin channel monitor"]:
    """The monitors of every channel that was read: the first readings of all, then the second."""
    after = monitors.copy()
    innovation = np.where(met.compared, met.surprise / np.sqrt(met.spread + read.variance), np.nan)
    each = np.where(met.compared, far.each, np.nan)
    turn = _turns(read.channel)
    together = np.where(met.compared & (turn == 0), far.together, np.nan)
    for now in range(int(turn.max(initial=-1)) + 1):
        twins, places = np.nonzero(turn == now)
        channels = read.channel[twins, places]
        was = after[twins, channels]
        value = read.value[twins, places]
        seen = watched(was, innovation[twins, places], value, read.valid_at[twins, places])
        after[twins, channels] = gathered(
            was,
            seen,
            each[twins, places],
            together[twins, places],
            value,
            repeats[twins, places],
        )
        twins, places = np.nonzero((turn == now) & ~np.isin(met.verdict, UNTRUSTED))
        channels = read.channel[twins, places]
        was_at = after[twins, channels, Monitor.ACCEPTED_AT]
        valid_at = read.valid_at[twins, places]
        after[twins, channels, Monitor.ACCEPTED_AT] = np.fmax(was_at, valid_at)
    return after


def _turns(channel: Int32[np.ndarray, "twin reading"]) -> Int64[np.ndarray, "twin reading"]:
    """The how-manieth reading of its channel each is; -1 for padding. Channels stand in order."""
    turn = np.zeros(channel.shape, np.int64)
    for place in range(1, channel.shape[1]):
        same = channel[:, place] == channel[:, place - 1]
        turn[:, place] = np.where(same, turn[:, place - 1] + 1, 0)
    return np.where(channel == NO_CHANNEL, -1, turn)


def _newly_named(
    before: Float64[np.ndarray, "twin channel monitor"],
    after: Float64[np.ndarray, "twin channel monitor"],
) -> Bool[np.ndarray, " twin"]:
    """Twins of which a channel that was sound is so no more."""
    was = before[:, :, Monitor.VERDICT] == Verdict.SOUND
    return (was & (after[:, :, Monitor.VERDICT] != Verdict.SOUND)).any(axis=1)
