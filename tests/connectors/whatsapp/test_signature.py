"""Both proofs of a webhook: the signature over the raw bytes, and the handshake of the console."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from trunkline.contract import Connector, MessageReceived, WebhookRequest, hub_signature
from trunkline.errors import SignatureInvalid
from trunkline.model import Text
from trunkline.testing.services import FakeServices
from trunkline_whatsapp import SPEC
from trunkline_whatsapp.config import Config
from trunkline_whatsapp.signature import is_proved

SECRET = "example-app-secret"
ONE = b'{"object":"page","entry":[]}'
TWO = (
    rb'{"object":"whatsapp_business_account","entry":[{"id":"7001","changes":[{"value":{"messaging_product":"whatsapp",'
    rb'"metadata":{"display_phone_number":"15550001000","phone_number_id":"8001"},"contacts":[{"profile":{"name":'
    rb'"Zo\u00eb"},"wa_id":"15550002000"}],"messages":[{"from":"15550002000","id":"wamid.TEST1","timestamp":'
    rb'"1767225600","type":"text","text":{"body":"caf\u00e9 \ud83d\udc4d a\/b"}}]},"field":"messages"}]}]}'
)
SIGNATURES = {
    ONE: "sha256=ad8be1d70c23fcbf13161e2bdec3804c9dc74496ff7ef30b79d9ac1c3a791649",
    TWO: "sha256=8d0f56ff4c259fd40f4fa64fc2b6be2b67adaaa07f6d8c18c3b5c4b5044a1fd2",
}
#: What others made of the second body before they hashed it → length, digest.
RESPELT = [
    (json.dumps(json.loads(TWO), separators=(",", ":")).encode(), 417,
     "7e8bad6b9e612bcbe4666d6769fb3d1068bec618959683d4c913eb7a3ad2d680"),
    (json.dumps(json.loads(TWO), separators=(",", ":"), ensure_ascii=False).encode(), 401,
     "9f36fefa4fa3607a8cb28b8cdae843cbbadf77bab33ddac5ea96cfc3bfa6de8c"),
    (json.dumps(json.loads(TWO)).encode(), 450,
     "412281d823dd7c89a14392963483ee86b9dc0268db8c4ef45279efaec57e140e"),
]  # fmt: skip


@cache
def connector(*secrets: str) -> Connector:
    config = Config.model_validate(
        {
            "phone_number_id": "8001",
            "waba_id": "7001",
            "access_token": "EAAx",
            "app_secret": list(secrets or (SECRET,)),
            "verify_token": "our words",
        }
    )
    return SPEC.build(FakeServices(config))


def request(body: bytes, signature: str | None, *, header: str = "x-hub-signature-256") -> WebhookRequest:
    headers = {} if signature is None else {header: signature}
    return WebhookRequest(method="POST", query={}, headers=CIMultiDict(headers), body=body)


def test_the_vectors_have_the_documented_lengths() -> None:
    assert [len(ONE), len(TWO)] == [28, 418]


@pytest.mark.parametrize("body", [ONE, TWO], ids=["ascii", "escapes"])
def test_a_genuine_request_is_accepted_byte_for_byte(body: bytes) -> None:
    assert hub_signature(body, SECRET) == SIGNATURES[body]
    assert connector().authenticate(request(body, SIGNATURES[body])) == body


def test_the_escapes_of_a_genuine_body_are_read() -> None:
    at_work = connector()
    (item,) = at_work.parse(at_work.authenticate(request(TWO, SIGNATURES[TWO])))
    assert isinstance(item, MessageReceived)
    assert (item.contact.name, item.content) == ("Zoë", Text(text="café 👍 a/b"))


@pytest.mark.parametrize(("body", "length", "digest"), RESPELT, ids=["compact", "raw utf-8", "default"])
def test_a_reserialised_body_is_refused(body: bytes, length: int, digest: str) -> None:
    assert (len(body), hub_signature(body, SECRET)) == (length, f"sha256={digest}")
    for wrong in (request(body, SIGNATURES[TWO]), request(TWO, f"sha256={digest}")):
        with pytest.raises(SignatureInvalid):
            connector().authenticate(wrong)


@pytest.mark.parametrize("header", ["x-hub-signature-256", "X-Hub-Signature-256", "X-HUB-SIGNATURE-256"])
def test_the_header_is_found_in_any_letter_case(header: str) -> None:
    assert connector().authenticate(request(ONE, SIGNATURES[ONE], header=header)) == ONE


@pytest.mark.parametrize(
    "signature",
    [
        *(None, "", " ", "sha256=", "\udcff", "é" * 71, SIGNATURES[TWO]),
        SIGNATURES[ONE].removeprefix("sha256="),
        SIGNATURES[ONE].replace("sha256=", "sha1="),
        SIGNATURES[ONE].upper(),
        SIGNATURES[ONE][:-1],
        f"{SIGNATURES[ONE]},{SIGNATURES[ONE]}",
    ],
)
def test_sec_08_a_missing_or_wrong_signature_is_refused_with_401(signature: str | None) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        connector().authenticate(request(ONE, signature))
    assert refused.value.status == 401
    assert SECRET not in str(refused.value)


def test_sec_08_the_old_sha_1_header_proves_nothing() -> None:
    with pytest.raises(SignatureInvalid):
        connector().authenticate(request(ONE, SIGNATURES[ONE], header="x-hub-signature"))


@pytest.mark.parametrize("length", range(len(SIGNATURES[ONE])))
def test_sec_11_no_beginning_of_a_signature_is_enough(length: int) -> None:
    with pytest.raises(SignatureInvalid):
        connector().authenticate(request(ONE, SIGNATURES[ONE][:length]))


def test_sec_12_no_other_header_replaces_the_proof() -> None:
    headers = {"host": "localhost", "x-forwarded-host": "localhost", "x-forwarded-for": "127.0.0.1"}
    with pytest.raises(SignatureInvalid):
        connector().authenticate(WebhookRequest(method="POST", query={}, headers=headers, body=ONE, remote="127.0.0.1"))


def test_the_new_and_the_old_secret_are_accepted_while_it_changes() -> None:
    both = connector("f" * 32, SECRET)
    assert both.authenticate(request(ONE, SIGNATURES[ONE])) == ONE
    assert both.authenticate(request(ONE, hub_signature(ONE, "f" * 32))) == ONE
    with pytest.raises(SignatureInvalid):
        connector("f" * 32).authenticate(request(ONE, SIGNATURES[ONE]))


@settings(max_examples=100, deadline=None)
@given(body=st.binary(min_size=1, max_size=500), at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_changed_bit_is_refused(body: bytes, at: int, bit: int) -> None:
    changed = bytearray(body)
    changed[at % len(body)] ^= 1 << bit
    assert is_proved(body, hub_signature(body, SECRET), [SECRET])
    assert not is_proved(bytes(changed), hub_signature(body, SECRET), [SECRET])


# ---------------------------------------------------------------- the handshake


def shake(**query: str) -> WebhookRequest:
    named = {f"hub.{name}": value for name, value in query.items()}
    return WebhookRequest(method="GET", query=named, headers={}, body=b"")


def test_the_handshake_answers_exactly_the_challenge_as_plain_text() -> None:
    reply = connector().handshake(shake(mode="subscribe", verify_token="our words", challenge="1158201444"))
    assert reply is not None
    assert (reply.status, reply.body, reply.content_type) == (200, b"1158201444", "text/plain")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"mode": "subscribe", "challenge": "1"},
        {"mode": "subscribe", "verify_token": "", "challenge": "1"},
        {"mode": "subscribe", "verify_token": "other words", "challenge": "1"},
        {"mode": "subscribe", "verify_token": "our word", "challenge": "1"},
        {"mode": "subscribe", "verify_token": "\udcff", "challenge": "1"},
        {"mode": "unsubscribe", "verify_token": "our words", "challenge": "1"},
        {"verify_token": "our words", "challenge": "1"},
    ],
)
def test_a_handshake_without_our_words_is_refused_with_403(query: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        connector().handshake(shake(**query))
    assert refused.value.status == 403
    assert "our words" not in str(refused.value)


def test_a_post_is_no_handshake_even_with_its_words() -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "our words", "hub.challenge": "1"}
    assert connector().handshake(WebhookRequest(method="POST", query=query, headers={}, body=b"")) is None
