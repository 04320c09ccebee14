"""Contract 4: every number that is not a reading has a spread and a provenance.

Answers are walked by their types, so that what is new has to show its doubt, or to be written into
`EXCUSED` with the reason why it has none.
"""

from __future__ import annotations

import json
import re
import time
import typing
from collections.abc import Iterator, Mapping
from itertools import chain
from types import NoneType
from typing import Annotated, Any

import httpx
import msgspec
import numpy as np
import pytest

from gemeos.cli import main
from gemeos.cli.ask import COMMANDS
from gemeos.ensemble.estimate import Estimate
from gemeos.runtime.asked import Answers
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.run import RunningSite, run
from gemeos.runtime.trust import Trust
from gemeos.serve import messages as m
from gemeos.serve.app import OPERATIONS
from gemeos.serve.client import ConnectedTwin, Connection, connect
from gemeos.serve.routes.operation import Operation
from gemeos.testing.contracts.twin import contract_site, second
from gemeos.testing.served import Serving, served
from gemeos.testing.tanks import ago, tanks
from gemeos.units import iso

PATIENCE_S = 30.0

COUNT = "counted, not estimated"
READING = "read, or told of a reading"
DECLARED = "written in the declaration"
CLOCK = "read from a clock"
CHOSEN = "chosen by somebody, or by a search"
PROGRESS = "how far some work is"
SEARCHED = "as a search saw a candidate; the winner's gain is told beside, with its interval"
OF_DOUBT = "itself says how sure the twin is, or how right it was"
EXCUSED = {
    "AdviceMessage.changed": COUNT,
    "AdviceMessage.inside": COUNT,
    "AdviceMessage.judged": COUNT,
    "AdviceMessage.kept": COUNT,
    "AdviceMessage.refused": COUNT,
    "AdviceMessage.seed": CHOSEN,
    "AdvisedMessage.readings": COUNT,
    "AdvisedMessage.values": CHOSEN,
    "ApprovalMessage.event": COUNT,
    "BandMessage.high": OF_DOUBT,
    "BandMessage.low": OF_DOUBT,
    "BandMessage.share": OF_DOUBT,
    "ChannelTrustMessage.equal_run": COUNT,
    "ChannelTrustMessage.innovation": OF_DOUBT,
    "ChannelTrustMessage.last_value": READING,
    "ChannelTrustMessage.readings": COUNT,
    "ChannelTrustMessage.surprise": OF_DOUBT,
    "CommandMessage.value": CHOSEN,
    "ComparisonMessage.mean_high": OF_DOUBT,
    "ComparisonMessage.mean_low": OF_DOUBT,
    "ComparisonMessage.members": COUNT,
    "CostMessage.checked": COUNT,
    "CostMessage.runs": COUNT,
    "DeliveredMessage.effect": "its spread is beside it, effect_sd",
    "DeliveredMessage.effect_sd": OF_DOUBT,
    "DeliveredMessage.readings": COUNT,
    "EventMessage.body": COUNT,
    "EventMessage.number": COUNT,
    "HindcastMessage.brier": OF_DOUBT,
    "HindcastMessage.brier_skill": OF_DOUBT,
    "HindcastMessage.done": PROGRESS,
    "HindcastMessage.false_alarms": COUNT,
    "HindcastMessage.hits": COUNT,
    "HindcastMessage.issues": COUNT,
    "HindcastMessage.likely": CHOSEN,
    "HindcastMessage.misses": COUNT,
    "IssuedMessage.before": READING,
    "IssuedMessage.event": COUNT,
    "IssuedMessage.stands": READING,
    "IssuedMessage.tolerance": CHOSEN,
    "LedgerMessage.judged": COUNT,
    "LedgerMessage.kept": COUNT,
    "LedgerMessage.least": OF_DOUBT,
    "LedgerMessage.most": OF_DOUBT,
    "LinkMessage.dropped": COUNT,
    "LinkMessage.waiting": COUNT,
    "OptimisationMessage.in_force": CHOSEN,
    "PriceMessage.high": OF_DOUBT,
    "PriceMessage.low": OF_DOUBT,
    "PriceMessage.nothing": "its difference to the plan's is told with an interval, low to high",
    "PriceMessage.plan": "its difference to doing nothing is told with an interval, low to high",
    "PriceMessage.share": OF_DOUBT,
    "OfSizeMessage.count": COUNT,
    "OfSizeMessage.coverage": OF_DOUBT,
    "OfSizeMessage.crps": OF_DOUBT,
    "OfSizeMessage.high": OF_DOUBT,
    "OfSizeMessage.low": OF_DOUBT,
    "OptimisationMessage.chances": OF_DOUBT,
    "OptimisationMessage.done": PROGRESS,
    "OptimisationMessage.finalists": CHOSEN,
    "OptimisationMessage.first_fresh": COUNT,
    "OptimisationMessage.fresh": COUNT,
    "OptimisationMessage.loss": OF_DOUBT,
    "OptimisationMessage.ran": COUNT,
    "OptimisationMessage.rivals": COUNT,
    "OptimisationMessage.runs": COUNT,
    "OptimisationMessage.seed": CHOSEN,
    "OptimisationMessage.tried": COUNT,
    "PackedMembers.shape": COUNT,
    "PartMessage.place": DECLARED,
    "PartMessage.probability": OF_DOUBT,
    "PlanMessage.best": OF_DOUBT,
    "PlanMessage.candidates": COUNT,
    "PlanMessage.event": COUNT,
    "PlanMessage.finalists": COUNT,
    "PlanMessage.loss": OF_DOUBT,
    "PlanMessage.rivals": COUNT,
    "PlanMessage.seeds": CHOSEN,
    "Problem.details": COUNT,
    "PromiseMessage.members": COUNT,
    "ProvenanceMessage.left_out": COUNT,
    "ProvenanceMessage.members": COUNT,
    "QuarantineMessage.count": COUNT,
    "ReadingsMessage.revision": READING,
    "ReadingsMessage.sample": READING,
    "ReadingsMessage.value": READING,
    "RefusedMessage.size": COUNT,
    "ScenarioMessage.done": PROGRESS,
    "ScenarioMessage.failed": COUNT,
    "ScenarioMessage.members": COUNT,
    "ScenarioMessage.ran": COUNT,
    "ScenarioMessage.slow": COUNT,
    "ScenarioMessage.slow_beside": COUNT,
    "SchemaMessage.members": COUNT,
    "ScoreMessage.count": COUNT,
    "ScoreMessage.coverage": OF_DOUBT,
    "ScoreMessage.crps": OF_DOUBT,
    "ScoreMessage.error": OF_DOUBT,
    "SiteMessage.counted": COUNT,
    "SiteMessage.speed": DECLARED,
    "TakenMessage.committed": COUNT,
    "TriedMessage.excess": SEARCHED,
    "TriedMessage.runs": COUNT,
    "TriedMessage.value": SEARCHED,
    "TriedMessage.values": CHOSEN,
    "TrustMessage.assimilated": COUNT,
    "TrustMessage.failed_members": COUNT,
    "TrustMessage.members": COUNT,
    "TrustMessage.recovered": COUNT,
    "TrustMessage.too_late": COUNT,
    "TwinMessage.members": COUNT,
    "TwinsMessage.total": COUNT,
    "UncorrectedMessage.coverage": OF_DOUBT,
    "UncorrectedMessage.crps": OF_DOUBT,
    "UndertakingMessage.event": COUNT,
    "VariableMessage.least": DECLARED,
    "VariableMessage.most": DECLARED,
    "WarningMessage.brier_skill": OF_DOUBT,
    "WarningMessage.chance": OF_DOUBT,
    "WarningMessage.false_alarms": COUNT,
    "WarningMessage.hits": COUNT,
    "WarningMessage.issues": COUNT,
    "WarningMessage.likely": CHOSEN,
    "WarningMessage.misses": COUNT,
    "WatchMessage.compared": COUNT,
    "WatchMessage.outside": COUNT,
    "WatchMessage.ratio": OF_DOUBT,
}
"""Numbers without a spread, each with its reason; lengths of time (``_s``) need none."""
SPREADS = (
    {"sd", "q05", "q95"},
    {"skill", "low", "high"},
    {"gain", "low", "high"},
    {"mean", "low", "high"},
)
"""A message with all of one of them tells how sure its other numbers are."""
BANDS = ("q05", "q25", "q50", "q75", "q95")
LINES = {"now": 4, "at": 4, "forecast": 4}


def parts_of(kind: Any) -> Iterator[Any]:  # noqa: ANN401  a type expression
    """The types that a type expression is made of."""
    if typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    inner = [a for a in typing.get_args(kind) if a not in {..., NoneType}]
    if inner:
        yield from chain.from_iterable(parts_of(each) for each in inner)
    else:
        yield kind


def messages_in(*kinds: Any) -> set[type[m.Message]]:  # noqa: ANN401
    """Every message that an answer of those types can hold."""
    found: set[type[m.Message]] = set()
    waiting = list(chain.from_iterable(parts_of(kind) for kind in kinds))
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, m.Message) and kind not in found:
            found.add(kind)
            fields = msgspec.structs.fields(kind)
            waiting += chain.from_iterable(parts_of(field.type) for field in fields)
    return found


def shows_spread(kind: type[m.Message]) -> bool:
    return any(spread <= set(kind.__struct_fields__) for spread in SPREADS)


def without_doubt(*kinds: Any) -> set[str]:  # noqa: ANN401
    """Fields that hold numbers beside which nothing says how sure they are."""
    return {
        f"{kind.__name__}.{field.name}"
        for kind in messages_in(*kinds)
        if not shows_spread(kind)
        for field in msgspec.structs.fields(kind)
        if not {int, float, complex}.isdisjoint(parts_of(field.type))
        and not field.name.endswith("_s")
    }


def sent() -> list[Any]:
    """What any operation sends, and what the stream sends."""
    told = [o.sends for o in OPERATIONS if o.sends is not None]
    return [*told, *chain(*(t for o in OPERATIONS for t in o.variants.values())), m.SummaryMessage]


def bare(told: Any, path: str = "") -> list[str]:  # noqa: ANN401  what JSON holds
    """Where in an answer a value stands whose spread is missing, or is none."""
    if isinstance(told, list):
        return [p for i, each in enumerate(told) for p in bare(each, f"{path}[{i}]")]
    if not isinstance(told, dict):
        return []
    if "mean" in told:
        return [] if is_doubted(told) else [path]
    return [p for name, each in told.items() for p in bare(each, f"{path}.{name}")]


def is_doubted(numbers: Mapping[str, Any]) -> bool:
    """The mean has a positive spread at each time, and quantiles that rise."""
    mean, sd = (np.atleast_1d(np.array(numbers[n], float)) for n in ("mean", "sd"))
    bands = [np.atleast_1d(np.array(numbers[q], float)) for q in BANDS if q in numbers]
    rise = len(bands) >= 2 and bool((np.diff(bands, axis=0) > 0).all())
    return len(mean) > 0 and sd.shape == mean.shape and bool((sd > 0).all()) and rise


# What can be answered at all


def test_that_no_answer_can_hold_a_number_without_its_doubt_or_a_reason() -> None:
    assert without_doubt(*sent()) == set(EXCUSED)


class Level(m.Message, frozen=True, kw_only=True):
    level: float | None
    age_s: float


class Forgetful(m.Message, frozen=True, kw_only=True):
    twin: str
    levels: dict[str, list[Level]]


def test_that_an_answer_that_forgets_doubt_is_found_wherever_it_hides() -> None:
    assert without_doubt(Forgetful) == {"Level.level"}
    assert bare({"a": {"mean": [1.0], "sd": [0.0], "q05": [1.0], "q95": [1.0]}}) == [".a"]
    with pytest.raises(KeyError):
        bare({"a": {"mean": [1.0]}})


def test_that_whatever_tells_values_tells_where_they_come_from_and_how_old_they_are() -> None:
    estimating = {m.Numbers, m.Held, m.AgainstMessage, m.PartMessage}
    told = [kind for kind in sent() if messages_in(kind) & estimating]
    assert m.EstimateMessage in told
    for kind in told:
        fields = {field.name for field in msgspec.structs.fields(kind)}
        assert fields & {"provenance", "source"}, kind
        assert "staleness" in fields, kind


# What is answered over HTTP and by the command line


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Serving, httpx.Client]]:
    with tanks() as (serving, client):
        rows = [
            {"channel": channel, "valid_at": ago(serving, seconds), "value": 2.0}
            for seconds in range(200, 0, -1)
            for channel in ("n/upper", "n/lower")
        ]
        rows = [{**row, "value": 2 + 0.01 * (place % 7)} for place, row in enumerate(rows)]
        assert client.post("/api/links/inbox/readings", json=rows).status_code == 200
        while client.get("/api/twins/north/trust").json()["assimilated"] < len(rows):
            time.sleep(0.01)
        with connect(serving.url) as connection:
            north = connection["north"]
            north.scenario(NAMED["scenario"], {"upper.level": "2 m"}, until="30 s")
        yield serving, client


def asked_of(operation: Operation, serving: Serving) -> dict[str, str]:
    """What the operation must be told, found by the kind of each parameter."""
    asked = {}
    for field in msgspec.structs.fields(operation.query):
        if field.required:
            is_time = "date-time" in str(field.type)
            later = ago(serving, 20 if field.name in {"until", "when"} else 180)
            asked[field.name] = later if is_time else "30s"
            if field.name == "on":
                asked[field.name] = "upper.level"
    return asked


OF_TWINS = [
    o for o in OPERATIONS if "{twin}" in o.path and o.method == "GET" and o.name != "readDossier"
]
"""A dossier is a file; what is in it is worked out anew by whoever reads it."""
NAMED = {"scenario": "calm"}
"""What is made first, and then asked for."""
NOT_HERE = {"readHindcast", "readOptimisation", "readPlan", "readWhy"}
"""Nothing of a tank was known long ago, or can be set: the types of these are looked at."""
ABOUT_TWINS = [o for o in OF_TWINS if o.name not in NOT_HERE]


@pytest.mark.parametrize("operation", ABOUT_TWINS, ids=[o.name for o in ABOUT_TWINS])
def test_that_every_answer_about_a_twin_has_doubt_source_and_age(
    operation: Operation, site: tuple[Serving, httpx.Client]
) -> None:
    serving, client = site
    path = operation.path.format(twin="north", **NAMED)
    end = time.monotonic() + PATIENCE_S
    while (answer := client.get(path, params=asked_of(operation, serving))).status_code == 409:
        assert time.monotonic() < end, answer.text  # "is made again ...; ask again later"
    assert answer.status_code == 200, answer.text
    told = answer.json()
    # Nothing is sent that the types, which were walked above, do not know of.
    typed = msgspec.json.decode(answer.content, type=operation.sends)
    assert json.loads(msgspec.json.encode(typed)) == told
    assert bare(told) == []
    assert told["staleness"]["age_s"] > 0
    assert told.get("provenance", told)["source"] == "live"


@pytest.mark.parametrize("operation", OF_TWINS, ids=[o.name for o in OF_TWINS])
def test_that_every_answer_about_a_twin_can_tell_source_and_age(operation: Operation) -> None:
    fields = {field.name for field in msgspec.structs.fields(operation.sends)}
    assert fields & {"provenance", "source"}
    assert "staleness" in fields


@pytest.mark.parametrize("command", list(COMMANDS))
def test_that_every_question_of_the_command_line_tells_doubt_in_json(
    command: str, site: tuple[Serving, httpx.Client], capsys: pytest.CaptureFixture[str]
) -> None:
    serving, _ = site
    assert main([*command_of(command, serving), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert bare(told) == []
    [operation] = [o for o in OPERATIONS if o.path.rpartition("/")[2] == command]
    assert msgspec.convert(told, operation.sends) is not None
    assert "live" in json.dumps(told)


@pytest.mark.parametrize(("command", "rows"), LINES.items())
def test_that_the_table_of_the_command_line_shows_a_spread_in_every_row(
    command: str,
    rows: int,
    site: tuple[Serving, httpx.Client],
    capsys: pytest.CaptureFixture[str],
) -> None:
    serving, _ = site
    assert main([*command_of(command, serving), "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "source: live" in lines[1]
    assert "data until" in lines[1]
    assert "+- sd  90 % interval" in re.sub(r"  +", "  ", lines[2])
    shown = [line for line in lines[3:] if line.strip()]
    assert len(shown) == rows
    for line in shown:
        numbers = re.search(r"(\S+)  +(\S+) \.\. (\S+)", line)
        assert numbers is not None, line
        sd, low, high = numbers.groups()
        assert float(sd) > 0
        assert float(low) < float(high)


def command_of(command: str, serving: Serving) -> list[str]:
    words = {"at": [ago(serving, 20)], "forecast": ["30 s"]}.get(command, [])
    twin = [] if command == "quarantine" else ["--twin"] * bool(words) + ["north"]
    return [command, *words, *twin, "--url", serving.url]


def test_that_the_stream_and_the_page_show_doubt_source_and_age(
    site: tuple[Serving, httpx.Client],
) -> None:
    _, client = site
    with client.stream("GET", "/api/stream?twins=north") as answer:
        line = next(each for each in answer.iter_lines() if each.startswith("data: "))
    told = json.loads(line.removeprefix("data: "))
    assert len(told["variables"]) == 4
    assert bare(told) == []
    assert told["source"] == "live"
    assert told["staleness"]["age_s"] > 0
    page = client.get("/").text
    [table] = re.findall(r"<table class='numbers'>.*?</table>", page)
    rows = re.findall(r"<tr><th scope='row'>.*?</tr>", table)
    assert len(rows) == 4
    for row in rows:
        spread = re.search(r"data-of='± sd'>± ([\d.e-]+)<", row)
        assert spread is not None, row
        assert float(spread[1]) > 0
        assert re.search(r"data-of='90 % within'>\S+ to \S+<", row), row
    assert re.search(r"<span class='badge good'>live</span> data \S+ \S+ old", page)


# What is answered in Python


@pytest.fixture(scope="module")
def embedded() -> Iterator[RunningSite]:
    here, link = contract_site()
    with run(here) as running:
        assert link.played.wait(20)
        yield running


@pytest.fixture(scope="module")
def connected() -> Iterator[Connection]:
    here, link = contract_site()
    with served(here) as serving:
        assert link.played.wait(20)
        with connect(serving.url) as connection:
            yield connection


QUESTIONS: Mapping[str, tuple[Any, ...]] = {
    "now": (),
    "at": (iso(second(31)),),
    "forecast": ("1 min",),
    "range": (second(40), second(50)),
    "trust": (),
}


def public(of: type) -> set[str]:
    return {name for name, each in vars(of).items() if callable(each) and name[0] != "_"}


def test_that_no_question_in_python_is_left_out_here() -> None:
    assert public(Answers) == set(QUESTIONS)
    # What a twin declares holds no estimate, and a warning tells chances: doubt itself.
    assert public(ConnectedTwin) - {"schema", "warnings"} == set(QUESTIONS)


@pytest.mark.parametrize("kind", ["embedded", "connected"])
@pytest.mark.parametrize("question", list(QUESTIONS))
def test_that_every_answer_in_python_has_doubt_source_and_age(
    kind: str, question: str, request: pytest.FixtureRequest
) -> None:
    asked = request.getfixturevalue(kind)["mill"]
    doubts(getattr(asked, question)(*QUESTIONS[question]))
    if question in {"now", "at", "forecast"}:
        # A piece of an answer does not lose what the whole one had.
        estimate = getattr(asked, question)(*QUESTIONS[question])
        doubts(estimate.only(["y0"]))
        doubts(estimate.at(int(estimate.times[-1])))


def doubts(told: object) -> None:
    """Assert it, for each kind of answer."""
    match told:
        case Estimate():
            for name in told.variables:
                assert told[name].members.shape[1] >= 2
                assert (told[name].sd > 0).all()
            assert told.provenance.source == "made for a test, x1"
            assert told.provenance.data_until is not None
            assert told.provenance.known_at >= told.provenance.data_until
            assert told.provenance.model
        case Remembered():
            assert told.source == "made for a test, x1"
            assert told.age is not None
            assert len(told.units) == len(told.variable)
            assert told.mean.size > 0
            assert (told.sd > 0).all()
            assert (np.diff(told.quantiles, axis=2) > 0).all()
        case Trust():
            assert told.source == "made for a test, x1"
            assert told.age is not None
            for score in told.scores:
                assert score.count > 0
                assert score.persistence.count > 0
        case _:
            raise AssertionError(f"{type(told).__name__} is a new kind of answer")


def test_that_a_part_of_an_estimate_keeps_its_doubt(
    site: tuple[Serving, httpx.Client],
) -> None:
    serving, _ = site
    with connect(serving.url) as connection:
        now = connection["north"].now()
    part = now.part("upper")
    assert part.provenance == now.provenance
    assert part.variables == ("level", "gauge")
    assert (part["level"].sd > 0).all()
    assert part["level"].members.tolist() == now["upper.level"].members.tolist()
