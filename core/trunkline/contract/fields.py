"""Types for the settings of a connector: what every account has in some form."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

__all__ = ["FilledSecret", "HttpAddress", "OneOrMany"]


def _filled(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("must not be empty: copy it from the platform's console")
    return value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


#: A secret that a blank cannot stand for: a check against a blank key proves nothing.
FilledSecret = Annotated[SecretStr, AfterValidator(_filled)]
#: The beginning of addresses, kept without a slash at its end. By its format in the schema, what people fill in is
#: checked against the connector's own hosts.
HttpAddress = Annotated[
    str,
    Field(pattern=r"^https?://[^/\s]+", json_schema_extra={"format": "uri"}),
    AfterValidator(lambda url: url.rstrip("/")),
]
#: Before `Annotated[tuple[X, ...], OneOrMany]`: one value may be written without a list.
OneOrMany = BeforeValidator(_listed)
