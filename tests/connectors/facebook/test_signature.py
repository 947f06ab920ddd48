"""The proof of a webhook and the handshake."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from pydantic import ValidationError

from tests.connectors.facebook.conftest import NO_CERTIFICATES
from trunkline.contract import Connector, WebhookRequest, hub_signature
from trunkline.errors import SignatureInvalid
from trunkline.testing.services import FakeServices
from trunkline_facebook import SPEC
from trunkline_facebook.config import Config
from trunkline_facebook.signature import is_proved

SECRET = "example-app-secret"
ONE = (
    rb'{"object":"page","entry":[{"id":"9001","time":1767225600123,"messaging":[{"sender":{"id":"5001"},'
    rb'"recipient":{"id":"9001"},"timestamp":1767225600000,"message":{"mid":"m_TEST1",'
    rb'"text":"caf\u00e9 \ud83d\udc4d a\/b"}}]}]}'
)
TWO = b'{"object":"page","entry":[]}'
SIGNATURES = {
    ONE: "sha256=b578bac2565c554f562d76b4f42b8d0c6de9d70dc40ccd0e4068986d7e515e42",
    TWO: "sha256=ad8be1d70c23fcbf13161e2bdec3804c9dc74496ff7ef30b79d9ac1c3a791649",
}
#: The first vector, read and written again, with what it would be signed with.
AGAIN = {
    json.dumps(json.loads(ONE), separators=(",", ":")).encode(): (
        "sha256=7f96d539a9e95631a266a4faac9b8111ab26ed48ebb8fe21db99f6c0e2f32db2"
    ),
    json.dumps(json.loads(ONE), separators=(",", ":"), ensure_ascii=False).encode(): (
        "sha256=abda8b8791915d50855940f567b4d10feac7c15e6858e00be25ce4e95de1a232"
    ),
}
SETTINGS: dict[str, Any] = {
    "page_id": "9001",
    "page_access_token": "invented-token",
    "app_secret": SECRET,
    "verify_token": "open sésame",
}


def connector(**settings: Any) -> Connector:
    config = Config.model_validate({**SETTINGS, **settings})
    return SPEC.build(FakeServices(config, http=httpx2.AsyncClient(verify=NO_CERTIFICATES)))


def request(body: bytes, signature: str | None, **headers: str) -> WebhookRequest:
    given = {} if signature is None else {"X-Hub-Signature-256": signature}
    return WebhookRequest(method="POST", query={}, headers=CIMultiDict({**given, **headers}), body=body)


def asked(**query: str) -> WebhookRequest:
    named = {name.replace("hub_", "hub.", 1): value for name, value in query.items()}
    return WebhookRequest(method="GET", query=named, headers={}, body=b"")


def test_the_vectors_have_the_documented_lengths() -> None:
    assert [len(ONE), len(TWO), *map(len, AGAIN)] == [218, 28, 217, 205]


@pytest.mark.parametrize("body", [ONE, TWO])
def test_a_genuine_request_is_accepted_byte_for_byte(body: bytes) -> None:
    assert hub_signature(body, SECRET) == SIGNATURES[body]
    assert connector().authenticate(request(body, SIGNATURES[body])) == body


@pytest.mark.parametrize("again", list(AGAIN))
def test_a_body_that_was_written_again_is_refused(again: bytes) -> None:
    assert hub_signature(again, SECRET) == AGAIN[again]
    for wrong in (request(again, SIGNATURES[ONE]), request(ONE, AGAIN[again])):
        with pytest.raises(SignatureInvalid):
            connector().authenticate(wrong)


@pytest.mark.parametrize(
    "signature",
    [None, "", " ", "x", "sha256=", SIGNATURES[ONE][7:], SIGNATURES[ONE].upper(), SIGNATURES[TWO], "\udcff"],
)
def test_sec_08_a_missing_or_wrong_signature_is_refused_with_401(signature: str | None) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        connector().authenticate(request(ONE, signature))
    assert refused.value.status == 401
    assert SECRET not in str(refused.value)


def test_sec_08_the_old_header_with_sha1_proves_nothing() -> None:
    with pytest.raises(SignatureInvalid):
        connector().authenticate(request(ONE, None, **{"X-Hub-Signature": SIGNATURES[ONE]}))


@pytest.mark.parametrize("blank", ["", " ", "\t\n", None])
@pytest.mark.parametrize("key", ["app_secret", "verify_token", "page_access_token"])
def test_sec_09_a_blank_secret_cannot_be_configured(key: str, blank: str | None) -> None:
    for value in (blank, [blank]):
        with pytest.raises(ValidationError):
            Config.model_validate({**SETTINGS, key: value})


def test_sec_11_no_beginning_of_a_signature_and_no_list_of_them_is_one() -> None:
    genuine = SIGNATURES[ONE]
    for length in range(len(genuine)):
        assert not is_proved(ONE, genuine[:length], [SECRET])
    assert not is_proved(ONE, ",".join([genuine] * 1000), [SECRET])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "graph.facebook.com"])
def test_sec_12_no_host_header_stands_for_a_proof(host: str) -> None:
    with pytest.raises(SignatureInvalid):
        connector().authenticate(request(ONE, None, **{"Host": host, "X-Forwarded-Host": host}))


def test_the_new_and_the_old_secret_are_accepted_while_it_changes() -> None:
    both = connector(app_secret=["new-secret", SECRET])
    assert both.authenticate(request(ONE, SIGNATURES[ONE])) == ONE
    assert both.authenticate(request(ONE, hub_signature(ONE, "new-secret"))) == ONE
    with pytest.raises(SignatureInvalid):
        connector(app_secret="new-secret").authenticate(request(ONE, SIGNATURES[ONE]))


@given(body=st.binary(max_size=300), other=st.binary(max_size=300))
def test_a_signature_fits_its_own_bytes_only(body: bytes, other: bytes) -> None:
    assert is_proved(other, hub_signature(body, SECRET), [SECRET]) is (body == other)


# ---------------------------------------------------------------- the handshake


@pytest.mark.parametrize("challenge", ["1158201444", "not a number", "007"])
def test_the_challenge_is_echoed_as_it_came(challenge: str) -> None:
    query = {"hub_mode": "subscribe", "hub_verify_token": "open sésame", "hub_challenge": challenge}
    reply = connector().handshake(asked(**query))
    assert reply
    assert (reply.status, reply.body, reply.content_type) == (200, challenge.encode(), "text/plain")


def test_underscores_in_place_of_dots_are_understood() -> None:
    query = {"hub_mode": "subscribe", "hub_verify_token": "open sésame", "hub_challenge": "5"}
    reply = connector().handshake(WebhookRequest(method="GET", query=query, headers={}, body=b""))
    assert reply
    assert reply.body == b"5"


@pytest.mark.parametrize("word", ["", "open", "OPEN SÉSAME", "\udcff", None])
def test_a_wrong_word_is_refused_with_403(word: str | None) -> None:
    query = {"hub_mode": "subscribe", "hub_challenge": "5", **({} if word is None else {"hub_verify_token": word})}
    with pytest.raises(SignatureInvalid) as refused:
        connector().handshake(asked(**query))
    assert refused.value.status == 403
    assert "sésame" not in str(refused.value)


def test_what_is_no_challenge_is_no_handshake_and_no_proof() -> None:
    assert connector().handshake(request(ONE, SIGNATURES[ONE])) is None
    with pytest.raises(SignatureInvalid):
        connector().handshake(asked(hub_mode="unsubscribe"))
    with pytest.raises(SignatureInvalid):
        connector().authenticate(asked(hub_mode="unsubscribe"))
