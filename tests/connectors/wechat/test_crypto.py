"""Signatures, envelopes and the door, by vectors that another library computed."""

from __future__ import annotations

import base64
import contextlib
from urllib.parse import unquote

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.wechat.vectors import (
    APP_ID,
    CORP_ID,
    HEX_A,
    HEX_B,
    KEY_A,
    KEY_B,
    SIGNATURE_V1,
    TOKEN,
    VECTORS,
    Vector,
)
from trunkline.contract import WebhookRequest, sorted_sha1
from trunkline.errors import SignatureInvalid
from trunkline.testing.services import HandClock
from trunkline_wechat.crypto import STALE_S, Door, decode_key, decrypt, encrypt

Query = dict[str, str]
V1 = {"signature": SIGNATURE_V1, "timestamp": "1720000001", "nonce": "831207456"}


def query_of(vector: Vector, **more: str) -> Query:
    return {"timestamp": vector.timestamp, "nonce": vector.nonce, "msg_signature": vector.signature, **more}


def door(*keys: str, receive_id: str = APP_ID, token: str = TOKEN, at: int = 1_720_000_001) -> Door:
    return Door((token,), tuple(map(decode_key, keys)), receive_id, clock=HandClock(at * 1000))


def post(query: Query, body: bytes) -> WebhookRequest:
    return WebhookRequest(method="POST", query=query, headers={}, body=body)


def outer(encrypted: str) -> bytes:
    return f"<xml><ToUserName>gh_omni000001</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()


# ---------------------------------------------------------------- signatures and keys


def test_the_plain_signature_is_that_of_vector_v1() -> None:
    assert sorted_sha1(TOKEN, "1720000001", "831207456") == SIGNATURE_V1


def test_values_are_sorted_as_strings_and_not_as_numbers_as_in_vector_s1() -> None:
    assert sorted_sha1("ZZtoken", "1720000010", "99") == "b275cbe6a41134bcb1297be6d9426f963496e79e"


@pytest.mark.parametrize(("key", "decoded"), [(KEY_A, HEX_A), (KEY_B, HEX_B)])
def test_a_key_is_decoded_even_with_bits_in_its_tail(key: str, decoded: str) -> None:
    assert decode_key(key).hex() == decoded


@pytest.mark.parametrize("key", ["", KEY_A[:-1], KEY_A + "=", KEY_A + "A", "é" * 43, "-" * 43])
def test_what_is_no_key_is_refused_in_words(key: str) -> None:
    with pytest.raises(ValueError, match="43 letters"):
        decode_key(key)


# ---------------------------------------------------------------- the envelope


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_is_encrypted_to_the_byte(name: str) -> None:
    vector = VECTORS[name]
    made = encrypt(decode_key(vector.key), vector.plain.encode(), vector.receive_id, noise=vector.noise.encode())
    assert made == vector.cipher


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_is_decrypted_and_its_signature_holds(name: str) -> None:
    vector = VECTORS[name]
    assert decrypt(decode_key(vector.key), vector.cipher) == (vector.plain.encode(), vector.receive_id)
    assert sorted_sha1(TOKEN, vector.timestamp, vector.nonce, vector.cipher) == vector.signature


@pytest.mark.parametrize("name", VECTORS)
def test_padding_fills_blocks_of_thirty_two(name: str) -> None:
    vector = VECTORS[name]
    length = 16 + 4 + len(vector.plain.encode()) + len(vector.receive_id)
    assert len(base64.b64decode(vector.cipher)) == length + vector.pad


@given(message=st.binary(max_size=200), receive_id=st.text(max_size=20))
@settings(max_examples=100)
def test_whatever_is_encrypted_comes_back(message: bytes, receive_id: str) -> None:
    key = decode_key(KEY_A)
    assert decrypt(key, encrypt(key, message, receive_id)) == (message, receive_id)


@given(at=st.integers(min_value=0, max_value=319), bit=st.integers(min_value=0, max_value=7))
@settings(max_examples=150)
def test_a_changed_ciphertext_fails_cleanly_or_says_whom_it_was_for(at: int, bit: int) -> None:
    data = bytearray(base64.b64decode(VECTORS["V2"].cipher))
    data[at] ^= 1 << bit
    changed = base64.b64encode(data).decode()
    query = {"timestamp": "1", "nonce": "2", "msg_signature": sorted_sha1(TOKEN, "1", "2", changed)}
    message = b""
    with contextlib.suppress(SignatureInvalid):
        message = door(KEY_A).open(query, changed)
    # CBC has no tag: a change of the message garbles it, one of the noise before it does nothing.
    assert message != VECTORS["V2"].plain.encode() or at < 16


# ---------------------------------------------------------------- the door


def test_a_secure_message_is_let_in_and_decrypted() -> None:
    vector = VECTORS["V2"]
    query = query_of(vector, signature=SIGNATURE_V1, encrypt_type="aes")
    assert door(KEY_A).authenticate(post(query, outer(vector.cipher))) == vector.plain.encode()


def test_a_secure_message_in_json_is_let_in() -> None:
    vector = VECTORS["V5"]
    body = msgspec.json.encode({"ToUserName": "gh_omni000002", "Encrypt": vector.cipher})
    assert door(KEY_A).authenticate(post(query_of(vector), body)) == vector.plain.encode()


def test_a_notification_of_a_company_is_let_in() -> None:
    vector = VECTORS["V4"]
    body = outer(vector.cipher)
    assert door(KEY_B, receive_id=CORP_ID).authenticate(post(query_of(vector), body)) == vector.plain.encode()


def test_while_key_and_token_change_the_old_ones_are_good_too() -> None:
    vector = VECTORS["V2"]
    keys = (decode_key("a" * 43), decode_key(KEY_A))
    both = Door(("newToken", TOKEN), keys, APP_ID, clock=HandClock())
    assert both.authenticate(post(query_of(vector), outer(vector.cipher))) == vector.plain.encode()


def test_sec_08_a_changed_nonce_is_refused() -> None:
    vector = VECTORS["V2"]
    with pytest.raises(SignatureInvalid, match="msg_signature"):
        door(KEY_A).authenticate(post(query_of(vector, nonce="831207457"), outer(vector.cipher)))


@pytest.mark.parametrize("name", ["signature", "timestamp", "nonce", "msg_signature"])
@pytest.mark.parametrize("value", [None, "", "0" * 40, "é"])
def test_sec_08_without_a_right_proof_nothing_gets_in(name: str, value: str | None) -> None:
    vector = VECTORS["V2"]
    for entrance, query, body in (
        (door(KEY_A), query_of(vector), outer(vector.cipher)),
        (door(), dict(V1), b"<xml></xml>"),
    ):
        if name not in query:
            continue
        changed = {key: one for key, one in {**query, name: value}.items() if one is not None}
        with pytest.raises(SignatureInvalid):
            entrance.authenticate(post(changed, body))


@pytest.mark.parametrize("length", range(40))
def test_sec_11_a_part_of_a_signature_is_no_signature(length: int) -> None:
    vector = VECTORS["V2"]
    with pytest.raises(SignatureInvalid):
        door(KEY_A).authenticate(post(query_of(vector, msg_signature=vector.signature[:length]), outer(vector.cipher)))


def test_a_message_for_another_account_is_refused_though_it_decrypts() -> None:
    vector = VECTORS["V2"]
    with pytest.raises(SignatureInvalid, match="not this account"):
        door(KEY_A, receive_id="wxsomebodyelse0000").authenticate(post(query_of(vector), outer(vector.cipher)))


def test_a_flipped_byte_with_a_new_signature_is_refused_in_words() -> None:
    data = bytearray(base64.b64decode(VECTORS["V2"].cipher))
    data[-1] ^= 1
    changed = base64.b64encode(data).decode()
    query = {"timestamp": "1", "nonce": "2", "msg_signature": sorted_sha1(TOKEN, "1", "2", changed)}
    with pytest.raises(SignatureInvalid, match="encoding_aes_key"):
        door(KEY_A).authenticate(post(query, outer(changed)))


@pytest.mark.parametrize("encrypted", ["", "AAAA", "!!!", "A" * 24, "A" * 43 + "="])
def test_a_cipher_that_is_none_is_refused_though_it_is_signed(encrypted: str) -> None:
    query = {"timestamp": "1", "nonce": "2", "msg_signature": sorted_sha1(TOKEN, "1", "2", encrypted)}
    with pytest.raises(SignatureInvalid):
        door(KEY_A).authenticate(post(query, outer(encrypted)))


def test_a_length_beyond_the_buffer_is_refused() -> None:
    key = decode_key(KEY_A)
    plain = b"n" * 16 + (2**31).to_bytes(4, "big") + b"x" * 11 + b"\x01"
    worker = Cipher(algorithms.AES256(key), modes.CBC(key[:16])).encryptor()
    made = base64.b64encode(worker.update(plain) + worker.finalize()).decode()
    with pytest.raises(ValueError, match="length"):
        decrypt(key, made)


@pytest.mark.parametrize("body", [VECTORS["V2"].plain.encode(), b'{"ToUserName":"x"}', b"", b"<xml>", b"[]"])
def test_sec_10_with_a_key_a_body_in_clear_is_refused(body: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        door(KEY_A).authenticate(post(V1, body))


def test_sec_10_in_compatible_mode_the_clear_twin_is_never_believed() -> None:
    vector = VECTORS["V2"]
    twin = f"<xml><Content>forged</Content><Encrypt><![CDATA[{vector.cipher}]]></Encrypt></xml>".encode()
    assert door(KEY_A).authenticate(post(query_of(vector), twin)) == vector.plain.encode()


@pytest.mark.parametrize("seconds", [STALE_S + 1, -STALE_S - 1, 10**9])
def test_sec_10_a_plain_callback_out_of_time_is_refused(seconds: int) -> None:
    with pytest.raises(SignatureInvalid, match="too old"):
        door(at=1_720_000_001 + seconds).authenticate(post(V1, b"<xml></xml>"))


def test_sec_10_a_plain_signature_is_good_for_one_body() -> None:
    entrance = door()
    assert entrance.authenticate(post(V1, b"<xml>one</xml>")) == b"<xml>one</xml>"
    assert entrance.authenticate(post(V1, b"<xml>one</xml>")) == b"<xml>one</xml>"
    with pytest.raises(SignatureInvalid, match="another body"):
        entrance.authenticate(post(V1, b"<xml>two</xml>"))


def test_sec_20_a_doctype_around_the_cipher_is_refused_unread() -> None:
    vector = VECTORS["V2"]
    body = b'<!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + outer(vector.cipher)
    with pytest.raises(SignatureInvalid):
        door(KEY_A).authenticate(post(query_of(vector), body))


def test_a_plain_callback_without_a_time_is_refused_though_it_is_signed() -> None:
    query = {"signature": sorted_sha1(TOKEN, "", "1"), "nonce": "1"}
    with pytest.raises(SignatureInvalid, match="too old"):
        door().authenticate(post(query, b"<xml></xml>"))


def test_sec_12_no_host_name_opens_the_door() -> None:
    request = WebhookRequest(method="POST", query={}, headers={"Host": "localhost"}, body=b"<xml></xml>")
    with pytest.raises(SignatureInvalid):
        door(KEY_A).authenticate(request)


# ---------------------------------------------------------------- the check of an address


def test_the_echo_of_a_public_account_comes_back_as_it_came() -> None:
    request = WebhookRequest(method="GET", query={**V1, "echostr": "847+ 3=="}, headers={}, body=b"")
    reply = door(KEY_A).handshake(request, encrypted=False)
    assert reply is not None
    assert (reply.status, reply.body, reply.content_type) == (200, b"847+ 3==", "text/plain")


def test_the_echo_of_a_company_is_decrypted_as_in_vector_v3() -> None:
    text = "bKmo4qXP%2FbtQJj%2BH8%2BdEKVpI3gvRuP7%2FPYMLjCwqV1ew7PPcrkvXRc99FtRmnRpYsOM%2FjlAMgPYZVxqiAoXT3Q%3D%3D"
    query = query_of(VECTORS["V3"], echostr=unquote(text))
    request = WebhookRequest(method="GET", query=query, headers={}, body=b"")
    reply = door(KEY_B, receive_id=CORP_ID).handshake(request, encrypted=True)
    assert reply is not None
    assert reply.body == b"5550001112223334445"


@pytest.mark.parametrize("encrypted", [False, True])
def test_sec_08_a_wrong_check_of_an_address_gets_no_echo(encrypted: bool) -> None:
    query = {**V1, "signature": "0" * 40, "msg_signature": "0" * 40, "echostr": "hello"}
    with pytest.raises(SignatureInvalid):
        door(KEY_A).handshake(WebhookRequest(method="GET", query=query, headers={}, body=b""), encrypted=encrypted)


def test_a_post_is_no_check_of_an_address() -> None:
    assert door(KEY_A).handshake(post(V1, b"<xml></xml>"), encrypted=False) is None
