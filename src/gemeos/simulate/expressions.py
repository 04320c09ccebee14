"""Lowering of expressions: what each piece of a line becomes, and what is refused there."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, final

from gemeos.errors import DeclarationError, nearest
from gemeos.schema.declare import Declaration, Out
from gemeos.schema.schema import Schema
from gemeos.simulate.constants import check_held, constant_of
from gemeos.simulate.frame import Built, Frame, Itself, Several, Value, chosen
from gemeos.simulate.functions import Supported, supported, supported_names
from gemeos.simulate.lowered import Atom, Builder, Function, Kind, Number, Read, Temp, Truth
from gemeos.simulate.source import WAY_OUT

Inline = Callable[[ast.AST, Frame, FunctionType, list[Value], dict[str, Value]], Value]
"""(call, caller, function, arguments, arguments by name) -> what the function returns."""

_BINARY: Final[dict[type[ast.operator], Function]] = {
    ast.Add: Function.ADD,
    ast.Sub: Function.SUBTRACT,
    ast.Mult: Function.MULTIPLY,
    ast.Div: Function.DIVIDE,
    ast.FloorDiv: Function.FLOOR_DIVIDE,
    ast.Mod: Function.REMAINDER,
    ast.Pow: Function.POWER,
}
_COMPARED: Final[dict[type[ast.cmpop], Function]] = {
    ast.Lt: Function.LESS,
    ast.LtE: Function.LESS_EQUAL,
    ast.Gt: Function.GREATER,
    ast.GtE: Function.GREATER_EQUAL,
    ast.Eq: Function.EQUAL,
    ast.NotEq: Function.NOT_EQUAL,
}


@final
class Expressions:
    """Turns expressions of one model into atoms of one builder."""

    def __init__(
        self, cls: type, declaration: Declaration, builder: Builder, inline: Inline
    ) -> None:
        """``inline`` lowers a call of one of the user's own functions."""
        self._cls = cls
        self._schema: Schema = declaration.schema
        self._outputs = dict(
            zip((v.name for v in self._schema.outputs), declaration.outputs, strict=True)
        )
        self._readable = {
            v.name: v for v in (*self._schema.estimated, *self._schema.consts, *self._schema.driven)
        }
        self._builder = builder
        self._inline = inline
        self._lowerings: dict[type[ast.expr], Callable[[Any, Frame], Value]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.Compare: self._compare,
            ast.BoolOp: self._logic,
            ast.IfExp: self._conditional,
            ast.Call: self._call,
            ast.Tuple: self._tuple,
            ast.Subscript: self._subscript,
        }

    def value(self, node: ast.expr, frame: Frame) -> Value:
        """What ``node`` stands for."""
        lowering = self._lowerings.get(type(node))
        if lowering is None:
            raise frame.source.refusal(
                node, f"{ast.unparse(node)!r} cannot be compiled. ({WAY_OUT}.)"
            )
        return lowering(node, frame)

    def number(self, node: ast.expr, frame: Frame) -> Atom:
        """``node`` as a number; a truth is one or zero."""
        return self.as_number(self.value(node, frame), node, frame)

    def as_number(self, value: Value, node: ast.AST, frame: Frame) -> Atom:
        """``value`` as a number that the model's precision can hold; ``node`` is to blame."""
        match value:
            case Several():
                raise frame.source.refusal(node, "a number is needed here; this is a tuple.")
            case Built() | Itself():
                raise frame.source.refusal(
                    node, f"a number is needed here; this is a whole {self._cls.__name__}."
                )
            case _:
                return self._builder.number(value)

    def test(self, node: ast.expr, frame: Frame) -> Atom:
        """``node`` as a condition; a number holds where it is not zero, as in Python."""
        match node:
            case ast.BoolOp(op=op, values=parts):
                function = Function.AND if isinstance(op, ast.And) else Function.OR
                decided = Truth(isinstance(op, ast.Or))
                result: Atom = Truth(not decided.value)
                for part in parts:
                    if result == decided:
                        break  # as in Python, what follows is not looked at
                    result = self._builder.apply(function, result, self.test(part, frame))
                return result
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._builder.apply(Function.NOT, self.test(operand, frame))
            case _:
                value = self.value(node, frame)
                if isinstance(value, Truth | Temp) and value.kind is Kind.TRUTH:
                    return value
                atom = self.as_number(value, node, frame)
                return self.apply(Function.NOT_EQUAL, [atom, Number(0)], node, frame)

    def apply(self, function: Function, arguments: list[Atom], node: ast.AST, frame: Frame) -> Atom:
        """``function`` of ``arguments``; ``node`` is to blame if that has no value."""
        try:
            result = self._builder.apply(function, *arguments)
        except (ArithmeticError, ValueError) as error:
            raise frame.source.refusal(node, f"this has no value: {error}.") from error
        if isinstance(result, Temp):
            for argument in arguments:
                check_held(argument, self._schema.precision, node, frame.source)
        return result

    def _constant(self, node: ast.Constant, frame: Frame) -> Value:
        return constant_of(node.value, ast.unparse(node), node, frame.source)

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        if node.id in frame.values:
            return frame.values[node.id]
        self._check_not_local(node, frame)
        return constant_of(frame.source.outside(node), node.id, node, frame.source)

    def _check_not_local(self, node: ast.Name, frame: Frame) -> None:
        code = frame.source.function.__code__
        if node.id in {*code.co_varnames, *code.co_cellvars}:
            why = frame.unsure.get(node.id, f"{node.id!r} is used before it is given a value.")
            raise frame.source.refusal(node, why)

    def _is_local(self, node: ast.expr, frame: Frame) -> bool:
        """Whether a dotted name begins with a local of the function."""
        while isinstance(node, ast.Attribute):
            node = node.value
        if isinstance(node, ast.Name) and node.id not in frame.values:
            self._check_not_local(node, frame)
        return not isinstance(node, ast.Name) or node.id in frame.values

    def _attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        if not self._is_local(node, frame):
            found = frame.source.outside(node)
            return constant_of(found, ast.unparse(node), node, frame.source)
        match self.value(node.value, frame):
            case Itself():
                return self._of_self(node, frame)
            case Built(states):
                names = [v.name for v in self._schema.states]
                if node.attr in names:
                    return states[names.index(node.attr)]
                what = f"{self._cls.__name__}(...) carries no {node.attr!r}: only {names}."
                raise frame.source.refusal(node, what)
            case _:
                raise frame.source.refusal(
                    node, f"{ast.unparse(node.value)!r} is a number: it has no {node.attr!r}."
                )

    def _of_self(self, node: ast.Attribute, frame: Frame) -> Value:
        name = node.attr
        if name in self._readable:
            return Read(name)
        if name in self._outputs:
            return self._inline(node, frame, self._outputs[name], [Itself()], {})
        found = inspect.getattr_static(self._cls, name, None)
        match found:
            case property(fget=FunctionType() as function):
                return self._inline(node, frame, function, [Itself()], {})
            case FunctionType() | staticmethod():
                raise frame.source.refusal(node, f"{name!r} is a method: call it.")
            case None:
                raise self._no_variable(node, frame)
            case _:
                return constant_of(found, ast.unparse(node), node, frame.source)

    def _no_variable(self, node: ast.Attribute, frame: Frame) -> DeclarationError:
        own = {n for n, f in vars(self._cls).items() if isinstance(f, FunctionType | property)}
        known = {*self._readable, *self._outputs, *(n for n in own if not n.startswith("__"))}
        known -= {"step"}
        name = self._cls.__name__
        return frame.source.refusal(
            node, f"{name} has no variable {node.attr!r}.{nearest(node.attr, known)}"
        )

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        match node.op:
            case ast.Not():
                return self.test(node, frame)
            case ast.USub():
                operand = self.number(node.operand, frame)
                return self.apply(Function.NEGATIVE, [operand], node, frame)
            case ast.UAdd():
                return self.number(node.operand, frame)
            case _:
                raise frame.source.refusal(node, "'~' cannot be compiled; write 'not'.")

    def _binary(self, node: ast.BinOp, frame: Frame) -> Value:
        left, right = self.number(node.left, frame), self.number(node.right, frame)
        return self.combined(node.op, left, right, node, frame)

    def combined(
        self, op: ast.operator, left: Atom, right: Atom, node: ast.AST, frame: Frame
    ) -> Atom:
        """``left op right``; small whole powers become products, equal in every printer."""
        function = _BINARY.get(type(op))
        if function is None:
            raise frame.source.refusal(node, f"this operator cannot be compiled. ({WAY_OUT}.)")
        if function is Function.POWER and not isinstance(left, Number):
            match right:
                case Number(value) if value in {2, 3}:
                    square = self.apply(Function.MULTIPLY, [left, left], node, frame)
                    if value == 2:
                        return square
                    return self.apply(Function.MULTIPLY, [square, left], node, frame)
        return self.apply(function, [left, right], node, frame)

    def _compare(self, node: ast.Compare, frame: Frame) -> Value:
        result: Atom = Truth(value=True)
        left = self.number(node.left, frame)
        for op, operand in zip(node.ops, node.comparators, strict=True):
            function = _COMPARED.get(type(op))
            if function is None:
                raise frame.source.refusal(
                    node, f"'is' and 'in' cannot be compiled; compare numbers. ({WAY_OUT}.)"
                )
            right = self.number(operand, frame)
            holds = self.apply(function, [left, right], node, frame)
            result = self._builder.apply(Function.AND, result, holds)
            left = right
        return result

    def _logic(self, node: ast.BoolOp, frame: Frame) -> Value:
        for part in node.values:
            value = self.value(part, frame)
            if not (isinstance(value, Truth | Temp) and value.kind is Kind.TRUTH):
                raise frame.source.refusal(
                    part,
                    "'and' and 'or' give one of their operands here, and this one is no "
                    "condition; write 'a if condition else b'.",
                )
        return self.test(node, frame)

    def _conditional(self, node: ast.IfExp, frame: Frame) -> Value:
        test = self.test(node.test, frame)
        if isinstance(test, Truth):
            return self.value(node.body if test.value else node.orelse, frame)
        then, otherwise = self.value(node.body, frame), self.value(node.orelse, frame)
        value = chosen(self._builder, test, then, otherwise)
        if value is None:
            raise frame.source.refusal(node, "both sides must be the same kind of thing.")
        return value

    def _tuple(self, node: ast.Tuple, frame: Frame) -> Value:
        return Several(tuple(self.value(e, frame) for e in node.elts))

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        held = self.value(node.value, frame)
        if not isinstance(held, Several):
            raise frame.source.refusal(node, "only a tuple can be indexed.")
        index = self.value(node.slice, frame)
        if not (isinstance(index, Number) and isinstance(index.value, int)):
            raise frame.source.refusal(
                node.slice, "an index must be a whole number known when the model is compiled."
            )
        size = len(held.items)
        if not -size <= index.value < size:
            raise frame.source.refusal(node.slice, f"index {index.value} is outside 0..{size - 1}.")
        return held.items[index.value]

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        if self._is_local(node.func, frame):
            return self._own_method(node, frame)
        called = frame.source.outside(node.func)
        if called is self._cls:
            return self._built(node, frame)
        entry = supported(called)
        if entry is not None:
            return self._supported(entry, node, frame)
        if called is float:
            return self._as_float(node, frame)
        if isinstance(called, FunctionType):
            given, named = self._arguments(node, frame)
            return self._inline(node, frame, called, given, named)
        raise frame.source.refusal(
            node,
            f"{ast.unparse(node.func)!r} is not among the functions that can be compiled: "
            f"{supported_names()}. ({WAY_OUT}.)",
        )

    def _own_method(self, node: ast.Call, frame: Frame) -> Value:
        match node.func:
            case ast.Attribute(value=inner) as func:
                pass
            case _:
                raise frame.source.refusal(
                    node, f"{ast.unparse(node.func)!r} cannot be called. ({WAY_OUT}.)"
                )
        if not isinstance(self.value(inner, frame), Itself):
            raise frame.source.refusal(node, f"{ast.unparse(func)!r} cannot be called.")
        given, named = self._arguments(node, frame)
        match inspect.getattr_static(self._cls, func.attr, None):
            case FunctionType() as method:
                return self._inline(node, frame, method, [Itself(), *given], named)
            case staticmethod(__func__=FunctionType() as function):
                return self._inline(node, frame, function, given, named)
            case None:
                raise self._no_variable(func, frame)
            case Out():
                raise frame.source.refusal(
                    node, f"{func.attr!r} is an output: write {ast.unparse(func)} without brackets."
                )
            case _:
                raise frame.source.refusal(node, f"{func.attr!r} is not a method.")

    def _arguments(self, node: ast.Call, frame: Frame) -> tuple[list[Value], dict[str, Value]]:
        named: dict[str, Value] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise frame.source.refusal(node, f"'**' cannot be compiled. ({WAY_OUT}.)")
            named[keyword.arg] = self.value(keyword.value, frame)
        return [self.value(a, frame) for a in node.args], named

    def _as_float(self, node: ast.Call, frame: Frame) -> Value:
        if len(node.args) != 1 or node.keywords:
            raise frame.source.refusal(node, "float takes one number.")
        return self.number(node.args[0], frame)

    def _supported(self, entry: Supported, node: ast.Call, frame: Frame) -> Value:
        if node.keywords:
            raise frame.source.refusal(node, f"{entry.name} takes no arguments by name here.")
        if not entry.least <= len(node.args) <= entry.most:
            wanted = f"{entry.least}" if entry.least == entry.most else f"{entry.least} or more"
            raise frame.source.refusal(
                node, f"{entry.name} is given {len(node.args)} arguments; here it takes {wanted}."
            )
        if entry.function is Function.SELECT:
            test = self.test(node.args[0], frame)
            then, otherwise = (self.number(a, frame) for a in node.args[1:])
            return self.apply(Function.SELECT, [test, then, otherwise], node, frame)
        first, *others = (self.number(a, frame) for a in node.args)
        if entry.least == 1:
            return self.apply(entry.function, [first], node, frame)
        for other in others:
            first = self.apply(entry.function, [first, other], node, frame)
        return first

    def _built(self, node: ast.Call, frame: Frame) -> Value:
        name = self._cls.__name__
        states = [v.name for v in self._schema.states]
        if node.args:
            wanted = ", ".join(f"{s}=..." for s in states)
            raise frame.source.refusal(
                node.args[0], f"{name} takes its states by name: {name}({wanted})."
            )
        _, given = self._arguments(node, frame)
        for keyword in node.keywords:
            if keyword.arg in self._readable and keyword.arg not in states:
                role = type(self._readable[keyword.arg]).__name__.lower()
                what = (
                    f"{keyword.arg!r} is a {role}, not a state; {name} takes {', '.join(states)}."
                )
                raise frame.source.refusal(keyword.value, what)
            if keyword.arg not in states:
                what = f"{name} has no state {keyword.arg!r}.{nearest(str(keyword.arg), states)}"
                raise frame.source.refusal(keyword.value, what)
        missing = [s for s in states if s not in given]
        if missing:
            raise frame.source.refusal(
                node, f"state {missing[0]!r} is missing from the returned {name}(...)."
            )
        atoms = [self.as_number(given[s], node, frame) for s in states]
        for atom in atoms:
            check_held(atom, self._schema.precision, node, frame.source)
        return Built(tuple(atoms))
