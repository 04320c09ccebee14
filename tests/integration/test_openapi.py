"""The OpenAPI document is right: what it says is what the site does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, CheckFunction, GenerationMode, Response
from schemathesis.specs.openapi.checks import positive_data_acceptance

from gemeos.serve.app import OPERATIONS
from gemeos.serve.limits import Limits
from gemeos.serve.openapi import document
from gemeos.testing.served import Serving
from gemeos.testing.tanks import ago, tanks

REFERENCE = Path(__file__).parents[2] / "docs/reference/http.md"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENT = document(OPERATIONS)
# The stream does not end: it is tested where it is read piece by piece.
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/api/stream")
LEADING = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/api/stream")
FOUND = [SCHEMA[o.path][o.method] for o in OPERATIONS if o.path != "/api/stream"]
ASKED = [
    (operation, mode)
    for operation in FOUND
    for mode in GenerationMode
    # Where nothing can be told, nothing can be told wrong.
    if mode is GenerationMode.POSITIVE or list(operation.iter_parameters()) or operation.body
]
# No schema can say which times lie in a life, what a condition is, which channels there are:
# right by the document, a question may still be refused with 422. What is, see test_http.
KNOW_MORE = {
    "findParts",
    "readAt",
    "readRange",
    "readReadings",
    "readEvents",
    "forecast",
    "sendReadings",
    "beginScenario",
    "beginOptimisation",
    "beginHindcast",
    "keepPlan",
    "planOfScenario",
    "planOfOptimisation",
    "readWhy",
}


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with tanks(limits=Limits(forecast_s=0.2)) as (serving, client):
        sent = [
            {"channel": channel, "valid_at": ago(serving, seconds), "value": 2.0}
            for seconds in range(60, 0, -1)
            for channel in ("n/upper", "n/lower")
        ]
        assert client.post("/api/links/inbox/readings", json=sent).status_code == 200
        yield serving


@pytest.mark.no_cover  # most of it is schemathesis; test_http and its neighbours run what answers
@pytest.mark.parametrize(
    ("operation", "mode"), ASKED, ids=[f"{o.label} {mode.value}" for o, mode in ASKED]
)
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(data=st.data(), real=st.booleans())
def test_that_every_answer_is_as_documented(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    serving: Serving,
    data: st.DataObject,
    real: bool,
) -> None:
    case = data.draw(operation.as_strategy(generation_mode=mode))
    # Of names that somebody made up only the refusal would be seen.
    for name, there in (("twin", "north"), ("link", "inbox")):
        if real and name in case.path_parameters:
            case.path_parameters[name] = there
    case.call_and_validate(base_url=serving.url, excluded_checks=too_strict(case))


def too_strict(case: Case[Any]) -> list[CheckFunction]:
    """Checks that ask more than a schema can say."""
    named = case.operation.definition.raw["operationId"]
    return [positive_data_acceptance] if named in KNOW_MORE else []


def test_that_answers_lead_on_to_answers_as_documented(serving: Serving) -> None:
    called: Counter[str] = Counter()

    class Visitor(LEADING.as_state_machine()):  # type: ignore[misc]  # made at run time
        """Goes from the list of twins to what can be asked of the twins that are in it."""

        def call(self, case: Case[Any], **_: object) -> Response:
            return case.call(base_url=serving.url)

        def validate_response(self, response: Response, case: Case[Any], **_: object) -> None:
            case.validate_response(response, excluded_checks=too_strict(case))
            if response.status_code == HTTPStatus.OK and case.path_parameters:
                called[case.operation.path] += 1

    health = [HealthCheck.filter_too_much, HealthCheck.too_slow]
    Visitor.run(
        settings=settings(
            max_examples=40, stateful_step_count=8, deadline=None, suppress_health_check=health
        )
    )
    # Nobody makes up the name of a twin: it came from the list.
    assert sum(called.values()) > 20
    assert len(called) >= 3


def test_that_the_document_names_each_operation_once() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    operations = [each for path in DOCUMENT["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names) == len(OPERATIONS)


def test_that_its_schemas_are_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "$schema": DIALECT})


def test_that_the_reference_names_every_operation() -> None:
    told = REFERENCE.read_text(encoding="utf-8")
    for operation in OPERATIONS:
        assert f"`{operation.method} {operation.path}`" in told


def test_that_the_python_of_the_reference_runs(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)
    assert "http://127.0.0.1:8000" in code
    exec(compile(code.replace("http://127.0.0.1:8000", serving.url), "http.md", "exec"))  # noqa: S102
    assert capsys.readouterr().out.splitlines()[1] == "south starting"
