"""The proof of a callback: SHA-1 over the application secret, a time and a nonce. It does not cover the body.

So that one address that leaked cannot carry forged bodies for ever, a proof is good for some minutes and for one body:
Weibo may repeat a push, nobody may change it.

Source: https://open.weibo.com/wiki/粉丝服务平台 (read 2026-11-22)
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from trunkline.contract import Clock
from trunkline.errors import SignatureInvalid

#: Proofs remembered at most; beyond it the oldest is forgotten first.
_MOST = 50_000


def sign(secret: str, timestamp: str, nonce: str) -> str:
    """Return the signature as Weibo makes it, in lower-case hex."""
    joined = "".join(sorted((secret, timestamp, nonce)))
    return hashlib.sha1(joined.encode(errors="replace")).hexdigest()  # noqa: S324 - the platform's own scheme


class Proofs:
    """The proofs of one account and the bodies they came with, in memory: a restart forgets the last minutes."""

    def __init__(self, secrets: Sequence[str], clock: Clock, *, max_age_s: int) -> None:
        self._secrets, self._clock, self._max_age_ms = secrets, clock, max_age_s * 1000
        #: (timestamp, nonce) → when it came, digest of the body.
        self._seen: OrderedDict[tuple[str, str], tuple[int, bytes]] = OrderedDict()

    def check(self, query: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureInvalid unless this query proves this body."""
        signature, timestamp, nonce = (query.get(name, "") for name in ("signature", "timestamp", "nonce"))
        if not (signature and timestamp and nonce):
            raise SignatureInvalid("signature, timestamp or nonce is missing.", code="signature_missing")
        given = signature.encode(errors="replace")
        # All are tried, so that the time does not tell which one it was.
        good = [hmac.compare_digest(sign(secret, timestamp, nonce).encode(), given) for secret in self._secrets]
        if not any(good):
            raise SignatureInvalid("The signature was not made with the app_secret of this account.")
        now = self._clock.now_ms()
        if abs(now - _in_ms(timestamp)) > self._max_age_ms:
            raise SignatureInvalid("The timestamp of the signature is too far away.", code="signature_expired")
        self._use((timestamp, nonce), hashlib.sha256(body).digest(), now)

    def _use(self, key: tuple[str, str], body: bytes, now: int) -> None:
        while self._seen and (len(self._seen) >= _MOST or self._oldest() < now - 2 * self._max_age_ms):
            self._seen.popitem(last=False)
        _, first = self._seen.setdefault(key, (now, body))
        if not hmac.compare_digest(first, body):
            raise SignatureInvalid("This signature came with another body before.", code="signature_reused")

    def _oldest(self) -> int:
        return next(iter(self._seen.values()))[0]


def _in_ms(timestamp: str) -> int:
    """Return ms since the epoch, 0 for what is no time; Weibo's example has milliseconds, ten digits are seconds."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 13):
        return 0
    return int(timestamp) * (1000 if len(timestamp) <= 10 else 1)
