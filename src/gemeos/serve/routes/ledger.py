"""The ledger: what applied plans promised, and what they delivered."""

from __future__ import annotations

from typing import Final

from gemeos.runtime.ledger_row import Ledger
from gemeos.serve import ledger_messages as lm
from gemeos.serve import tell_ledger
from gemeos.serve.routes.operation import Call, Operation, Query


def of_site(call: Call[Query]) -> lm.LedgerMessage:
    """Of all twins that may be seen."""
    whole = call.served.host.applying.ledgers.of()
    return _told(call, Ledger(tuple(row for row in whole.rows if call.actor.sees(row.twin))))


def of_twin(call: Call[Query]) -> lm.LedgerMessage:
    """Of one."""
    return _told(call, call.served.host.applying.ledgers.of(call.twin))


def _told(call: Call[Query], ledger: Ledger) -> lm.LedgerMessage:
    host = call.served.host
    return tell_ledger.ledger(ledger, host.site.source, host.clock.now(), call.served.tell.time)


OPERATIONS: Final = (
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
