"""Kill switches: one of the site, one of each twin. Engaged, nothing is sent."""

from __future__ import annotations

from typing import final

from gemeos.errors import AccessError
from gemeos.runtime.plan import KILL, SWITCH, Kill, packed, unpacked
from gemeos.runtime.plans import PATH_S, Running
from gemeos.schema.role import Role
from gemeos.timeline.base import Event

WHOLE_SITE = ""


@final
class Switches:
    """See the module. An engaged one stays so through restarts, until somebody releases it."""

    def __init__(self, running: Running) -> None:
        """``running`` has the memory."""
        self._running = running
        self._kills: dict[str, Kill] = {}

    def resume(self) -> None:
        """Read which are engaged."""
        stored = self._running.timeline.records(KILL)
        self._kills = {each.twin: unpacked(each, Kill) for each in stored}

    def engaged(self, twin: str) -> tuple[str, ...]:
        """Those that stop this twin, a sentence each."""
        found = (self._kills.get(WHOLE_SITE), self._kills.get(twin))
        return tuple(each.told for each in found if each is not None)

    def all(self) -> list[Kill]:
        """Every one that is engaged."""
        return list(self._kills.values())

    def engage(self, twin: str, *, actor: str, role: Role, why: str = "") -> Kill:
        """From this moment on nothing is sent, also nothing that would restore.

        Plans that are under way end; their controls stay where they are. Plants are no longer told
        that they are seen, so that each falls back to its own fixed programme.

        Args:
            twin: Its name; empty for the whole site.
            actor: Who does it.
            role: What that person may.
            why: In a few words.

        Raises:
            AccessError: a viewer engages none.
            UnknownNameError: no such twin.
        """
        self._may(actor, role, Role.OPERATOR, twin)
        kill = Kill(twin, actor, why, self._running.clock.now())
        # First in memory: the store may be behind, or full.
        self._kills[twin] = kill
        self._write(kill, actor, "kill_switch", why)
        return kill

    def release(self, twin: str, *, actor: str, role: Role) -> bool:
        """Let commands be sent again; what it ended stays ended. False where it was not engaged.

        Raises:
            AccessError: engaging is anybody's who operates; releasing takes an approver.
        """
        self._may(actor, role, Role.APPROVER, twin)
        kill = self._kills.get(twin)
        if kill is None:
            return False
        self._write(kill, actor, "kill_switch_released", "")
        del self._kills[twin]
        return True

    def _may(self, actor: str, role: Role, needed: Role, twin: str) -> None:
        if not role.includes(needed):
            raise AccessError(f"{actor} is {role.value}; this needs {needed.value}.")
        if twin != WHOLE_SITE:
            self._running.twin(twin)

    def _write(self, kill: Kill, actor: str, kind: str, why: str) -> None:
        now, timeline = self._running.clock.now(), self._running.timeline
        told = Event(kind, kill.twin, now, actor, why or "asked for", {"of": kill.twin or "site"})

        def written() -> None:
            if kind == "kill_switch":
                timeline.put_record(packed(KILL, kill.twin, SWITCH, kill, kill.at))
            else:
                timeline.drop_record(KILL, kill.twin, SWITCH)
            timeline.put_event(told, known_at=now)

        self._running.compute.path(written).result(PATH_S)
