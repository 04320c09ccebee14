"""What is sought and what must not be broken, and what trials of candidates say about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float64, Int64
from typing_extensions import override

from gemeos.ensemble.clause import Chance, Condition, Relation, Values
from gemeos.ensemble.condition import parse_chance
from gemeos.errors import ConditionError, InputError
from gemeos.foresee.objective import parse
from gemeos.foresee.worth import Happens, Objective, Sense, Worth, sampled

ENOUGH_IN_TAIL = 10
"""Members beyond a quantile before the tail is told of."""
FEWEST_FRESH = 64
"""Members of a fresh check, whatever is asked."""
CONFIDENCE = 0.95
"""With which a constraint must be shown to hold."""
FRESH_TIMES = 4
"""How many times the runs that show a constraint without a breach: some then may be."""
AIM = 0.4
"""Share of the limit at which so many runs show a constraint in four cases of five: with a limit
of p they are about 12/p, six breaches are allowed of them (Poisson), and 4.8 expected."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A demand such as ``P(stress > 140 MPa) < 0.01``, over the whole horizon.

    ``P(c) < p`` speaks of members for which ``c`` holds at any time; ``P(c) > p`` of those for
    which it holds at all times. So ``P(x > 1) < 0.1`` and ``P(x <= 1) > 0.9`` are one demand.
    """

    breaks: Happens
    """Whether a member is as it must not be, or is not as it must be (``inverted``)."""
    inverted: bool
    limit: float
    """The share of members that may break it, strictly between 0 and 1."""
    strict: bool
    """The share is below the limit, else at most there."""
    text: str = field(compare=False)

    @staticmethod
    def parse(text: str, units: Mapping[str, str]) -> Constraint:
        """Read ``P(stress > 140 MPa) < 0.01``.

        Raises:
            ConditionError: it cannot be read, or no number of runs could decide it.
            UnknownNameError: a variable is not there.
            UnitError: a unit is missing, unknown or does not fit.
        """
        chance: Chance = parse_chance(text)
        chance.condition.check(units)
        few = chance.relation in {Relation.BELOW, Relation.AT_MOST}
        limit = chance.probability if few else 1.0 - chance.probability
        if limit <= 0.0:
            raise ConditionError(
                f"No number of runs can show that {text!r}. Allow a small share, as in "
                f"'P({chance.condition}) {chance.relation.value} {'0.01' if few else '0.99'}'."
            )
        if limit >= 1.0:
            raise ConditionError(f"{text!r} demands nothing: every plan meets it.")
        strict = chance.relation in {Relation.BELOW, Relation.ABOVE}
        return Constraint(Happens(chance.condition, always=not few), not few, limit, strict, text)

    @property
    def condition(self) -> Condition:
        """Of which it speaks."""
        return self.breaks.condition

    def broken(
        self, values: Values, times: Int64[np.ndarray, " time"]
    ) -> Float64[np.ndarray, " member"]:
        """1 for each member that breaks it, 0 for the others, NaN for failed ones."""
        happens = sampled(self.breaks, values, times)
        return 1.0 - happens if self.inverted else happens

    def meets(self, share: float) -> bool:
        """Whether that share of members may break it."""
        return share < self.limit if self.strict else share <= self.limit

    @property
    def aim(self) -> float:
        """The share that a search keeps below.

        The best plan lies at the border, and of a plan at the border runs can show nothing.
        """
        return AIM * self.limit

    @property
    def runs_to_show(self) -> int:
        """Fewest runs that can show that it holds: all of them without a breach."""
        return math.ceil(math.log(1.0 - CONFIDENCE) / math.log1p(-self.limit))

    @override
    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What members of some candidates gave. A failed member has NaN throughout."""

    parts: Float[np.ndarray, "candidate part member"]
    """One row for each part of each objective, in order."""
    broken: Float[np.ndarray, "candidate constraint member"]
    """1 where a constraint is broken, else 0."""

    def __post_init__(self) -> None:
        told = (self.parts.shape, self.broken.shape)
        if self.parts.ndim != 3 or self.broken.ndim != 3 or told[0][::2] != told[1][::2]:
            raise InputError(
                "Samples have the axes (candidate, part, member) and (candidate, constraint, "
                f"member) with as many candidates and members; these are {told[0]} and {told[1]}."
            )

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def members(self) -> int:
        """Of each candidate."""
        return self.parts.shape[2]

    def of(self, candidates: Sequence[int]) -> Samples:
        """Those candidates, in that order."""
        return Samples(self.parts[candidates], self.broken[candidates])

    def first(self, members: int) -> Samples:
        """The first members of all candidates."""
        return Samples(self.parts[:, :, :members], self.broken[:, :, :members])

    def more_members(self, more: Samples) -> Samples:
        """The same candidates with the members of ``more`` behind their own."""
        return Samples(
            np.concatenate([self.parts, more.parts], axis=2),
            np.concatenate([self.broken, more.broken], axis=2),
        )

    def more_candidates(self, more: Samples) -> Samples:
        """The candidates of ``more`` behind these, with the same members."""
        return Samples(
            np.concatenate([self.parts, more.parts]), np.concatenate([self.broken, more.broken])
        )


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """How candidates did, as far as their samples tell. Less is better."""

    excess: Float64[np.ndarray, " candidate"]
    """By how much shares of broken constraints are above what is allowed, summed up; 0 if none."""
    cost: Float64[np.ndarray, "candidate objective"]
    """Values, negative where much is sought; infinite where they cannot be judged."""

    def order(self) -> list[int]:
        """Candidates by the first objective, best first; equal ones stay in their order.

        One that keeps to the constraints comes before one that does not, and one that breaks them
        less before one that breaks them more.

        References:
            Deb (2000), Comput. Methods Appl. Mech. Eng. 186, 311-338 (its rules of comparison).
        """
        unjudged = ~np.isfinite(self.cost).all(axis=1)
        return [int(i) for i in np.lexsort((self.cost[:, 0], self.excess, unjudged))]


@dataclass(frozen=True, slots=True)
class Goal:
    """Objectives and constraints."""

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        if not self.objectives:
            raise InputError(
                "Nothing is sought. Say what is to be small or large, as in "
                "minimise='mean(max(stress))'."
            )

    @staticmethod
    def of(
        units: Mapping[str, str],
        *,
        minimise: str | Sequence[str] = (),
        maximise: str | Sequence[str] = (),
        subject_to: str | Sequence[str] = (),
    ) -> Goal:
        """Read a goal as people write it.

        Args:
            units: The unit of each variable by name.
            minimise: One objective, or several.
            maximise: The same; they come after those to be small.
            subject_to: One constraint, or several.

        Raises:
            InputError: nothing is sought.
            ConditionError, UnknownNameError, UnitError: one cannot be read, or does not fit.
        """
        return Goal(
            (
                *(parse(t, Sense.MINIMISE, units) for t in _several(minimise)),
                *(parse(t, Sense.MAXIMISE, units) for t in _several(maximise)),
            ),
            tuple(Constraint.parse(t, units) for t in _several(subject_to)),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that it speaks of, in alphabetical order."""
        found = [o.names for o in self.objectives]
        found += [frozenset(c.condition.names) for c in self.constraints]
        return tuple(sorted(frozenset().union(*found)))

    @property
    def rows(self) -> int:
        """Parts of all objectives together."""
        return sum(len(o.parts) for o in self.objectives)

    @property
    def members_wanted(self) -> int:
        """Members of one candidate before its tails are seen at all; searches work with fewer."""
        tails = [o.tail for o in self.objectives] + [c.aim for c in self.constraints]
        return math.ceil(1.0 / min(tails) - 1e-9)

    @property
    def fresh_wanted(self) -> int:
        """Members of a fresh check that can decide: enough in each tail, enough for each share.

        For a constraint, several times what shows it without any breach, so that some may occur.
        """
        tails = (math.ceil(ENOUGH_IN_TAIL / o.tail) for o in self.objectives if o.tail < 1.0)
        shares = (FRESH_TIMES * c.runs_to_show for c in self.constraints)
        return max(FEWEST_FRESH, *tails, *shares, 0)

    def samples(
        self, values: Values, times: Int64[np.ndarray, " time"], *, candidates: int = 1
    ) -> Samples:
        """What simulated members say.

        Args:
            values: By name, arrays ``[time, candidate x member]`` (members of one candidate
                together) and their units. Failed members have NaN or infinity.
            times: Instants of the horizon, rising.
            candidates: How many lie side by side.
        """
        parts = [sampled(p.of, values, times) for o in self.objectives for p in o.parts]
        broken = [c.broken(values, times) for c in self.constraints]
        width = len(parts[0]) // candidates
        rows = np.array([*parts, *broken]).reshape(-1, candidates, width).swapaxes(0, 1)
        failed = np.isnan(rows).any(axis=1, keepdims=True)
        rows = np.where(failed, np.nan, rows)
        return Samples(rows[:, : len(parts)], rows[:, len(parts) :])

    def worths(self, samples: Samples, candidate: int) -> tuple[Worth, ...]:
        """The value of each objective for one candidate."""
        rows = samples.parts[candidate]
        ends = np.cumsum([len(o.parts) for o in self.objectives])
        return tuple(
            o.worth(rows[end - len(o.parts) : end])
            for o, end in zip(self.objectives, ends.tolist(), strict=True)
        )

    def marks(self, samples: Samples, *, lenient: bool = False) -> Marks:
        """How each candidate did. A failed member counts as one that breaks every constraint.

        Args:
            samples: Of the candidates.
            lenient: A share counts as too large only where it is so by a standard deviation: to
                compare what was found. Else one more breach is counted than was seen: whoever
                goes to the border of one sample is beyond it in another.
        """
        aims = np.array([c.aim for c in self.constraints])
        limits = np.array([c.limit for c in self.constraints])
        members = samples.members
        breaches = np.where(np.isnan(samples.broken), 1.0, samples.broken).sum(axis=2)
        if lenient:
            allowed = aims + np.sqrt(limits * (1.0 - limits) / members)
            excess = np.maximum(breaches / members - allowed, 0.0).sum(axis=1)
        else:
            # The mean of what is possible if every share is as likely: Laplace.
            excess = np.maximum((breaches + 1.0) / (members + 2.0) - aims, 0.0).sum(axis=1)
        cost = np.full((len(samples), len(self.objectives)), np.inf)
        for i in range(len(samples)):
            for j, worth in enumerate(self.worths(samples, i)):
                if worth.is_judged:
                    cost[i, j] = self.objectives[j].sense.sign * worth.value
        return Marks(excess, cost)

    def check(self, samples: Samples, *, candidates: int, members: int) -> None:
        """See that an answer has the shape that was asked for.

        Raises:
            InputError: it has not.
        """
        want = (candidates, self.rows, members), (candidates, len(self.constraints), members)
        have = samples.parts.shape, samples.broken.shape
        if want != have:
            raise InputError(f"Samples of the shapes {want} were asked for; {have} came.")


def _several(texts: str | Sequence[str]) -> Sequence[str]:
    return (texts,) if isinstance(texts, str) else texts
