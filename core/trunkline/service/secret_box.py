"""Secrets at rest: encrypted JSON that says which key opens it.

A sealed value is `<key id>.<Fernet token>`. With several keys the first one seals and any of them opens:
to change a key, put the new one in front, rotate what is stored, and take the old one away.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from trunkline.errors import ConfigError, TrunklineError
from trunkline.log import keep_secret
from trunkline.settings import Settings

__all__ = ["SecretBox", "SecretUnreadable", "secret_keys"]


class SecretUnreadable(TrunklineError):
    """A stored secret cannot be opened with the keys at hand."""


class SecretBox:
    """Seals and opens JSON values."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ConfigError("A secret key is needed to keep secrets at rest.")
        self._ids = [_key_id(key) for key in keys]
        self._roots = [key.encode() for key in keys]
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @property
    def key_id(self) -> str:
        """Name of the key that seals now; tells nothing about the key."""
        return self._ids[0]

    def encrypt(self, value: Any) -> bytes:
        """Seal a JSON value; `SecretStr` inside it are stored as what they hide."""
        plain = msgspec.json.encode(value, enc_hook=_reveal)
        return self.key_id.encode() + b"." + self._fernet.encrypt(plain)

    def decrypt(self, sealed: bytes, *, all_secret: bool = True) -> Any:
        """Open a sealed value and keep every text in it out of the logs.

        `all_secret=False` leaves that to a caller who knows which of them are secret.

        Raises:
            SecretUnreadable: it was sealed with another key, or changed.
        """
        value = msgspec.json.decode(self._open(sealed))
        if all_secret:
            keep_secret(*_texts(value))
        return value

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """Return keys for one purpose, one of each of ours: the first signs, any of them is believed."""
        return tuple(hmac.digest(root, b"trunkline:" + purpose.encode(), "sha256") for root in self._roots)

    def rotate(self, sealed: bytes) -> bytes:
        """Return the same value sealed with the first key; the very same bytes if it already is."""
        if sealed.startswith(self.key_id.encode() + b"."):
            return sealed
        return self.key_id.encode() + b"." + self._fernet.encrypt(self._open(sealed))

    def same(self, one: bytes, other: bytes) -> bool:
        """Whether two sealed values hold the same; False if one cannot be opened."""
        try:
            return hmac.compare_digest(self._open(one), self._open(other))
        except SecretUnreadable:
            return False

    def _open(self, sealed: bytes) -> bytes:
        key_id, _, token = bytes(sealed).partition(b".")
        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            name = key_id.decode("ascii", "replace")[:16]
            known = name in self._ids
            words = "it was changed" if known else f"its key {name} is not among {', '.join(self._ids)}"
            raise SecretUnreadable(f"A stored secret cannot be opened: {words}.") from None


def _key_id(key: str) -> str:
    return hashlib.sha256(b"trunkline key id:" + key.encode()).hexdigest()[:8]


def _reveal(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


# ---------------------------------------------------------------- the keys


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """Return the keys, the one that seals first: from TRUNKLINE_SECRET_KEY, else from the key file.

    The file is made at the first start, readable by its owner alone.

    Raises:
        ConfigError: something is no key, or its file cannot be read or made.
    """
    if settings.secret_key:
        keys, origin = settings.secret_key.get_secret_value().split(","), "TRUNKLINE_SECRET_KEY"
    else:
        keys, origin = _keys_in(settings.key_file), str(settings.key_file)
    found = [key.strip() for key in keys if key.strip()]
    keep_secret(*found)
    return tuple(_fernet_key(key, origin) for key in found)


def _keys_in(file: Path) -> list[str]:
    try:
        if not file.exists():
            _make_key(file)
        return file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        words = f"The key file cannot be read or made ({type(error).__name__}): set TRUNKLINE_SECRET_KEY instead."
        raise ConfigError(words, file=str(file)) from error


def _make_key(file: Path) -> None:
    """Make the file whole or not at all, so that two first starts agree on one key. mkstemp makes it 0600."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n")
        os.link(name, file)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()


def _fernet_key(key: str, origin: str) -> str:
    """Accept both spellings of base64, so that any generator will do."""
    urlsafe = key.replace("+", "-").replace("/", "_")
    try:
        if len(base64.urlsafe_b64decode(urlsafe)) == 32:
            return urlsafe
    except ValueError:
        pass
    raise ConfigError(f"{origin}: a key must be 32 bytes in base64; make one with: openssl rand -base64 32")
