"""What cannot be compiled is refused at its line; what is compiled is known by what it computes."""

from __future__ import annotations

import importlib.util
import itertools
import tomllib
import traceback
from pathlib import Path

import numpy as np
import pytest

from gemeos.errors import DeclarationError
from gemeos.schema import declare as gm
from gemeos.simulate import compile_model
from gemeos.simulate.batched import BatchedSimulator, loaded, printed
from gemeos.simulate.frontend import lower
from gemeos.testing.zoo import DOUBLE, SINGLE, ZOO

HEAD = """\
import math
from gemeos.schema import declare as gm
GRAVITY = 9.81
TABLE = {"a": 1.0}
def twice(x: float) -> float:
    return 2 * x
def endless(x: float) -> float:
    return endless(x - 1)
def some(x: float) -> float:
    if x > 0:
        return x
def given(*x: float) -> float:
    return x[0]
@gm.model(dt="0.1 s")
class Deck:
    x: float = gm.state("m", gm.normal(0, 1))
    v: float = gm.state("m/s", gm.normal(0, 1))
    stiffness: float = gm.param("1/s^2", gm.lognormal(4, 0.1))
    def halved(self, x: float) -> float:
        return x / 2
    @gm.sensor("m/s^2")
    def accel(self) -> float:
        return GRAVITY - self.stiffness * self.x
    def step(self, dt: float) -> "Deck":
"""
FIRST = 25
"""The line on which the body of step begins."""

GOOD = "return Deck(x=self.x + dt * self.v, v=twice(self.v))"

REFUSED = tomllib.loads(Path(__file__).with_name("refused_steps.toml").read_text())

counter = itertools.count()


def written(path: Path, text: str) -> type:
    """The class Deck of a module with that text."""
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(f"written_{next(counter)}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(text, str(path), "exec"), vars(module))  # noqa: S102 - leaves no bytecode behind
    deck = vars(module)["Deck"]
    assert isinstance(deck, type)
    return deck


def with_step(path: Path, *body: str) -> type:
    """Deck with that body of ``step``."""
    return written(path, HEAD + "".join(f"        {line}\n" for line in body))


@pytest.mark.parametrize("case", list(REFUSED))
def test_that_what_cannot_be_compiled_is_refused_at_its_line(case: str, tmp_path: Path) -> None:
    expected = REFUSED[case]
    path = tmp_path / "deck.py"
    body = expected["body"].replace("GOOD", GOOD)
    deck = with_step(path, *body.splitlines())
    with pytest.raises(DeclarationError) as caught:
        lower(deck)
    first, source, caret = str(caught.value).splitlines()
    assert first.startswith(f"{path}:{expected['line']}: {expected['says']}")
    assert source[caret.index("^") :].startswith(expected["caret"])


def test_that_the_whole_message_reads_as_a_person_needs_it(tmp_path: Path) -> None:
    path = tmp_path / "deck.py"
    with pytest.raises(DeclarationError) as caught:
        lower(with_step(path, "return Deck(x=self.x, v=self.y)"))
    assert str(caught.value) == (
        f"{path}:25: in Deck.step: Deck has no variable 'y'. There are: accel, halved, stiffness, "
        "v, x.\n"
        "    return Deck(x=self.x, v=self.y)\n"
        "                            ^"
    )


def test_that_an_output_must_be_a_number(tmp_path: Path) -> None:
    text = (HEAD + f"        {GOOD}\n").replace(
        "return GRAVITY - self.stiffness * self.x", "return (self.x, self.v)"
    )
    with pytest.raises(DeclarationError, match=r":22: in Deck.accel: a number is needed here"):
        lower(written(tmp_path / "deck.py", text))


def test_that_a_step_with_other_arguments_is_refused(tmp_path: Path) -> None:
    text = (HEAD + f"        {GOOD}\n").replace("step(self, dt: float)", "step(self)")
    with pytest.raises(DeclarationError, match=r":24: .*called as step\(self, dt: float\)"):
        lower(written(tmp_path / "deck.py", text))


def test_that_a_model_without_source_is_told_the_way_out() -> None:
    namespace: dict[str, object] = {"__name__": "typed"}
    text = HEAD + f"        {GOOD}\n"
    exec(compile(text, "<typed at a prompt>", "exec"), namespace)  # noqa: S102 - as a prompt does
    deck = namespace["Deck"]
    assert isinstance(deck, type)
    with pytest.raises(DeclarationError, match=r"put the model into a file.*compile=False"):
        lower(deck)


def test_that_a_file_that_changed_since_it_was_imported_is_not_compiled(tmp_path: Path) -> None:
    path = tmp_path / "deck.py"
    deck = with_step(path, GOOD)
    path.write_text("# moved down by a line\n\n\n" + path.read_text())
    with pytest.raises(DeclarationError, match="changed since it was imported"):
        lower(deck)


def test_that_a_branch_which_returned_leaves_the_others_names_alone(tmp_path: Path) -> None:
    body = ["if self.x > 1:", "    return Deck(x=0.0, v=0.0)", "else:", "    a = 1.0"]
    lower(with_step(tmp_path / "deck.py", *body, "return Deck(x=a, v=a)"))


def test_that_a_branch_known_beforehand_is_not_looked_into(tmp_path: Path) -> None:
    body = ["if GRAVITY > 9 or TABLE['a']:", "    a = 1.0", "else:", "    a = TABLE['a']"]
    lower(with_step(tmp_path / "deck.py", *body, "return Deck(x=a, v=a)"))


BASE = HEAD + f"        {GOOD}\n"
SAME = {
    "a comment": BASE.replace("def twice", "# doubled\n\n\ndef twice"),
    "blank lines and a docstring": BASE.replace(
        "    return 2 * x", '    """Doubled."""\n\n    return 2 * x'
    ),
    "brackets": BASE.replace("return 2 * x", "return (2 * (x))"),
    "the name of a local": BASE.replace("return 2 * x", "y = 2 * x\n    return y"),
    "a helper that is not used": BASE.replace("return endless(x - 1)", "return x"),
}
OTHER = {
    "a helper": BASE.replace("return 2 * x", "return 3 * x"),
    "a constant": BASE.replace("GRAVITY = 9.81", "GRAVITY = 9.80665"),
    "a prior": BASE.replace("gm.lognormal(4, 0.1)", "gm.lognormal(4, 0.2)"),
    "the step": BASE.replace('dt="0.1 s"', 'dt="0.2 s"'),
    "an output": BASE.replace("GRAVITY - ", "GRAVITY + "),
    "the sign of a zero": BASE.replace("2 * x", "2 * x + 0.0"),
}


@pytest.mark.parametrize("change", list(SAME))
def test_that_a_change_that_computes_the_same_keeps_the_identity(
    change: str, tmp_path: Path
) -> None:
    assert SAME[change] != BASE
    known = BatchedSimulator(lower(written(tmp_path / "base.py", BASE))).identity
    assert BatchedSimulator(lower(written(tmp_path / "deck.py", SAME[change]))).identity == known


@pytest.mark.parametrize("change", list(OTHER))
def test_that_a_change_that_computes_another_thing_changes_the_identity(
    change: str, tmp_path: Path
) -> None:
    assert OTHER[change] != BASE
    known = BatchedSimulator(lower(written(tmp_path / "base.py", BASE))).identity
    assert BatchedSimulator(lower(written(tmp_path / "deck.py", OTHER[change]))).identity != known


@pytest.mark.parametrize("change", ["a helper", "a constant", "a prior", "the step", "an output"])
def test_that_what_is_not_compiled_is_known_by_its_source(change: str, tmp_path: Path) -> None:
    def plain(text: str, name: str) -> str:
        slow = text.replace(' s")', ' s", compile=False)')
        return compile_model(written(tmp_path / f"{name}.py", slow)).identity

    known = plain(BASE, "base")
    assert plain(SAME["a comment"], "comment") == known
    assert plain(OTHER[change], "other") != known


@pytest.mark.parametrize("spread", [SINGLE, DOUBLE])
def test_that_nothing_printed_leaves_the_models_precision(spread: float) -> None:
    for make in ZOO:
        lowered = lower(make(spread))
        kind = lowered.schema.precision
        for form, name in [(lowered.step, "step"), (lowered.observe, "observe")]:
            function = loaded(printed(form, name, kind), name, "Zoo")
            with np.errstate(all="ignore"):
                results = function(*(np.full(3, 0.7, kind) for _ in form.reads))
            assert {r.dtype for r in results} == {kind}


def test_that_squares_and_cubes_are_products(tmp_path: Path) -> None:
    deck = with_step(tmp_path / "deck.py", "return Deck(x=self.x**2, v=self.v**3 + self.x**2.0)")
    lowered = lower(deck)
    text = printed(lowered.step, "step", lowered.schema.precision)
    assert "power" not in text
    x, v = np.array([0.1, 3.3], np.float32), np.array([0.7, -1.1], np.float32)
    squared, cubed = loaded(text, "step", "Deck")(x, v)
    np.testing.assert_array_equal(squared, x * x)
    np.testing.assert_array_equal(cubed, v * v * v + x * x)


def test_that_what_is_computed_twice_is_printed_once(tmp_path: Path) -> None:
    deck = with_step(
        tmp_path / "deck.py",
        "a = math.sin(self.x)",
        "unused = math.cos(self.x)",
        "return Deck(x=a + twice(math.sin(self.x)), v=math.sin(self.x))",
    )
    lowered = lower(deck)
    text = printed(lowered.step, "step", lowered.schema.precision)
    assert text.count("np.sin") == 1
    assert "np.cos" not in text


def test_that_a_long_chain_is_printed_without_too_many_brackets(tmp_path: Path) -> None:
    deck = with_step(
        tmp_path / "deck.py",
        "a = self.x",
        "for i in range(400):",
        "    a = a / 2 + i",
        "return Deck(x=a, v=a)",
    )
    simulator = compile_model(deck)
    empty = np.empty((1, 0, 1), np.float32)
    states = simulator.step(np.ones((1, 3, 2), np.float32), empty, empty[:, :, 0])
    # The sum of i / 2**(399 - i) is 2 * 399 - 2 + 2**-398: arithmetico-geometric series.
    np.testing.assert_allclose(states, np.full((1, 2, 2), 796.0), rtol=1e-6)


def test_that_a_traceback_shows_the_printed_line(tmp_path: Path) -> None:
    lowered = lower(with_step(tmp_path / "deck.py", "return Deck(x=self.x + self.v, v=1.0)"))
    function = loaded(printed(lowered.step, "step", np.dtype(np.float32)), "step", "Deck")
    with pytest.raises(ValueError, match="broadcast") as caught:
        function(np.zeros(2), np.zeros(3))
    shown = "".join(traceback.format_exception(caught.value))
    assert "<Deck.step as numpy, " in shown
    assert "return ((self_x + self_v), c0, )" in shown


def test_that_the_sign_of_a_zero_survives(tmp_path: Path) -> None:
    deck = with_step(
        tmp_path / "deck.py",
        "return Deck(x=math.copysign(1.0, self.x * 0.0), v=math.copysign(1.0, self.x * -0.0))",
    )
    simulator = compile_model(deck)
    empty = np.empty((1, 0, 1), np.float32)
    states = simulator.step(np.ones((1, 3, 1), np.float32), empty, empty[:, :, 0])
    assert states[0, :, 0].tolist() == [1.0, -1.0]


def test_that_the_class_is_not_run_when_it_is_read() -> None:
    @gm.model(dt="1 s")
    class Trap:
        x: float = gm.state("m", gm.normal(0, 1))

        def step(self, dt: float) -> Trap:
            if dt > 2:
                return self.nowhere()  # type: ignore[attr-defined]
            return Trap(x=self.x)

    assert lower(Trap).step.reads == ("x",)
