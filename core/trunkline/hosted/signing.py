"""Signatures of our own: cursors, addresses of files, places to upload to. Nobody else can make one."""

from __future__ import annotations

import base64
import hmac
import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from trunkline.service.secret_box import SecretBox

__all__ = ["Cursor", "Signer"]

_CURSOR = re.compile(r"e([0-9]{1,9})\.([0-9]{1,18})\.([0-9]{1,15})\.([A-Za-z0-9_-]{22})", re.ASCII)


class Cursor(msgspec.Struct, frozen=True):
    """A place in a visitor's feed."""

    epoch: int
    seq: int
    #: When it was given, ms since the epoch: what stands at `seq` is not younger, unless the log was put back.
    at: int


class Signer:
    """Signs words and believes its own signatures: 128 bits of HMAC-SHA256."""

    def __init__(self, box: SecretBox) -> None:
        self._keys = box.derive("client protocol")

    def sign(self, *words: object) -> str:
        """Return the signature of these words in this order."""
        return _digest(self._keys[0], words)

    def verify(self, signature: str, *words: object) -> bool:
        """Whether one of our keys made this signature of these words."""
        given = signature.encode()
        return any(hmac.compare_digest(_digest(key, words).encode(), given) for key in self._keys)

    def followers(self, token: str) -> list[str]:
        """Return the 43 characters that may follow a token, one by each of our keys, the present key's first."""
        return [_text(hmac.digest(key, b"follows\0" + token.encode(), "sha256")) for key in self._keys]

    def cursor(self, visitor_id: str, cursor: Cursor) -> str:
        """Return a cursor as the client keeps it."""
        signature = self.sign("cursor", visitor_id, cursor.epoch, cursor.seq, cursor.at)
        return f"e{cursor.epoch}.{cursor.seq}.{cursor.at}.{signature}"

    def read_cursor(self, visitor_id: str, text: str) -> Cursor | None:
        """Return a cursor of this visitor, None if it is none of theirs."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            return None
        cursor = Cursor(int(found[1]), int(found[2]), int(found[3]))
        is_ours = self.verify(found[4], "cursor", visitor_id, cursor.epoch, cursor.seq, cursor.at)
        return cursor if is_ours else None


def _digest(key: bytes, words: tuple[object, ...]) -> str:
    said = b"\0".join(str(word).encode() for word in words)
    return _text(hmac.digest(key, said, "sha256")[:16])


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
