"""``gemeos validate yaw|layout``: searches for yaw angles and layouts, beside what others found.

No recorded data: FLORIS's own optimiser is run beside ours, and energies are held against those
published with IEA Wind Task 37.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from gemeos.errors import InputError
from gemeos.foresee.judge import Gain
from gemeos.twins.windfarm.checks import Check
from gemeos.twins.windfarm.iea37 import CASE, ENERGY_MWH, GROUND, layout
from gemeos.twins.windfarm.layout import placed
from gemeos.twins.windfarm.steering_trial import (
    Yaws,
    nine_over_all_directions,
    three_in_a_row,
    uncertain_wind,
)

SOURCE: Final = "docs/validation/windfarm-plans.md"
HALF_A_POINT: Final = 0.005
LAYOUT_MWH: Final = 418_000.0
BEST_MWH: Final = 418_924.0
TRIES: Final = 24
QUICK_TRIES: Final = 2


def validate_yaw(
    folder: Path | None = None,  # noqa: ARG001 -- as every validation is called
    *,
    ablations: bool = False,
    quick: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Check]:
    """Search for yaw angles, and hold what is found to what FLORIS finds.

    Args:
        folder: Not needed: nothing recorded is used.
        ablations: Not offered here.
        quick: No nine turbines.
        tell: Called with the figures done and those there are.

    Raises:
        InputError: there is no ablation.
        SettingsError: FLORIS is not installed.
    """
    if ablations:
        raise InputError("The validation of yaw angles has no ablations.")
    return _told(_yaws(quick=quick), 3 if quick else 4, tell)


def validate_layout(
    folder: Path | None = None,  # noqa: ARG001 -- as every validation is called
    *,
    ablations: bool = False,
    quick: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Check]:
    """Work out published energies, search for a layout, and hold it to the best entry known.

    Args:
        folder: Not needed: nothing recorded is used.
        ablations: Not offered here.
        quick: Fewer tries.
        tell: Called with the figures done and those there are.

    Raises:
        InputError: there is no ablation.
    """
    if ablations:
        raise InputError("The validation of layouts has no ablations.")
    return _told(_layouts(quick=quick), len(ENERGY_MWH) + 1, tell)


def _told(found: Iterator[Check], parts: int, tell: Callable[[int, int], None]) -> list[Check]:
    checks = []
    for check in found:
        checks.append(check)
        tell(len(checks), parts)
    return checks


def _yaws(*, quick: bool) -> Iterator[Check]:
    for found in three_in_a_row():
        yield _yaw("three in a row", "+21.4 %", found)
    if not quick:
        found = nine_over_all_directions()
        # A square that is turned by 90 degrees is itself: each direction stands for four.
        which = f"nine in a square, 72 directions by {len(found.ours)} that stand for four each"
        yield _yaw(which, "+3.9 %", found)
    yield _uncertain()


def _layouts(*, quick: bool) -> Iterator[Check]:
    yield from _energies()
    yield _layout(QUICK_TRIES if quick else TRIES)


def _yaw(which: str, published: str, found: Yaws) -> Check:
    angles = ", ".join(f"{abs(each):.0f}" for each in found.ours[0]) if len(found.ours) == 1 else ""
    return Check(
        name=f"yaw, {which}, {found.method}",
        measured=f"{found.our_gain:+.2%}{angles and f' at {angles} degrees'}",
        goal=f">= {found.its_gain:+.2%} less half a point",
        ok=found.our_gain > found.its_gain - HALF_A_POINT,
        how=f"gain in power; FLORIS's YawOptimizationSR in the same run, known as {published}",
        reference="Fleming et al. (2022), Journal of Physics 2265 (conference series), 032109",
        source=SOURCE,
    )


def _uncertain() -> Check:
    over = uncertain_wind().over_present
    gain = None if over is None else over.gains[0]
    return Check(
        name="yaw for a wind of 270 +- 5 degrees",
        measured="nothing found" if gain is None else _share(gain),
        goal="better than FLORIS's plan for 270 degrees",
        ok=gain is not None and gain.gain.low > 0.0,
        how="paired, on 1,024 directions that no search saw",
        reference="FLORIS's YawOptimizationSR",
        source=SOURCE,
    )


def _share(gain: Gain) -> str:
    mean, low, high = (
        each / gain.other.value for each in (gain.gain.mean, gain.gain.low, gain.gain.high)
    )
    return f"{mean:+.2%} ({low:+.2%} .. {high:+.2%})"


def _energies() -> Iterator[Check]:
    for turbines, published in ENERGY_MWH.items():
        ours = CASE.annual_mwh(layout(turbines))
        yield Check(
            name=f"IEA37 case 1, {turbines} turbines",
            measured=f"{ours:,.2f} MWh",
            goal=f"{published:,.2f} MWh to 1e-6",
            ok=abs(ours / published - 1.0) <= 1e-6,
            how="annual energy of the example layout",
            reference="Baker et al. (2019), AIAA 2019-0540",
            source=SOURCE,
        )


def _layout(tries: int) -> Check:
    turbines = 16
    places = placed(CASE, GROUND, turbines, seed=1, tries=tries)
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    nearest = apart[~np.eye(turbines, dtype=bool)].min()
    ours = CASE.annual_mwh(places)
    allowed = nearest >= GROUND.apart_m and np.hypot(*places.T).max() <= GROUND.radius_m
    return Check(
        name="IEA37 case 1, our layout of 16",
        measured=f"{ours:,.0f} MWh{'' if allowed else ', against the rules'}",
        goal=f">= {LAYOUT_MWH:,.0f} MWh (best entry {BEST_MWH:,.0f})",
        ok=bool(allowed and ours >= LAYOUT_MWH),
        how=f"{tries} tries; the nearest two are {nearest:.1f} m apart",
        reference="Baker et al. (2019), AIAA 2019-0540",
        source=SOURCE,
    )
