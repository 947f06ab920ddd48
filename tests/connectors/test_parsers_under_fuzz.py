"""Every connector's parser and proof under generated input: what was recorded of its platform, spoilt in many ways.

Push run, on each channel: 2,000 spoilt bodies, 1,000 with further fields, 2,000 changed requests; a tenth of that in
`make test`. The conformance suite tries one spoilt value at a time at each place; here they come together, in any
number, in the text as well as in the values. The same examples come in every run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from tests.conftest import RUNS
from tests.promises.office import PLATFORMS, SUBJECTS
from trunkline.contract import Connector, Item, TrustedBody, WebhookRequest
from trunkline.errors import BodyUnreadable, RequestRefused
from trunkline.model import Unsupported
from trunkline.testing.conformance.door import normal
from trunkline.testing.conformance.json_values import changed, left_out, paths_in, value_at
from trunkline.testing.conformance.reading import told
from trunkline.testing.conformance.stage import simulator_of
from trunkline.testing.services import FakeServices, HandClock
from trunkline.testing.simulator import Simulator

Json = dict[str, Any]

_HERE = Path(__file__).parent
_FIGURE = RUNS[os.environ.get("TRUNKLINE_ROUNDS", "tenth")]
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def examples(push: int, long: int) -> settings:
    """Return how many examples are tried; the same ones in every run but a long one."""
    count = _FIGURE(push, long)
    return settings(max_examples=count, derandomize=count < long, database=None, suppress_health_check=_SLOW)


# ---------------------------------------------------------------- what is spoilt


def _samples(file: str) -> list[Json]:
    return [json.loads(line) for line in (_HERE / file).read_text(encoding="utf-8").splitlines()]


_HEAD = {"ToUserName": "gh_omni000001", "FromUserName": "oABC_user-0001", "CreateTime": 1720000100, "AgentID": 1000002}


def _packet(one: Json) -> Json:
    return {**_HEAD, **one["packet"]}


def _entry(one: Json) -> Json:
    return {"object": one["object"], "entry": [{"id": "9001", "time": 1767225600000, one["where"]: [one["event"]]}]}


#: Channel → (its samples, how one of them is a body).
_RECORDED: dict[str, tuple[str, Callable[[Json], Json]]] = {
    "baidu_ad": ("baidu/samples.jsonl", lambda one: one["packet"]),
    "facebook": ("facebook/samples.jsonl", _entry),
    "instagram": ("facebook/samples.jsonl", _entry),
    "line": ("line/samples.jsonl", lambda one: {"destination": "U0", "events": [one["event"]]}),
    "wechat_kf": ("wechat/samples_kf.jsonl", lambda one: {"errcode": 0, "has_more": 0, "msg_list": [one["item"]]}),
    "wechat_mini": ("wechat/samples_official.jsonl", _packet),
    "wechat_oa": ("wechat/samples_official.jsonl", _packet),
    "wecom": ("wechat/samples_wecom.jsonl", _packet),
    "weibo": ("weibo/samples.jsonl", lambda one: one["packet"]),
    "whatsapp": (
        "whatsapp/samples.jsonl",
        lambda one: {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [one["change"]]}]},
    ),
}
#: Platforms that also, or only, speak XML.
_XML = {"wechat_kf", "wechat_mini", "wechat_oa", "wecom"}


@cache
def recorded(channel: str) -> list[Json]:
    """Return the recorded bodies of a channel; what is no object by then is left to others."""
    file, body = _RECORDED[channel]
    return [body(one) for one in _samples(file) if all(isinstance(one.get(key), dict) for key in _PART & one.keys())]


_PART = {"packet", "event", "item", "change"}


@cache
def platform_of(channel: str) -> Simulator:
    return simulator_of(SUBJECTS[channel])(clock=HandClock())


@cache
def connector_of(channel: str) -> Connector:
    subject = SUBJECTS[channel]
    config = subject.spec.config.model_validate(platform_of(channel).settings())
    return subject.spec.build(FakeServices(config, channel=channel, clock=HandClock()))


def test_every_channel_has_recorded_bodies() -> None:
    assert set(_RECORDED) == set(PLATFORMS)
    assert {channel: len(recorded(channel)) > 3 for channel in PLATFORMS} == dict.fromkeys(PLATFORMS, True)


_EMOJI, _RTL, _HALF = "👨‍👩‍👧‍👦🦊", "\u202eשלום\u2066\u200f", "\ud83e"
_ODD: list[Any] = [
    None, True, False, 0, -1, 1 << 63, 1 << 70, 10**400, 1e308, float("nan"), float("inf"), 1.5, "", " ", "\x00", "0",
    _EMOJI, _RTL, _HALF, "x" * 5_000, [], {}, [[]], [None], {"": None}, {"x": {}},
]  # fmt: skip


def _deep(kind: str) -> Any:
    value: Any = "bottom"
    for _ in range(200):
        value = [value] if kind == "list" else {"a": value}
    return value


_wrong = st.one_of(st.sampled_from(_ODD), st.sampled_from(["list", "dict"]).map(_deep), st.text(max_size=20))


@st.composite
def spoilt(draw: st.DrawFn, channel: str) -> bytes:
    """Return a recorded body with one to four values dropped, retyped or doubled, perhaps with doubled names."""
    body: Any = draw(st.sampled_from(recorded(channel)))
    for _ in range(draw(st.integers(1, 4))):
        paths = list(paths_in(body)) if isinstance(body, dict | list) else []
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        how = draw(st.sampled_from(["drop", "retype", "retype", "double", "swap"]))
        body = _SPOIL[how](draw, body, path, paths)
    is_xml = channel in _XML and draw(st.booleans())
    return _as_xml(draw, body) if is_xml else _as_json(draw, body)


_SPOIL: dict[str, Callable[..., Any]] = {
    "drop": lambda _draw, body, path, _paths: left_out(body, path),
    "retype": lambda draw, body, path, _paths: changed(body, path, draw(_wrong)),
    "double": lambda _draw, body, path, _paths: changed(body, path, [value_at(body, path)] * 2),
    "swap": lambda draw, body, path, paths: changed(body, path, value_at(body, draw(st.sampled_from(paths)))),
}


def _as_json(draw: st.DrawFn, body: Any) -> bytes:
    """Write JSON as no careful program does: with a name twice, in any place."""
    text = json.dumps(body, ensure_ascii=True)
    places = [at for at, one in enumerate(text) if one == "{"]
    doubled: bool = draw(st.booleans())
    if places and doubled:
        at = draw(st.sampled_from(places)) + 1
        names = sorted({str(path[-1]) for path in paths_in(body)}) or ["a"]
        name, value = draw(st.sampled_from(names)), draw(_wrong)
        comma = "" if text[at : at + 1] == "}" else ","
        text = f"{text[:at]}{json.dumps(name)}:{json.dumps(value)}{comma}{text[at:]}"
    return text.encode()


def _as_xml(draw: st.DrawFn, body: Any) -> bytes:
    """Write a packet as XML, with an element twice or in another one's place."""
    parts = [_element(str(name), value) for name, value in body.items()] if isinstance(body, dict) else ["1"]
    extra = draw(st.lists(st.sampled_from(parts or ["<a/>"]), max_size=2))
    return f"<xml>{''.join([*parts, *extra])}</xml>".encode("utf-8", "surrogatepass")


def _element(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"<{name}>{''.join(_element(str(key), one) for key, one in value.items())}</{name}>"
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    return f"<{name}><![CDATA[{value}]]></{name}>" if isinstance(value, str) else f"<{name}>{value}</{name}>"


# ---------------------------------------------------------------- parsers


def read(connector: Connector, body: bytes) -> list[Item] | None:
    """Return the items, None where the body is for the quarantine; whatever else gets out fails the test."""
    try:
        return list(connector.parse(TrustedBody(body)))
    except BodyUnreadable:
        return None


def complete(item: Item) -> bool:
    """Whether an item is one that the house can take: it has a key, and its content is of the model."""
    key: object = item.dedupe_key
    return isinstance(key, str) and key != "" and isinstance(getattr(item, "content", None), msgspec.Struct | None)


@pytest.mark.parametrize("channel", PLATFORMS)
def test_a_spoilt_body_is_read_or_put_aside(channel: str) -> None:
    connector = connector_of(channel)

    @examples(2_000, 100_000)
    @given(spoilt(channel))
    def run(body: bytes) -> None:
        items = read(connector, body)
        assert all(map(complete, items or ()))
        assert items == read(connector, body), "It was read in another way the second time."

    run()


def test_a_parser_that_lets_an_error_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = connector_of("line")
    monkeypatch.setattr(type(connector), "parse", lambda _self, body: {b"{": ()}[bytes(body)[-1:]])
    with pytest.raises(KeyError):
        test_a_spoilt_body_is_read_or_put_aside("line")


#: Whatever JSON has: what is none at all (NaN, half a character) is no further field, but a broken body.
_right = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False))
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abz_", max_size=5), inner, max_size=3),
    max_leaves=6,
)


def shown(items: Iterable[Item] | None) -> list[Any]:
    """Return what was read of a body, without the platform's own words of what nobody knows."""
    return [tuple(_plain(part) for part in item) for item in told(list(items or ()))]


def _plain(part: Any) -> Any:
    """Leave out what rightly holds further fields: the words themselves, and their sum where there is no id."""
    if isinstance(part, str) and _SUM.search(part):
        return "a sum"
    return msgspec.structs.replace(part, raw={}) if isinstance(part, Unsupported) else part


_SUM = re.compile("[0-9a-f]{64}$")
#: Objects that are handed on whole, whatever stands in them.
_HANDED_ON = {"order", "params"}


@st.composite
def widened(draw: st.DrawFn, channel: str) -> tuple[bytes, bytes]:
    """Return a recorded body, and the same with further fields in some of its objects."""
    body: Any = draw(st.sampled_from(recorded(channel)))
    more = body
    for path in draw(st.lists(st.sampled_from([(), *paths_in(body)]), min_size=1, max_size=4, unique=True)):
        found = value_at(more, path)
        if isinstance(found, dict) and _HANDED_ON.isdisjoint(path):
            more = changed(more, path, {**found, f"zz_{draw(st.integers(0, 9))}": draw(_right)})
    return json.dumps(body).encode(), json.dumps(more).encode()


@pytest.mark.parametrize("channel", PLATFORMS)
def test_further_fields_change_nothing(channel: str) -> None:
    connector = connector_of(channel)

    @examples(1_000, 50_000)
    @given(widened(channel))
    def run(bodies: tuple[bytes, bytes]) -> None:
        before, after = (read(connector, body) for body in bodies)
        assert (before is None) == (after is None)
        assert shown(after) == shown(before)

    run()


# ---------------------------------------------------------------- proofs


@cache
def proved(channel: str) -> WebhookRequest:
    """Return a request as the platform signs it."""
    return normal(platform_of(channel).webhook(json.dumps(recorded(channel)[0]).encode()))


@st.composite
def forged(draw: st.DrawFn, request: WebhookRequest) -> WebhookRequest:
    """Return a request with one thing changed: a byte of the body or a character of its proof."""
    names = [name for name in request.headers if name.lower().startswith(("x-", "authorization"))]
    place = draw(st.sampled_from(["body", *(f"header {name}" for name in names), *request.query]))
    if place == "body":
        return msgspec.structs.replace(request, body=_bent(draw, request.body, st.binary(min_size=1, max_size=3)))
    words = st.text(min_size=1, max_size=3)
    if place in request.query:
        other = _bent(draw, request.query[place], words)
        return msgspec.structs.replace(request, query={**request.query, place: other})
    headers, name = CIMultiDict(request.headers), place.removeprefix("header ")
    headers[name] = _bent(draw, headers[name], words)
    return msgspec.structs.replace(request, headers=headers)


def _bent(draw: st.DrawFn, whole: Any, more: st.SearchStrategy[Any]) -> Any:
    """Cut something out of the whole and put something else there."""
    at, cut = draw(st.integers(0, len(whole))), draw(st.integers(0, 4))
    return whole[:at] + draw(more) + whole[at + cut :]


@pytest.mark.parametrize("channel", PLATFORMS)
def test_a_proof_is_good_for_its_own_bytes_and_no_others(channel: str) -> None:
    connector, request = connector_of(channel), proved(channel)
    whole = connector.authenticate(request)

    @examples(2_000, 100_000)
    @given(forged(request))
    def run(other: WebhookRequest) -> None:
        try:
            trusted = connector.authenticate(other)
        except RequestRefused:
            return
        assert trusted == whole, "Something else than what was signed is trusted."

    run()
