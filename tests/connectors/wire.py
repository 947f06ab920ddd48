"""Recorded exchanges with a platform: one a line in `wire*.jsonl` beside the tests of its connector.

Each is a request that the platform documents and the answer that it documents for it. `<name>` stands for a setting of
the account, the customer and their `first` message, an id that we make up (`ours`), or for what an earlier answer gave
(`keep`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from trunkline.model import Content

__all__ = ["RECORDINGS", "Call", "Exchange", "differences", "filled", "recorded"]

_HERE = Path(__file__).parent
#: Channel → its recording.
RECORDINGS = {
    "line": "line/wire.jsonl",
    "whatsapp": "whatsapp/wire.jsonl",
    "facebook": "facebook/wire.jsonl",
    "instagram": "facebook/wire_instagram.jsonl",
    "wechat_oa": "wechat/wire_official.jsonl",
    "wechat_mini": "wechat/wire_official.jsonl",
    "wecom": "wechat/wire_wecom.jsonl",
    "wechat_kf": "wechat/wire_kf.jsonl",
    "weibo": "weibo/wire.jsonl",
    "baidu_ad": "baidu/wire.jsonl",
}
#: What programs decide on, whatever else an answer says in words: compared by value, everything else by its type.
_CODES = {"code", "error_subcode", "errcode", "errno", "error_code", "result"}
_PLACE = re.compile(r"<(\w+)>")


class Call(msgspec.Struct, kw_only=True):
    """A request of ours."""

    method: str
    path: str
    query: dict[str, str] = {}
    #: Those that matter, by their names in small letters.
    headers: dict[str, str] = {}
    json: Any = None
    form: dict[str, str] | None = None

    async def ask(self, http: httpx2.AsyncClient) -> httpx2.Response:
        body: dict[str, Any] = {"json": self.json} if self.json is not None else {"data": self.form}
        return await http.request(self.method, self.path, params=self.query, headers=self.headers, **body)


class Answer(msgspec.Struct, kw_only=True):
    """The platform's."""

    status: int
    json: Any


class Exchange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A request, its answer, and what a connector has to do with both."""

    name: str
    call: Call
    answer: Answer
    #: Passes before it, so that a window may close.
    later_s: float = 0
    #: Our name for a value → the key of the answer that holds it; for the exchanges after this one.
    keep: dict[str, str] = {}
    #: Keys of the answer that are compared by value too.
    decides: frozenset[str] = frozenset()
    #: Keys that the platform gives to some only, or that nobody reads: a simulator may leave them out.
    may_lack: frozenset[str] = frozenset()
    #: Channels that share the recording and have this exchange; empty for all.
    only: frozenset[str] = frozenset()
    #: The content for which a connector makes this request, None for exchanges that only the simulator is asked.
    sends: Content | None = None
    quick_replies: list[dict[str, Any]] = []
    to: str = "<customer>"
    #: `to` where nothing is said.
    thread_key: str = ""
    key: str = "11111111-0000-4000-8000-000000000001"
    #: What a connector makes of the answer: "Accepted" or the name of an error.
    outcome: str | None = None
    #: Parts of the request that a connector makes otherwise: "body", or a header.
    not_compared: frozenset[str] = frozenset()


def recorded(channel: str) -> list[Exchange]:
    """Return the exchanges of a channel in their order."""
    lines = (_HERE / RECORDINGS[channel]).read_text(encoding="utf-8").splitlines()
    found = [msgspec.json.decode(line, type=Exchange) for line in lines]
    return [one for one in found if not one.only or channel in one.only]


def filled(exchange: Exchange, known: Mapping[str, Any]) -> Exchange:
    """Return the exchange with every `<name>` replaced; a value that is nothing else keeps its type."""

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(one) for key, one in value.items()}
        if isinstance(value, list):
            return [fill(one) for one in value]
        if not isinstance(value, str):
            return value
        whole = _PLACE.fullmatch(value)
        if whole and whole[1] in known:
            return known[whole[1]]
        return _PLACE.sub(lambda place: str(known.get(place[1], place[0])), value)

    words = fill(json.loads(msgspec.json.encode(exchange)))
    return msgspec.convert(words, Exchange, strict=False)


def differences(recorded: Any, found: Any, decides: Iterable[str] = (), at: str = "") -> list[str]:
    """Return where two answers differ in their keys, types, or the codes that decide."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        only = [f"{at}.{key} is only recorded" for key in recorded.keys() - found.keys()]
        only += [f"{at}.{key} is not recorded" for key in found.keys() - recorded.keys()]
        both = [key for key in recorded if key in found]
        return only + [
            words for key in both for words in differences(recorded[key], found[key], decides, f"{at}.{key}")
        ]
    if isinstance(recorded, list) and isinstance(found, list):
        if bool(recorded) != bool(found):
            return [f"{at} is empty in one of both"]
        return [words for one in found for words in _nearest(recorded, one, decides, f"{at}[]")]
    if type(recorded) is not type(found):
        return [f"{at} is {type(recorded).__name__} recorded, {type(found).__name__} found"]
    name = at.rpartition(".")[2]
    if (name in _CODES or name in decides) and recorded != found:
        return [f"{at} is {recorded!r} recorded, {found!r} found"]
    return []


def _nearest(recorded: list[Any], found: Any, decides: Iterable[str], at: str) -> list[str]:
    """Return where a value differs from that recorded one which it is most like."""
    return min((differences(one, found, decides, at) for one in recorded), key=len)
