"""Timing sheets: what a controller engineer types in, as text, as CSV and for SUMO."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from gemeos.errors import InputError
from gemeos.twins.traffic.network import GREEN, YELLOW, Program
from gemeos.twins.traffic.signals.junction import Controlled
from gemeos.twins.traffic.signals.pedestrians import of_cycle
from gemeos.twins.traffic.signals.plans import broken, cycle_s, program_of
from gemeos.twins.traffic.signals.rules import Timed

COLUMNS = (
    *("signal", "plan", "from", "until", "cycle_s", "offset_s", "row", "kind"),
    *("lights", "seconds", "least_s", "most_s"),
)


@dataclass(frozen=True)
class Hours:
    """A plan for some time of day, for any number of signals."""

    name: str
    plans: Mapping[str, Timed]
    begins: str = "00:00"
    ends: str = "24:00"


def check(junctions: Mapping[str, Controlled], hours: Sequence[Hours]) -> None:
    """Raise unless every plan keeps the limits of its signal.

    Raises:
        InputError: one does not; with what it breaks.
    """
    for of in hours:
        for signal, plan in of.plans.items():
            if found := broken(junctions[signal], plan):
                raise InputError(
                    f"Plan {of.name!r} cannot be written: {'; '.join(map(str, found[:3]))}."
                )


def text(junctions: Mapping[str, Controlled], hours: Sequence[Hours]) -> str:
    """For people: of each signal the rows of its cycle, and of each light when it is green.

    Raises:
        InputError: a plan breaks a limit.
    """
    check(junctions, hours)
    lines: list[str] = []
    for of in hours:
        for signal, plan in of.plans.items():
            junction = junctions[signal]
            program = program_of(junction.stages, plan, of.name)
            lines += [
                f"Signal {signal}, plan {of.name}, {of.begins} to {of.ends}",
                f"  cycle {cycle_s(junction.stages, plan)} s, offset {plan.offset_s} s",
                f"  cycle at most {junction.limits.maximum_cycle_s:g} s",
                f"  red at most {junction.limits.longest_red_s:g} s",
                *_walking(junction, program),
                "  row  kind     seconds  least  most  lights",
            ]
            lines += [
                f"  {r[6]:>3}  {r[7]:<8} {r[9]:>6}  {r[10]:>5}  {r[11]:>4}  {r[8]}"
                for r in _rows(junction, of, plan)
            ]
            lines.append("  light  green from  to   yellow  least green")
            lines += [f"  {line}" for line in _lights(junction, program)]
            lines.append("")
    return "\n".join(lines)


def comma_separated(junctions: Mapping[str, Controlled], hours: Sequence[Hours]) -> str:
    """The same rows as CSV, with the columns of ``COLUMNS``.

    Raises:
        InputError: a plan breaks a limit.
    """
    check(junctions, hours)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for of in hours:
        for signal, plan in of.plans.items():
            writer.writerows(_rows(junctions[signal], of, plan))
    return out.getvalue()


def xml(junctions: Mapping[str, Controlled], hours: Sequence[Hours]) -> str:
    """An additional file of SUMO that runs the plans, each as a programme of that name.

    Raises:
        InputError: a plan breaks a limit.
    """
    check(junctions, hours)
    lines = ["<additional>"]
    for of in hours:
        for signal, plan in of.plans.items():
            program = program_of(junctions[signal].stages, plan, of.name)
            lines.append(
                f'  <tlLogic id={quoteattr(signal)} type="static" '
                f'programID={quoteattr(of.name)} offset="{plan.offset_s}">'
            )
            lines += [
                f'    <phase duration="{p.duration_s:g}" state="{p.state}"/>'
                for p in program.phases
            ]
            lines.append("  </tlLogic>")
    return "\n".join([*lines, "</additional>\n"])


def _rows(junction: Controlled, hours: Hours, plan: Timed) -> Iterator[tuple[str, ...]]:
    program = program_of(junction.stages, plan, hours.name)
    limits = junction.limits
    head = (
        *(limits.signal, hours.name, hours.begins, hours.ends),
        *(f"{program.cycle_s:g}", f"{plan.offset_s}"),
    )
    for row, phase in enumerate(program.phases, 1):
        kind = _kind(junction, phase.state)
        if kind == "green":
            stage = junction.stages.states.index(phase.state)
            least = junction.stages.least[stage]
            most = phase.duration_s + limits.maximum_cycle_s - program.cycle_s
        else:
            least = most = phase.duration_s
        numbers = (f"{phase.duration_s:g}", f"{least:g}", f"{most:g}")
        yield (*head, str(row), kind, phase.state, *numbers)


def _walking(junction: Controlled, program: Program) -> Iterator[str]:
    """What those wait who walk; nothing where nobody can cross."""
    found = of_cycle(junction.limits, program)
    if found is not None:
        yield (
            f"  pedestrians wait {found.mean_s:.1f} s on average, {found.longest_s:.0f} s at most"
        )


def _kind(junction: Controlled, state: str) -> str:
    if state in junction.stages.states:
        return "green"
    if set(state) & YELLOW:
        return "yellow"
    return "clearing" if set(state) & GREEN else "all-red"


def _lights(junction: Controlled, program: Program) -> Iterator[str]:
    """Of each light: from when to when in the cycle it is green, as signal plans are drawn."""
    limits = junction.limits
    for link in range(limits.size):
        greens: list[tuple[float, float]] = []
        at = 0.0
        for phase in program.phases:
            if phase.state[link] in GREEN:
                if greens and greens[-1][1] == at:
                    greens[-1] = (greens[-1][0], at + phase.duration_s)
                else:
                    greens.append((at, at + phase.duration_s))
            at += phase.duration_s
        if len(greens) > 1 and greens[0][0] == 0.0 and greens[-1][1] == at:
            greens[0] = (greens.pop()[0], greens[0][1])  # it lasts beyond the end of the cycle
        for begins, ends in greens:
            yield (
                f"{link:>5}  {begins:>10g}  {ends:>3g}  {limits.yellow_s[link]:>6g}  "
                f"{limits.minimum_green_s[link]:>11g}"
            )
