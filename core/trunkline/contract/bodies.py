"""Bodies of webhooks that are JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec

__all__ = ["read_json"]

_ANYTHING: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def read_json(body: bytes, decoder: msgspec.json.Decoder[Any] = _ANYTHING) -> Any:
    """Return what a body says. Half of an emoji becomes a question mark: it shall not cost the whole body.

    Platforms that count in UTF-16 and cut there write such halves, as escapes.

    Raises:
        ValueError, RecursionError: it is no JSON, or not what `decoder` wants.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        text = json.dumps(json.loads(body), ensure_ascii=False)
        return decoder.decode(text.encode(errors="replace"))
