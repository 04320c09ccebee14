"""How pages are written: what is escaped, how lengths of time are told."""

from __future__ import annotations

import pytest

from gemeos.serve import markup
from gemeos.serve.markup import Html
from gemeos.units.instant import SECOND

EVIL = "<script>alert('1')</script>\"&"


@pytest.mark.parametrize(
    "written",
    [
        markup.badge(EVIL, "good"),
        markup.code(EVIL),
        markup.facts([(EVIL, EVIL)]),
        markup.joined([EVIL, Html("<b>b</b>")], EVIL),
        markup.link(EVIL, EVIL),
        markup.listed([EVIL]),
        markup.paragraph(EVIL),
        markup.section(EVIL, EVIL, name=EVIL),
        markup.section(EVIL, "", none=EVIL),
        markup.table(EVIL, [EVIL, EVIL], [(EVIL, EVIL)], "named"),
    ],
)
def test_that_every_text_is_escaped(written: str) -> None:
    assert "<script>" not in written
    assert "</script>" not in written
    assert "alert('" not in written


def test_that_html_stays_what_it_is() -> None:
    assert markup.paragraph(Html("<b>b</b>")) == "<p><b>b</b></p>"


def test_that_pieces_of_a_path_are_quoted_each() -> None:
    assert markup.path("twins", "a/b", "?x") == "/twins/a%2Fb/%3Fx"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.25, "0.2 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (7200 + 5 * 60 + 3, "2 h 5 min"),
        (86400, "1 d"),
        (86400 + 60, "1 d"),
        (-90, "-1 min 30 s"),
    ],
)
def test_that_lengths_are_told_in_two_units_without_those_that_are_none(
    seconds: float, told: str
) -> None:
    assert markup.length(round(seconds * SECOND)) == told
