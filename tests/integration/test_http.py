"""A site over HTTP: what goes in, what is refused and told, who may ask, what is pushed."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from gemeos.cli import main
from gemeos.errors import (
    AccessError,
    LinkError,
    SettingsError,
    UnknownNameError,
)
from gemeos.serve.auth import Role, TokenFile
from gemeos.serve.client import connect
from gemeos.serve.limits import Limits
from gemeos.serve.server import serve
from gemeos.testing.served import Serving
from gemeos.testing.tanks import ago, tanks

INBOX = "/api/links/inbox/readings"
JSON = {"content-type": "application/json"}
ELSEWHERE = {"x-forwarded-for": "203.0.113.9"}
"""What makes a request on loopback one that a proxy passed on."""


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Serving, httpx.Client]]:
    with tanks(limits=Limits(body=200_000, ping_s=0.2)) as (serving, client):
        # Every test finds a twin that has begun.
        begun = [reading(serving, 500), reading(serving, 500, channel="n/lower")]
        assert client.post(INBOX, json=begun).status_code == 200
        eventually(lambda: client.get("/api/twins/north/now").status_code, 200)
        yield serving, client


@pytest.fixture(scope="module")
def serving(site: tuple[Serving, httpx.Client]) -> Serving:
    return site[0]


@pytest.fixture(scope="module")
def client(site: tuple[Serving, httpx.Client]) -> httpx.Client:
    return site[1]


def reading(serving: Serving, seconds: float, value: float = 2.0, **more: object) -> dict[str, Any]:
    return {"channel": "n/upper", "valid_at": ago(serving, seconds), "value": value, **more}


def newest_refused(client: httpx.Client, link: str = "inbox") -> dict[str, Any]:
    row = client.get("/api/quarantine", params={"limit": 1, "link": link}).json()["rows"][0]
    assert isinstance(row, dict)
    return row


def eventually(asked: Callable[[], object], expected: object) -> None:
    deadline = time.monotonic() + 10
    while asked() != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    assert asked() == expected


# Readings in


def test_that_a_reading_is_answered_when_it_can_be_read_back(
    serving: Serving, client: httpx.Client
) -> None:
    sent = reading(serving, 450, 2.125)
    answer = client.post(INBOX, json=sent)
    assert answer.status_code == 200
    assert answer.json() == {"committed": 1, "refused": [], "error": None, "message": None}
    stretch = {"since": ago(serving, 451), "until": ago(serving, 449)}
    told = client.get("/api/twins/north/readings", params=stretch).json()
    assert told["value"] == [2.125]
    assert (told["channel"], told["unit"], told["variable"]) == (
        ["inbox/n/upper"],
        ["m"],
        ["upper.gauge"],
    )
    assert told["staleness"]["age_s"] < 600
    assert told["source"] == "live"


def test_that_readings_come_as_a_list_or_in_columns(serving: Serving, client: httpx.Client) -> None:
    listed = [reading(serving, 30 + place) for place in range(3)]
    assert client.post(INBOX, json=listed).json()["committed"] == 3
    columns = {
        "channel": ["n/upper", "n/lower"],
        "valid_at": [ago(serving, 29), ago(serving, 29)],
        "value": [2.0, 1.5],
    }
    assert client.post(INBOX, json=columns).json()["committed"] == 2
    spread = {"channel": "n/lower", "valid_at": [ago(serving, 28), ago(serving, 27)]}
    assert client.post(INBOX, json={**spread, "value": [1.5, 1.5]}).json()["committed"] == 2


def test_that_readings_come_as_messagepack(serving: Serving, client: httpx.Client) -> None:
    body = msgspec.msgpack.encode([reading(serving, 26), reading(serving, 25)])
    answer = client.post(INBOX, content=body, headers={"content-type": "application/msgpack"})
    assert answer.json()["committed"] == 2


def test_that_a_body_without_content_length_is_read(serving: Serving, client: httpx.Client) -> None:
    body = json.dumps(reading(serving, 24)).encode()

    def pieces() -> Iterator[bytes]:
        yield body[:10]
        yield body[10:]

    answer = client.post(INBOX, content=pieces(), headers=JSON)
    assert "content-length" not in answer.request.headers
    assert answer.json()["committed"] == 1


def test_that_a_number_in_another_unit_is_converted(serving: Serving, client: httpx.Client) -> None:
    sent = {"channel": "s/upper", "valid_at": ago(serving, 5), "value": 10, "unit": "ft"}
    assert client.post("/api/links/other/readings", json=sent).json()["committed"] == 1
    # The international foot is 0.3048 m exactly. What is durable is assimilated a moment later.
    eventually(
        lambda: client.get("/api/twins/south/trust").json()["channels"][0]["last_value"],
        pytest.approx(3.048),
    )


def test_that_a_correction_replaces_and_a_retraction_takes_back(
    serving: Serving, client: httpx.Client
) -> None:
    at = ago(serving, 400)
    stretch = {"since": ago(serving, 401), "until": ago(serving, 399)}
    place = {"channel": "n/lower", "valid_at": at}
    seen = []
    for said in ({"value": 1.0, "revision": 0}, {"value": 1.25, "revision": 1}):
        assert client.post(INBOX, json={**place, **said}).status_code == 200
        seen.append(client.get("/api/twins/north/readings", params=stretch).json()["value"])
    client.post(INBOX, json={**place, "value": None, "revision": 2})
    seen.append(client.get("/api/twins/north/readings", params=stretch).json()["value"])
    assert seen == [[1.0], [1.25], []]


# Contract 10: bad input gets a clear error, and nothing is lost


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"channel": "n/uppr"}, "no channel 'n/uppr'. Did you mean 'n/upper'?"),
        ({"unit": "kg"}, "The message tells 'kg'; 'n/upper' is declared in 'm'."),
        ({"unit": "bananas"}, "'bananas' is not a unit"),
        ({"value": "2.0"}, "Did you mean the number without quotes?"),
        ({"value": None}, "The value is null."),
        ({"value": True}, "is not a number"),
        ({"valid_at": "1970-01-01T00:00:00Z"}, "the earliest that is believed"),
        ({"valid_at": "2999-01-01T00:00:00Z"}, "ahead of site time"),
        ({"valid_at": "2026-01-01T00:00:00"}, "names no offset"),
        ({"valid_at": 1700000000}, "is not text such as"),
        ({"valid_at": None}, "No time at '/valid_at'"),
        ({"sample": -1}, "is not a whole number from 0"),
    ],
)
def test_that_a_bad_reading_is_told_and_kept(
    serving: Serving, client: httpx.Client, said: Mapping[str, Any], reason: str
) -> None:
    before = client.get("/api/quarantine").json()["count"]
    sent = {**reading(serving, 3), **said}
    answer = client.post(INBOX, json=sent)
    assert answer.status_code == 422
    told = answer.json()
    assert (told["committed"], told["error"]) == (0, "ReadingError")
    assert reason in told["message"]
    kept = newest_refused(client)
    assert reason in kept["reason"]
    assert json.loads(kept["payload"]) == sent
    assert client.get("/api/quarantine").json()["count"] == before + 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "The payload is empty."),
        (b'{"channel": "n/upper"', "is not JSON"),
        (b'{"channel": "n/upper", "valid_at": "x", "value": NaN}', "has NaN, which neither JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "is not JSON"),
        (b'"level"', ""),
        (b"[1, 2]", ""),
        (b'{"channel": ["n/upper"], "valid_at": [], "value": []}', "not of one length"),
    ],
)
def test_that_a_message_that_cannot_be_read_is_told_and_kept(
    client: httpx.Client, body: bytes, reason: str
) -> None:
    answer = client.post(INBOX, content=body, headers=JSON)
    assert answer.status_code == 422
    assert reason in answer.json()["message"]
    kept = newest_refused(client)
    assert kept["reason"] == answer.json()["refused"][-1]["reason"]
    assert kept["size"] == len(body)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(float("nan"), "NaN"), (b"2.0", "is not MessagePack of readings: bytes stands where")],
)
def test_that_messagepack_cannot_say_what_json_could_not(
    serving: Serving, client: httpx.Client, value: object, reason: str
) -> None:
    # Were NaN to become null, the revision beside it would take the reading back.
    body = msgspec.msgpack.encode({**reading(serving, 3), "value": value, "revision": 5})
    answer = client.post(INBOX, content=body, headers={"content-type": "application/msgpack"})
    assert answer.status_code == 422
    assert reason in answer.json()["message"]


def test_that_the_good_readings_of_a_message_are_taken(
    serving: Serving, client: httpx.Client
) -> None:
    answer = client.post(INBOX, json=[reading(serving, 15), reading(serving, 14, channel="nope")])
    assert answer.status_code == 200
    told = answer.json()
    assert told["committed"] == 1
    assert [row["channel"] for row in told["refused"]] == ["nope"]


@pytest.mark.parametrize("chunked", [False, True])
def test_that_fifty_megabytes_are_refused_and_their_beginning_kept(
    client: httpx.Client, chunked: bool
) -> None:
    size = 50_000_000
    piece = b"x" * 1_000_000

    def pieces() -> Iterator[bytes]:
        yield from (piece for _ in range(size // len(piece)))

    told_length = {} if chunked else {"content-length": str(size)}
    answer = client.post(INBOX, content=pieces(), headers={**JSON, **told_length})
    assert answer.status_code == 413
    assert answer.json()["message"] == "The body has 50000000 bytes; at most 200000 are read."
    kept = newest_refused(client)
    assert (kept["size"], kept["payload"]) == (size, "x" * 4096)


def test_that_a_body_that_never_ends_is_not_waited_for() -> None:
    with tanks(limits=Limits(body_s=0.2)) as (_, client):

        def slowly() -> Iterator[bytes]:
            yield b'{"channel"'
            time.sleep(1.0)
            yield b"}"

        answer = client.post(INBOX, content=slowly(), headers=JSON)
        assert answer.status_code == 422
        assert answer.json()["message"].startswith("10 bytes of the body came in 0.2 s")


def test_that_a_link_that_is_not_there_is_told_with_the_nearest(client: httpx.Client) -> None:
    answer = client.post("/api/links/inbx/readings", json=[])
    assert answer.status_code == 404
    assert answer.json()["error"] == "UnknownNameError"
    assert "Did you mean 'inbox'?" in answer.json()["message"]
    assert answer.json()["known"] == ["inbox", "other"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_that_a_form_of_a_foreign_page_is_not_taken(client: httpx.Client, kind: str) -> None:
    answer = client.post(INBOX, content=b"[]", headers={"content-type": kind})
    assert answer.status_code == 415


# Answers


def test_that_an_estimate_has_its_doubt_beside_the_value(client: httpx.Client) -> None:
    told = client.get("/api/twins/north/now", params={"members": "true"}).json()
    level = told["variables"]["upper.level"]
    members = np.array(level["members"])
    assert members.shape == (1, 32)
    assert level["mean"] == pytest.approx(members.mean(axis=1))
    assert level["sd"] == pytest.approx(members.std(axis=1, ddof=1), rel=1e-6)
    bands = [level[q][0] for q in ("q05", "q25", "q50", "q75", "q95")]
    assert bands == sorted(bands)
    assert level["unit"] == "m"
    assert told["kind"] == {"type": "filtered"}
    assert told["provenance"]["source"] == "live"
    assert told["staleness"]["data_until"] == told["provenance"]["data_until"]
    # Paris is one or two hours ahead of UTC.
    assert told["times"][0].endswith(("+01:00", "+02:00"))


def test_that_one_structure_comes_in_json_and_in_messagepack(
    serving: Serving, client: httpx.Client
) -> None:
    at = {"when": ago(serving, 495), "members": "true"}
    plain = client.get("/api/twins/north/at", params=at).json()
    packed = client.get("/api/twins/north/at", params=at, headers={"accept": "application/msgpack"})
    assert packed.headers["content-type"] == "application/msgpack"
    told = msgspec.msgpack.decode(packed.content)
    for variable in told["variables"].values():
        members = variable["members"]
        assert members["dtype"] == "<f4"
        variable["members"] = (
            np.frombuffer(members["data"], members["dtype"]).reshape(members["shape"]).tolist()
        )
    for each in (plain, told):
        del each["staleness"], each["provenance"]["known_at"]
    assert told == plain


def test_that_a_plus_that_an_address_turned_into_a_space_is_understood(
    serving: Serving, client: httpx.Client
) -> None:
    when = ago(serving, 3)
    assert "+00:00" in when
    told = client.get(f"/api/twins/north/at?when={when}")
    assert told.status_code == 200


def test_that_parts_are_found_by_type_relation_and_value(
    serving: Serving, client: httpx.Client
) -> None:
    client.post(
        INBOX,
        json=[reading(serving, s, 2.5) for s in (13, 12, 11)]
        + [reading(serving, s, 1.5, channel="n/lower") for s in (13, 12, 11)],
    )

    def found(**asked: str) -> list[str]:
        told = client.get("/api/twins/north/parts", params=asked).json()
        return [part["name"] for part in told["parts"]]

    assert found() == ["upper", "lower", "pump"]
    assert found(type="tank") == ["upper", "lower"]
    assert found(feeds="lower") == ["upper"]
    assert found(on="lower") == ["pump"]
    assert found(near="upper") == ["pump"]
    assert found(near="pump") == ["upper"]
    assert found(type="tank", near="upper") == []
    assert found(where="level > 1 km") == []
    assert found(where="level > 1 cm and level < 1 km") == ["upper", "lower"]


@pytest.mark.parametrize(
    ("path", "status", "error", "said"),
    [
        ("/api/twins/nort/now", 404, "UnknownNameError", "Did you mean 'north'?"),
        ("/api/twins/north/now?variables=lvel", 404, "UnknownNameError", "no variable 'lvel'"),
        ("/api/twins/north/parts?near=pumb", 404, "UnknownNameError", "Did you mean 'pump'?"),
        ("/api/twins/north/parts?where=lvel>1", 404, "UnknownNameError", "Did you mean 'level'?"),
        ("/api/twins/north/parts?where=level>", 422, "ConditionError", ""),
        ("/api/twins/north/parts?where=level > 1 kg", 422, "UnitError", ""),
        ("/api/twins/north/at", 422, "InputError", "missing required field `when`"),
        ("/api/twins/north/at?when=soon", 422, "TimeError", "'soon' is not a time"),
        ("/api/twins/north/at?when=2001-01-01T00:00Z", 404, "OutOfReachError", "had no reading"),
        ("/api/twins/north/at?when=2999-01-01T00:00Z", 422, "InputError", "ask for a forecast"),
        ("/api/twins/north/forecast?until=6", 422, "TimeError", "is not a length of time"),
        ("/api/twins/north/forecast?until=1e300h", 422, "TimeError", "longer than any time"),
        ("/api/twins/north/forecast?until=1000d", 422, "InputError", "a coarser 'every'"),
        ("/api/twins/north/forecast?until=1000d&every=100d", 422, "InputError", "for at most"),
        ("/api/twins/north/forecast?until=-6h", 422, "InputError", "steps of 1 s"),
        ("/api/twins/north/forecast?until=1h&evrey=1s", 422, "InputError", "mean 'every'?"),
        ("/api/twins/north/now?members=perhaps", 422, "InputError", "members"),
        ("/api/twins/north/now?members=true&members=true", 422, "InputError", "given twice"),
        (
            "/api/twins/north/range?since=1999-01-01T00:00Z&until=2025-01-01T00:00Z",
            422,
            "InputError",
            "Ask for at most",
        ),
        ("/api/twins/north/readings?since=2000-01-01&until=9999-01-01", 422, "TimeError", "years"),
        ("/api/events?twin=nort", 404, "UnknownNameError", "Did you mean 'north'?"),
        ("/api/twins/north/nonsense", 404, "InputError", "There is nothing at"),
        ("/api/twins/%2e%2e%2fetc/now", 404, "InputError", "There is nothing at"),
    ],
)
def test_that_a_bad_question_is_told_with_what_there_is(
    client: httpx.Client, path: str, status: int, error: str, said: str
) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert said in answer.json()["message"]
    assert answer.headers["content-type"] == "application/json"


def test_that_a_method_that_is_not_there_is_told(client: httpx.Client) -> None:
    answer = client.put("/api/twins", json={})
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/api/twins", "/api/stream", "/", "/healthz", "/metrics"])
def test_that_head_tells_the_same_as_get_without_a_body(client: httpx.Client, path: str) -> None:
    answer = client.head(path)
    assert answer.status_code == 200
    assert answer.content == b""
    with client.stream("GET", path) as got:
        assert got.headers["content-type"] == answer.headers["content-type"]


def test_that_events_tell_who_did_what(serving: Serving, client: httpx.Client) -> None:
    client.post(INBOX, json=[reading(serving, s) for s in (60, 59, 58)])
    deadline = time.monotonic() + 10
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < deadline:
        found = client.get("/api/events", params={"twin": "north", "kind": "phase"}).json()[
            "events"
        ]
        time.sleep(0.05)
    assert found[-1]["actor"] == "runtime"
    assert found[-1]["body"]["before"] is None


# Who may ask


@pytest.mark.parametrize("path", ["/api/twins", "/", "/openapi.json", "/page/status.js"])
def test_that_a_name_that_is_not_ours_is_refused(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"host": "rebound.example:8000"})
    assert answer.status_code == 403
    assert answer.json()["error"] == "AccessError"
    assert "does not go by the name 'rebound.example:8000'" in answer.json()["message"]


def test_that_a_page_of_somebody_else_is_refused(serving: Serving, client: httpx.Client) -> None:
    own = serving.url
    for origin in ("http://evil.example", "null", "http://localhost:1", f"{own}.evil.example"):
        answer = client.post(INBOX, json=[], headers={"origin": origin})
        assert answer.status_code == 403
    assert client.post(INBOX, json=[], headers={"origin": own}).status_code == 200


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Serving, httpx.Client, TokenFile]]:
    tokens = TokenFile(tmp_path_factory.mktemp("site") / "tokens.json")
    with tanks(tokens=tokens) as (serving, client):
        yield serving, client, tokens


def bearer(secret: str) -> dict[str, str]:
    return {**ELSEWHERE, "authorization": f"Bearer {secret}"}


def test_that_from_elsewhere_everything_but_health_needs_a_token(
    guarded: tuple[Serving, httpx.Client, TokenFile],
) -> None:
    _, client, _ = guarded
    for path in ("/api/twins", "/", "/openapi.json", "/metrics", "/page/status.js", "/nothing"):
        answer = client.get(path, headers=ELSEWHERE)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="gemeos"'
    assert client.get("/healthz", headers=ELSEWHERE).json() == {"live": True, "ready": True}
    assert client.get("/healthz", headers={"host": "any.example"}).status_code == 200
    assert client.get("/api/twins").status_code == 200


def test_that_a_token_opens_and_its_end_closes(
    guarded: tuple[Serving, httpx.Client, TokenFile],
) -> None:
    _, client, tokens = guarded
    secret = tokens.create("opens", Role.VIEWER)
    assert client.get("/api/twins", headers=bearer(secret)).status_code == 200
    wrong = client.get("/api/twins", headers=bearer(secret + "x"))
    assert wrong.status_code == 401
    tokens.revoke("opens")
    assert client.get("/api/twins", headers=bearer(secret)).status_code == 401
    # A bad token is not forgiven because of where it comes from.
    local = {"authorization": f"Bearer {secret}"}
    assert client.get("/api/twins", headers=local).status_code == 401


@pytest.mark.parametrize("word", ["at", "from"])
def test_that_a_change_in_the_past_of_the_fork_is_told_with_how_to_fork_earlier(
    serving: Serving, client: httpx.Client, word: str
) -> None:
    client.post(INBOX, json=reading(serving, 3))
    told = client.post(
        "/api/twins/north/scenarios",
        json={
            "name": "past",
            "changes": {"lower": f"2 m {word} 2020-01-01T00:00Z"},
            "until": "1 min",
        },
    )
    assert told.status_code == 422
    assert told.json()["error"] == "InterventionError"
    message = told.json()["message"]
    assert f"'2 m {word} 2020-01-01T00:00Z' lies before the fork at " in message
    assert "Fork earlier instead: at=2020-01-01T00:00:00+00:00" in message
    assert "'after 5 min'" in message
    assert client.get("/api/twins/north/scenarios/past").status_code == 404


@pytest.mark.parametrize("kind", ["scenarios", "optimisations", "hindcasts"])
def test_that_what_is_begun_needs_an_operator_who_may_see_the_twin(
    guarded: tuple[Serving, httpx.Client, TokenFile], kind: str
) -> None:
    _, client, tokens = guarded
    path = f"/api/twins/north/{kind}"
    looks = bearer(tokens.create(f"looks-{kind}", Role.VIEWER))
    elsewhere = bearer(tokens.create(f"south-{kind}", Role.OPERATOR, scope=["south"]))
    assert client.get(path, headers=looks).status_code == 200
    for method, where in (("POST", path), ("DELETE", f"{path}/a"), ("POST", f"{path}/a/cancel")):
        body: dict[str, str] | None = None if method == "DELETE" else {}
        assert client.request(method, where, headers=looks, json=body).status_code == 403
        told = client.request(method, where, headers=elsewhere, json=body)
        assert told.status_code in {403, 404}
    for where in (path, f"{path}/a"):
        assert client.get(where, headers=elsewhere).status_code in {403, 404}


def test_that_a_browser_is_asked_for_the_token_as_a_password(
    guarded: tuple[Serving, httpx.Client, TokenFile],
) -> None:
    _, client, tokens = guarded
    secret = tokens.create("browser", Role.VIEWER)
    by_person = {**ELSEWHERE, "accept": "text/html,*/*"}
    asked = client.get("/", headers=by_person)
    assert asked.headers["www-authenticate"].startswith("Basic ")
    assert client.get("/", headers=by_person, auth=("anybody", secret)).status_code == 200
    assert client.get("/", headers=by_person, auth=(secret, "")).status_code == 401


def test_that_a_viewer_cannot_send_readings(
    guarded: tuple[Serving, httpx.Client, TokenFile],
) -> None:
    serving, client, tokens = guarded
    viewer = bearer(tokens.create("looks", Role.VIEWER))
    operator = bearer(tokens.create("acts", Role.OPERATOR))
    sent = [reading(serving, 1)]
    refused = client.post(INBOX, json=sent, headers=viewer)
    assert refused.status_code == 403
    assert "looks is viewer; this needs operator" in refused.json()["message"]
    assert client.post(INBOX, json=sent, headers=operator).status_code == 200


def test_that_a_scope_hides_all_other_twins(
    guarded: tuple[Serving, httpx.Client, TokenFile],
) -> None:
    serving, client, tokens = guarded
    secret = tokens.create("southern", Role.OPERATOR, scope=["south"])
    headers = bearer(secret)
    listed = client.get("/api/twins", headers=headers).json()
    assert (listed["total"], [t["name"] for t in listed["twins"]]) == (1, ["south"])
    # Whether there is such a twin is not told either.
    for name in ("north", "nobody"):
        for path in ("", "/now", "/trust", "/readings?since=2020-01-01&until=2020-01-02"):
            assert client.get(f"/api/twins/{name}{path}", headers=headers).status_code == 403
    assert client.post(INBOX, json=[], headers=headers).status_code == 403
    assert client.get("/metrics", headers=headers).status_code == 403
    assert client.get("/api/stream?twins=north", headers=headers).status_code == 403
    assert client.get("/api/events?twin=north", headers=headers).status_code == 403
    site = client.get("/api/site", headers=headers).json()
    assert (site["twins"], [link["name"] for link in site["links"]]) == (["south"], ["other"])
    # Something is refused at each link; only one may be seen.
    for link in ("inbox", "other"):
        client.post(f"/api/links/{link}/readings", content=b"{", headers=JSON)
    told = client.get("/api/quarantine", headers=headers).json()
    assert told["count"] is None
    assert {row["link"] for row in told["rows"]} == {"other"}
    page = client.get("/", headers={**headers, "accept": "text/html"}).text
    assert "south" in page
    assert "north" not in page
    with connect(serving.url, token=secret) as connection:
        assert connection.names == ("south",)
        with pytest.raises(AccessError, match="southern may not see 'north'"):
            connection["north"]


def test_that_a_site_may_ask_a_token_of_its_own_machine_too(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    secret = tokens.create("kim", Role.VIEWER)
    with tanks(tokens=tokens, loopback_without_token=False) as (serving, client):
        assert client.get("/api/twins").status_code == 401
        with connect(serving.url, token=secret) as connection:
            assert connection.names == ("north", "south")
        with connect(serving.url) as stranger, pytest.raises(AccessError, match="token is needed"):
            stranger.site()


def test_that_stopping_where_there_are_several_twins_names_both_switches(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with tanks() as (serving, _):
        assert main(["stop", "--url", serving.url]) == 1
        told = " ".join(capsys.readouterr().err.split())
        assert "--all" in told
        assert "--twin NAME" in told
        assert "north, south" in told
        assert not serving.host.applying.switches.all()


def test_that_the_page_runs_no_script_but_its_own(client: httpx.Client) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    page = client.get("/").text
    assert "<script src=" in page
    assert "<script>" not in page
    assert client.get("/page/status.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/page/../app.py").status_code == 404
    assert client.get("/page/%2e%2e/app.py").status_code == 404


def test_that_text_from_outside_is_shown_and_not_run(
    serving: Serving, client: httpx.Client
) -> None:
    client.post(INBOX, json=reading(serving, 1, channel="<script>alert(1)</script>"))
    page = client.get("/").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


# What is pushed


def test_that_a_stream_begins_with_the_present_and_tells_changes(
    serving: Serving, client: httpx.Client
) -> None:
    with client.stream("GET", "/api/stream", headers={"last-event-id": "7"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        events = told_events(lines)
        # A change of what an earlier test sent may come in between.
        present = {next(events)["twin"]}
        while len(present) < 2:
            present.add(next(events)["twin"])
        assert present == {"north", "south"}
        with httpx.Client(base_url=serving.url, trust_env=False) as other:
            sent = reading(serving, 0.5, 2.25)
            other.post(INBOX, json=sent)
        event = next(each for each in events if each["twin"] == "north")
        assert event["staleness"]["data_until"] is not None
        assert event["variables"]["upper.gauge"]["sd"] > 0
        assert event["source"] == "live"


def told_events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_that_a_silent_stream_says_that_it_is_still_there(client: httpx.Client) -> None:
    with client.stream("GET", "/api/stream?twins=south") as answer:
        assert any(line == ": still here" for line in answer.iter_lines())


def test_that_a_client_iterates_over_changes_until_the_site_stops() -> None:
    seen: list[str] = []
    ended = threading.Event()
    with tanks() as (serving, client):

        def follow() -> None:
            with connect(serving.url) as connection:
                for change in connection.changes("north"):
                    seen.append(change.phase.value)
                    if change.newest is None:
                        client.post(INBOX, json=[reading(serving, 1)])
            ended.set()

        follower = threading.Thread(target=follow)
        follower.start()
        deadline = time.monotonic() + 10
        while len(seen) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert ended.wait(10)
    follower.join()
    assert seen[:2] == ["starting", "starting"]


# The server itself


def test_that_metrics_count_readings_and_requests() -> None:
    with tanks() as (serving, client):

        def told() -> dict[str, float]:
            rows = [r for r in client.get("/metrics").text.splitlines() if not r.startswith("#")]
            return {r.rpartition(" ")[0]: float(r.rpartition(" ")[2]) for r in rows}

        client.post(INBOX, json=[reading(serving, 17), reading(serving, 16)])
        client.post(INBOX, json=[reading(serving, 17, channel="nobody")])
        client.get("/api/twins/north/trust")
        client.get("/any/text/at/all")
        eventually(lambda: told()["gemeos_readings_total"], 2.0)
        after = told()
        route = 'method="GET",route="/api/twins/{twin}/trust",status="200"'
        assert after[f"gemeos_http_requests_total{{{route}}}"] == 1.0
        assert after["gemeos_refused_total"] == 1.0
        # The one was never heard, the other not for sixteen of its intervals.
        assert after['gemeos_twins{phase="starting"}'] == 1.0
        assert after['gemeos_twins{phase="blind"}'] == 1.0
        assert 15 <= after['gemeos_twin_age_seconds{twin="north"}'] < 60
        # A path is anybody's text: each would stay as a row for ever.
        assert not any("/any/text" in name for name in after)


def test_that_a_port_that_is_taken_is_told(serving: Serving) -> None:
    port = int(serving.url.rpartition(":")[2])
    with pytest.raises(SettingsError, match=f"127.0.0.1:{port} is taken"):
        asyncio.run(serve(serving.host, port=port))
    with pytest.raises(SettingsError, match="is not a port"):
        asyncio.run(serve(serving.host, port=70000))


def test_that_a_site_that_is_gone_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        connect(f"http://127.0.0.1:{port}") as connection,
        pytest.raises(LinkError, match="Is it running"),
    ):
        connection.site()


def test_that_readings_over_http_outlive_the_process(tmp_path: Path) -> None:
    store = tmp_path / "tanks.duckdb"
    with tanks(store=store) as (serving, client):
        sent = reading(serving, 2, 2.5)
        assert client.post(INBOX, json=sent).json()["committed"] == 1
    with tanks(store=store) as (serving, client):
        told = client.get("/api/twins/north/trust").json()
        channel = next(c for c in told["channels"] if c["variable"] == "upper.gauge")
        assert channel["last_value"] == 2.5


def test_that_a_client_is_told_what_it_did_wrong_as_in_one_process(serving: Serving) -> None:
    with connect(serving.url) as connection:
        taken = connection.send("inbox", [{"channel": "n/uppr", "valid_at": "x", "value": 1}])
        assert taken.committed == 0
        assert "Did you mean 'n/upper'?" in taken.refused[0].reason
        with pytest.raises(UnknownNameError, match="Did you mean 'inbox'"):
            connection.send("inbx", [])
        for name in ("", "..", "no/rth"):
            with pytest.raises(UnknownNameError):
                connection[name]
