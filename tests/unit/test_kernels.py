"""The kernels' own functions are as near to the exact values as float32 can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType

import numpy as np
import pytest

from gemeos.simulate import _kernels_arithmetic, _kernels_elementary
from gemeos.simulate.printed_numba import kernel_text

numba = pytest.importorskip("numba")

OF_ONE = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "atan": np.arctan,
    "asin": np.arcsin,
    "acos": np.arccos,
}
REACH = {
    "exp": (-87.0, 88.0),
    "expm1": (-20.0, 88.0),
    "log": (1e-30, 1e3),
    "log1p": (-0.999, 1e3),
    "tanh": (-12.0, 12.0),
    "sin": (-1e6, 1e6),
    "cos": (-1e6, 1e6),
    "tan": (-1e4, 1e4),
    "atan": (-1e3, 1e3),
    "asin": (-1.0, 1.0),
    "acos": (-1.0, 1.0),
}
OF_TWO = {
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "smaller": np.minimum,
    "greater": np.maximum,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
}
ULP = 2.0**-23
"""Distance of neighbouring float32 at 1."""

Call = Callable[..., np.ndarray]


def compiled(kind: str, modules: list[ModuleType], names: list[str], arguments: str) -> Call:
    """Calls each of ``names`` on flat arrays; rows of the result are theirs."""
    inlined = "njit(error_model='numpy', fastmath=False, forceinline=True)"
    given = ", ".join(f"{a}[i]" for a in arguments)
    lines = [f"        out[{row}, i] = {name}({given})" for row, name in enumerate(names)]
    text = [
        "import numpy as np",
        "from math import copysign",
        "from numba import njit",
        f"KIND, INLINED = np.{kind}, {inlined}",
        *(line for module in modules for line in kernel_text(module, "INLINED")),
        "@njit(error_model='numpy', fastmath=False)",
        f"def every({', '.join(arguments)}, out):",
        f"    for i in range({arguments[0]}.size):",
        *lines,
    ]
    namespace: dict[str, Call] = {}
    exec(compile("\n".join(text), "<kernels>", "exec"), namespace)  # noqa: S102 - our own text

    def call(*arrays: np.ndarray) -> np.ndarray:
        out = np.empty((len(names), arrays[0].size), arrays[0].dtype)
        namespace["every"](*arrays, out)
        return out

    return call


@pytest.fixture(scope="module")
def of_one() -> Call:
    return compiled("float32", [_kernels_elementary], list(OF_ONE), "x")


@pytest.fixture(scope="module")
def of_two() -> Call:
    modules = [_kernels_elementary, _kernels_arithmetic]
    return compiled("float32", modules, list(OF_TWO), "xy")


def row(call: Call, name: str, known: Mapping[str, np.ufunc], *arrays: np.ndarray) -> np.ndarray:
    return call(*arrays)[list(known).index(name)]


@pytest.mark.parametrize("name", OF_ONE)
def test_that_a_function_is_within_two_steps_of_float32_from_the_exact_value(
    of_one: Call, name: str
) -> None:
    least, most = REACH[name]
    rng = np.random.default_rng(1)
    near = rng.uniform(max(least, -2), min(most, 2), 100_000)
    tiny = rng.uniform(max(least, -1e-3), min(most, 1e-3), 20_000)
    x = np.concatenate([rng.uniform(least, most, 100_000), near, tiny]).astype(np.float32)
    exact = OF_ONE[name](x.astype(np.float64))
    # Relative, however small the result: 2.4e-7 is two steps.
    wrong = np.abs(row(of_one, name, OF_ONE, x) - exact)
    assert (wrong / np.abs(exact))[exact != 0].max() < 2.1 * ULP


def test_that_functions_take_the_values_at_the_ends_of_their_reach(of_one: Call) -> None:
    inf, nan = np.inf, np.nan
    expected = {
        "exp": {-inf: 0, inf: inf, 0: 1, -200: 0, 200: inf, nan: nan},
        "expm1": {-inf: -1, inf: inf, 0: 0, nan: nan},
        "log": {0: -inf, inf: inf, 1: 0, -1: nan, -inf: nan, nan: nan},
        "log1p": {-1: -inf, inf: inf, 0: 0, -2: nan, nan: nan},
        "tanh": {-inf: -1, inf: 1, 0: 0, nan: nan},
        "sin": {inf: nan, -inf: nan, 0: 0, nan: nan},
        "cos": {inf: nan, -inf: nan, 0: 1, nan: nan},
        "tan": {inf: nan, -inf: nan, 0: 0, nan: nan},
        "atan": {inf: np.pi / 2, -inf: -np.pi / 2, 0: 0, nan: nan},
        "asin": {1: np.pi / 2, -1: -np.pi / 2, 0: 0, 1.5: nan, nan: nan},
        "acos": {1: 0, -1: np.pi, 0: np.pi / 2, 1.5: nan, nan: nan},
    }
    for name, at in expected.items():
        x = np.array(list(at), np.float32)
        np.testing.assert_array_equal(
            row(of_one, name, OF_ONE, x), np.array(list(at.values()), np.float32), err_msg=name
        )


def test_that_numbers_below_the_normal_ones_have_a_logarithm_and_come_out_of_exp(
    of_one: Call,
) -> None:
    x = np.array([1e-45, 1e-40, 1e-38], np.float32)
    np.testing.assert_allclose(
        row(of_one, "log", OF_ONE, x), np.log(x.astype(np.float64)), rtol=2e-7
    )
    y = np.array([-90.0, -100.0, -103.0], np.float32)
    # Spaced by 1.4e-45 there.
    np.testing.assert_allclose(
        row(of_one, "exp", OF_ONE, y), np.exp(y.astype(np.float64)), rtol=0, atol=1.5e-45
    )


def test_that_the_sine_stays_within_one_however_far_out(of_one: Call) -> None:
    x = np.array([1e8, 3e10, 1e15, 1e20, 3e38], np.float32)
    assert np.abs(row(of_one, "sin", OF_ONE, np.concatenate([x, -x]))).max() <= 1


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.1, -2.5, 7.25, 1e30, -1e30, 1e-40, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("name", OF_TWO)
def test_that_a_function_of_two_agrees_with_numpys_everywhere(of_two: Call, name: str) -> None:
    rng = np.random.default_rng(2)
    pairs = np.meshgrid(SPECIAL, SPECIAL)
    sizes = 10.0 ** rng.uniform(-3, 3, (2, 20_000)) * rng.choice([-1, 1], (2, 20_000))
    x, y = (np.append(p.ravel(), s).astype(np.float32) for p, s in zip(pairs, sizes, strict=True))
    with np.errstate(all="ignore"):
        expected = OF_TWO[name](x, y)
    given = row(of_two, name, OF_TWO, x, y)
    if name in {"atan2", "hypot"}:
        np.testing.assert_allclose(given, expected, rtol=4 * ULP, atol=0)
    else:
        np.testing.assert_array_equal(given, expected)
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(given[zero]), np.signbit(expected[zero]))


def test_that_whole_quotients_agree_with_numpys_in_double_precision_too() -> None:
    names = ["smaller", "greater", "floor_divide", "remainder"]
    call = compiled("float64", [_kernels_arithmetic], names, "xy")
    x, y = (p.ravel() for p in np.meshgrid(SPECIAL, SPECIAL))
    given = call(x, y)
    with np.errstate(all="ignore"):
        for place, name in enumerate(names):
            np.testing.assert_array_equal(given[place], OF_TWO[name](x, y), err_msg=name)
