"""What plans are judged without: true of the model, and never nothing."""

from __future__ import annotations

import pytest

import gemeos as gm
from gemeos.runtime.twin import together
from gemeos.runtime.unmodelled import unmodelled

ALWAYS = "what the model leaves out: members differ by what it says it does not know"


@gm.model(dt="1 s")
class Cart:
    x: float = gm.state("m", gm.normal(0.0, 1.0))
    push: float = gm.control("m/s", bounds=(-1, 1), default=0.0)
    brake: float = gm.control("m/s", bounds=(0, 1), default=0.0)
    wind: float = gm.input("m/s", default=0.0)
    slope: float = gm.input("m/s", default=0.0)
    load: float = gm.const("1", default=1.0)

    def step(self, dt: float) -> Cart:
        moved = self.push - self.brake + self.wind + self.slope
        return Cart(x=self.x + dt * moved / self.load)

    @gm.sensor("m", noise=0.5)
    def place(self) -> float:
        return self.x


def told(*chosen: str, foresee: str | None = None, hears: tuple[str, ...] = ()) -> set[str]:
    twin = gm.Twin("cart", Cart, members=16, foresee_inputs=foresee).bind("l:p", to="place")
    for name in hears:
        twin.bind(f"l:{name}", to=name)
    found = unmodelled(together([twin], horizon=twin.horizon), "cart", chosen)
    assert len(set(found)) == len(found)
    return set(found)


@pytest.mark.parametrize(
    ("foresee", "said"),
    [
        (None, "where inputs go: wind, slope are held as last heard"),
        ("10 s", "what inputs never did before: wind, slope are foreseen from how they went"),
    ],
)
def test_that_foreseen_and_held_inputs_are_told_apart(foresee: str | None, said: str) -> None:
    assert told("push", foresee=foresee, hears=("wind", "slope")) == {
        said,
        "anybody who sets brake meanwhile: it is held",
        "how devices carry it out: push is where told, at once and all the time",
        ALWAYS,
    }


def test_that_an_input_that_nothing_hears_is_not_said_to_be_foreseen() -> None:
    found = told("push", "brake", foresee="10 s", hears=("wind",))
    assert found == {
        "what inputs never did before: wind is foreseen from how they went",
        "where inputs go: nothing is heard of slope",
        "how devices carry it out: push, brake are where told, at once and all the time",
        ALWAYS,
    }


def test_that_something_is_left_out_whatever_is_chosen() -> None:
    # A constant is built, not set by a device.
    assert told("load", hears=("wind",)) == {
        "where inputs go: wind is held as last heard",
        "where inputs go: nothing is heard of slope",
        "anybody who sets push, brake meanwhile: they are held",
        ALWAYS,
    }
