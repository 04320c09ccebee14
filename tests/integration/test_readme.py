"""The README's program runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_that_the_first_twin_of_the_readme_runs_and_prints_what_it_promises(
    tmp_path: Path,
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    # A model's source must be found, so the program is a file and not text given to -c.
    program = tmp_path / "readme_first_twin.py"
    program.write_text(blocks[0], encoding="utf-8")
    told = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=50, check=False
    )
    assert told.returncode == 0, told.stderr
    assert re.search(r"cpu +\S+ +\S+ +\S+ \.\. \S+ +percent", told.stdout)
    chance = re.search(r"P\(busy in a minute\): (\S+)", told.stdout)
    assert chance is not None
    assert 0.0 <= float(chance[1]) <= 1.0
    assert told.stdout.strip().endswith("Phase.STARTING")


def test_that_the_readme_has_no_more_than_thirty_lines_for_the_first_twin() -> None:
    block = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert len([line for line in block.splitlines() if line.strip()]) <= 30
