"""The ledger as messages, and back."""

from __future__ import annotations

from collections.abc import Callable

from gemeos.act.undertaking import Stage
from gemeos.runtime.ledger_row import Ledger, LedgerRow, Score
from gemeos.serve import ledger_messages as lm
from gemeos.serve import tell_plans
from gemeos.serve.messages import Staleness
from gemeos.units import instant
from gemeos.units.instant import Instant


def ledger(
    told: Ledger,
    source: str,
    now: Instant,
    time: Callable[[Instant], str],
    staleness: Staleness | None,
) -> lm.LedgerMessage:
    """Times are told by ``time``."""
    least, most = told.accepted
    return lm.LedgerMessage(
        rows=[_row(each, time) for each in told.rows],
        judged=told.judged,
        kept=told.kept,
        least=least,
        most=most,
        told=told.told,
        source=source,
        now=time(now),
        staleness=staleness,
    )


def ledger_of(told: lm.LedgerMessage) -> Ledger:
    """The ledger that a message tells."""
    return Ledger(tuple(_row_of(each) for each in told.rows))


def _row(told: LedgerRow, time: Callable[[Instant], str]) -> lm.LedgerRowMessage:
    return lm.LedgerRowMessage(
        twin=told.twin,
        plan=told.plan,
        name=told.name,
        changes=told.changes,
        applied_at=time(told.applied_at),
        by=told.by,
        approved_by=list(told.approved_by),
        promise=tell_plans.promise(told.promise),
        stage=told.stage.value,
        reason=told.reason,
        score=None if told.score is None else _score(told.score, time),
    )


def _score(told: Score, time: Callable[[Instant], str]) -> lm.DeliveredMessage:
    return lm.DeliveredMessage(
        stage=told.stage.value,
        known_by=time(told.known_by),
        model=told.model,
        origin=told.origin,
        delivered=None if told.delivered is None else tell_plans.gain_of(told.delivered),
        effect=told.effect,
        effect_sd=told.effect_sd,
        readings=told.readings,
        fits=told.fits,
        inside=told.inside,
        notes=list(told.notes),
    )


def _row_of(told: lm.LedgerRowMessage) -> LedgerRow:
    score = told.score
    return LedgerRow(
        twin=told.twin,
        plan=told.plan,
        name=told.name,
        changes=told.changes,
        applied_at=instant(told.applied_at),
        by=told.by,
        approved_by=tuple(told.approved_by),
        promise=tell_plans.promise_of(told.promise),
        stage=Stage(told.stage),
        reason=told.reason,
        score=None if score is None else _score_of(told, score),
    )


def _score_of(row: lm.LedgerRowMessage, told: lm.DeliveredMessage) -> Score:
    found = told.delivered
    return Score(
        twin=row.twin,
        plan=row.plan,
        stage=Stage(told.stage),
        known_by=instant(told.known_by),
        model=told.model,
        origin=told.origin,
        delivered=None if found is None else tell_plans.gain_heard(found),
        effect=told.effect,
        effect_sd=told.effect_sd,
        readings=told.readings,
        fits=told.fits,
        inside=told.inside,
        notes=tuple(told.notes),
    )
