"""What became of plans that were applied: known, written down before anything else is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from gemeos.act.base import Situation
from gemeos.act.follow import Happening, Note, after
from gemeos.act.undertaking import Undertaking, moves_of, noted
from gemeos.errors import GemeosError
from gemeos.runtime.plan import UNDERTAKING, packed, unpacked
from gemeos.runtime.reality import Running
from gemeos.runtime.switches import Switches
from gemeos.schema.plan import Plan
from gemeos.timeline.base import Event
from gemeos.units.instant import Instant

BY_DEVICE = frozenset({"acknowledged", "device_refused", "taken", "not_taken", "override"})
"""Kinds of events of which the device is the actor."""


@final
class Undertakings:
    """By ``Plan.id``. Known in memory once it is durable, never before."""

    def __init__(self, running: Running, switches: Switches) -> None:
        """``running`` has the memory."""
        self._running = running
        self._switches = switches
        self._known: dict[str, Undertaking] = {}

    def resume(self) -> None:
        """Read all there are."""
        for stored in self._running.timeline.records(UNDERTAKING):
            undertaking = unpacked(stored, Undertaking)
            self._known[undertaking.plan] = undertaking

    def of(self, plan: str) -> Undertaking | None:
        """What became of the plan of that id; None where it was never applied."""
        return self._known.get(plan)

    def all(self, twin: str) -> list[Undertaking]:
        """Every one of a twin's."""
        return [u for u in list(self._known.values()) if u.twin == twin]

    def under_way(self, twin: str | None = None) -> list[Undertaking]:
        """What is not over."""
        known = list(self._known.values())
        return [u for u in known if not u.stage.is_over and twin in {None, u.twin}]

    def situation(self, of: Plan | Undertaking, standing: Mapping[str, float]) -> Situation:
        """As it is now for one of them, whose own hold on its controls does not count."""
        twin, questions = of.twin, self._running.questions
        mine = of.id if isinstance(of, Plan) else of.plan
        try:
            estimate = questions.now(twin)
        except GemeosError:
            estimate = None
        all_of_twin = self.all(twin)
        applied = self._known.get(mine)
        return Situation(
            now=self._running.clock.now(),
            phase=questions.phase(twin),
            state_at=None if estimate is None else estimate.provenance.data_until,
            estimate=estimate,
            killed=self._switches.engaged(twin),
            busy={
                control: u.name
                for u in all_of_twin
                if not u.stage.is_over and u.plan != mine
                for control in u.controls
            },
            standing=standing,
            moves=moves_of(all_of_twin),
            applied=None if applied is None else applied.stage.value,
        )

    async def happen(self, undertaking: Undertaking, happening: Happening) -> Undertaking:
        """Work it in and write down what follows, before anything else is done."""
        became, notes = after(undertaking, happening, self._running.clock.now())
        if became == undertaking:
            return undertaking
        return await self.write(became, notes)

    async def write(self, undertaking: Undertaking, notes: Sequence[Note] = ()) -> Undertaking:
        """Make it durable; comes back with the numbers of what tells of it."""
        became = await self._running.compute.on_path(self._written, undertaking, notes)
        self._known[became.plan] = became
        self._running.feed.publish([became.twin])
        return became

    async def tell(self, event: Event) -> int:
        """Write down an event; its number."""
        return (await self._running.compute.on_path(self._put, event)).number

    def _written(self, undertaking: Undertaking, notes: Sequence[Note]) -> Undertaking:
        for note in notes:
            number = self._put(_event(undertaking, note, self._running.clock.now())).number
            undertaking = noted(undertaking, note.command, number)
        record = packed(
            UNDERTAKING, undertaking.twin, undertaking.plan, undertaking, undertaking.begun_at
        )
        self._running.timeline.put_record(record)
        return undertaking

    def _put(self, event: Event) -> Event:
        return self._running.timeline.put_event(event, known_at=self._running.clock.now())


def _event(undertaking: Undertaking, note: Note, now: Instant) -> Event:
    """A command is the act of whoever applied the plan, an answer that of its device."""
    issued = next((i for i in undertaking.issued if i.command.id == note.command), None)
    actor = "runtime" if issued is None else issued.command.actor
    cause = undertaking.event if issued is None or not issued.event else issued.event
    body: dict[str, str | float | int | bool | None] = {
        "plan": undertaking.name,
        "plan_id": undertaking.plan,
        "told": note.told,
    }
    if issued is not None:
        body |= {
            "control": note.control,
            "command": note.command,
            "value": issued.stands if note.kind == "override" else issued.command.value,
            "unit": issued.command.unit,
        }
    return Event(
        kind=note.kind,
        twin=undertaking.twin,
        valid_at=now,
        actor="device" if note.kind in BY_DEVICE else actor,
        cause=f"event {cause}",
        body=body,
    )
