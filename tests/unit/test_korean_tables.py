"""Tables in CP949, as Korea's ministry writes them, byte by byte as dBase III lays them down.

No library writes them here: what it wrote it would also read.
"""

from __future__ import annotations

import struct
from importlib.util import find_spec
from pathlib import Path

import pytest

from gemeos.errors import SchemaError
from gemeos.twins.traffic.sources.shapes import Table
from tests.conftest import missing

SEJONG = bytes.fromhex("bcbcc1beb4ebb7ce")
"""세종대로 in KS X 1001, which CP949 holds."""
TTOM = bytes.fromhex("8c63b9e6b0a2c7cf")
"""똠방각하: its first syllable is in CP949 alone, not in KS X 1001 nor EUC-KR."""
WIDTHS = {"ROAD_NAME": 12, "LANES": 4}


@pytest.fixture(autouse=True)
def _reader() -> None:
    if find_spec("shapefile") is None:
        missing("shapefile, of the extra gemeos[city]")


def dbf(path: Path, names: list[bytes]) -> Path:
    """Version, date, counts; 32 bytes a field; 0x0D; of each record a blank and its fields."""
    head = 32 + 32 * len(WIDTHS) + 1
    told = struct.pack("<4B I 2H 20x", 3, 124, 1, 1, len(names), head, 1 + sum(WIDTHS.values()))
    for (name, width), kind in zip(WIDTHS.items(), "CN", strict=True):
        told += struct.pack("<11s c 4x 2B 14x", name.encode(), kind.encode(), width, 0)
    told += b"\r"
    for road in names:
        told += b" " + road.ljust(WIDTHS["ROAD_NAME"]) + b"3".rjust(WIDTHS["LANES"])
    path.write_bytes(told + b"\x1a")
    return path


@pytest.mark.parametrize("said", [None, "CP949", "949", "EUC-KR", "ms949\n"])
def test_that_korean_names_are_read_with_and_without_a_word_on_their_code(
    said: str | None, tmp_path: Path
) -> None:
    table = dbf(tmp_path / "MOCT_LINK.dbf", [SEJONG, TTOM])
    if said is not None:
        table.with_suffix(".cpg").write_text(said)
    rows = list(Table(table).rows(None))
    assert [row.text("ROAD_NAME", "") for row in rows] == ["세종대로", "똠방각하"]
    assert [row.number("LANES", 0.0) for row in rows] == [3.0, 3.0]


def test_that_a_table_that_says_it_is_unicode_is_read_so(tmp_path: Path) -> None:
    unicode = bytes.fromhex("ec84b8eca285eba19c")
    table = dbf(tmp_path / "MOCT_LINK.dbf", [unicode])
    table.with_suffix(".cpg").write_text("UTF-8")
    assert [row.text("ROAD_NAME", "") for row in Table(table).rows(None)] == ["세종로"]


def test_that_a_table_in_another_code_than_it_says_is_told(tmp_path: Path) -> None:
    table = dbf(tmp_path / "MOCT_LINK.dbf", [SEJONG])
    table.with_suffix(".cpg").write_text("UTF-8")
    with pytest.raises(SchemaError, match=r"MOCT_LINK\.dbf .*utf.8"):
        list(Table(table).rows(None))
