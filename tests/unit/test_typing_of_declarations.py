"""mypy sees a wrong declaration at its line, and nothing in a right one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

GOOD = '''\
import math

import numpy as np

from gemeos.schema import declare as gm


def drag(v: float, cd: float) -> float:
    if v > 0:
        return -cd * v * v
    return cd * v * v


@gm.model(dt="0.01 s")
class Deck:
    x: float = gm.state("m", gm.normal(0, 0.01), noise=1e-4)
    v: float = gm.state("m/s", gm.normal(0, 0.1), noise=2e-3, bounds=(-9, 9))
    k: float = gm.param("1/s^2", gm.lognormal(40, 0.1), drift=1e-3)
    cd: float = gm.const("1/m", default=0.1)
    wind: float = gm.input("m/s^2")
    damper: float = gm.control("m/s^2", bounds=(-5, 5))
    tilt: float = gm.state("", gm.uniform(0, 1))

    def pull(self, scale: float = 1.0) -> float:
        return scale * self.k * math.sin(self.x)

    def step(self, dt: float) -> "Deck":
        a = self.wind + self.damper - self.pull() + drag(self.v, self.cd)
        v = self.v + dt * a if self.x > 0 else float(np.sin(self.x)) ** 2
        return Deck(x=min(max(self.x + dt * v, -2.0), 2.0), v=v, tilt=gm.where(v > 0, 1.0, 0.0))

    @gm.sensor("m/s^2", noise=0.1)
    def accel(self) -> float:
        return self.wind - self.k * self.x

    @gm.sensor("m/s^2", mean_over="10 s")
    def shaking(self) -> float:
        return abs(self.accel)

    @gm.virtual("m/s^2")
    def worst(self) -> float:
        """Names are typed from outside, too."""
        return max(self.accel, self.shaking)


unit: str = Deck.accel.unit
read: float = Deck(x=1.0, v=2.0, tilt=0.5).accel
'''
HEAD = """\
from gemeos.schema import declare as gm


@gm.model(dt="1 s")
class Deck:
    x: float = gm.state("m", gm.normal(0, 1))
    v: float = gm.state("m/s", gm.normal(0, 1))
    k: float = gm.param("1/s^2", gm.lognormal(4, 0.1))

"""
STEP = """\
    def step(self, dt: float) -> "Deck":
        return Deck(x=self.x, v=self.v)
"""
WRONG = {
    # name: (rest of the file, the wrong line, code of mypy's error, a word of its message)
    "forgotten_state": (
        '    def step(self, dt: float) -> "Deck":\n        return Deck(x=self.x)\n',
        "return Deck(x=self.x)",
        "call-arg",
        'Missing named argument "v"',
    ),
    "unknown_state": (
        '    def step(self, dt: float) -> "Deck":\n        return Deck(x=1.0, v=1.0, w=1.0)\n',
        "return Deck(x=1.0, v=1.0, w=1.0)",
        "call-arg",
        'Unexpected keyword argument "w"',
    ),
    "param_in_constructor": (
        '    def step(self, dt: float) -> "Deck":\n        return Deck(x=1.0, v=1.0, k=1.0)\n',
        "return Deck(x=1.0, v=1.0, k=1.0)",
        "call-arg",
        'Unexpected keyword argument "k"',
    ),
    "states_by_place": (
        '    def step(self, dt: float) -> "Deck":\n        return Deck(1.0, 2.0)\n',
        "return Deck(1.0, 2.0)",
        "call-arg",
        "Too many positional arguments",
    ),
    "text_as_state": (
        '    def step(self, dt: float) -> "Deck":\n        return Deck(x=1.0, v="fast")\n',
        'return Deck(x=1.0, v="fast")',
        "arg-type",
        'Argument "v"',
    ),
    "misspelt": (
        '    def step(self, dt: float) -> "Deck":\n        return Deck(x=self.xx, v=self.v)\n',
        "return Deck(x=self.xx, v=self.v)",
        "attr-defined",
        '"xx"',
    ),
    "self_changed": (
        '    def step(self, dt: float) -> "Deck":\n        self.x = 1.0\n        return self\n',
        "self.x = 1.0",
        "misc",
        "read-only",
    ),
    "output_of_text": (
        STEP + '\n    @gm.sensor("m")\n    def y(self) -> str:\n        return "high"\n',
        '@gm.sensor("m")',
        "arg-type",
        'expected "Callable[[Deck], float]"',
    ),
    "output_taken_for_method": (
        STEP + '\n    @gm.sensor("m")\n    def y(self) -> float:\n        return 2 * self.z()\n'
        '\n    @gm.virtual("m")\n    def z(self) -> float:\n        return self.x\n',
        "return 2 * self.z()",
        "operator",
        '"float" not callable',
    ),
    "text_as_field": (
        '    name: str = gm.const("m")\n\n' + STEP,
        'name: str = gm.const("m")',
        "assignment",
        'has type "float"',
    ),
    "number_as_prior": (
        '    w: float = gm.param("m", 3.0)\n\n' + STEP,
        'w: float = gm.param("m", 3.0)',
        "arg-type",
        'Argument 2 to "param"',
    ),
    "unit_forgotten": (
        "    w: float = gm.param(gm.normal(0, 1))\n\n" + STEP,
        "w: float = gm.param(gm.normal(0, 1))",
        "call-arg",
        'Missing positional argument "prior"',
    ),
    "control_without_bounds": (
        '    w: float = gm.control("m")\n\n' + STEP,
        'w: float = gm.control("m")',
        "call-arg",
        'Missing named argument "bounds"',
    ),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """What mypy says of each file, by its name: line and message. One run, since it is slow."""
    folder = tmp_path_factory.mktemp("declared")
    (folder / "good.py").write_text(GOOD)
    for name, (rest, *_) in WRONG.items():
        (folder / f"{name}.py").write_text(HEAD + rest)
    files = sorted(str(path) for path in folder.glob("*.py"))
    options = ["--strict", "--config-file=", f"--cache-dir={folder / 'cache'}"]
    output, trouble, _ = api.run([*options, "--hide-error-context", "--no-pretty", *files])
    assert trouble == ""
    said: dict[str, list[tuple[int, str]]] = {Path(file).stem: [] for file in files}
    for line in output.splitlines():
        found = re.fullmatch(r"(?P<file>.+\.py):(?P<line>\d+): error: (?P<what>.*)", line)
        if found:
            said[Path(found["file"]).stem].append((int(found["line"]), found["what"]))
    return said


def test_that_a_right_declaration_passes_strict(told: dict[str, list[tuple[int, str]]]) -> None:
    assert told["good"] == []


@pytest.mark.parametrize("name", list(WRONG))
def test_that_a_wrong_declaration_is_an_error_at_its_line(
    name: str, told: dict[str, list[tuple[int, str]]]
) -> None:
    rest, wrong, code, word = WRONG[name]
    lines = [line.strip() for line in (HEAD + rest).splitlines()]
    assert {line for line, _ in told[name]} == {lines.index(wrong) + 1}
    assert any(what.endswith(f"[{code}]") and word in what for _, what in told[name])
