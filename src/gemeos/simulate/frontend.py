"""From a declared class to its lowered form: statements, calls, and what is refused at which line.

The methods are never run here. They are read as source, walked once with names instead of
numbers, and become straight-line operations (``lowered``): branches are both walked and joined by
``SELECT``, loops over known numbers are unrolled, the user's helpers are pulled in. Numbers that
the module holds are taken as they are at that moment.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final, final

from gemeos.schema.declare import declaration_of
from gemeos.schema.schema import Schema
from gemeos.simulate.constants import check_held, constant_of
from gemeos.simulate.expressions import Expressions
from gemeos.simulate.frame import Built, Frame, Itself, Several, Value
from gemeos.simulate.lowered import NO, YES, Atom, Builder, Lowered, Number, Truth
from gemeos.simulate.source import WAY_OUT, label, source_of

MOST_OPERATIONS: Final = 20_000
"""Beyond this the printed function takes minutes to compile: a loop that should be an array."""


@dataclass(frozen=True)
class LoweredModel:
    """A declared model without its source."""

    schema: Schema
    step: Lowered
    """Results are the states, in the schema's order."""
    observe: Lowered
    """Results are the outputs, in the schema's order."""

    @property
    def fingerprint(self) -> str:
        """Hash of all that is declared and computed; names of locals and comments are not in it."""
        told = repr((self.schema.fingerprint, self.step, self.observe))
        return hashlib.sha256(told.encode()).hexdigest()


def lower(cls: type) -> LoweredModel:
    """Read the methods of a class that is decorated with ``model``.

    Raises:
        DeclarationError: something in them cannot be compiled; told at its line.
        SchemaError: the class is not decorated.
    """
    declaration = declaration_of(cls)
    schema = declaration.schema
    step = _Lowering(cls)
    moved = step.states(declaration.step, Number(schema.step_s))
    observe = _Lowering(cls)
    outputs = [observe.output(method) for method in declaration.outputs]
    return LoweredModel(schema, step.builder.lowered(moved), observe.builder.lowered(outputs))


@final
class _Lowering:
    """Lowers statements, and calls of the user's own functions, into one builder."""

    def __init__(self, cls: type) -> None:
        self.builder = Builder()
        self._cls = cls
        self._under_way: list[FunctionType] = []
        self._expressions = Expressions(cls, declaration_of(cls), self.builder, self._inlined)
        self._lowerings: dict[type[ast.stmt], Callable[[Any, Frame], None]] = {
            ast.Return: self._return,
            ast.Assign: self._assign,
            ast.AnnAssign: self._annotated,
            ast.AugAssign: self._augmented,
            ast.If: self._if,
            ast.For: self._for,
            ast.Expr: self._expression,
            ast.Pass: lambda _node, _frame: None,
        }

    def states(self, method: FunctionType, dt: Number) -> tuple[Atom, ...]:
        """The states that ``step`` returns."""
        value, frame = self._entered(method, [Itself(), dt], "(self, dt: float)")
        if not isinstance(value, Built):
            name = self._cls.__name__
            states = ", ".join(f"{v.name}=..." for v in declaration_of(self._cls).schema.states)
            raise frame.source.refusal(
                frame.source.tree, f"step must return the member one step on: {name}({states})."
            )
        return value.states

    def output(self, method: FunctionType) -> Atom:
        """The number that an output's method returns."""
        value, frame = self._entered(method, [Itself()], "(self)")
        node = frame.source.tree
        number = self._expressions.as_number(value, node, frame)
        check_held(number, declaration_of(self._cls).schema.precision, node, frame.source)
        return number

    def _entered(
        self, method: FunctionType, given: list[Value], wanted: str
    ) -> tuple[Value, Frame]:
        source = source_of(method)
        try:
            bound = inspect.signature(method).bind(*given)
        except TypeError as error:
            what = f"{label(method)} is called as {method.__name__}{wanted}."
            raise source.refusal(source.tree, what) from error
        frame = Frame(source, dict(bound.arguments))
        return self._walked(frame), frame

    def _inlined(
        self,
        node: ast.AST,
        caller: Frame,
        function: FunctionType,
        given: list[Value],
        named: dict[str, Value],
    ) -> Value:
        name = label(function)
        if function in self._under_way:
            raise caller.source.refusal(
                node, f"{name} calls itself, which cannot be compiled. ({WAY_OUT}.)"
            )
        signature = inspect.signature(function)
        if any(p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD} for p in signature.parameters.values()):
            raise caller.source.refusal(
                node, f"{name} takes '*' or '**' arguments, which cannot be compiled. ({WAY_OUT}.)"
            )
        try:
            bound = signature.bind(*given, **named)
        except TypeError as error:
            raise caller.source.refusal(node, f"{name}: {error}.") from error
        source = source_of(function)
        values: dict[str, Value] = dict(bound.arguments)
        for parameter in signature.parameters.values():
            if parameter.name not in values:
                values[parameter.name] = constant_of(
                    parameter.default, parameter.name, source.tree, source
                )
        return self._walked(Frame(source, values))

    def _walked(self, frame: Frame) -> Value:
        source = frame.source
        self._under_way.append(source.function)
        self._block(source.tree.body, frame)
        self._under_way.pop()
        if frame.result is None or frame.done != YES:
            raise source.refusal(source.tree, f"{source.label} does not return on every path.")
        return frame.result

    def _block(self, statements: list[ast.stmt], frame: Frame) -> None:
        for statement in statements:
            if frame.done == YES:
                return
            lowering = self._lowerings.get(type(statement))
            if lowering is None:
                raise frame.source.refusal(statement, _why_not(statement))
            lowering(statement, frame)
            if len(self.builder) > MOST_OPERATIONS:
                raise frame.source.refusal(
                    statement,
                    f"the model is longer than {MOST_OPERATIONS} operations; write it as an array "
                    "model with step_batch and observe_batch.",
                )

    def _return(self, node: ast.Return, frame: Frame) -> None:
        if node.value is None:
            raise frame.source.refusal(node, f"{frame.source.label} must return something.")
        frame.finish(self.builder, self._expressions.value(node.value, frame), node)

    def _assign(self, node: ast.Assign, frame: Frame) -> None:
        value = self._expressions.value(node.value, frame)
        for target in node.targets:
            self._give(target, value, frame)

    def _annotated(self, node: ast.AnnAssign, frame: Frame) -> None:
        if node.value is not None:
            self._give(node.target, self._expressions.value(node.value, frame), frame)

    def _augmented(self, node: ast.AugAssign, frame: Frame) -> None:
        if isinstance(node.target, ast.Name):
            read = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
            left = self._expressions.number(read, frame)
            right = self._expressions.number(node.value, frame)
            value = self._expressions.combined(node.op, left, right, node, frame)
            self._give(node.target, value, frame)
        else:
            self._give(node.target, NO, frame)

    def _give(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Let a name, or the names of a tuple, stand for ``value`` from here on."""
        match target:
            case ast.Name(id=name):
                frame.assign(name, value)
            case ast.Tuple(elts=targets):
                size = len(value.items) if isinstance(value, Several) else 1
                if not isinstance(value, Several) or size != len(targets):
                    raise frame.source.refusal(
                        target, f"{len(targets)} names cannot be given {size} values."
                    )
                for one, item in zip(targets, value.items, strict=True):
                    self._give(one, item, frame)
            case ast.Attribute():
                name = self._cls.__name__
                raise frame.source.refusal(
                    target,
                    f"self must not be changed: give the new value a name and return it in "
                    f"{name}(...).",
                )
            case _:
                raise frame.source.refusal(
                    target, f"{ast.unparse(target)!r} cannot be given a value. ({WAY_OUT}.)"
                )

    def _if(self, node: ast.If, frame: Frame) -> None:
        test = self._expressions.test(node.test, frame)
        if isinstance(test, Truth):
            self._block(node.body if test.value else node.orelse, frame)
            return
        then, otherwise = frame.branch(), frame.branch()
        self._block(node.body, then)
        self._block(node.orelse, otherwise)
        frame.join(self.builder, test, (then, otherwise), node)

    def _for(self, node: ast.For, frame: Frame) -> None:
        if node.orelse:
            raise frame.source.refusal(node, f"'for ... else' cannot be compiled. ({WAY_OUT}.)")
        for value in self._turns(node.iter, frame):
            if frame.done == YES:
                return
            self._give(node.target, value, frame)
            self._block(node.body, frame)

    def _turns(self, node: ast.expr, frame: Frame) -> tuple[Value, ...]:
        match node:
            case ast.Call(func=func, args=args, keywords=[]) if (
                isinstance(func, ast.Name)
                and func.id not in frame.values
                and frame.source.outside(func) is range
            ):
                limits = [self._expressions.value(a, frame) for a in args]
                whole = [
                    x.value for x in limits if isinstance(x, Number) and isinstance(x.value, int)
                ]
                if len(whole) < len(limits) or not 1 <= len(whole) <= 3:
                    raise frame.source.refusal(
                        node, "range() needs whole numbers known when the model is compiled."
                    )
                turns = range(*whole)
                if len(turns) > MOST_OPERATIONS:
                    raise frame.source.refusal(node, f"{len(turns)} turns are too many to unroll.")
                return tuple(Number(i) for i in turns)
            case _:
                value = self._expressions.value(node, frame)
                if not isinstance(value, Several):
                    raise frame.source.refusal(
                        node, f"'for' goes over range(...) or a tuple of numbers. ({WAY_OUT}.)"
                    )
                return value.items

    def _expression(self, node: ast.Expr, frame: Frame) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            raise frame.source.refusal(
                node, "the result of this line is not used: give it a name or return it."
            )


def _why_not(node: ast.stmt) -> str:
    match node:
        case ast.While():
            return (
                "'while' cannot be compiled: how often it turns is not known beforehand. Use "
                f"'for i in range(...)' with a fixed number. ({WAY_OUT}.)"
            )
        case ast.Raise() | ast.Assert():
            return (
                "a member that cannot go on is not an exception: return math.nan for it. "
                f"({WAY_OUT}.)"
            )
        case _:
            return f"this statement ({type(node).__name__}) cannot be compiled. ({WAY_OUT}.)"
