"""ESRI shapes with tables in Korean, and the grids that they are drawn in. ``gemeos[city]``."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from gemeos.errors import SchemaError, UnknownNameError

GRS80: Final = "GRS 1980"
WGS84: Final = "WGS 84"
KOREA: Final = "EPSG:5186"
DEGREES: Final = "EPSG:4326"
ENCODINGS: Final = {"UTF-8": "utf-8", "UTF8": "utf-8"}
"""By what a ``.cpg`` says; all else is CP949, under whichever of its names."""


def _needed(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise SchemaError(f"{package} is not there. Install it: pip install 'gemeos[city]'.")


@dataclass(frozen=True, slots=True)
class Grid:
    """In what the coordinates of a file are told, and in what they are kept."""

    told: str
    """As PROJ reads it: of what is kept."""
    moved: Callable[[float, float], tuple[float, float]]
    """From the file's coordinates to those that are kept."""
    of_degrees: Callable[[float, float], tuple[float, float]]
    """From longitude and latitude to the file's."""

    def box(self, within: tuple[float, float, float, float] | None) -> Any:  # noqa: ANN401
        """West, south, east and north in the file's coordinates of that box in degrees."""
        if within is None:
            return None
        west, south, east, north = within
        corners = [self.of_degrees(x, y) for x in (west, east) for y in (south, north)]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


def grid_of(shape: Path, told: str = "") -> Grid:
    """The grid of a shape, by its ``.prj`` or as told.

    Raises:
        SchemaError: nobody says which, it cannot be read, or is in degrees.
    """
    _needed("pyproj")
    from pyproj import CRS, Transformer  # noqa: PLC0415 - an extra
    from pyproj.exceptions import CRSError  # noqa: PLC0415 - an extra

    beside = shape.with_suffix(".prj")
    text = told or (beside.read_text("utf-8", "replace") if beside.is_file() else "")
    if not text.strip():
        raise SchemaError(
            f"{shape} has no .prj beside it: say in what its coordinates are, as in EPSG:5186."
        )
    try:
        source = CRS.from_user_input(text)
    except CRSError as error:
        raise SchemaError(f"{told or beside} names no grid: {error}.") from error
    if not source.is_projected:
        raise SchemaError(f"{shape} is in degrees; node-link shapes are in metres.")
    ellipsoid = source.ellipsoid.name if source.ellipsoid else ""
    kept = source if ellipsoid in (GRS80, WGS84) else CRS.from_user_input(KOREA)
    with warnings.catch_warnings():
        # It warns that the short form says less than the long one; SUMO reads the short one.
        warnings.simplefilter("ignore", UserWarning)
        short = kept.to_proj4().replace(" +type=crs", "")
    degrees = Transformer.from_crs(DEGREES, source, always_xy=True)
    if kept is source:
        return Grid(short, lambda x, y: (x, y), degrees.transform)
    return Grid(
        short, Transformer.from_crs(source, kept, always_xy=True).transform, degrees.transform
    )


@final
class Row:
    """One record: its fields, and its line, of a point one place long."""

    def __init__(
        self, fields: Mapping[str, Any], line: tuple[tuple[float, float], ...], table: Path
    ) -> None:
        self._fields = fields
        self.line = line
        self._table = table

    def id(self, name: str) -> str:
        """A name, also where the file holds it as a number.

        Raises:
            UnknownNameError: there is no such field.
        """
        if name not in self._fields:
            raise UnknownNameError("field", name, self._fields, where=str(self._table))
        return _plain(self._fields[name])

    def text(self, name: str, otherwise: str) -> str:
        """A text; ``otherwise`` where there is no field, or nothing in it."""
        return _plain(self._fields.get(name)) or otherwise

    def number(self, name: str, otherwise: float) -> float:
        """A number; ``otherwise`` as with texts.

        Raises:
            SchemaError: it holds something else.
        """
        held = _plain(self._fields.get(name))
        try:
            return float(held) if held else otherwise
        except ValueError as error:
            raise SchemaError(f"{self._table}: {name} cannot be {held!r}.") from error


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip("\x00 \t\r\n")


@final
class Table:
    """A ``.shp`` with its ``.dbf``, or a ``.dbf`` alone."""

    def __init__(self, path: Path) -> None:
        _needed("shapefile")
        self.path = path
        said = path.with_suffix(".cpg")
        name = said.read_text("ascii", "replace").strip().upper() if said.is_file() else ""
        self._encoding = ENCODINGS.get(name, "cp949")

    def rows(self, box: tuple[float, float, float, float] | None) -> Iterator[Row]:
        """All, or those whose lines lie in the box with all of theirs, in the file's coordinates.

        Raises:
            SchemaError: the file cannot be read.
        """
        import shapefile  # noqa: PLC0415 - an extra

        beside = self.path.with_suffix(".dbf")
        if not beside.is_file():
            raise SchemaError(f"{self.path} has no {beside.name} beside it.")
        try:
            with self._opened() as reader:
                names = [field[0].upper() for field in reader.fields if field[0] != "DeletionFlag"]
                if self.path.suffix.lower() == ".dbf":
                    for record in reader.iterRecords():
                        yield Row(dict(zip(names, record, strict=True)), (), self.path)
                    return
                for found in reader.iterShapeRecords(bbox=box):
                    line = tuple((float(p[0]), float(p[1])) for p in found.shape.points)
                    if box is None or all(_inside(p, box) for p in (line[0], line[-1])):
                        yield Row(dict(zip(names, found.record, strict=True)), line, beside)
        except UnicodeDecodeError as error:
            raise SchemaError(f"{beside} is not in {self._encoding}: {error}.") from error
        except (shapefile.ShapefileException, OSError) as error:
            raise SchemaError(f"{self.path} cannot be read: {error}.") from error

    def _opened(self) -> Any:  # noqa: ANN401 -- the library has no types
        import shapefile  # noqa: PLC0415 - an extra

        with warnings.catch_warnings():
            # It warns that CP949 is not spelled as the file spells it, as in "949" or "EUC-KR".
            warnings.simplefilter("ignore", UserWarning)
            return shapefile.Reader(str(self.path), encoding=self._encoding)


def _inside(point: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    west, south, east, north = box
    return west <= point[0] <= east and south <= point[1] <= north
