"""Who a visitor is, by what the site's own server signed: a JWT, or an HMAC of the user's id.

A key is good for the algorithm that it is configured with and for no other, whatever a token says of itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.hosted.connector import IdentityMode
from trunkline.hosted.refusals import ClientRefused
from trunkline.log import get_logger

if TYPE_CHECKING:
    from trunkline.hosted.connector import IdentityKey, IdentityPolicy

__all__ = ["Proved", "prove"]

log = get_logger("hosted")

_SKEW_S = 60
_LONGEST_S = 3600
_MOST_CHARACTERS = 8192
#: Claims that are facts about the person, and how long they may be.
_FACTS = {"name": 200, "email": 254, "phone": 32, "locale": 35}


class Proved(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom the site vouches for, and the facts that it signed."""

    subject: str
    #: name, email, phone, locale; those that were signed.
    facts: dict[str, str] = {}
    attributes: dict[str, Any] = {}


class HmacProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The older proof: it covers the id alone."""

    id: str
    hmac: str


def prove(given: str | HmacProof, policy: IdentityPolicy, audience: str, now_ms: int) -> Proved:
    """Return who was proved.

    Raises:
        ClientRefused: identity_invalid, identity_expired, identity_not_yet_valid.
    """
    if policy.mode is IdentityMode.OFF:
        raise _invalid("off")
    if isinstance(given, HmacProof):
        return _by_hmac(given, policy)
    return _by_token(given, policy, audience, now_ms // 1000)


def _by_hmac(given: HmacProof, policy: IdentityPolicy) -> Proved:
    if policy.hmac_secret is None or not 0 < len(given.id) <= 255:
        raise _invalid("hmac")
    key = policy.hmac_secret.get_secret_value().encode()
    expected = hmac.new(key, given.id.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), given.hmac.lower().encode()):
        raise _invalid("hmac")
    return Proved(subject=given.id)


def _by_token(token: str, policy: IdentityPolicy, audience: str, now_s: int) -> Proved:
    if len(token) > _MOST_CHARACTERS or not token.isascii():
        raise _invalid("length")
    claims = _verified(token, policy.keys)
    _check_times(claims, now_s)
    _check_audience(claims, audience)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise _invalid("sub")
    attributes = claims.get("attrs", {})
    if not isinstance(attributes, dict) or len(attributes) > 50:
        raise _invalid("attrs")
    facts = {name: _fact(claims[name], name) for name in _FACTS if claims.get(name) is not None}
    return Proved(subject=subject, facts=facts, attributes=attributes)


def _verified(token: str, keys: Iterable[IdentityKey]) -> dict[str, Any]:
    """Return the claims under the first key that made the signature."""
    # Imported here because it loads a hundred modules, and most houses have no visitor with a token.
    from joserfc import jwt  # noqa: PLC0415 - see above
    from joserfc.errors import JoseError  # noqa: PLC0415 - see above
    from joserfc.jwk import ECKey, OctKey, RSAKey  # noqa: PLC0415 - see above

    kinds: dict[str, Any] = {"HS256": OctKey, "RS256": RSAKey, "ES256": ECKey}
    kid = _kid_of(token)
    for key in keys:
        if key.kid is not None and kid is not None and key.kid != kid:
            continue
        try:
            secret = kinds[key.algorithm].import_key(key.key.get_secret_value())
            return dict(jwt.decode(token, secret, algorithms=[key.algorithm]).claims)
        except (JoseError, ValueError, TypeError, UnicodeError) as error:
            log.info("identity.refused", algorithm=key.algorithm, reason=type(error).__name__)
    raise _invalid("signature")


def _kid_of(token: str) -> str | None:
    try:
        head = msgspec.json.decode(_unpadded(token.partition(".")[0]), type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError):
        raise _invalid("header") from None
    kid = head.get("kid")
    return kid if isinstance(kid, str) else None


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _check_times(claims: dict[str, Any], now_s: int) -> None:
    ends, began = _time(claims.get("exp")), _time(claims.get("iat"))
    starts = _time(claims.get("nbf", began))
    if not began < ends <= began + _LONGEST_S:
        raise _invalid("times")
    if now_s > ends + _SKEW_S:
        raise ClientRefused("identity_expired")
    if now_s < max(began, starts) - _SKEW_S:
        raise ClientRefused("identity_not_yet_valid")


def _time(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**40:
        raise _invalid("times")
    return value


def _check_audience(claims: dict[str, Any], audience: str) -> None:
    given = claims.get("aud")
    if audience not in (given if isinstance(given, list) else [given]):
        raise _invalid("aud")


def _fact(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _FACTS[name] or "\0" in value:
        raise _invalid(name)
    return value


def _invalid(why: str) -> ClientRefused:
    """The client learns nothing of what was wrong; the log does."""
    log.info("identity.refused", reason=why)
    return ClientRefused("identity_invalid")
