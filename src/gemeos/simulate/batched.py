"""Prints a lowered model as numpy on whole arrays, and runs it.

What is printed is an ordinary Python function of one flat array for each variable it reads. It is
compiled under a name of its own that tracebacks and debuggers can show. All members go through
both sides of a branch, so warnings about the side not taken mean nothing and are off.
"""

from __future__ import annotations

import hashlib
import linecache
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypeAlias, final

import numpy as np
from jaxtyping import Float

from gemeos.schema.schema import Schema
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.simulate.frontend import LoweredModel
from gemeos.simulate.lowered import Atom, Function, Lowered, Number, Read, Temp, Truth
from gemeos.simulate.outcome import blank_failed, end_failed

PRINTER: Final = "numpy 1"
"""To be raised when the same lowered form comes to compute other numbers."""

BLOCK: Final = 16_384
"""Members that go through a printed function at once: few enough for temporaries to stay in the
cache, many enough to hide the cost of a call."""

DEEPEST: Final = 12
"""Brackets within brackets before a result gets a line of its own; Python's parser has a limit."""

Rows: TypeAlias = Float[np.ndarray, " any"]
Printed: TypeAlias = Callable[..., tuple[Rows | np.floating, ...]]

_TEXTS: Final[dict[Function, str]] = {
    Function.NEGATIVE: "(-{})",
    Function.ADD: "({} + {})",
    Function.SUBTRACT: "({} - {})",
    Function.MULTIPLY: "({} * {})",
    Function.DIVIDE: "({} / {})",
    Function.FLOOR_DIVIDE: "np.floor_divide({}, {})",
    Function.REMAINDER: "np.remainder({}, {})",
    Function.POWER: "np.power({}, {})",
    Function.LESS: "({} < {})",
    Function.LESS_EQUAL: "({} <= {})",
    Function.GREATER: "({} > {})",
    Function.GREATER_EQUAL: "({} >= {})",
    Function.EQUAL: "({} == {})",
    Function.NOT_EQUAL: "({} != {})",
    Function.AND: "({} & {})",
    Function.OR: "({} | {})",
    Function.NOT: "(~{})",
    Function.SELECT: "np.where({}, {}, {})",
    Function.MIN: "np.minimum({}, {})",
    Function.MAX: "np.maximum({}, {})",
    Function.ABS: "np.abs({})",
    Function.SQRT: "np.sqrt({})",
    Function.EXP: "np.exp({})",
    Function.EXPM1: "np.expm1({})",
    Function.LOG: "np.log({})",
    Function.LOG1P: "np.log1p({})",
    Function.SIN: "np.sin({})",
    Function.COS: "np.cos({})",
    Function.TAN: "np.tan({})",
    Function.ASIN: "np.arcsin({})",
    Function.ACOS: "np.arccos({})",
    Function.ATAN: "np.arctan({})",
    Function.ATAN2: "np.arctan2({}, {})",
    Function.TANH: "np.tanh({})",
    Function.HYPOT: "np.hypot({}, {})",
    Function.FLOOR: "np.floor({})",
    Function.CEIL: "np.ceil({})",
    Function.COPYSIGN: "np.copysign({}, {})",
}


def printed(lowered: Lowered, name: str, precision: np.dtype[np.floating]) -> str:
    """Source of a module with one function ``name`` of the variables that ``lowered`` reads.

    Its arguments are flat arrays, named ``self_<variable>``; it returns a tuple of flat arrays,
    or of scalars where a result is the same for all. A result that is used once stands where it
    is used; the others get a line.
    """
    kind = precision.type.__name__
    constants: dict[str, str] = {}
    texts: list[str] = []
    depths: list[int] = []
    lines: list[str] = []
    uses = Counter(
        a.index for o in lowered.operations for a in o.arguments if isinstance(a, Temp)
    ) + Counter(a.index for a in lowered.results if isinstance(a, Temp))

    def text(atom: Atom) -> str:
        match atom:
            case Temp(index):
                return texts[index]
            case Read(name):
                return f"self_{name}"
            case Number(value):
                # Text, so that infinities and NaN can be written as well.
                return constants.setdefault(f"np.{kind}({str(value)!r})", f"c{len(constants)}")
            case Truth(value):
                return f"np.bool_({value})"

    for index, operation in enumerate(lowered.operations):
        told = _TEXTS[operation.function].format(*(text(a) for a in operation.arguments))
        depth = 1 + max(
            (depths[a.index] for a in operation.arguments if isinstance(a, Temp)), default=0
        )
        if uses[index] > 1 or depth > DEEPEST:
            lines.append(f"    t{index} = {told}")
            told, depth = f"t{index}", 0
        texts.append(told)
        depths.append(depth)

    results = "".join(f"{text(r)}, " for r in lowered.results)
    arguments = ", ".join(f"self_{r}" for r in lowered.reads)
    head = ["import numpy as np", *(f"{c} = {value}" for value, c in constants.items())]
    return "\n".join([*head, f"def {name}({arguments}):", *lines, f"    return ({results})", ""])


def loaded(source: str, name: str, model: str) -> Printed:
    """The function ``name`` of printed source, which tracebacks can show."""
    mark = hashlib.sha256(source.encode()).hexdigest()[:8]
    filename = f"<{model}.{name} as numpy, {mark}>"
    namespace: dict[str, Any] = {"__name__": f"gemeos.printed.{model}"}
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102 - our own printer's text
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    return namespace[name]


@final
class BatchedSimulator:
    """A declared model on arrays ``[twin, variable, member]``, in numpy."""

    def __init__(self, lowered: LoweredModel) -> None:
        """Print and compile both methods."""
        self._schema = lowered.schema
        self.lowered = lowered
        """What was printed."""
        self._identity = hashlib.sha256(f"{PRINTER} {lowered.fingerprint}".encode()).hexdigest()
        self._step = _Method(lowered.step, "step", lowered.schema)
        self._observe = _Method(lowered.observe, "observe", lowered.schema)

    @property
    def schema(self) -> Schema:
        """What is declared."""
        return self._schema

    @property
    def identity(self) -> str:
        """Hash of what is computed, blind to comments and names of locals."""
        return self._identity

    @property
    def source(self) -> str:
        """What was printed, for reading."""
        return f"{self._step.source}\n\n{self._observe.source}"

    def step(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin state member"]:
        """The states one step later; see ``Simulator.step``."""
        states = self._step.results(values, driven, consts)
        end_failed(values, states)
        return states

    def observe(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin output member"]:
        """What each output is; see ``Simulator.observe``."""
        outputs = self._observe.results(values, driven, consts)
        blank_failed(values, outputs)
        return outputs


@final
class _Method:
    """One printed function and where its arguments lie."""

    def __init__(self, lowered: Lowered, name: str, schema: Schema) -> None:
        self.source = printed(lowered, name, schema.precision)
        self._function = loaded(self.source, name, schema.name)
        self._precision = schema.precision
        self._rows = len(lowered.results)
        groups = (schema.estimated, schema.driven, schema.consts)
        places = {v.name: (g, i) for g, group in enumerate(groups) for i, v in enumerate(group)}
        self._reads = [places[name] for name in lowered.reads]

    def results(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin row member"]:
        """All rows of all twins, a block of twins at a time."""
        twins, _, members = values.shape
        groups = (values, driven, consts[:, :, None])
        out = np.empty((twins, self._rows, members), self._precision)
        some = max(1, BLOCK // max(1, members))
        with np.errstate(all="ignore"):
            for start in range(0, twins, some):
                block = slice(start, min(start + some, twins))
                shape = (block.stop - start, members)
                rows = self._function(
                    *(self._flat(groups[g][block, i], shape) for g, i in self._reads)
                )
                for row, result in enumerate(rows):
                    out[block, row] = result.reshape(shape) if np.ndim(result) else result
        return out

    def _flat(self, row: Float[np.ndarray, "twin some"], shape: tuple[int, int]) -> Rows:
        """One number for each member, contiguous.

        numpy may take another route, with another last bit, for strided than for contiguous
        numbers; a member's result must not depend on how the caller's arrays lie.
        """
        return np.array(np.broadcast_to(row, shape), self._precision, order="C").reshape(-1)
