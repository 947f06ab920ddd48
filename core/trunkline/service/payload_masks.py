"""What was received or would have been sent, as text for an operator: its secrets masked, its size bounded."""

from __future__ import annotations

import re

import msgspec

from trunkline.log import redact

__all__ = ["SHOWN", "Payload", "masked", "payload_of", "printable"]

#: Bytes of a body that are shown at most.
SHOWN = 256 * 1024
#: Read and masked beyond the end, so that no secret is cut in two and one half shown.
MARGIN = 16 * 1024
#: Characters left out where the body goes on: a secret of which only the first half was read is not recognised.
_TAIL = 4 * 1024
_MASK = "***"
_WORD = r"(?:secret|token|passw|passphrase|authorization|cookie|credential|private_?key|api_?key|signature)"
_NAME = rf"[\w.$-]{{0,40}}{_WORD}[\w.$-]{{0,40}}"
#: Values by the name beside them; of JSON, of a form, of XML. By pattern: much of this could not be parsed.
_ANY = re.IGNORECASE | re.DOTALL
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"?'
_BY_NAME = (
    (re.compile(rf'("{_NAME}"\s{{0,8}}:\s{{0,8}})(?:{_STRING}|-?\d[\d.eE+-]*|\[[^\]]*\]?)', _ANY), r'\1"***"'),
    (re.compile(rf'(\\"{_NAME}\\"\s{{0,8}}:\s{{0,8}}\\")[^"\\]*', re.IGNORECASE), rf"\1{_MASK}"),
    (re.compile(rf"((?:^|[&?\s]){_NAME}=)[^&\s\"'<>]+", re.IGNORECASE), rf"\1{_MASK}"),
    (re.compile(rf"(<{_NAME}>)(?:<!\[CDATA\[.*?(?:\]\]>|\Z)|[^<]+)", _ANY), rf"\1{_MASK}"),
)
#: What would move a terminal's cursor, colour it or turn lines round.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Payload(msgspec.Struct, frozen=True):
    """A body as text."""

    text: str
    #: Bytes of the whole.
    size: int
    #: Whether more of it is stored than `text` shows.
    cut: bool


def masked(text: str) -> str:
    """Return text without the secrets that are known and without values whose name says that they are some."""
    for pattern, instead in _BY_NAME:
        text = pattern.sub(instead, text)
    return str(redact(text))


def payload_of(start: bytes, size: int, most: int = SHOWN) -> Payload:
    """Return the beginning of a body of `size` bytes; `start` should reach `MARGIN` further than `most`."""
    text, goes_on = masked(start.decode("utf-8", "replace")), size > len(start)
    shown = text[: min(most, len(text) - _TAIL if goes_on else most)]
    return Payload(shown, size, goes_on or len(shown) < len(text))


def printable(text: str) -> str:
    """Return text that does nothing to a terminal but stand there."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
