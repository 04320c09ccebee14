"""One cycle of a twin, as the papers draw it: forecast to the instant, observe, analyse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64

from gemeos.assimilate.base import Analysis, Assimilator
from gemeos.assimilate.bound import limits
from gemeos.assimilate.diagnose import watched
from gemeos.assimilate.drift import doubted, tested
from gemeos.assimilate.fault import gathered, judged, lost
from gemeos.assimilate.observe import NO_CHANNEL, Observed, nearest_turn, predicted, told
from gemeos.assimilate.recover import recovered
from gemeos.assimilate.temper import Apart, apart, tempered
from gemeos.assimilate.turn import turned
from gemeos.ensemble.state import NEVER, UNTRUSTED, Monitor, TwinState, Verdict
from gemeos.simulate.advance import Crew, Stepper

SPIKING_VARIANCE: Final = 4.0
"""What a spiking channel reads between its spikes counts, with twice the deviation declared."""


@dataclass(frozen=True)
class Cycle:
    """A model and a filter, ready to follow readings."""

    stepper: Stepper
    assimilator: Assimilator

    @property
    def identity(self) -> str:
        """Hash of the model and settings of the filter: what an estimate rests on."""
        return f"{self.stepper.simulator.identity}+{self.assimilator.identity}"

    def __call__(self, state: TwinState, crew: Crew, read: Observed) -> TwinState:
        """The twins at ``read.tick``, after what was read there.

        A pure function of its arguments. ``read.tick`` lies behind each twin's own tick. What is
        held of a channel, and of the whole ensemble, rests on the readings before this instant.
        """
        before, state = self._forecast(state, crew, read)
        state = replace(
            state,
            driven=_set(state.driven, read.driven_after),
            members=np.clip(state.members, *self._limits),
            cycles=state.cycles + 1,
        )
        state = self._born(state, read)
        lost_now = lost(state.monitors)
        state = recovered(self.stepper.schema, state, crew, lost_now)
        met = self._met(before, state, crew, read)
        given = tempered(
            met.surprise, met.spread, met.weighed, met.trusted & ~lost_now[:, None], read.channel
        )
        analysis = self.assimilator.analysis(
            state.members, met.expected, met.value, given, met.trusted
        )
        far = apart(
            analysis.residual, analysis.left, given, read.variance, met.trusted, read.channel
        )
        monitors, model = judged(_remembered(state.monitors, met, far, read))
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

    @cached_property
    def _limits(self) -> tuple[Float[np.ndarray, "row 1"], Float[np.ndarray, "row 1"]]:
        least, most = limits(self.stepper.schema)
        return least[:, None], most[:, None]

    def _met(self, before: TwinState, state: TwinState, crew: Crew, read: Observed) -> _Met:
        """What was read, beside what was expected."""
        schema = self.stepper.schema
        expected = predicted(self.stepper, before, state, crew, read)
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
        return _Met(
            expected=expected,
            value=value,
            surprise=np.where(compared, value - mean, 0.0),
            spread=shifted.var(axis=2, ddof=1, dtype=np.float64),
            weighed=read.variance * doubted_more,
            compared=compared,
            trusted=compared & ~np.isin(verdict, UNTRUSTED),
            verdict=verdict,
        )

    def _spread(
        self,
        analysis: Analysis,
        given: Float64[np.ndarray, "twin reading"],
        met: _Met,
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

    def _forecast(
        self, state: TwinState, crew: Crew, read: Observed
    ) -> tuple[TwinState, TwinState]:
        """The twins one step before ``read.tick``, and at it. Unborn ones only get its number."""
        alive = np.flatnonzero(state.born != NEVER)
        if len(alive) == len(state):
            before = self.stepper.advance(state, crew, read.tick - 1)
            before = replace(before, driven=_set(before.driven, read.driven_before))
            return before, self.stepper.step(before, crew)
        everyone = np.arange(len(state))
        waiting = replace(state, tick=read.tick, driven=_set(state.driven, read.driven_before))
        # Copies: ``put`` writes into arrays, and those of ``state`` and ``read`` are not ours.
        before, after = waiting.take(everyone), waiting.take(everyone)
        if len(alive):
            some = self.stepper.advance(state.take(alive), crew.take(alive), read.tick[alive] - 1)
            some = replace(some, driven=_set(some.driven, read.driven_before[alive]))
            before.put(alive, some)
            after.put(alive, self.stepper.step(some, crew.take(alive)))
        return before, after

    @staticmethod
    def _born(state: TwinState, read: Observed) -> TwinState:
        """A twin is born when all that drives it has been heard; its prior holds there."""
        heard = np.isfinite(state.driven).all(axis=1)
        begins = (state.born == NEVER) & heard
        return replace(state, born=np.where(begins, read.tick, state.born))


def _set(
    driven: Float64[np.ndarray, "twin driven"], to: Float64[np.ndarray, "twin driven"]
) -> Float64[np.ndarray, "twin driven"]:
    return np.where(np.isnan(to), driven, to)


@dataclass(frozen=True, slots=True, eq=False)
class _Met:
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
    met: _Met,
    far: Apart,
    read: Observed,
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
            was, seen, each[twins, places], together[twins, places], value
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
