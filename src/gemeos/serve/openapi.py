"""The OpenAPI 3.1 document, made from the declared operations and the types that they send."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from itertools import chain
from typing import Any, Final

import msgspec

from gemeos.serve.messages import Problem
from gemeos.serve.routes.operation import JSON, MSGPACK, Operation, Query

_REF: Final = "#/components/schemas/{name}"
_ALWAYS: Final = (401, 403, 422, 429, 503)
"""What any operation may answer: no token, not enough, not understood, too much, stopping."""
_SAID: Final = {
    200: "The answer",
    401: "No token that is good",
    403: "Not by this name, from this page, or with this token",
    404: "Nothing of that name, or no record that reaches back that far",
    409: "There is no estimate that can be trusted, it is not ready, or the guard refuses",
    413: "Too large; noted in the quarantine",
    415: "Not a content type that is taken",
    422: "Not understood, or not possible as it was asked",
    429: "Too much at once; Retry-After tells when to ask again",
    503: "Not ready, or stopping",
}


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document, as JSON would hold it."""
    listed = tuple(operations)
    queries = [o.query for o in listed]
    types = [o.sends for o in listed if o.sends is not None]
    types += [t for o in listed for t in (*o.takes, *chain(*o.variants.values()))]
    every = [*types, *queries, Problem]
    told, components = msgspec.json.schema_components(every, ref_template=_REF)
    schema_of = dict(zip(map(_key, every), told, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in listed:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, schema_of, components
        )
    parameters = {q.__name__ for q in queries}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gemeos",
            "version": version("gemeos"),
            "description": (
                "Digital twins kept in step with live readings. Doubt stands beside every value; "
                "every answer tells its source and how old its data is."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {n: s for n, s in components.items() if n not in parameters},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        # Either with a token, or without: on the machine itself.
        "security": [{"token": []}, {}],
    }


def _key(kind: Any) -> str:  # noqa: ANN401  a type expression
    return repr(kind)


def _operation(
    operation: Operation, schema_of: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            *_path_parameters(operation.path),
            *_parameters(operation.query, components),
        ],
        "responses": _responses(operation, schema_of),
    }
    if operation.role is None:
        told["security"] = []
    if operation.takes:
        body = {"schema": _either(operation.takes, schema_of)}
        told["requestBody"] = {"required": True, "content": {JSON: body}}
    return told


def _responses(operation: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {operation.media: {}}
    if operation.sends is not None:
        answer = {operation.media: {"schema": schema_of[_key(operation.sends)]}}
        if operation.answer is not None:
            answer[MSGPACK] = answer[operation.media]
    responses = {200: _response(200, answer)}
    problem = {JSON: {"schema": schema_of[_key(Problem)]}}
    always = _ALWAYS if operation.role is not None else ()
    for status in sorted({*always, *operation.problems}):
        responses[status] = _response(status, problem)
    for status, kinds in operation.variants.items():
        responses[status] = _response(status, {JSON: {"schema": _either(kinds, schema_of)}})
    return {str(status): responses[status] for status in sorted(responses)}


def _either(kinds: Iterable[Any], schema_of: dict[str, Any]) -> dict[str, Any]:
    found = [schema_of[_key(kind)] for kind in kinds]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _response(status: int, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": _SAID[status], "content": content}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [piece[1:-1] for piece in path.split("/") if piece.startswith("{")]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "pattern": "^[^/?#:\\s]+$"},
        }
        for name in names
    ]


def _parameters(query: type[Query], components: dict[str, Any]) -> list[dict[str, Any]]:
    schema = components.get(query.__name__, {})
    required = schema.get("required", ())
    told = []
    for name, of in schema.get("properties", {}).items():
        # A parameter is there or not; it is never null.
        shape = {k: v for k, v in of.items() if k not in {"anyOf", "default", "description"}}
        kinds = [kind for kind in of.get("anyOf", ()) if kind.get("type") != "null"]
        for kind in kinds:
            shape.update(kind)
        description = shape.pop("description", of.get("description"))
        if of.get("default") is not None:
            shape["default"] = of["default"]
        parameter = {"name": name, "in": "query", "required": name in required, "schema": shape}
        told.append(parameter if description is None else {**parameter, "description": description})
    return told
