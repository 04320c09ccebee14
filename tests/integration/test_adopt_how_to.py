"""What the how-to about FMUs shows is run as it is printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gemeos.cli import main
from gemeos.engines.fmi.archive import interfaces
from tests.integration.fmus.building import compiled

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "adopt-an-fmu.md").read_text()
COMMANDS = re.findall(r"<!-- run -->\n```console\n\$ gemeos (.*)\n```", PAGE)
BY_HAND, BASIN = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHOWN = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_that_what_is_shown_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    compiled(tmp_path, "spring")
    (tmp_path / "basin.py").write_text(BASIN)
    assert [command.split()[0] for command in COMMANDS] == ["adopt", "check", "export"]
    for command in COMMANDS:
        assert main(shlex.split(command)) == 0, capsys.readouterr().err
    written = "".join(p.read_text() for p in (tmp_path / "spring").glob("*.toml"))
    for table in "\n".join(SHOWN).strip().split("\n\n"):
        # The description has a line or two more; those that are shown are there, in their order.
        name = table.partition("\n")[0]
        there = written.partition(name)[2].partition("\n\n")[0]
        for line in table.strip().splitlines()[1:]:
            assert line in there
    assert interfaces(tmp_path / "basin.fmu") == {"CoSimulation"}
    done = subprocess.run(
        [sys.executable, "-c", BY_HAND], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "its whole state can be written",
        "('place', 'x', 'v', 'stiffness')",
    ]
