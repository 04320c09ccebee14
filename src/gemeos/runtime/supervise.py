"""Keeping what must run running: restarts with growing pauses, told once each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gemeos.errors import LinkError

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
QUIET_AFTER_S = 60.0
"""Having run this long, the next failure begins with the first pause again."""


async def supervised(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run ``run`` until it returns; when it fails, log why, wait, and run it again.

    The broad catch here is one of the two in Gemeos: whatever a link or a model throws, the site
    goes on with the rest.
    """
    loop = asyncio.get_running_loop()
    pause = FIRST_PAUSE_S
    while True:
        began = loop.time()
        try:
            await run()
        except LinkError as error:
            logger.warning("%s is lost: %s Trying again in %.1f s.", name, error, pause)
        except Exception:
            logger.exception("%s failed; starting it again in %.1f s", name, pause)
        else:
            return
        if loop.time() - began > QUIET_AFTER_S:
            pause = FIRST_PAUSE_S
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)
