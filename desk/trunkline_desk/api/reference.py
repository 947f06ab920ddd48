"""The document of the API as one page for people: plain HTML, no script."""

from __future__ import annotations

import re
from html import escape
from typing import Any

__all__ = ["STYLE", "render"]

STYLE = """
:root{color-scheme:light dark;
--line:color-mix(in srgb,CanvasText 18%,Canvas);--soft:color-mix(in srgb,CanvasText 6%,Canvas)}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
background:Canvas;color:CanvasText}
h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.5rem;border-bottom:1px solid var(--line)}
code{font:14px/1.5 ui-monospace,monospace}
details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;padding:.5rem .75rem}
summary{cursor:pointer}summary b{display:inline-block;min-width:4.5rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
td,th{text-align:left;vertical-align:top;border-top:1px solid var(--line);padding:.25rem .75rem .25rem 0}
p.note{background:var(--soft);padding:.5rem .75rem;border-radius:.5rem}
"""


def render(document: dict[str, Any]) -> str:
    """Return the page."""
    info = document["info"]
    operations = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(info['title'])}</h1><p>{_words(info['description'])}</p>"
        '<p class="note">Machines read <a href="/api/openapi.json">openapi.json</a>. Requests carry '
        "<code>Authorization: Bearer tla_…</code>; bodies are <code>application/json</code>.</p>"
        f"<h2>Operations</h2>{''.join(operations)}<h2>Shapes</h2>{''.join(schemas)}</main></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [_row(item["name"], _kind(item["schema"]), item["in"]) for item in operation["parameters"]]
    body = operation.get("requestBody")
    if body:
        rows += [_row("body", _kind(content["schema"]), mime) for mime, content in body["content"].items()]
    for status, response in operation["responses"].items():
        kinds = ", ".join(_kind(content["schema"]) for content in response.get("content", {}).values())
        rows.append(_row(status, kinds or "nothing", response["description"]))
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b>{method.upper()}</b> '
        f"<code>{escape(path)}</code> {_words(operation['summary'])}</summary><table>{''.join(rows)}</table></details>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        _row(field if field in required else f"{field}?", _kind(kind), kind.get("description", ""))
        for field, kind in schema.get("properties", {}).items()
    ]
    if not rows:
        rows = [_row("", _kind(schema), "")]
    words = _words(schema.get("description", ""))
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code> {words}</summary>'
        f"<table>{''.join(rows)}</table></details>"
    )


def _row(name: str, kind: str, words: str) -> str:
    return f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td><td>{_words(words)}</td></tr>"


def _words(text: str) -> str:
    """Return words with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _kind(schema: dict[str, Any]) -> str:
    """Return a schema in one line, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_kind(one) for one in schema[several])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("format") or schema.get("type") or "anything"))
