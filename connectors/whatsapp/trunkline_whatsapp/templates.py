"""Approved templates: what has to be filled in, and how that is sent. Pure.

A blank's name tells its place: "1" or "first_name" in the text, "header.1" or "header.image" above it, "button.0.url"
in the button with this number. So a message can be made of its variables alone.

Source: https://developers.facebook.com/docs/whatsapp/business-management-api/message-templates (read 2026-11-22)
"""

from __future__ import annotations

import re
from typing import Any

from trunkline.contract import TemplateInfo, TemplateVariable
from trunkline.errors import Undeliverable

Json = dict[str, Any]

_BLANK = re.compile(r"\{\{\s*(\w+)\s*\}\}")
#: Format of a header → kind of its variable.
_HEADERS = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "file"}
#: Kind of a variable → WhatsApp's word.
_FILES = {"image": "image", "video": "video", "file": "document"}
#: Type of a button → how its variable is called, its length. The words of a quick reply come back where it has no
#: payload, so that nobody has to invent one.
_BUTTONS = {"URL": ("url", 2000), "OTP": ("url", 15), "COPY_CODE": ("code", 15)}
#: How the variable of a button is called → sub_type, type and field of its parameter.
_SENT = {
    "url": ("url", "text", "text"),
    "code": ("copy_code", "coupon_code", "coupon_code"),
    "payload": ("quick_reply", "payload", "payload"),
}


def info_of(template: Json) -> TemplateInfo:
    """Return what WhatsApp lists as the contract's value."""
    parts = {part.get("type"): part for part in template.get("components") or ()}
    header, body, buttons = (parts.get(name, {}) for name in ("HEADER", "BODY", "BUTTONS"))
    above = _BLANK.sub(r"{{header.\1}}", header.get("text", ""))
    lines = (above, body.get("text"), parts.get("FOOTER", {}).get("text"))
    labels = [f"[{one.get('text', '')}]" for one in buttons.get("buttons") or ()]
    note = _note(template, parts, header)
    return TemplateInfo(
        name=template["name"],
        language=template["language"],
        category=str(template.get("category", "")).lower(),
        text="\n".join([*filter(None, lines), *labels]),
        variables=(*_of_header(header), *_of_text(body, "body", ""), *_of_buttons(buttons)),
        usable=note is None,
        note=note,
    )


def _note(template: Json, parts: Json, header: Json) -> str | None:
    status = template.get("status")
    if status != "APPROVED":
        reason = template.get("rejected_reason")
        return f"WhatsApp says {status}" + (f" ({reason})." if reason not in {None, "NONE"} else ".")
    strange = {*map(str, parts)} - {"HEADER", "BODY", "FOOTER", "BUTTONS"} | (
        {str(header.get("format", "TEXT"))} - {"TEXT", *_HEADERS}
    )
    return f"It has parts that cannot be filled in here: {', '.join(sorted(strange))}." if strange else None


def _of_text(part: Json, place: str, prefix: str) -> list[TemplateVariable]:
    given = part.get("example") or {}
    listed = given.get(f"{place}_text") or []
    examples = listed[0] if listed and isinstance(listed[0], list) else listed
    named = {one.get("param_name"): one.get("example") for one in given.get(f"{place}_text_named_params") or ()}
    blanks = dict.fromkeys(_BLANK.findall(part.get("text") or ""))
    limit = 60 if place == "header" else 1024
    return [
        TemplateVariable(name=prefix + name, place=place, max_length=limit,
                         example=named.get(name, examples[at] if at < len(examples) else None))
        for at, name in enumerate(blanks)
    ]  # fmt: skip


def _of_header(header: Json) -> list[TemplateVariable]:
    kind = _HEADERS.get(header.get("format", ""))
    if kind is None:
        return _of_text(header, "header", "header.")
    example = next(iter((header.get("example") or {}).get("header_handle") or ()), None)
    return [TemplateVariable(name=f"header.{kind}", kind=kind, place="header", example=example)]


def _of_buttons(part: Json) -> list[TemplateVariable]:
    found = []
    for at, button in enumerate(part.get("buttons") or ()):
        called, limit = _BUTTONS.get(button.get("type", ""), (None, 0))
        if called is None or (button["type"] == "URL" and not _BLANK.search(button.get("url", ""))):
            continue
        examples = button.get("example") or [button.get("text")]
        example = examples[0] if isinstance(examples, list) else examples
        found.append(TemplateVariable(name=f"button.{at}.{called}", place="button", example=example,
                                      max_length=limit))  # fmt: skip
    return found


# ---------------------------------------------------------------- sending


def components_of(variables: Json) -> list[Json]:
    """Return the `components` of a template message: the header's, the body's, one for each button."""
    head, body, buttons = [], [], []
    for name, value in sorted(variables.items(), key=lambda one: (len(one[0]), one[0])):
        place, _, rest = name.partition(".")
        if place == "header" and rest:
            head.append(_parameter(rest, value))
        elif place == "button" and rest:
            buttons.append(_button(rest, value))
        else:
            body.append(_parameter(name, value))
    groups = [{"type": kind, "parameters": held} for kind, held in (("header", head), ("body", body)) if held]
    return [*groups, *sorted(buttons, key=lambda one: int(one["index"]))]


def _parameter(name: str, value: Any) -> Json:
    """Return a value by its shape: a file, an amount or a date as an object, all else as text."""
    if name in _FILES:
        return {"type": _FILES[name], _FILES[name]: _file(name, value)}
    named = {} if name.isdecimal() else {"parameter_name": name}
    if isinstance(value, dict) and "fallback_value" in value:
        kind = "currency" if "amount_1000" in value else "date_time"
        return {"type": kind, **named, kind: value}
    return {"type": "text", **named, "text": str(value)}


def _file(kind: str, value: Any) -> Json:
    """Return a reference to a file: its public address, or WhatsApp's id of it; a document has a name as well."""
    given = value if isinstance(value, dict) else {"link": value}
    name = {"filename": given["name"]} if kind == "file" and given.get("name") else {}
    if given.get("id"):
        return {"id": given["id"], **name}
    if not str(given.get("link")).startswith("https://"):
        words = "A template's picture, film or file needs a public address that begins with https://."
        raise Undeliverable(words, code="template_variables")
    return {"link": given["link"], **name}


def _button(rest: str, value: Any) -> Json:
    index, _, called = rest.partition(".")
    if not index.isdecimal() or called not in _SENT:
        raise Undeliverable(f"There is no button.{rest} in a template of WhatsApp.", code="template_variables")
    sub_type, kind, field = _SENT[called]
    return {"type": "button", "sub_type": sub_type, "index": index, "parameters": [{"type": kind, field: str(value)}]}
