"""README.ko.md says the same as README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
KOREAN = (ROOT / "README.ko.md").read_text(encoding="utf-8")
FENCED = re.compile(r"```\w*\n.*?```", re.DOTALL)
WHAT_IS_THE_SAME = {
    "commands and figures in code": re.compile(r"(?<!`)`[^`\n]+`(?!`)"),
    "links": re.compile(r"(?<=\]\()[^)]+|<http[^>]+>"),
    "numbers": re.compile(r"(?<![\w.])\d[\d.,]*(?<![.,])"),
}
WORDS = {"4": "four", "10": "ten"}
"""Numbers that the Korean text writes as digits and the English one as words."""


def test_that_every_code_block_is_the_same_in_the_same_order() -> None:
    blocks = FENCED.findall(ENGLISH)
    assert len(blocks) >= 5
    assert FENCED.findall(KOREAN) == blocks


@pytest.mark.parametrize("what", list(WHAT_IS_THE_SAME))
def test_that_commands_links_and_numbers_of_the_text_are_the_same(what: str) -> None:
    pattern = WHAT_IS_THE_SAME[what]
    english, korean = (FENCED.sub("", text) for text in (ENGLISH, KOREAN))
    found = sorted(pattern.findall(english))
    there = sorted(each for each in pattern.findall(korean) if each != "README.md")
    written = [n for n in there if n in WORDS and n not in found and WORDS[n] in english]
    for number in written:
        there.remove(number)
    assert there == found


def test_that_every_section_is_there() -> None:
    def headings(text: str) -> list[int]:
        return [len(mark) for mark in re.findall(r"^(#+) ", FENCED.sub("", text), re.MULTILINE)]

    assert headings(KOREAN) == headings(ENGLISH)
    paragraphs = [len(FENCED.sub("X", text).split("\n\n")) for text in (ENGLISH, KOREAN)]
    # One more: the way back to the English text.
    assert paragraphs[1] == paragraphs[0] + 1
