"""Whatever is written for a unit: it is one, or a UnitError says so."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from gemeos.errors import UnitError
from gemeos.units import conversion, known_unit, quantity


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=80), st.text("()*/^m s1-.+[]\n\\'", max_size=20)))
def test_that_any_text_is_a_unit_or_a_unit_error(text: str) -> None:
    for ask in (known_unit, quantity, lambda t: conversion(t, "m")):
        with contextlib.suppress(UnitError):
            ask(text)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.sampled_from([("km/h", "m/s", 3.6), ("kW", "W", 1e-3)]))
def test_that_a_quantity_keeps_its_size_through_a_conversion(
    number: float, units: tuple[str, str, float]
) -> None:
    source, target, divisor = units
    told = quantity(f"{number!r} {source}").within(target)
    assert abs(told - number / divisor) <= 1e-12 * abs(number / divisor)
