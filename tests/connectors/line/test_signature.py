from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linebot.v3.webhook import SignatureValidator
from multidict import CIMultiDict

from trunkline.contract import Connector, WebhookRequest
from trunkline.errors import SignatureInvalid
from trunkline.testing.services import FakeServices
from trunkline_line import SPEC
from trunkline_line.config import Config
from trunkline_line.signature import is_proved, sign

SECRET = "0123456789abcdef0123456789abcdef"
ONE = b'{"destination":"U00000000000000000000000000000001","events":[]}'
_EVENT = (
    '{"destination":"U00000000000000000000000000000001","events":[{"type":"message","mode":"active",'
    '"timestamp":1700000000123,"source":{"type":"user","userId":"U0000000000000000000000000000000a"},'
    '"webhookEventId":"01HF7YAT3B0000000000000001","deliveryContext":{"isRedelivery":false},'
    '"replyToken":"rt-000001","message":{"id":"900000000000000001","type":"text","quoteToken":"qt-000001",'
    '"markAsReadToken":"mr-000001","text":"%s"}}]}'
)
TWO = (_EVENT % "café 🍎\\nok").encode()
THREE = (_EVENT % "caf\\u00e9 \\ud83c\\udf4e\\nok").encode()
SIGNATURES = {
    ONE: "YQU0voYIh8lUA1XaYoIEZg9trJlhjyu9qVt6HqVvWf4=",
    TWO: "4dMWxON2L/0vakEPeXnQ42j2E0SimSi9zADS3UdhHHQ=",
    THREE: "PuxB/kGN9ZnWQhJGwf/EXGgLxPWTZir73nNVkhayGTQ=",
}
#: What `json.dumps(json.loads(body))` would be signed with.
RESERIALISED = {
    ONE: "19zV8paULtQtNYg9weBYiznsfHIhiBko6DNhozUpcY4=",
    TWO: "8rcqN+jx2qZ1GYYGUPRzpnR8o5c/Zl0m8+CMlOYXW4k=",
    THREE: "8rcqN+jx2qZ1GYYGUPRzpnR8o5c/Zl0m8+CMlOYXW4k=",
}


def connector(*secrets: str) -> Connector:
    config = Config.model_validate({"channel_id": "1", "channel_secret": list(secrets or (SECRET,))})
    return SPEC.build(FakeServices(config))


def request(body: bytes, signature: str | None, *, header: str = "x-line-signature") -> WebhookRequest:
    headers = {} if signature is None else {header: signature}
    return WebhookRequest(method="POST", query={}, headers=CIMultiDict(headers), body=body)


def test_the_vectors_have_the_documented_lengths() -> None:
    assert [len(ONE), len(TWO), len(THREE)] == [63, 436, 448]
    assert json.loads(TWO) == json.loads(THREE)


@pytest.mark.parametrize("body", [ONE, TWO, THREE])
def test_a_genuine_request_is_accepted_byte_for_byte(body: bytes) -> None:
    assert sign(body, SECRET).decode() == SIGNATURES[body]
    assert connector().authenticate(request(body, SIGNATURES[body])) == body


@pytest.mark.parametrize("body", [ONE, TWO, THREE])
def test_a_reserialised_body_is_refused(body: bytes) -> None:
    again = json.dumps(json.loads(body)).encode()
    assert sign(again, SECRET).decode() == RESERIALISED[body]
    for wrong in (request(again, SIGNATURES[body]), request(body, RESERIALISED[body])):
        with pytest.raises(SignatureInvalid):
            connector().authenticate(wrong)


def test_the_same_object_in_other_bytes_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        connector().authenticate(request(THREE, SIGNATURES[TWO]))


@pytest.mark.parametrize("header", ["x-line-signature", "X-Line-Signature", "X-LINE-SIGNATURE"])
def test_the_header_is_found_in_any_letter_case(header: str) -> None:
    assert connector().authenticate(request(ONE, SIGNATURES[ONE], header=header)) == ONE


@pytest.mark.parametrize("signature", [None, "", " ", "x", SIGNATURES[ONE][:-1], SIGNATURES[TWO], "\udcff", "é" * 44])
def test_a_missing_or_wrong_signature_is_refused_with_401(signature: str | None) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        connector().authenticate(request(ONE, signature))
    assert refused.value.status == 401
    assert SECRET not in str(refused.value)


def test_the_new_and_the_old_secret_are_accepted_while_it_changes() -> None:
    both = connector("f" * 32, SECRET)
    assert both.authenticate(request(ONE, SIGNATURES[ONE])) == ONE
    assert both.authenticate(request(ONE, sign(ONE, "f" * 32).decode())) == ONE
    with pytest.raises(SignatureInvalid):
        connector("f" * 32).authenticate(request(ONE, SIGNATURES[ONE]))


@given(body=st.binary(max_size=2000), other=st.binary(max_size=2000))
def test_a_signature_fits_its_own_bytes_only(body: bytes, other: bytes) -> None:
    assert is_proved(other, sign(body, SECRET).decode(), [SECRET]) is (body == other)


@given(body=st.binary(min_size=1, max_size=500), at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_changed_bit_is_refused(body: bytes, at: int, bit: int) -> None:
    changed = bytearray(body)
    changed[at % len(body)] ^= 1 << bit
    assert not is_proved(bytes(changed), sign(body, SECRET).decode(), [SECRET])


@given(body=st.binary(max_size=200), given_signature=st.text(max_size=60))
def test_no_text_is_a_signature_by_chance(body: bytes, given_signature: str) -> None:
    genuine = sign(body, SECRET).decode()
    assert is_proved(body, given_signature, [SECRET]) is (given_signature == genuine)


def test_lines_own_validator_agrees_on_a_thousand_bodies() -> None:
    lots, validator = random.Random(7), SignatureValidator(SECRET)
    for _ in range(1000):
        words = "".join(
            chr(lots.choice((lots.randrange(32, 127), lots.randrange(0x3040, 0x30FF), 0x1F34E))) for _ in range(30)
        )
        body = json.dumps({"events": [{"text": words}]}, ensure_ascii=lots.random() < 0.5)
        genuine = sign(body.encode(), SECRET).decode()
        forged = base64.b64encode(lots.randbytes(32)).decode()
        for signature in (genuine, forged):
            assert validator.validate(body, signature) is is_proved(body.encode(), signature, [SECRET])
