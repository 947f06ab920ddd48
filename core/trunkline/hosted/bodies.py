"""What is said about a body, or a frame, that does not fit its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trunkline.hosted.refusals import ClientRefused

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["refused_body"]

#: Complaints of pydantic that mean that the body is no JSON at all.
_NO_JSON = frozenset({"json_invalid", "json_type"})
#: Fields that prove something: whoever sends another kind of value there sends no mistake.
_PROOFS = frozenset({"identity", "token", "device_id", "client_id", "push_token"})


def refused_body(error: ValidationError) -> ClientRefused:
    """Return what is said about a body that does not fit."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    if any(one["type"] in _NO_JSON for one in found):
        return ClientRefused("bad_json")
    place = [str(part) for part in found[0]["loc"] if not _is_branch(str(part))]
    field = ".".join(place)
    if place and place[0] in _PROOFS and found[0]["type"].endswith("_type"):
        return ClientRefused("bad_request", field=field)
    return ClientRefused("invalid_field" if place else "bad_request", field=field or None)


def _is_branch(part: str) -> bool:
    """Whether a part of pydantic's path names one of several shapes instead of a field."""
    return part.startswith(("constrained-", "function-")) or part in {"str", "HmacIdentity", "int", "float", "bool"}
