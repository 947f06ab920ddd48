from __future__ import annotations

import pytest

from tests.connectors.baidu.conftest import Build
from trunkline.contract import WebhookRequest
from trunkline.errors import SignatureInvalid
from trunkline.testing.services import HandClock
from trunkline_baidu.signature import Proofs, sign
from trunkline_baidu.simulator import Simulator

SECRET, AT, NONCE = "baiduTok01", "1720000009", "424242"
SIGNATURE = "3e9a8bb0474a2f267a79d5befec4ccfe8fbc1394"
QUERY = {"signature": SIGNATURE, "timestamp": AT, "nonce": NONCE}


def proofs(*secrets: str, now: int = int(AT) * 1000, max_age_s: int = 300) -> Proofs:
    return Proofs(secrets or (SECRET,), HandClock(now), max_age_s=max_age_s)


def test_the_vector() -> None:
    assert sign(SECRET, AT, NONCE) == SIGNATURE
    proofs().check(QUERY, b"body")


def test_both_secrets_are_good_while_one_is_changed() -> None:
    proofs("another", SECRET).check(QUERY, b"")
    with pytest.raises(SignatureInvalid):
        proofs("another", "a third").check(QUERY, b"")


@pytest.mark.parametrize("name", ["signature", "timestamp", "nonce"])
def test_sec_08_without_a_proof_nothing_is_taken(name: str) -> None:
    for query in ({k: v for k, v in QUERY.items() if k != name}, {**QUERY, name: ""}):
        with pytest.raises(SignatureInvalid) as refused:
            proofs().check(query, b"")
        assert refused.value.code == "signature_missing"


@pytest.mark.parametrize("signature", [*(SIGNATURE[:at] for at in range(1, 40)), SIGNATURE.upper(), "é" * 40])
def test_sec_11_a_shortened_or_foreign_signature_is_refused(signature: str) -> None:
    with pytest.raises(SignatureInvalid):
        proofs().check({**QUERY, "signature": signature}, b"")


@pytest.mark.parametrize(("seconds", "good"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_a_proof_is_good_for_some_minutes(seconds: int, good: bool) -> None:
    held = proofs(now=(int(AT) + seconds) * 1000)
    if good:
        held.check(QUERY, b"")
        return
    with pytest.raises(SignatureInvalid) as refused:
        held.check(QUERY, b"")
    assert refused.value.code == "signature_expired"


@pytest.mark.parametrize("timestamp", ["1720000009", "1720000009123"])
def test_a_time_may_come_in_milliseconds(timestamp: str) -> None:
    query = {"signature": sign(SECRET, timestamp, NONCE), "timestamp": timestamp, "nonce": NONCE}
    proofs().check(query, b"")


@pytest.mark.parametrize("timestamp", ["soon", "²", "9" * 14, "-1720000009"])
def test_what_is_no_time_is_no_proof(timestamp: str) -> None:
    query = {"signature": sign(SECRET, timestamp, NONCE), "timestamp": timestamp, "nonce": NONCE}
    with pytest.raises(SignatureInvalid):
        proofs().check(query, b"")


def test_sec_10_a_captured_proof_carries_no_other_body() -> None:
    held = proofs()
    held.check(QUERY, b"the customer's words")
    held.check(QUERY, b"the customer's words")
    with pytest.raises(SignatureInvalid) as refused:
        held.check(QUERY, b"forged words")
    assert refused.value.code == "signature_reused"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline_baidu.signature._MOST", 3)
    held = proofs()
    for number in range(9):
        nonce = str(number)
        held.check({"signature": sign(SECRET, AT, nonce), "timestamp": AT, "nonce": nonce}, b"")
    assert len(held._seen) == 3


@pytest.mark.parametrize("form", [False, True])
def test_the_challenge_is_a_post_and_answered_with_its_own_word(build: Build, baidu: Simulator, form: bool) -> None:
    reply = build().handshake(baidu.trial("say <this>", form=form))
    assert reply is not None
    assert (reply.status, reply.body, reply.content_type) == (200, b"say <this>", "text/plain")


@pytest.mark.parametrize("form", [False, True])
def test_a_forged_challenge_is_refused(build: Build, baidu: Simulator, form: bool) -> None:
    with pytest.raises(SignatureInvalid):
        build(token="another").handshake(baidu.trial("x", form=form))


@pytest.mark.parametrize("body", [b"{}", b'{"Content": "echoStr=x"}', b"<xml>echoStr=x</xml>", b""])
def test_a_message_is_no_challenge(build: Build, baidu: Simulator, body: bytes) -> None:
    connector, request = build(), baidu.webhook(body)
    assert connector.handshake(request) is None
    assert connector.authenticate(request) == body


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Forwarded-For"])
def test_sec_12_no_header_replaces_the_proof(build: Build, header: str) -> None:
    request = WebhookRequest(method="POST", query={}, headers={header: "localhost"}, body=b"{}", remote="127.0.0.1")
    with pytest.raises(SignatureInvalid):
        build().authenticate(request)
