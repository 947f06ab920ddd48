"""Commands that print what platforms sent know the accounts' secrets first, so that they are masked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import select

from trunkline.errors import ConfigError, TrunklineError
from trunkline.log import keep_secret
from trunkline.service.account_setup import stored_settings
from trunkline.service.accounts import resolve
from trunkline.service.secret_box import SecretBox, secret_keys
from trunkline.settings import secrets_of
from trunkline.store import schema

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.plugins import Registry
    from trunkline.settings import Settings

__all__ = ["know_secrets"]

_account, _token = schema.account.c, schema.access_token.c


async def know_secrets(connection: AsyncConnection, settings: Settings, registry: Registry) -> None:
    """Remember the secrets of all accounts, of the file and of the database, and their access tokens.

    What cannot be read holds no secret that we could show either.
    """
    for position in range(len(settings.accounts)):
        with contextlib.suppress(ConfigError):
            _keep(resolve(registry, settings, position)[2])
    if not settings.secret_key and not settings.key_file.exists():
        return
    box = SecretBox(secret_keys(settings))
    for connector, sealed in await connection.execute(select(_account.connector, _account.settings)):
        spec = registry.connectors.get(connector)
        if spec is not None and sealed:
            _keep(stored_settings(spec, sealed, box))
        elif sealed:
            # Without its plugin nobody knows which of them are secret.
            _open(box, sealed)
    for (sealed,) in await connection.execute(select(_token.value)):
        _open(box, sealed)


def _open(box: SecretBox, sealed: bytes) -> None:
    with contextlib.suppress(TrunklineError):
        box.decrypt(sealed)


def _keep(config: object) -> None:
    keep_secret(*(secret.get_secret_value() for _place, secret in secrets_of(config)))
