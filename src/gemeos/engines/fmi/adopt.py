"""From an FMU to the description of a twin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from gemeos.engines.fmi import fineness
from gemeos.engines.fmi.adoption import Adoption, adoption, check, doubt
from gemeos.engines.fmi.archive import interfaces
from gemeos.engines.fmi.settings import Fmi, Interface, opened
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Told
from gemeos.engines.spec import Kind, Role
from gemeos.errors import InputError
from gemeos.units.instant import SECOND, Span

LIMIT: Final[Span] = 5 * SECOND
"""For one step of one run while it is tried."""


def adopted(
    path: Path,
    *,
    step: Span | None = None,
    substeps: int | None = None,
    memoryless: bool = False,
    estimate: Sequence[str] = (),
    controls: Sequence[str] = (),
) -> Adoption:
    """Look at an FMU and describe its twin.

    Args:
        path: Of the FMU. It is executed.
        step: Of the grid; None for the FMU's own proposal.
        substeps: In one step; None for as many as it takes, where the state can be written.
        memoryless: As in ``Fmi``.
        estimate: Params that are unknown.
        controls: Inputs that plans may set; the FMU has to tell their bounds.

    Raises:
        EngineError: it is no FMU, or cannot be run here.
        InputError: it cannot be kept in step; with what is missing.
        SchemaError: a choice does not fit.
        UnknownNameError: no such param or input.
    """
    alone = interfaces(path) == {"CoSimulation"}
    fmi = Fmi(
        str(path),
        step=step,
        interface=Interface.CO_SIMULATION if alone else Interface.MODEL_EXCHANGE,
        substeps=substeps or fineness.TRIED[0],
        memoryless=memoryless,
        logs=False,
    )
    with opened(fmi, limit=LIMIT) as engine:
        spec = engine.spec
        check(path.name, spec, estimate, controls)
        begun, decide = _begun(engine), []
        if substeps is None and not spec.capabilities.hidden:
            states = {v.name: begun[v.name] for v in spec.of_role(Role.STATE)}
            moved = {name: doubt(start) for name, start in states.items()}
            count = fineness.substeps(engine, fmi, states, moved, limit=LIMIT)
            if count is None:
                count = fineness.TRIED[-1]
                few = f"the step: even {count} substeps are too few for this model"
                decide = [f"{few}; a shorter --step may do"]
            fmi = msgspec.structs.replace(fmi, substeps=count)
        return adoption(spec, begun, fmi, estimate=estimate, controls=controls, decide=decide)


def _begun(engine: HostedEngine) -> dict[str, float]:
    """What there is to read at the beginning, with the start values of everything."""
    names = tuple(
        v.name
        for v in engine.spec.of_role(Role.STATE, Role.OUTPUT)
        if v.kind is not Kind.TEXT and (v.role is Role.STATE or not v.inner)
    )
    begun = engine.reset({}, 0, 0)
    read = engine.get(names) if isinstance(begun, Told) else begun
    if not isinstance(read, Told):
        raise InputError(f"{engine.spec.name} cannot be begun with its start values: it {read}.")
    return {name: float(value) for name, value in read.value.items()}
