"""Advice of the past as messages, and back."""

from __future__ import annotations

from collections.abc import Callable

from gemeos.foresee.verdict import Advice
from gemeos.runtime.advice import AdviceRecord, AdvisedAt
from gemeos.schema.plan import Gain
from gemeos.serve import hear
from gemeos.serve import hindcast_messages as hm
from gemeos.serve.plan_messages import PlanGainMessage
from gemeos.serve.tell_plans import gain_heard, gain_of
from gemeos.units import instant
from gemeos.units.instant import SECOND, Instant


def advice(told: AdviceRecord, time: Callable[[Instant], str]) -> hm.AdviceMessage:
    """Times are told by ``time``."""
    return hm.AdviceMessage(
        over=told.over,
        minimise=list(told.minimise),
        maximise=list(told.maximise),
        subject_to=list(told.subject_to),
        look_every_s=told.look_every / SECOND,
        budget=told.budget,
        seed=told.seed,
        unmodelled=list(told.unmodelled),
        changed=told.count(Advice.CHANGE),
        kept=told.count(Advice.KEEP),
        refused=told.count(Advice.NOTHING),
        promised=_gain(told.promised),
        delivered=_gain(told.delivered),
        judged=told.judged,
        inside=told.inside,
        issued=[_row(each, time) for each in told.issued],
    )


def advice_of(told: hm.AdviceMessage) -> AdviceRecord:
    """The advice that a message tells."""
    return AdviceRecord(
        over=told.over,
        minimise=tuple(told.minimise),
        maximise=tuple(told.maximise),
        subject_to=tuple(told.subject_to),
        look_every=hear.span_of(told.look_every_s),
        budget=told.budget,
        seed=told.seed,
        unmodelled=tuple(told.unmodelled),
        issued=tuple(_row_of(each) for each in told.issued),
    )


def _row(told: AdvisedAt, time: Callable[[Instant], str]) -> hm.AdvisedMessage:
    return hm.AdvisedMessage(
        at=time(told.at),
        advice=told.advice.value,
        values=told.values,
        reasons=list(told.reasons),
        origin=told.origin,
        promised=_gain(told.promised),
        delivered=_gain(told.delivered),
        readings=told.readings,
        fits=told.fits,
        inside=told.inside,
        notes=list(told.notes),
    )


def _row_of(told: hm.AdvisedMessage) -> AdvisedAt:
    return AdvisedAt(
        at=instant(told.at),
        advice=Advice(told.advice),
        values=told.values,
        reasons=tuple(told.reasons),
        origin=told.origin,
        promised=None if told.promised is None else gain_heard(told.promised),
        delivered=None if told.delivered is None else gain_heard(told.delivered),
        readings=told.readings,
        fits=told.fits,
        inside=told.inside,
        notes=tuple(told.notes),
    )


def _gain(told: Gain | None) -> PlanGainMessage | None:
    return None if told is None else gain_of(told)
