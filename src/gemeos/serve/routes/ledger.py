"""The ledger: what applied plans promised, and what they delivered; and a plan's dossier."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gemeos.runtime.ledger_row import Ledger
from gemeos.runtime.twin_plans import TwinPlans
from gemeos.serve import ledger_messages as lm
from gemeos.serve import tell_ledger
from gemeos.serve.auth import Role
from gemeos.serve.messages import Staleness
from gemeos.serve.routes.operation import Call, Operation, Query, Served, called


def of_site(call: Call[Query]) -> lm.LedgerMessage:
    """Of all twins that may be seen."""
    whole = call.served.host.applying.ledgers.of()
    return _told(call, Ledger(tuple(row for row in whole.rows if call.actor.sees(row.twin))))


def of_twin(call: Call[Query]) -> lm.LedgerMessage:
    """Of one."""
    stale = call.served.tell.staleness_of(call.twin)
    return _told(call, call.served.host.applying.ledgers.of(call.twin), stale)


def _told(
    call: Call[Query], ledger: Ledger, staleness: Staleness | None = None
) -> lm.LedgerMessage:
    host, time = call.served.host, call.served.tell.time
    return tell_ledger.ledger(ledger, host.site.source, host.clock.now(), time, staleness)


async def dossier(request: Request, served: Served) -> Response:
    """The whole of one plan as a file."""
    call = called(request, Query, served)
    call.actor.require(Role.VIEWER)
    call.actor.require_twin(call.twin)
    plans = TwinPlans(served.host, call.twin, actor=call.actor.name, role=call.actor.role)
    with served.questions.one():
        told = await served.host.compute.beside(plans.dossier, call.path["plan"])
    return Response(told, media_type=ZIP)


ZIP: Final = "application/zip"
OPERATIONS: Final = (
    Operation(
        "/api/twins/{twin}/plans/{plan}/dossier",
        "readDossier",
        "All that led to a plan and came of it, as one file",
        endpoint=dossier,
        media=ZIP,
        problems=(404,),
    ),
    Operation(
        "/api/ledger",
        "readLedger",
        "What applied plans of all twins promised, and what they delivered",
        of_site,
        lm.LedgerMessage,
    ),
    Operation(
        "/api/twins/{twin}/ledger",
        "readLedgerOfTwin",
        "What applied plans of a twin promised, and what they delivered",
        of_twin,
        lm.LedgerMessage,
        problems=(404,),
    ),
)
