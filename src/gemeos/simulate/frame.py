"""What a function's names stand for while it is lowered, and how two branches become one."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gemeos.simulate.lowered import NO, YES, Atom, Builder, Function, Number, Read, Temp, Truth
from gemeos.simulate.source import Source


@dataclass(frozen=True, slots=True)
class Several:
    """A tuple."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """What ``Deck(x=..., v=...)`` makes: the states, in the schema's order."""

    states: tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Itself:
    """``self``: the member as it was before the step."""


Value: TypeAlias = Atom | Several | Built | Itself


@dataclass(slots=True)
class Frame:
    """One call of one function.

    Members part ways at an ``if`` and all of them go through both branches. ``done`` says which
    have returned already, and ``result`` holds what those returned; a later ``return`` is for the
    others. For a member that is done, the values of the names no longer mean anything.
    """

    source: Source
    values: dict[str, Value]
    unsure: dict[str, str] = field(default_factory=dict)
    """Names that cannot be used, and why: they have a value in one branch only."""
    done: Atom = NO
    result: Value | None = None

    def assign(self, name: str, value: Value) -> None:
        """From here on ``name`` stands for ``value``."""
        self.values[name] = value
        self.unsure.pop(name, None)

    def branch(self) -> Frame:
        """The same, to be gone on with separately."""
        return replace(self, values=dict(self.values), unsure=dict(self.unsure))

    def finish(self, builder: Builder, value: Value, node: ast.AST) -> None:
        """All who have not returned yet return ``value``."""
        self.result = self._one_result(builder, self.done, self.result, value, node)
        self.done = YES

    def join(self, builder: Builder, test: Atom, ways: tuple[Frame, Frame], node: ast.If) -> None:
        """Go on behind an ``if``: the first way where ``test`` holds, the second elsewhere."""
        then, otherwise = ways
        self.result = self._one_result(builder, test, then.result, otherwise.result, node)
        self.done = builder.apply(Function.SELECT, test, then.done, otherwise.done)
        if YES in (then.done, otherwise.done):
            going_on = otherwise if then.done == YES else then
            self.values, self.unsure = going_on.values, going_on.unsure
            return
        self.values, self.unsure = {}, then.unsure | otherwise.unsure
        for name in {**then.values, **otherwise.values}:
            one, other = then.values.get(name), otherwise.values.get(name)
            both = None if one is None or other is None else chosen(builder, test, one, other)
            if both is not None:
                self.values[name] = both
            elif name not in self.unsure:
                self.unsure[name] = (
                    f"{name!r} has a value only in one branch of the 'if' in line {node.lineno}; "
                    "give it one before, or in the other branch too."
                    if one is None or other is None
                    else f"{name!r} is not the same kind of thing behind both branches of the "
                    f"'if' in line {node.lineno}."
                )

    def _one_result(
        self,
        builder: Builder,
        test: Atom,
        one: Value | None,
        other: Value | None,
        node: ast.AST,
    ) -> Value | None:
        if one is None or other is None:
            return other if one is None else one
        both = chosen(builder, test, one, other)
        if both is None:
            raise self.source.refusal(
                node, f"{self.source.label} returns different kinds of things."
            )
        return both


def chosen(builder: Builder, test: Atom, then: Value, otherwise: Value) -> Value | None:
    """One value or the other by ``test``; None where they are not alike."""
    match then, otherwise:
        case Several(a), Several(b) if len(a) == len(b):
            items = [chosen(builder, test, x, y) for x, y in zip(a, b, strict=True)]
            known = tuple(item for item in items if item is not None)
            return Several(known) if len(known) == len(items) else None
        case Built(a), Built(b):
            pairs = zip(a, b, strict=True)
            return Built(tuple(builder.apply(Function.SELECT, test, x, y) for x, y in pairs))
        case Itself(), Itself():
            return then
        case ((Number() | Truth() | Read() | Temp()), (Number() | Truth() | Read() | Temp())):
            if then.kind is not otherwise.kind:
                then, otherwise = builder.number(then), builder.number(otherwise)
            return builder.apply(Function.SELECT, test, then, otherwise)
        case _:
            return None
