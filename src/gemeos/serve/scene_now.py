"""What of a twin's scene is held now: for the pages that draw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gemeos.ensemble.estimate import Estimate
from gemeos.errors import AssimilationError, UnknownNameError
from gemeos.runtime.trust import ChannelTrust
from gemeos.schema.scene import Scene, Signal
from gemeos.serve.view import View

SAME: Final = 1e-3
"""By how much less than this a control is moved it is not moved."""


@dataclass(frozen=True)
class Now:
    """What is held now, as far as it can be told."""

    twin: str
    scene: Scene
    estimate: Estimate | None
    channels: Mapping[str, ChannelTrust]
    """By variable."""

    def stands(self, signal: Signal) -> dict[str, float]:
        """Where the controls of a signal stand."""
        if self.estimate is None:
            return dict(signal.controls)
        found = {}
        for control, usual in signal.controls.items():
            value = float(self.estimate[control].mean[-1])
            found[control] = usual if abs(value - usual) < SAME else value
        return found


def scene_of(view: View, twin: str) -> Scene:
    """What is to be seen of it.

    Raises:
        UnknownNameError: no such twin, or nothing but numbers.
    """
    scene = view.host.twin(twin).scene
    if scene is None:
        with_map = [n for n in view.twins if view.host.twin(n).scene is not None]
        raise UnknownNameError("map of twin", twin, with_map, where="this site")
    return scene


def now_of(view: View, twin: str, scene: Scene) -> Now:
    """What is held of it; nothing before its first reading."""
    try:
        estimate = view.host.questions.now(twin)
    except AssimilationError:
        estimate = None
    channels = view.host.questions.trust(twin).channels
    return Now(twin, scene, estimate, {each.variable: each for each in channels})
