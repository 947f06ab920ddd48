"""What the visitor protocol answers when it says no: one table of codes, one shape.

Codes are what clients act on; words are for the developer who reads a log. No answer repeats what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trunkline.errors import TrunklineError

__all__ = ["CODES", "FOR_APPLICATIONS", "ClientRefused", "Code"]


class Code(msgspec.Struct, frozen=True):
    """A code: its HTTP status, and what it says."""

    status: int
    message: str


CODES: Mapping[str, Code] = {
    "bad_json": Code(400, "The body is no JSON."),
    "bad_request": Code(400, "The request is not understood."),
    "bad_parameter": Code(400, "A parameter of the address is wrong."),
    "bad_idempotency_key": Code(400, "An Idempotency-Key is 1 to 255 visible ASCII characters."),
    "token_missing": Code(401, "Send the token: Authorization: Bearer vt_…"),
    "token_invalid": Code(401, "This token opens nothing."),
    "token_expired": Code(401, "This token is over; get a new one."),
    "identity_invalid": Code(401, "The proof of identity is not good."),
    "identity_expired": Code(401, "The proof of identity is over; get a fresh one."),
    "identity_not_yet_valid": Code(401, "The proof of identity is not good yet: compare the clocks."),
    "identity_required": Code(403, "This inbox serves nobody without a proof of identity."),
    "client_not_allowed": Code(403, "This client may not do that."),
    "not_found": Code(404, "There is nothing here."),
    "unknown_key": Code(404, "There is no inbox with this key."),
    "method_not_allowed": Code(405, "This address takes other methods."),
    "client_id_conflict": Code(409, "This client_id was used for another message."),
    "idempotency_key_reused": Code(409, "This Idempotency-Key was used for another request; use a new one."),
    "thread_closed": Code(409, "This thread takes no more messages; write to the live one."),
    "identity_conflict": Code(409, "The token belongs to somebody else; send switch=true to change the user."),
    "anonymous_history_loss": Code(409, "Nobody could read this history again; send force=true if that is wanted."),
    "verified_field": Code(409, "A signed value stands here; only a signed one replaces it."),
    "card_answered": Code(409, "This card was answered already."),
    "already_requested": Code(409, "A person was asked for already."),
    "not_queued": Code(409, "Nobody waits here."),
    "no_session": Code(409, "There is no talk to end."),
    "already_rated": Code(409, "This was rated already."),
    "rating_expired": Code(409, "It is too late to rate this."),
    "submission_disabled": Code(409, "This inbox takes no forms now."),
    "form_outdated": Code(409, "The form has changed; fill in the new one."),
    "cursor_expired": Code(410, "Read everything anew and go on with the new cursor."),
    "redacted": Code(410, "This was removed."),
    "too_large": Code(413, "This is too large."),
    "unsupported_media_type": Code(415, "Send application/json, not compressed."),
    "type_not_allowed": Code(415, "Files of this type are not taken."),
    "invalid_field": Code(422, "A field is wrong."),
    "field_errors": Code(422, "Some answers are missing or wrong."),
    "empty_message": Code(422, "There is nothing in this message."),
    "text_too_long": Code(422, "The text is too long."),
    "unsupported_kind": Code(422, "Messages of this kind are not taken."),
    "unknown_upload": Code(422, "There is no such upload of yours, or it was sent already."),
    "unknown_action": Code(422, "The message has no such button."),
    "unknown_group": Code(422, "There is no such group."),
    "invalid_score": Code(422, "There is no such score."),
    "mime_mismatch": Code(422, "The file is not what it says it is."),
    "file_unreadable": Code(422, "The file is empty or damaged."),
    "invalid_push_token": Code(422, "This is no push token of that provider."),
    "client_too_old": Code(426, "This client is too old: update it."),
    "upgrade_required": Code(426, "Open a WebSocket with the subprotocol occ.v1."),
    "rate_limited": Code(429, "Slow down."),
    "server_error": Code(500, "Something went wrong on our side; the request id finds it in the log."),
    "unavailable": Code(503, "Not now; try again."),
}

#: Codes of the protocol whose calls no part of the core has: those of applications refuse with them.
FOR_APPLICATIONS = frozenset(
    {
        "already_requested",
        "not_queued",
        "no_session",
        "already_rated",
        "rating_expired",
        "unknown_group",
        "invalid_score",
    }
)


class ClientRefused(TrunklineError):
    """A call of a visitor's client is refused with a code of the table."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        field: str | None = None,
        retry_after: int | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message or CODES[code].message)
        self.code, self.field, self.retry_after = code, field, retry_after
        #: Further members beside `error`.
        self.more = dict(more or {})
        #: Further headers of the answer: {"allow": …}.
        self.headers: dict[str, str] = {}

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code].status

    def error(self) -> dict[str, Any]:
        """Return the members of `error`."""
        shown = {"code": self.code, "message": str(self), "field": self.field, "retry_after": self.retry_after}
        return {name: value for name, value in shown.items() if value is not None}
