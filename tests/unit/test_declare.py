"""What a declaration becomes, and what is refused while it is read."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from gemeos.errors import DeclarationError, SchemaError, TimeError, UnitError
from gemeos.schema import declare as gm
from gemeos.schema.variable import Const, Control, Input, Measure, Param, Sensor, State, Virtual


@gm.model(dt="0.1 s")
class Pump:
    """A pump that wears out."""

    BLADES: ClassVar[int] = 6
    flow: float = gm.state("l/min", gm.normal(10, 1), noise=1, bounds=(0, 30))
    wear: float = gm.param("", gm.uniform(0, 1), drift=1e-4)
    lift: float = gm.const("m", default=3)
    voltage: float = gm.input("V")
    valve: float = gm.control("", bounds=(0, 1), default=1)

    def step(self, dt: float) -> Pump:
        return Pump(flow=self.flow + dt * self.valve * self.voltage)

    @gm.virtual("l/min")
    def lost(self) -> float:
        """What does not arrive."""
        return self.wear * self.flow

    @gm.sensor("l/min", noise=2)
    def meter(self) -> float:
        return self.flow - self.lost

    @gm.sensor("kW", mean_over="10 s")
    def power(self) -> float:
        return self.flow * self.lift

    @gm.sensor("l", counter_over="1 min")
    def total(self) -> float:
        return self.flow / 60

    @gm.sensor("l", sum_over="500 ms")
    def amount(self) -> float:
        return self.flow / 60


def test_that_the_schema_holds_all_that_is_declared_in_its_order() -> None:
    schema = gm.schema_of(Pump)
    assert schema.name == "Pump"
    assert schema.step == 100_000
    assert schema.variables == (
        State("flow", "l/min", gm.normal(10, 1), 1.0, (0.0, 30.0)),
        Param("wear", "", gm.uniform(0, 1), 1e-4, (None, None)),
        Const("lift", "m", 3.0),
        Input("voltage", "V", None),
        Control("valve", "", (0.0, 1.0), 1.0),
        Virtual("lost", "l/min"),
        Sensor("meter", "l/min", 2.0, Measure.INSTANT, 0.0),
        Sensor("power", "kW", None, Measure.MEAN, 10.0),
        Sensor("total", "l", None, Measure.COUNTER, 60.0),
        Sensor("amount", "l", None, Measure.SUM, 0.5),
    )


def test_that_whole_numbers_and_floats_declare_the_same() -> None:
    # 10 and 10.0 are printed differently, and the fingerprint hashes what is printed.
    declared = repr(gm.schema_of(Pump).variables)
    assert "mean=10.0" in declared
    assert "default=3.0" in declared
    assert "bounds=(0.0, 30.0)" in declared


def test_that_outputs_are_kept_in_the_schemas_order_of_sensors_then_virtuals() -> None:
    names = [method.__name__ for method in gm.declaration_of(Pump).outputs]
    assert names == ["meter", "power", "total", "amount", "lost"]


def test_that_a_member_is_made_from_its_states_alone() -> None:
    assert repr(Pump(flow=2.0)) == "Pump(flow=2.0)"
    with pytest.raises(TypeError, match="State 'flow' is missing from Pump"):
        Pump()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"no state 'flaw'. Did you mean 'flow'"):
        Pump(flow=2.0, flaw=1.0)  # type: ignore[call-arg]


def test_that_what_step_returns_carries_no_param() -> None:
    with pytest.raises(AttributeError, match=r"'wear' is a param: .* carries the states alone"):
        _ = Pump(flow=2.0).wear


def test_that_a_member_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match=r"step must not change self, it returns Pump\(flow="):
        Pump(flow=2.0).flow = 3.0  # type: ignore[misc]


def test_that_a_field_on_the_class_is_its_variable() -> None:
    declared: object = Pump.flow  # a float to type checkers
    assert declared == gm.schema_of(Pump).variable("flow")


def test_that_an_output_is_itself_on_the_class_and_a_number_on_a_member() -> None:
    assert (Pump.lost.name, Pump.lost.unit) == ("lost", "l/min")
    assert Pump.lost.__doc__ == "What does not arrive."
    assert Pump(flow=120.0).total == 2.0


def test_that_where_chooses() -> None:
    assert gm.where(condition=True, then=1.0, otherwise=2.0) == 1.0
    assert gm.where(condition=False, then=1.0, otherwise=2.0) == 2.0


def test_that_an_undecorated_class_declares_nothing() -> None:
    class Bare:
        pass

    assert not gm.is_declared(Bare)
    with pytest.raises(SchemaError, match="Bare is not a declared model"):
        gm.schema_of(Bare)


def test_that_compile_false_is_remembered() -> None:
    @gm.model(dt="1 s", compile=False)
    class Free:
        x: float = gm.state("m", gm.normal(0, 1))

        def step(self, dt: float) -> Free:
            return Free(x=self.x + dt)

    assert not gm.declaration_of(Free).compiles
    assert gm.declaration_of(Pump).compiles


def test_that_a_unit_that_is_not_known_is_refused_where_it_is_written() -> None:
    with pytest.raises(UnitError, match="'metre per fortnite' is not a unit"):
        gm.state("metre per fortnite", gm.normal(0, 1))
    with pytest.raises(UnitError, match="'zorks' is not a unit"):

        @gm.sensor("zorks")
        def reads(_: object) -> float:
            return 0.0


def test_that_a_sensor_covers_its_time_in_one_way_only() -> None:
    with pytest.raises(SchemaError, match="one of mean_over, sum_over and counter_over"):
        gm.sensor("l", mean_over="1 s", sum_over="1 s")
    with pytest.raises(TimeError, match="'1 metre' is not a length of time"):
        gm.sensor("l", mean_over="1 metre")


def test_that_the_step_must_be_a_length_of_time() -> None:
    with pytest.raises(TimeError, match=r"'0\.1' is not a length of time"):
        gm.model(dt="0.1")


HEAD = """\
from gemeos.schema import declare as gm


@gm.model(dt="0.01 s")
class Deck:
    x: float = gm.state("m", gm.normal(0, 1))
"""
STEP = """\
    def step(self, dt: float) -> "Deck":
        return Deck(x=self.x)
"""
REFUSED = {
    "step missing": ("    pass\n", 4, "Deck has no method 'step(self, dt: float)'", "@gm.model"),
    "no type": (
        '    v = gm.state("m/s", gm.normal(0, 1))\n' + STEP,
        7,
        "Deck.v needs its type: write 'v: float = ...'",
        "v = gm.state",
    ),
    "no specifier": (
        "    g: float = 9.81\n" + STEP,
        4,
        "Deck.g is annotated but not declared: give it a state, param, const, input or control",
        "@gm.model",
    ),
    "noise below zero": (
        '    v: float = gm.state("m/s", gm.normal(0, 1), noise=-1)\n' + STEP,
        7,
        "The noise of 'v' must be a number not below zero; it is -1.0.",
        "v: float",
    ),
    "prior out of bounds": (
        '    v: float = gm.param(\n        "m/s", gm.normal(0, 1), bounds=(1, 2)\n    )\n' + STEP,
        7,
        "The prior's middle 0.0 lies outside the bounds (1.0, 2.0).",
        "v: float",
    ),
    "sensor between steps": (
        STEP + '    @gm.sensor("m", mean_over="15 ms")\n    def y(self) -> float: return self.x\n',
        4,
        "Deck: sensor 'y' covers 0.015 s, which is not a whole number of steps of 0.01 s.",
        "@gm.model",
    ),
    "inherited": (
        STEP + '\n@gm.model(dt="1 s")\nclass Longer(Deck):\n' + STEP,
        10,
        "Longer inherits variables from Deck: a model declares all of its own.",
        "@gm.model",
    ),
}


def imported(path: Path) -> ModuleType:
    """The module at ``path``, run anew."""
    spec = importlib.util.spec_from_file_location(f"declared_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("case", list(REFUSED))
def test_that_a_declaration_that_contradicts_itself_is_refused_at_its_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    body, line, what, pointed_at = REFUSED[case]
    path = tmp_path / "deck.py"
    path.write_text(HEAD + body)
    with pytest.raises(DeclarationError) as caught:
        imported(path)
    first, source, caret = str(caught.value).splitlines()
    assert first.startswith(f"{path}:{line}: {what}")
    assert caught.value.line == line
    assert source[caret.index("^") :].startswith(pointed_at)
