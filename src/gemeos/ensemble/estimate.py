"""The one answer to every question: what a twin holds to be so, with its doubt and its source."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64
from typing_extensions import override

from gemeos.ensemble.clause import Condition
from gemeos.ensemble.condition import parse
from gemeos.ensemble.marginal import Marginal
from gemeos.ensemble.optional import needed
from gemeos.ensemble.plot import fan
from gemeos.ensemble.provenance import (
    Filtered,
    Forecast,
    Kind,
    Provenance,
    Scenario,
    Smoothed,
    kind_told,
)
from gemeos.ensemble.summary import as_html, as_text
from gemeos.errors import AssimilationError, InputError, OutOfReachError, UnknownNameError
from gemeos.units.instant import Instant, instant, iso, zone

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.axes import Axes

__all__ = [
    "Estimate",
    "Filtered",
    "Forecast",
    "Kind",
    "Marginal",
    "Provenance",
    "Scenario",
    "Smoothed",
    "UnknownAttributeError",
]


MODEL_SHOWN = 16
"""Letters of a model's identity that are shown to people; programs are told all."""


class UnknownAttributeError(UnknownNameError, AttributeError):
    """A variable or part that is not there, asked for behind a dot."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The columns of a long table; times outermost, members innermost."""

    time: Int64[np.ndarray, " row"]
    variable: Int64[np.ndarray, " row"]
    """Index into the estimate's variables."""
    unit: Int64[np.ndarray, " row"]
    """Index into ``units``."""
    units: tuple[str, ...]
    """Each once: a table's categories must differ."""
    member: Int32[np.ndarray, " row"]
    value: Float64[np.ndarray, " row"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Estimate:
    """Members of some variables of one twin at some times.

    ``estimate["T2.power"]`` and ``estimate.T2.power`` are the variable's `Marginal`. A variable
    named like a method of this class (``at``, ``kind``) is reached by brackets only, and so is
    one whose name begins with an underscore.
    """

    twin: str
    kind: Kind
    times: Int64[np.ndarray, " time"]
    """Instants, rising."""
    variables: tuple[str, ...]
    """Names, the second axis of ``values``."""
    units: tuple[str, ...]
    """One for each variable."""
    values: Float[np.ndarray, "time variable member"]
    """In ``units``; at least two members, all finite. Read only, like ``times``."""
    provenance: Provenance
    zone: str = "UTC"
    """IANA name of the zone in which times are shown, and read where they name no offset."""

    def __post_init__(self) -> None:
        zone(self.zone)
        shape = (len(self.times), len(self.variables))
        if self.values.ndim != 3 or self.values.shape[:2] != shape:
            raise InputError(
                f"An estimate of {shape[0]} times and {shape[1]} variables has values of the shape "
                f"(time, variable, member), not {self.values.shape}."
            )
        if 0 in shape or self.values.shape[2] < 2:
            raise InputError(
                "An estimate needs a time, a variable, and two members to tell its doubt; "
                f"its shape is {self.values.shape}."
            )
        if len(self.units) != len(self.variables):
            raise InputError(f"{len(self.variables)} variables have {len(self.units)} units.")
        if len(set(self.variables)) != len(self.variables):
            raise InputError("Each variable of an estimate has a name of its own.")
        if (np.diff(self.times) <= 0).any():
            raise InputError("The times of an estimate must rise.")
        lost = ~np.isfinite(self.values).all(axis=(0, 2))
        if lost.any():
            names = ", ".join(n for n, is_lost in zip(self.variables, lost, strict=True) if is_lost)
            raise AssimilationError(
                f"Members of {self.twin} are not finite in {names}; "
                "failed members must be left out before anything is told of the rest."
            )
        for name, array in (("times", self.times), ("values", self.values)):
            view = array.view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    def __getitem__(self, name: str) -> Marginal:
        """The variable of that full name.

        Raises:
            UnknownNameError: there is none; the message names the nearest.
        """
        if name not in self.variables:
            raise UnknownNameError("variable", name, self.variables, where=self._where)
        index = self.variables.index(name)
        return Marginal(name, self.units[index], self.times, self.values[:, index, :])

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # a Marginal or, for a part, an Estimate
        # Python and notebooks probe for names such as __deepcopy__ and _ipython_display_, also on
        # an object whose fields are not set yet.
        if name.startswith("_") or name in {f.name for f in fields(type(self))}:
            raise AttributeError(name)
        if name in self.variables:
            return self[name]
        parts = self._parts()
        if name in parts:
            return self.part(name)
        known = {*self.variables, *parts}
        raise UnknownAttributeError("variable or part", name, known, where=self._where)

    @override
    def __dir__(self) -> Iterable[str]:
        return [*object.__dir__(self), *self.variables, *self._parts()]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.variables)

    def part(self, name: str) -> Estimate:
        """The variables of one part, under their short names: ``T2.power`` becomes ``power``.

        Raises:
            UnknownNameError: no variable belongs to such a part.
        """
        front = f"{name}."
        chosen = [i for i, v in enumerate(self.variables) if v.startswith(front)]
        if not chosen:
            raise UnknownNameError("part", name, self._parts(), where=self._where)
        return Estimate(
            twin=f"{self.twin}/{name}",
            kind=self.kind,
            times=self.times,
            variables=tuple(self.variables[i].removeprefix(front) for i in chosen),
            units=tuple(self.units[i] for i in chosen),
            values=self.values[:, chosen, :],
            provenance=self.provenance,
            zone=self.zone,
        )

    def only(self, variables: Sequence[str]) -> Estimate:
        """Those variables, in that order.

        Raises:
            UnknownNameError: there is no such variable.
        """
        for name in variables:
            if name not in self.variables:
                raise UnknownNameError("variable", name, self.variables, where=self._where)
        chosen = [self.variables.index(name) for name in variables]
        return replace(
            self,
            variables=tuple(variables),
            units=tuple(self.units[i] for i in chosen),
            values=self.values[:, chosen, :],
        )

    def at(self, when: Instant | str | dt.datetime) -> Estimate:
        """The newest of its times that is not after ``when``, alone.

        Raises:
            TimeError: ``when`` cannot be read.
            OutOfReachError: all its times are later.
        """
        asked = when if isinstance(when, int) else instant(when, zone=zone(self.zone))
        index = int(np.searchsorted(self.times, asked, side="right")) - 1
        if index < 0:
            raise OutOfReachError(
                f"The estimate of {self.twin} begins at {self._iso(int(self.times[0]))}, "
                f"after {self._iso(asked)}."
            )
        return Estimate(
            twin=self.twin,
            kind=self.kind,
            times=self.times[index : index + 1],
            variables=self.variables,
            units=self.units,
            values=self.values[index : index + 1],
            provenance=self.provenance,
            zone=self.zone,
        )

    def holds(self, condition: str | Condition) -> Bool[np.ndarray, "time member"]:
        """For which members a condition is true, such as ``stress > 120 MPa and wind < 20 m/s``.

        Raises:
            ConditionError, UnitError, UnknownNameError: it cannot be read, or does not fit.
        """
        read = parse(condition) if isinstance(condition, str) else condition
        return read.holds(
            {
                name: (self.values[:, index, :], unit)
                for index, (name, unit) in enumerate(zip(self.variables, self.units, strict=True))
            }
        )

    def prob(self, condition: str | Condition) -> Float64[np.ndarray, " time"]:
        """Share of members for which a condition holds, at each time.

        Raises:
            ConditionError, UnitError, UnknownNameError: as ``holds``.
        """
        return self.holds(condition).mean(axis=1)

    def to_numpy(self) -> Float[np.ndarray, "time variable member"]:
        """A copy of the values that may be written to."""
        return self.values.copy()

    def to_arrow(self) -> pa.Table:
        """A row for each time, variable and member, so that tables can be stacked.

        Columns: twin, time (in the zone), variable, unit, member (from 0), value (float64).
        The schema's metadata has kind, source, model, members, data_until and known_at as text.

        Raises:
            InputError: pyarrow is not installed.
        """
        pa = needed("pyarrow", by="to_arrow", extra="tables")
        rows = self._rows()

        def coded(codes: np.ndarray, names: tuple[str, ...]) -> object:
            return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(names))

        table = pa.table(
            {
                "twin": coded(np.zeros_like(rows.variable), (self.twin,)),
                "time": pa.array(rows.time).cast(pa.timestamp("us", tz=self.zone)),
                "variable": coded(rows.variable, self.variables),
                "unit": coded(rows.unit, rows.units),
                "member": rows.member,
                "value": rows.value,
            }
        )
        return table.replace_schema_metadata(self._metadata())

    def to_pandas(self) -> pd.DataFrame:
        """The same rows and columns as ``to_arrow``; its metadata is in ``attrs``.

        Raises:
            InputError: pandas is not installed.
        """
        pd = needed("pandas", by="to_pandas", extra="tables")
        rows = self._rows()
        time = pd.DatetimeIndex(rows.time.astype("datetime64[us]")).tz_localize("UTC")
        coded = pd.Categorical.from_codes
        frame = pd.DataFrame(
            {
                "twin": coded(np.zeros_like(rows.variable), [self.twin]),
                "time": time.tz_convert(self.zone),
                "variable": coded(rows.variable, list(self.variables)),
                "unit": coded(rows.unit, list(rows.units)),
                "member": rows.member,
                "value": rows.value,
            }
        )
        frame.attrs.update(self._metadata())
        return frame

    def plot(
        self, variable: str, *, past: Estimate | None = None, axes: Axes | None = None
    ) -> Axes:
        """The fan of one variable: median, and bands of 50, 80 and 90 %.

        Args:
            variable: Its full name.
            past: What came before, drawn in grey in front of it.
            axes: Matplotlib's, to draw into; a new figure without it.

        Raises:
            UnknownNameError: no such variable.
            InputError: matplotlib is not installed, or ``past`` has another unit.
        """
        marginal = self[variable]
        before = None if past is None else past[variable]
        if before is not None and before.unit != marginal.unit:
            raise InputError(f"{variable} is in {marginal.unit} here, in {before.unit} before.")
        now = self.kind.issued_at if isinstance(self.kind, Forecast) else None
        if now is None and before is not None:
            now = int(before.times[-1])
        return fan(
            marginal,
            title=f"{self.twin}, {self._kind_told}",
            source=self.provenance.source,
            zone_name=self.zone,
            now=now,
            past=before,
            axes=axes,
        )

    @override
    def __repr__(self) -> str:
        """For a terminal: a table of the first and the last time, and where it comes from."""
        return as_text(self._headline, self._origin, self._first_and_last)

    def _repr_html_(self) -> str:
        """For notebooks: the same as a table of HTML."""
        return as_html(self._headline, self._origin, self._first_and_last)

    @property
    def _first_and_last(self) -> list[Marginal]:
        ends = sorted({0, len(self.times) - 1})
        return [
            Marginal(name, unit, self.times[ends], self.values[ends, index, :])
            for index, (name, unit) in enumerate(zip(self.variables, self.units, strict=True))
        ]

    @property
    def _headline(self) -> str:
        first, last = self._iso(int(self.times[0])), self._iso(int(self.times[-1]))
        when = first if len(self.times) == 1 else f"{len(self.times)} times, {first} to {last}"
        return f"{self.twin}: {self._kind_told}; {when} ({self.zone})"

    @property
    def _origin(self) -> str:
        until = self.provenance.data_until
        data = "no data yet" if until is None else f"data until {self._iso(until)}"
        model = self.provenance.model
        return (
            f"source: {self.provenance.source}; {self.values.shape[2]} members; {data}; "
            f"model {model if len(model) <= MODEL_SHOWN else f'{model[:MODEL_SHOWN]}...'}"
        )

    @property
    def _kind_told(self) -> str:
        return kind_told(self.kind, here=zone(self.zone))

    @property
    def _where(self) -> str:
        return f"The estimate of {self.twin}"

    def _parts(self) -> set[str]:
        """``a`` and ``a.b`` for a variable ``a.b.c``."""
        ends = ((v, i) for v in self.variables for i, c in enumerate(v) if c == ".")
        return {v[:i] for v, i in ends}

    def _iso(self, when: Instant) -> str:
        return iso(when, zone=zone(self.zone))

    def _rows(self) -> _Rows:
        time, variable, member = (index.ravel() for index in np.indices(self.values.shape))
        units = tuple(dict.fromkeys(self.units))
        unit = np.array([units.index(u) for u in self.units])[variable]
        value = self.values.astype(np.float64).ravel()
        return _Rows(self.times[time], variable, unit, units, member.astype(np.int32), value)

    def _metadata(self) -> dict[str, str]:
        until = self.provenance.data_until
        return {
            "kind": self._kind_told,
            "source": self.provenance.source,
            "model": self.provenance.model,
            "members": str(self.provenance.members),
            "data_until": "" if until is None else self._iso(until),
            "known_at": self._iso(self.provenance.known_at),
        }
