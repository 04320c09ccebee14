"""The devices of a running site: held, asked, sent to, and told that they are seen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, final

from gemeos.errors import GemeosError, LinkError
from gemeos.link.base import Actuator
from gemeos.runtime.actuation import ActuatorLink
from gemeos.runtime.reality import Running
from gemeos.runtime.switches import Switches
from gemeos.schema.command import Acknowledgement, Command, Silent, Unsent
from gemeos.schema.phase import Phase
from gemeos.units.instant import SECOND

logger = logging.getLogger(__name__)

BEAT_EVERY_S: Final = 1.0
"""How often plants are told that they are seen. They fall back where three are missing."""
ASK_S: Final = 2.0
"""How long a device is given to say where a control stands."""
UNSEEN: Final = frozenset({Phase.PLANNED, Phase.BLIND, Phase.FINISHED, Phase.STOPPED})
"""Phases in which the plant is not told that it is seen."""


@final
class Devices:
    """See the module. Belongs to the site's loop; only `Applying` holds it (contract 7)."""

    def __init__(self, running: Running, switches: Switches) -> None:
        """``switches`` are looked at right before anything leaves."""
        self._running = running
        self._switches = switches
        self._open: dict[str, Actuator] = {}

    async def hold(self, link: ActuatorLink) -> None:
        """Keep it open until it is lost; what waited in it is gone with it.

        Raises:
            LinkError: it cannot be had, or is lost.
        """
        async with link.actuator() as actuator:
            self._open[link.name] = actuator
            try:
                await actuator.lost()
            finally:
                del self._open[link.name]

    async def beat(self) -> None:
        """Tell plants that they are seen, for as long as they are.

        Each time it is looked at anew, on the loop and the thread that would act: a site that
        hangs is as silent as one that is gone.
        """
        acting = {
            twin.name: {a.actuator for a in twin.actuations.values()}
            for twin in self._running.site.twins
            if twin.actuations
        }
        while acting:
            for twin, names in acting.items():
                if self._switches.engaged(twin):
                    continue
                phase = await self._running.strand(twin).for_acting(
                    self._running.questions.phase, twin
                )
                for actuator in self._held(names if phase not in UNSEEN else ()):
                    await actuator.beat(twin, self._running.clock.now())
            await asyncio.sleep(BEAT_EVERY_S)

    def _held(self, names: Iterable[str]) -> list[Actuator]:
        return [self._open[name] for name in names if name in self._open]

    async def send(self, twin: str, command: Command) -> Acknowledgement:
        """Send it once, in the device's unit. Whatever comes of it is an answer."""
        actuation = self._running.twin(twin).actuations[command.control]
        actuator = self._open.get(actuation.actuator)
        engaged = self._switches.engaged(twin)
        if engaged:
            return Unsent(command.id, engaged[0])
        if actuator is None:
            return Unsent(command.id, f"there is no connection to {actuation.actuator}")
        outward = replace(command, value=actuation.outward(command.value), unit=actuation.unit)
        within = self._running.twin(twin).conduct.answer_within / SECOND
        try:
            return await actuator.send(outward, actuation.place, within_s=within)
        except LinkError as error:
            # It may have left before the connection was lost.
            return Silent(command.id, within, str(error))

    async def ask(self, twin: str, control: str) -> float | None:
        """Where its device says that it stands, in the declared unit; None where it does not."""
        actuation = self._running.twin(twin).actuations.get(control)
        actuator = None if actuation is None else self._open.get(actuation.actuator)
        if actuation is None or actuator is None:
            return None
        try:
            reported = await actuator.ask(actuation.place, within_s=ASK_S)
            return None if reported is None else actuation.inward(reported.value, reported.unit)
        except GemeosError as error:
            logger.warning("%s of %s cannot be asked: %s", control, twin, error)
            return None
