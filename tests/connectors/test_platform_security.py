"""The attacks that every door must withstand, by id, on every platform at once.

What is peculiar to one platform is in its own tests; here each attack is tried on all that are installed, from outside
of the house where it comes over the wire.
"""

from __future__ import annotations

import ast
import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from multidict import CIMultiDict

from tests.connectors.row import CHANNELS, Row, open_row, refused
from tests.house import Source, sources
from tests.promises.office import SUBJECTS
from tests.test_house import _leaky_comparisons
from trunkline.contract import TrustedBody, WebhookRequest
from trunkline.errors import BodyUnreadable
from trunkline.testing.conformance.stage import simulator_of
from trunkline.testing.conformance.strangers import secret_names, with_secret
from trunkline.testing.conformance.watch import pure

_changed = msgspec.structs.replace
_SAYS_HOW = {"content-type", "content-length", "host", "accept", "accept-encoding", "user-agent", "connection"}
#: Where somebody might think that a request comes from.
_CLAIMS = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP")
_PUBLIC = "203.0.114.9"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")


@pytest.fixture
async def row(tmp_path: Path) -> AsyncIterator[Row]:
    async with open_row(tmp_path) as row:
        yield row


def _bare(request: WebhookRequest) -> WebhookRequest:
    """Return a request without any proof."""
    headers = {name: value for name, value in request.headers.items() if name.lower() in _SAYS_HOW}
    return _changed(request, headers=CIMultiDict(headers), query={})


def _each_changed(request: WebhookRequest, change: Callable[[str], str]) -> Iterator[tuple[str, WebhookRequest]]:
    """Yield the request with one header or parameter of its proof changed."""
    for name, value in request.headers.items():
        if name.lower() not in _SAYS_HOW:
            headers = CIMultiDict(request.headers)
            headers[name] = change(value)
            yield name, _changed(request, headers=headers)
    for name, value in request.query.items():
        yield name, _changed(request, query={**request.query, name: change(value)})


def _wrong(request: WebhookRequest) -> WebhookRequest:
    """Return a request of which every part of the proof is wrong, and has its form."""
    for name, _ in list(_each_changed(request, str)):
        request = dict(_each_changed(request, _turned))[name]
    return request


def _always(value: str, _given: str) -> str:
    return value


def _turned(value: str) -> str:
    return "".join("1" if one == "0" else "0" if one.isdigit() else "b" if one == "a" else "a" for one in value)


async def test_sec_08_without_a_right_proof_nothing_gets_in(row: Row) -> None:
    got = {}
    for channel, request in row.requests.items():
        empty = request
        for name, _ in list(_each_changed(request, str)):
            empty = dict(_each_changed(empty, lambda _: ""))[name]
        got[channel] = [await row.send(channel, forged) for forged in (_bare(request), empty, _wrong(request))]
    assert got == {channel: [401, 401, 401] for channel in CHANNELS}
    assert (row.kept(), row.stored()) == (0, {})


async def test_sec_08_the_right_proof_gets_in_everywhere(row: Row) -> None:
    assert {channel: await row.send(channel, one) for channel, one in row.requests.items()} == dict.fromkeys(
        CHANNELS, 200
    )
    await row.pull()
    assert row.stored() == dict.fromkeys(CHANNELS, 1)


@pytest.mark.parametrize("channel", CHANNELS)
def test_sec_09_no_secret_of_an_account_may_be_blank(channel: str) -> None:
    settings, model = simulator_of(SUBJECTS[channel])().settings(), SUBJECTS[channel].spec.config
    names = secret_names(model, settings)
    blanks: list[Any] = ["", " ", "\t\n", []]
    taken = [name for name in names for blank in blanks if with_secret(model, settings, name, blank)]
    assert names
    assert taken == []


async def test_sec_10_a_captured_proof_carries_no_other_body(row: Row) -> None:
    for channel, request in row.requests.items():
        body = row.body(channel)
        forged = [body.replace(b"MARKER", b"FORGED"), bytes(body), b"{}", b"", bytes(request.body) + b" "]
        for one in forged:
            if one != request.body:
                await row.send(channel, _changed(request, body=one))
    await row.pull()
    said = {str(content) for (content,) in row.database.rows("SELECT content FROM message")}
    assert not [content for content in said if "FORGED" in content]
    assert set(row.stored().values()) <= {1}


async def test_sec_11_no_beginning_and_no_list_of_proofs_is_one(row: Row) -> None:
    taken = []
    for channel, request in row.requests.items():
        connector = row.connector(channel)
        proofs = [name for name, other in _each_changed(request, _turned) if refused(connector, other)]
        assert proofs, f"{channel}: nothing of the request proves anything"
        for name in proofs:
            whole = {**request.headers, **request.query}[name]
            parts = [whole[:length] for length in range(len(whole))]
            lists = [",".join([_turned(whole)] * 1_000 + [whole]), f"{whole},{whole}", f"{whole} "]
            for part in (*parts, *lists):
                forged = dict(_each_changed(request, partial(_always, part)))[name]
                taken += [] if refused(connector, forged) else [(channel, name, part[:80])]
    # A space at the end of a header is not part of it: RFC 9110, 5.5.
    assert [one for one in taken if not one[2].endswith(" ")] == []


async def test_sec_12_no_host_name_opens_a_door(row: Row) -> None:
    names = ("Host", "X-Forwarded-Host", "X-Original-Host")
    got = {
        (channel, host): {await row.send(channel, _bare(request), **dict.fromkeys(names, host))}
        | {await row.heads_only(channel, 0, target=f"http://{host}/webhooks/{channel}")}
        for channel, request in row.requests.items()
        for host in ("localhost", "127.0.0.1", "row.example", "[::1]")
    }
    assert set().union(*got.values()) == {401}
    assert row.kept() == 0


async def test_sec_13_no_claim_of_where_a_request_comes_from_is_trusted(row: Row) -> None:
    got = {}
    for claimed in ("127.0.0.1", "::1", "10.0.0.1", _PUBLIC):
        claims = {name: f"for={claimed}" if name == "Forwarded" else claimed for name in _CLAIMS}
        for channel, request in row.requests.items():
            got[claimed, channel] = await row.send(channel, _wrong(request), **claims)
    assert got == dict.fromkeys(got, 401)
    assert row.kept() == 0


async def test_sec_13_a_claim_locks_nobody_else_out(row: Row) -> None:
    for _ in range(40):
        assert await row.send("line", _wrong(row.requests["line"]), **{"X-Forwarded-For": _PUBLIC}) == 401
    assert await row.send("line", row.requests["line"], **{"X-Forwarded-For": _PUBLIC}) == 200


async def test_sec_14_the_same_request_after_a_restart_has_no_second_effect(row: Row) -> None:
    for _ in range(3):
        for channel, request in row.requests.items():
            assert await row.send(channel, request) in {200, 401}
        await row.pull()
        await row.open()
    assert row.stored() == dict.fromkeys(CHANNELS, 1)


async def test_sec_15_equal_payloads_have_equal_keys_whoever_reads_them(row: Row) -> None:
    bodies = {channel: row.body(channel) for channel in CHANNELS}
    # A clock that went on changes nothing.
    row.clock.advance(hours=30)
    for channel, subject in SUBJECTS.items():
        body, account = bodies[channel], row.house.accounts.get(channel)
        assert account is not None
        assert account.config is not None
        other = await row.house.accounts.trial(channel, subject.spec, account.config)
        assert other is not None
        # Other spaces and other escapes change nothing either.
        readers = [(row.connector(channel), body), (other, body), (other, TrustedBody(_respelt(body)))]
        first, *others = [[item.dedupe_key for item in reader.parse(given)] for reader, given in readers]
        assert first, channel
        assert others == [first] * 2, channel
        assert len(set(first)) == len(first), channel


def _respelt(body: bytes) -> bytes:
    """Return the same JSON in other bytes; what is no JSON stays."""
    try:
        return json.dumps(json.loads(body), indent=1, ensure_ascii=True).encode()
    except ValueError:
        return bytes(body)


async def test_sec_16_what_the_head_betrays_is_refused_before_the_body_comes(row: Row) -> None:
    proofs = {code: subject.capabilities.receiving.proof_header for code, subject in SUBJECTS.items()}
    got = {channel: await row.heads_only(channel, 60_000) for channel, proof in proofs.items() if proof}
    assert got == {channel: 401 for channel, proof in proofs.items() if proof}
    most = {code: subject.capabilities.receiving.max_body for code, subject in SUBJECTS.items()}
    sizes = {code: await row.heads_only(code, most[code] + 1, **_proof(row.requests[code])) for code in CHANNELS}
    assert sizes == dict.fromkeys(CHANNELS, 413)


def _proof(request: WebhookRequest) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.lower() not in _SAYS_HOW}


async def test_sec_17_guessing_is_stopped_before_it_costs_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_row(tmp_path, server='trusted_proxies = ["127.0.0.1"]') as row:
        for number, (channel, request) in enumerate(row.requests.items()):
            guesser, customer = f"203.0.114.{number + 1}", f"203.0.114.{number + 101}"
            checked = _counted(monkeypatch, row.connector(channel))
            got = [await row.send(channel, _wrong(request), **{"X-Forwarded-For": guesser}) for _ in range(50)]
            assert got == [401] * 30 + [429] * 20, channel
            assert len(checked) == 30, channel
            assert await row.send(channel, request, **{"X-Forwarded-For": guesser}) == 429, channel
            assert await row.send(channel, request, **{"X-Forwarded-For": customer}) == 200, channel


def _counted(monkeypatch: pytest.MonkeyPatch, connector: Any) -> list[object]:
    """Return the list that grows with every request whose proof is checked."""
    checked: list[object] = []
    check = connector.authenticate

    def watched(request: WebhookRequest) -> object:
        checked.append(request)
        return check(request)

    monkeypatch.setattr(connector, "authenticate", watched)
    return checked


_XML = {
    "file entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><xml><Content>&x;</Content></xml>',
    "http entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]><xml><Content>&x;</Content></xml>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]><xml><Content>1</Content></xml>',
    "external dtd": '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml><Content>1</Content></xml>',
    "after a comment": '<!-- --><?a b?><!DOCTYPE a [<!ENTITY x "1">]><xml><Content>&x;</Content></xml>',
    "lower case": '<!doctype a [<!ENTITY x "1">]><xml><Content>&x;</Content></xml>',
}
_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
_GROWS = {
    "billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{_LAUGHS}]><xml><Content>&l9;</Content></xml>',
    "quadratic": f'<!DOCTYPE a [<!ENTITY x "{"a" * 20_000}">]><xml><Content>{"&x;" * 5_000}</Content></xml>',
}


def _bodies(texts: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    for name, text in texts.items():
        for encoding in ("utf-8", "utf-16", "utf-16-le"):
            head = "" if encoding == "utf-8" else f'<?xml version="1.0" encoding="{encoding}"?>'
            yield f"{name} in {encoding}", (head + text).encode(encoding)


@pytest.mark.parametrize("texts", [_XML, _GROWS], ids=["followed", "expanded"])
async def test_sec_20_and_21_no_document_type_is_ever_read(row: Row, texts: dict[str, str]) -> None:
    """Inside of what the platform has proved: who holds the secret is still not let in with a document type."""
    for channel, platform in row.platforms.items():
        connector = row.connector(channel)
        for spelt, body in _bodies(texts):
            with pure(f"{channel} reading {spelt}"), pytest.raises(BodyUnreadable):
                connector.parse(TrustedBody(body))
            assert await row.send(channel, platform.webhook(body)) in {200, 400, 413}, (channel, spelt)
            # Around what is encrypted, and where nothing else is right.
            around = _changed(row.requests[channel], body=body)
            assert await row.send(channel, around) in {400, 401, 413}, (channel, spelt)
    assert row.stored() == {}


async def test_sec_20_an_inclusion_is_an_element_like_any_other(row: Row) -> None:
    include = b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" parse="text"/>'
    for channel in CHANNELS:
        body, connector = row.body(channel), row.connector(channel)
        start, end, rest = body.rpartition(b"</")
        with pure(f"{channel} reading an inclusion"):
            items = connector.parse(TrustedBody(start + include + end + rest if start else body))
        assert [type(item) for item in items] == [type(item) for item in connector.parse(body)], channel


def test_sec_19_no_connector_compares_a_proof_with_equals() -> None:
    found = [source.at(node) for source in sources("connectors") for node in _leaky_comparisons(source)]
    assert found == []


@pytest.mark.parametrize("test", ["token == given", 'body["signature"] != sign(body)', "a.secret.strip() == b"])
def test_sec_19_a_comparison_with_equals_is_caught(test: str) -> None:
    assert list(_leaky_comparisons(Source(Path("door.py"), ast.parse(f"if {test}:\n    pass\n"))))
