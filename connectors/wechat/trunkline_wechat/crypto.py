"""Proof and secrecy of callbacks: signatures, the AES envelope, and the door that checks both.

Sources: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Message_encryption_and_decryption.html,
https://developer.work.weixin.qq.com/document/path/90968 (read 2026-11-22)
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from trunkline.contract import Clock, OneBody, TrustedBody, WebhookReply, WebhookRequest, is_one_of, sorted_sha1
from trunkline.errors import BodyUnreadable, SignatureInvalid
from trunkline_wechat.packets import read

_KEY = re.compile(r"[A-Za-z0-9+/]{43}")
_BLOCK = 32
_NOISE = 16
#: How far the time of a plain callback may be from ours: its signature says nothing of its body.
STALE_S = 300


def decode_key(text: str) -> bytes:
    """Return the 32 bytes of an EncodingAESKey. ValueError in words if it is none.

    Keys made by the platform may carry bits in their tail that a strict decoder refuses.
    """
    if not _KEY.fullmatch(text):
        raise ValueError("an EncodingAESKey has 43 letters and digits: copy it from the platform's console")
    return base64.b64decode(text + "=")


def encrypt(key: bytes, message: bytes, receive_id: str, *, noise: bytes | None = None) -> str:
    """Return the base64 text for `Encrypt`; `noise` is 16 random bytes unless given."""
    head = (noise or secrets.token_bytes(_NOISE)) + len(message).to_bytes(4, "big")
    plain = head + message + receive_id.encode()
    pad = _BLOCK - len(plain) % _BLOCK
    worker = Cipher(algorithms.AES256(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(worker.update(plain + bytes([pad]) * pad) + worker.finalize()).decode()


def decrypt(key: bytes, encrypted: str) -> tuple[bytes, str]:
    """Return message and receive-id. ValueError if this was not made with `key`; verify the signature before."""
    data = base64.b64decode(encrypted)
    if not data or len(data) % 16:
        raise ValueError("the ciphertext has no whole number of blocks")
    worker = Cipher(algorithms.AES256(key), modes.CBC(key[:16])).decryptor()
    plain = worker.update(data) + worker.finalize()
    pad, size = plain[-1], int.from_bytes(plain[_NOISE : _NOISE + 4], "big")
    end = _NOISE + 4 + size
    if not 1 <= pad <= _BLOCK or plain[-pad:] != bytes([pad]) * pad or end > len(plain) - pad:
        raise ValueError("the padding or the length inside is wrong")
    return plain[_NOISE + 4 : end], plain[end : len(plain) - pad].decode()


class Door:
    """Lets in what the platform sent to one account.

    Several tokens or keys are the new one and, while it changes, the old one. Without keys the callbacks are plain:
    then a triple of time, nonce and signature is good for one body, and for `STALE_S` seconds.
    """

    def __init__(self, tokens: tuple[str, ...], keys: tuple[bytes, ...], receive_id: str, *, clock: Clock) -> None:
        self._tokens, self._keys, self._receive_id = tokens, keys, receive_id
        self._bodies = OneBody(clock, max_age_s=STALE_S)

    def handshake(self, request: WebhookRequest, *, encrypted: bool) -> WebhookReply | None:
        """Answer the check of a new address: `echostr` as it came, or decrypted where the platform encrypts it."""
        if request.method != "GET":
            return None
        echo = request.query.get("echostr", "")
        if encrypted:
            return WebhookReply(body=self.open(request.query, echo))
        self._prove(request.query, "signature")
        return WebhookReply(body=echo.encode())

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        """Return the body, decrypted if this account has keys. The clear twin beside a cipher is never looked at."""
        if not self._keys:
            self._prove(request.query, "signature")
            self._bodies.use(request.query["signature"], request.query.get("timestamp", ""), request.body)
            return TrustedBody(request.body)
        return TrustedBody(self.open(request.query, _encrypted_part(request.body)))

    def open(self, query: Mapping[str, str], encrypted: str) -> bytes:
        """Verify `msg_signature` over `encrypted`, decrypt it, and check that it was meant for this account."""
        self._prove(query, "msg_signature", encrypted)
        words = "The message cannot be decrypted: encoding_aes_key is not the one of the platform's console."
        for key in self._keys:
            try:
                message, receive_id = decrypt(key, encrypted)
            except (ValueError, binascii.Error):
                continue
            if hmac.compare_digest(receive_id.encode(), self._receive_id.encode()):
                return message
            words = f"The message was encrypted for {receive_id[:40]!r}, which is not this account."
        raise SignatureInvalid(words)

    def _prove(self, query: Mapping[str, str], name: str, *more: str) -> None:
        """Check a signature over token, time and nonce."""
        rest = (query.get("timestamp", ""), query.get("nonce", ""), *more)
        if not is_one_of(query.get(name, ""), (sorted_sha1(token, *rest) for token in self._tokens)):
            raise SignatureInvalid(f"{name} is missing or not made with the callback_token of this account.")


def _encrypted_part(body: bytes) -> str:
    """Return `Encrypt` of an outer body in XML or JSON."""
    try:
        encrypted = read(body).get("Encrypt")
    except BodyUnreadable as error:
        raise SignatureInvalid(str(error)) from error
    if not isinstance(encrypted, str) or not encrypted:
        raise SignatureInvalid("The body is not encrypted, but this account has an encoding_aes_key.")
    return encrypted
