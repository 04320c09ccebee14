"""The source of a user's function: its tree, with the file's own lines, to read and to point at."""

from __future__ import annotations

import ast
import builtins
import inspect
from dataclasses import dataclass
from types import FunctionType, ModuleType

from gemeos.errors import DeclarationError, nearest

WAY_OUT = "@gm.model(..., compile=False) runs the methods as they are, member by member"


@dataclass(frozen=True, slots=True)
class Source:
    """One function as it is written."""

    function: FunctionType
    tree: ast.FunctionDef
    """Line numbers and columns are those of the file."""
    lines: tuple[str, ...]
    first: int
    """Number of the first of ``lines`` in the file."""

    @property
    def label(self) -> str:
        """How the function is called in messages: ``Deck.step``."""
        return label(self.function)

    def refusal(self, node: ast.AST, what: str) -> DeclarationError:
        """The error that says ``what`` at the line and column of ``node``."""
        number = getattr(node, "lineno", self.first)
        text = self.lines[number - self.first]
        # The tree counts columns in bytes of UTF-8, people and terminals in characters.
        column = len(text.encode()[: getattr(node, "col_offset", 0)].decode())
        return DeclarationError(
            f"in {self.label}: {what}",
            file=self.function.__code__.co_filename,
            line=number,
            source=text,
            column=column,
        )

    def outside(self, node: ast.expr) -> object:
        """What a name, or a dotted name, stands for outside the function.

        Raises:
            DeclarationError: nothing goes by that name, or it is not a module's.
        """
        match node:
            case ast.Name(id=name):
                return self._named(node, name)
            case ast.Attribute(value=inner, attr=name):
                holder = self.outside(inner)
                if not isinstance(holder, ModuleType):
                    raise self.refusal(
                        node,
                        f"{ast.unparse(node)!r} cannot be compiled: only modules and self have "
                        f"names behind a dot. ({WAY_OUT}.)",
                    )
                if not hasattr(holder, name):
                    public = [n for n in dir(holder) if not n.startswith("_")]
                    raise self.refusal(
                        node, f"{holder.__name__} has no name {name!r}.{nearest(name, public)}"
                    )
                return getattr(holder, name)
            case _:
                raise self.refusal(node, f"{ast.unparse(node)!r} cannot be compiled. ({WAY_OUT}.)")

    def _named(self, node: ast.expr, name: str) -> object:
        function = self.function
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        if name in cells:
            try:
                return cells[name].cell_contents
            except ValueError as error:
                what = f"{name!r} has no value yet where the model is compiled."
                raise self.refusal(node, what) from error
        if name in function.__globals__:
            return function.__globals__[name]
        if hasattr(builtins, name):
            return getattr(builtins, name)
        known = {*function.__code__.co_varnames, *cells, *function.__globals__}
        public = [n for n in known if not n.startswith("_")]
        raise self.refusal(node, f"there is no name {name!r}.{nearest(name, public)}")


def label(function: FunctionType) -> str:
    """Name of a function without the places it is nested in."""
    return function.__qualname__.rpartition("<locals>.")[2]


def source_of(function: FunctionType) -> Source:
    """Read a function's source.

    Raises:
        DeclarationError: there is none, it has changed since it was imported, or the function is
            wrapped or is a lambda.
    """
    code = function.__code__
    name = label(function)

    def refusal(what: str) -> DeclarationError:
        told = f"in {name}: {what}"
        return DeclarationError(told, file=code.co_filename, line=code.co_firstlineno)

    if "__wrapped__" in vars(function):
        raise refusal(f"{name} is wrapped by a decorator, which cannot be compiled. ({WAY_OUT}.)")
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError as error:
        what = f"the source cannot be read; put the model into a file. ({WAY_OUT}.)"
        raise refusal(what) from error
    indented = lines[0][:1].isspace()
    text = "".join(lines)
    try:
        # Below an 'if' an indented method parses where it stands, so columns stay the file's.
        tree = ast.parse("if 1:\n" + text if indented else text)
    except SyntaxError as error:
        what = f"the source here cannot be read as a function of its own. ({WAY_OUT}.)"
        raise refusal(what) from error
    ast.increment_lineno(tree, first - (2 if indented else 1))
    found: ast.AST = tree.body[0]
    if indented and isinstance(found, ast.If):
        found = found.body[0]
    if not isinstance(found, ast.FunctionDef):
        raise refusal(f"only functions made with 'def' can be compiled. ({WAY_OUT}.)")
    if found.name != function.__name__:
        raise refusal("the file has changed since it was imported; import it again.")
    return Source(function, found, tuple(lines), first)
