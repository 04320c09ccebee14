"""Where the forks of a site are run: long ones in processes of their own, the rest on the spot.

A thread that runs forks beside the live path holds the interpreter's lock again and again, and
readings wait for it; a process does not. It takes a second to start, so that it is started only
when there is much to do; it is kept from then on. Both tell the same, to the last bit.
"""

from __future__ import annotations

import logging
import sys
from threading import Lock
from typing import Final, final

from gemeos.errors import WorkerError
from gemeos.foresee.executor import Batch, Executor, InProcess
from gemeos.foresee.fork import Played, Watch
from gemeos.runtime.carried import CarriedModel, model_of
from gemeos.runtime.work_process import START_S, Gone, NotYet, Refused, WorkProcess
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import Steps

logger = logging.getLogger(__name__)

MOST_PROCESSES: Final = 3
"""As many as pieces of work take turns (``runtime.compute``). Each takes some 130 MB."""
WORTH_A_PROCESS: Final = 1_000_000
"""Steps of members, in all that was run so far: some tens of milliseconds."""
_LEAST_MEMBERS: Final = 256
"""A step of fewer costs as much as one of these."""
_SMALL: Final = 100_000
"""Such a batch waits for no process to be started."""
_TRIES: Final = 2
"""Of one batch: what kills a second process would kill a third one."""


@final
class Executors(Executor):
    """See the module. From any thread."""

    def __init__(
        self,
        *,
        worth: int = WORTH_A_PROCESS,
        most: int = MOST_PROCESSES,
        start_s: float = START_S,
    ) -> None:
        """Nothing is started.

        Args:
            worth: How many steps of members are run on the spot before a process is started.
            most: How many processes there are at once.
            start_s: How long one that starts is waited for; what comes meanwhile is run on the
                spot.
        """
        self._here = InProcess()
        self._worth, self._most, self._start_s = worth, most, start_s
        self._lock = Lock()
        self._done = 0
        self._idle: list[WorkProcess] = []
        self._at_work: list[WorkProcess] = []
        self._is_closed = sys.platform == "win32"  # there are no such processes there
        self._models: dict[str, CarriedModel | None] = {}

    @property
    def processes(self) -> list[int]:
        """Numbers of those that are there."""
        with self._lock:
            return [each.pid for each in (*self._at_work, *self._idle) if each.is_open]

    def played(self, model: Steps, batch: Batch, watch: Watch) -> Played:
        """See ``Executor.played``."""
        size = batch.steps * max(batch.members, _LEAST_MEMBERS)
        carried = self._carried(model) if self._is_worth(size) else None
        gone = None
        for _ in range(_TRIES):
            worker = None if carried is None else self._leased(is_small=size < _SMALL)
            if carried is None or worker is None:
                break
            try:
                told = worker.played(carried, batch, watch)
            finally:
                self._returned(worker)
            match told:
                case Gone(code, is_begun) if is_begun or code < 0:
                    logger.warning("A process that ran what-ifs is gone (%d).", code)
                    gone = told
                case Gone(code):
                    self._give_up(f"the first ended before it began ({code})")
                    break
                case Refused(out_of_memory=True):
                    raise WorkerError(f"What was to be run does not fit into memory: {told.why}.")
                case NotYet():
                    break
                case Refused():
                    # What the model or the question is to blame for comes to light here as well.
                    logger.info("A batch is run by the site itself: %s", told.why)
                    break
                case _:
                    return told
        else:
            code = 0 if gone is None else gone.code
            raise WorkerError(
                f"The process that ran it was ended {_TRIES} times (exit code {code}): it may have "
                "taken too much memory. Ask for fewer members or a coarser 'every'."
            )
        return self._here.played(model, batch, watch)

    def close(self) -> None:
        """End all processes; what is asked from now on is run on the spot."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    def _is_worth(self, size: int) -> bool:
        """Whether it is time for a process; what is asked is counted."""
        with self._lock:
            self._done += size
            return self._done >= self._worth and not self._is_closed

    def _carried(self, model: Steps) -> CarriedModel | None:
        if not isinstance(model, Stepper):
            return None  # an engine's: it has processes already
        identity, name = model.simulator.identity, model.schema.name
        with self._lock:
            if identity not in self._models:
                try:
                    self._models[identity] = model_of(model)
                except WorkerError as error:
                    logger.warning("%s", error)
                    self._models[identity] = None
                if self._models[identity] is None:
                    kind = type(model.simulator).__name__
                    logger.info(
                        "What-ifs of %s are run on a thread of the site: a %s cannot be handed to "
                        "another process.",
                        name,
                        kind,
                    )
            return self._models[identity]

    def _leased(self, *, is_small: bool) -> WorkProcess | None:
        """One that does nothing else; None where there is, or for so little can be, none."""
        with self._lock:
            for worker in self._idle:
                if not worker.is_open:
                    worker.close()
            self._idle = [each for each in self._idle if each.is_open]
            full = len(self._at_work) >= self._most
            if self._is_closed or (not self._idle and (is_small or full)):
                return None
            try:
                worker = self._idle.pop() if self._idle else WorkProcess(self._start_s)
            except OSError as error:
                self._give_up(str(error))
                return None
            self._at_work.append(worker)
            return worker

    def _returned(self, worker: WorkProcess) -> None:
        with self._lock:
            self._at_work.remove(worker)
            if worker.is_open and not self._is_closed:
                self._idle.append(worker)
                return
        worker.close()

    def _give_up(self, why: str) -> None:
        logger.warning("There are no processes for what-ifs, they are run by the site: %s.", why)
        self._is_closed = True
