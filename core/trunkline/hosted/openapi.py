"""The document of the visitor protocol, made from the table of calls and the models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from trunkline.hosted.answers import Refusal
from trunkline.hosted.calls import ANYBODY, KEY, TOKEN, ClientRoute
from trunkline.hosted.refusals import CODES
from trunkline.hosted.repeating import HEADER, is_repeatable
from trunkline.hosted.rotating import HEADER as NEXT_TOKEN

__all__ = ["document", "text"]

_PREFIX = "/client/v1"
_BINARY = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}


class _Schema(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False

    def default_schema(self, schema: Any) -> Any:
        """Without the default."""
        return self.generate_inner(schema["schema"])


def document(calls: Iterable[ClientRoute]) -> dict[str, Any]:
    """Return the OpenAPI document of these calls."""
    routes = list(calls)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Trunkline visitor protocol",
            "version": "1",
            "description": (
                "What the widget and the SDKs speak. Times are RFC 3339 in UTC, ids are opaque, unknown fields are "
                "ignored on both sides. The live connection is the WebSocket `/client/v1/ws`, subprotocol `occ.v1`."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(routes),
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Inbox-Key"},
            },
        },
    }


def text(calls: Iterable[ClientRoute]) -> str:
    """Return the document as it is served."""
    return json.dumps(document(calls), indent=1, ensure_ascii=False) + "\n"


def _schemas(routes: list[ClientRoute]) -> dict[str, Any]:
    answers: set[type[BaseModel]] = {Refusal, *(route.answer for route in routes if route.answer)}
    bodies = {route.body for route in routes if route.body}
    named = sorted(answers | bodies, key=lambda model: model.__name__)
    modes: list[Any] = [(model, "validation" if model in bodies else "serialization") for model in named]
    _, made = models_json_schema(modes, ref_template="#/components/schemas/{model}", schema_generator=_Schema)
    return dict(sorted(made["$defs"].items()))


def _paths(routes: list[ClientRoute]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(_PREFIX + route.path, {})[route.method.lower()] = _operation(route)
    return paths


_SECURITY: dict[str, list[dict[str, list[str]]]] = {ANYBODY: [], KEY: [{"key": []}], TOKEN: [{"token": []}]}


_KEY_HEADER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same key again, within 24 hours: the same answer, and nothing is done twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
}


_NEXT_TOKEN: dict[str, Any] = {
    "description": "The token that follows the one that was sent: keep it, then use it.",
    "required": False,
    "schema": {"type": "string", "pattern": "^vt_[A-Za-z0-9_-]{43}$"},
}


def _operation(route: ClientRoute) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "security": _SECURITY[route.auth],
        "parameters": [
            *_path_parameters(route),
            *_query_parameters(route),
            *([_KEY_HEADER] if is_repeatable(route) else []),
        ],
        "responses": _responses(route),
    }
    body = _request_body(route)
    return operation | ({"requestBody": body} if body else {})


def _path_parameters(route: ClientRoute) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: ClientRoute) -> list[dict[str, Any]]:
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
    shape: dict[str, Any] = kinds[0] if kinds else schema
    return shape


def _request_body(route: ClientRoute) -> dict[str, Any] | None:
    if route.consumes == "multipart/form-data":
        return {"required": True, "content": {route.consumes: {"schema": _FORM}}}
    if route.consumes != "application/json":
        return {"required": True, "content": {route.consumes: {"schema": _BINARY}}}
    if route.body is None:
        return None
    return {"required": True, "content": {"application/json": {"schema": _reference(route.body)}}}


def _responses(route: ClientRoute) -> dict[str, Any]:
    good: dict[str, Any] = {}
    if route.answer is not None:
        good["content"] = {"application/json": {"schema": _reference(route.answer)}}
    elif route.produces != "application/json":
        good["content"] = {route.produces: {"schema": _BINARY}}
    if route.rotates:
        good["headers"] = {NEXT_TOKEN: _NEXT_TOKEN}
    answers = {str(route.status): {"description": HTTPStatus(route.status).phrase, **good}}
    for status in route.also:
        body = good if status < 300 else {}
        answers[str(status)] = {"description": HTTPStatus(status).phrase, **body}
    return answers | _refusals(route)


def _refusals(route: ClientRoute) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in sorted({*_common(route), *route.refusals}):
        by_status.setdefault(CODES[code].status, []).append(code)
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in codes),
            "content": {"application/json": {"schema": _reference(Refusal)}},
        }
        for status, codes in sorted(by_status.items())
    }


#: What a call needs → how it refuses whoever has not got it.
_UNPROVED: dict[str, tuple[str, ...]] = {
    ANYBODY: (),
    KEY: ("unknown_key",),
    TOKEN: ("token_missing", "token_invalid", "token_expired", "identity_required"),
}


def _common(route: ClientRoute) -> Iterator[str]:
    """Yield the codes that follow from what a call is."""
    yield from ("server_error", "unavailable", "rate_limited", "client_too_old", "method_not_allowed")
    yield from _UNPROVED[route.auth]
    if is_repeatable(route):
        yield from ("bad_idempotency_key", "idempotency_key_reused")
    if "{" in route.path:
        yield "not_found"
    if route.query is not None:
        yield "bad_parameter"
    if route.body is not None:
        yield from ("bad_json", "bad_request", "too_large", "unsupported_media_type", "invalid_field")


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
