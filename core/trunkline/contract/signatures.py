"""Proofs of webhooks that several platforms share. Pure but for what `Proofs` remembers of the last minutes."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from trunkline.contract.exchange import WebhookReply
from trunkline.errors import SignatureInvalid

if TYPE_CHECKING:
    from trunkline.contract.exchange import WebhookRequest
    from trunkline.contract.ports import Clock

__all__ = ["OneBody", "Proofs", "hub_challenge", "hub_signature", "is_one_of", "sorted_sha1"]

#: Proofs remembered at most; beyond it the oldest is forgotten first.
_MOST = 50_000


def is_one_of(given: str, wanted: Iterable[str]) -> bool:
    """Whether `given` is one of `wanted`. All are compared, so that the time does not tell which one it was."""
    found = given.encode(errors="replace")
    return any([hmac.compare_digest(one.encode(), found) for one in wanted])  # noqa: C419 - see above


def sorted_sha1(*values: str) -> str:
    """Return the SHA-1 of the values, sorted as plain strings and joined, in lower-case hex."""
    return hashlib.sha1("".join(sorted(values)).encode(errors="replace"), usedforsecurity=False).hexdigest()


def hub_signature(body: bytes, secret: str) -> str:
    """Return what `X-Hub-Signature-256` says of a body: HMAC-SHA256 over the bytes as received, in hex.

    Source: https://www.w3.org/TR/websub/#signing-content (read 2026-11-22)
    """
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def hub_challenge(request: WebhookRequest, verify_token: str) -> WebhookReply | None:
    """Answer the check of a new address, a GET without body and signature, by the words that both sides know.

    Some proxies write `hub_mode` for `hub.mode`.

    Raises:
        SignatureInvalid: the words are not ours.
    """
    if request.method != "GET":
        return None
    asked = {name.replace("hub_", "hub.", 1): value for name, value in request.query.items()}
    known = bool(verify_token) and is_one_of(asked.get("hub.verify_token", ""), (verify_token,))
    if not known or asked.get("hub.mode") != "subscribe":
        raise SignatureInvalid("hub.verify_token is not the verify_token of this account.", status=403)
    return WebhookReply(body=asked.get("hub.challenge", "").encode(errors="replace"))


class OneBody:
    """Proofs that do not cover the body: each is good for some minutes, and for the body that it came with first.

    So one address that leaked cannot carry forged bodies for ever. A platform may repeat a request, nobody may change
    it. Kept in memory: a restart forgets the last minutes.
    """

    def __init__(self, clock: Clock, *, max_age_s: int) -> None:
        self._clock, self._max_age_ms = clock, max_age_s * 1000
        #: Proof → when it came, digest of the body.
        self._seen: OrderedDict[Hashable, tuple[int, bytes]] = OrderedDict()

    def use(self, proof: Hashable, timestamp: str, body: bytes) -> None:
        """Raise SignatureInvalid if this proof is too old, from the future, or came with another body before.

        `timestamp` is the platform's: ten digits are seconds, more are milliseconds.
        """
        now = self._clock.now_ms()
        if abs(now - _in_ms(timestamp)) > self._max_age_ms:
            words = "The time of the signature is too old or from the future: it may be a repetition."
            raise SignatureInvalid(words, code="signature_expired")
        while self._seen and (len(self._seen) >= _MOST or self._oldest() < now - 2 * self._max_age_ms):
            self._seen.popitem(last=False)
        digest = hashlib.sha256(body).digest()
        _, first = self._seen.setdefault(proof, (now, digest))
        if not hmac.compare_digest(first, digest):
            raise SignatureInvalid("This signature came with another body before.", code="signature_reused")

    def _oldest(self) -> int:
        return next(iter(self._seen.values()))[0]


class Proofs:
    """SHA-1 over a secret, a time and a nonce, sorted: the query `signature`, `timestamp`, `nonce` of many platforms.

    `secrets` are the new one and, while it changes, the old one; `called` is their name in the account's settings.
    """

    def __init__(self, secrets: Sequence[str], clock: Clock, *, max_age_s: int, called: str = "secret") -> None:
        self._secrets, self._called = secrets, called
        self._bodies = OneBody(clock, max_age_s=max_age_s)

    def check(self, query: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureInvalid unless this query proves this body."""
        signature, timestamp, nonce = (query.get(name, "") for name in ("signature", "timestamp", "nonce"))
        if not (signature and timestamp and nonce):
            raise SignatureInvalid("signature, timestamp or nonce is missing.", code="signature_missing")
        if not is_one_of(signature, (sorted_sha1(secret, timestamp, nonce) for secret in self._secrets)):
            raise SignatureInvalid(f"The signature was not made with the {self._called} of this account.")
        self._bodies.use((timestamp, nonce), timestamp, body)


def _in_ms(timestamp: str) -> int:
    """Return ms since the epoch, 0 for what is no time."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 13):
        return 0
    return int(timestamp) * (1000 if len(timestamp) <= 10 else 1)
