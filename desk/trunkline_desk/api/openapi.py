"""The document of the API, made from the route table and the models: `python -m trunkline_desk.api.openapi`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from trunkline_desk.api.models.house import Problem
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.route import Route
from trunkline_desk.api.table import PREFIX, ROUTES
from trunkline_desk.people.roles import Action

__all__ = ["document", "text"]

_BINARY = {"type": "string", "format": "binary"}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request does nothing twice and gets the same answer, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


class _Schema(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """As usual, without the title."""
        made = super().model_schema(schema)
        made.pop("title", None)
        return made

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        """Without the default: generated clients take a field that has one for a field that must be sent."""
        return self.generate_inner(schema["schema"])

    def enum_schema(self, schema: Any) -> JsonSchemaValue:
        """As usual, without the title."""
        made = super().enum_schema(schema)
        made.pop("title", None)
        return made


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Trunkline agents' API",
            "version": "1",
            "description": (
                "What the inbox uses, and what a program may use in its place. Times are RFC 3339 in UTC; ids are "
                "opaque; lists go on with `next_cursor`; refusals are problem documents with a stable `code`. "
                "The live feed is the WebSocket `/api/v1/stream?cursor=…&ticket=…`."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"bearer": []}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def text() -> str:
    """Return the document as it is kept: the same bytes for the same tables."""
    return json.dumps(document(), indent=1, ensure_ascii=False, sort_keys=False) + "\n"


def _schemas() -> dict[str, Any]:
    answers: set[type[BaseModel]] = {Problem, *(route.answer for route in ROUTES if route.answer)}
    bodies = {route.body for route in ROUTES if route.body}
    named = sorted(answers | bodies, key=lambda model: model.__name__)
    modes: list[Any] = [(model, "validation" if model in bodies else "serialization") for model in named]
    _, made = models_json_schema(modes, ref_template="#/components/schemas/{model}", schema_generator=_Schema)
    return dict(sorted(made["$defs"].items()))


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route)
    return paths


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.path.split("/")[1]],
        "parameters": [*_path_parameters(route), *_query_parameters(route), *([_KEY] if route.takes_key else [])],
        "responses": _responses(route),
    }
    body = _request_body(route)
    if body:
        operation["requestBody"] = body
    if route.action is Action.ANYBODY:
        operation["security"] = []
    else:
        operation["x-action"] = route.action.value
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    properties = route.query.model_json_schema(schema_generator=_Schema)["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_null(schema)}
        for name, schema in properties.items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not given is left out; there is no null in an address."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if not kinds:
        return schema
    shape: dict[str, Any] = kinds[0]
    return shape


def _request_body(route: Route) -> dict[str, Any] | None:
    if route.consumes != "application/json":
        return {"required": True, "content": {route.consumes: {"schema": _BINARY}}}
    if route.body is None:
        return None
    content: dict[str, Any] = {"schema": _reference(route.body)}
    if route.body is EmptyBody:
        content["example"] = {}
    return {"required": True, "content": {"application/json": content}}


def _responses(route: Route) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        good["content"] = {"application/json": {"schema": _reference(route.answer)}}
    elif route.produces != "application/json":
        good["content"] = {route.produces: {"schema": _BINARY}}
    refused: dict[int, list[str]] = {}
    for status, code in sorted({*_common(route), *route.refusals}):
        refused.setdefault(status, []).append(code)
    partial = {"206": {**good, "description": "Partial Content"}} if route.operation == "download" else {}
    return {
        str(route.status): good,
        **partial,
        **{str(status): _problem(codes) for status, codes in refused.items()},
        "default": _problem(["…"]),
    }


def _common(route: Route) -> Iterable[tuple[int, str]]:
    """Return the refusals that follow from what a route is."""
    yield 503, "store_unavailable"
    if route.action is not Action.ANYBODY:
        yield 401, "sign_in_needed"
        yield 403, "not_allowed"
    if route.writes:
        yield 403, "cross_site"
    if route.query is not None:
        yield 400, "bad_parameter"
    if route.takes_key:
        yield 400, "bad_idempotency_key"
        yield 409, "idempotency_key_reused"
    if route.body is not None:
        yield 400, "body_unreadable"
        yield 413, "body_too_large"
        yield 415, "json_only"
        yield 422, "invalid"


def _problem(codes: list[str]) -> dict[str, Any]:
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {"application/problem+json": {"schema": _reference(Problem)}},
    }


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


if __name__ == "__main__":
    sys.stdout.write(text())
