"""Secrets: sealed at rest, and in no line, page or error that leaves the process (SEC-53)."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests import warm
from tests.core.plugin_maker import Shelf
from trunkline import log
from trunkline.contract import Health
from trunkline.errors import ConfigError, Undeliverable
from trunkline.service.account_rows import AccountRow, account_snapshot
from trunkline.service.secret_box import SecretBox, SecretUnreadable, secret_keys
from trunkline.settings import load_settings

#: Forty invented secrets, in the shapes that platforms give them.
CANARIES = [f"canary{n:02}-{quote_or_not}" for n in range(20) for quote_or_not in ("Plain0123456789", "A+b/c=&d é%20")]


def _disguises(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        *(base64.b64encode(bytes(shift) + raw + b"!" * tail)[4:-4].decode() for shift in range(3) for tail in range(3)),
    ]


def _leaks(text: str) -> list[str]:
    return [secret for secret in CANARIES if any(disguise in text for disguise in _disguises(secret))]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("TRUNKLINE_"):
            monkeypatch.delenv(name)
    log.forget_secrets()
    yield
    log.forget_secrets()
    structlog.reset_defaults()
    logging.basicConfig(handlers=[], force=True)


# ---------------------------------------------------------------- logs


@pytest.mark.promise("SEC-53")
@pytest.mark.parametrize("pretty", [True, False], ids=["text", "json"])
@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_no_secret_gets_into_a_log_line(level: str, pretty: bool) -> None:
    written = io.StringIO()
    with redirect_stderr(written):
        log.configure(level=level, pretty=pretty)
        log.keep_secret(*CANARIES)
        ours, theirs = log.get_logger("test"), logging.getLogger("some.library")
        for secret in CANARIES:
            for name in ("debug", "info", "warning", "error", "exception"):
                _log_everywhere(getattr(ours, name), secret)
                _log_as_a_library(getattr(theirs, name), secret)
    assert "test.happened" in written.getvalue()
    assert _leaks(written.getvalue()) == []


def _log_everywhere(say: structlog.typing.FilteringBoundLogger, secret: str) -> None:
    raw = secret.encode()
    try:
        raise Undeliverable(f"The platform refused {secret}") from ValueError(secret)
    except Undeliverable as error:
        say(  # type: ignore[operator]  # a bound method of the logger
            "test.happened",
            text=f"sent {secret} to it",
            body=raw,
            url=f"https://api.example/send?access_token={quote(secret)}",
            path=f"https://api.example/{quote(secret, safe='')}/send",
            basic=base64.b64encode(b"user:" + raw).decode(),
            urlsafe=base64.urlsafe_b64encode(b"u:" + raw).decode(),
            nested={"list": [secret, (secret, {"deep": secret})], "token": "x"},
            error=error,
            health=Health(state="failing", summary=secret),
            config=SecretStr(secret),
        )


def _log_as_a_library(say: logging.Logger, secret: str) -> None:
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        say("calling %s with %r", f"https://x.example/?key={secret}", {"k": secret})  # type: ignore[operator]  # a bound method


def test_values_under_a_telling_name_are_hidden_even_if_nobody_registered_them() -> None:
    names = ["access_token", "channel_secret", "Authorization", "Set-Cookie", "password", "X-Signature", "api_key"]
    assert log.redact(dict.fromkeys(names, "unknown-to-us")) == dict.fromkeys(names, "***")


def test_local_variables_are_no_part_of_a_traceback() -> None:
    written = io.StringIO()
    with redirect_stderr(written):
        log.configure(pretty=False)
        what_the_customer_wrote = "my diagnosis is private"
        try:
            raise RuntimeError(len(what_the_customer_wrote))
        except RuntimeError:
            log.get_logger("test").exception("test.happened")
    assert "private" not in written.getvalue()


@given(st.text(min_size=8, max_size=40).filter(str.strip), st.binary(max_size=5), st.binary(max_size=5))
def test_a_secret_is_found_inside_any_base64(secret: str, before: bytes, after: bytes) -> None:
    log.forget_secrets()
    log.keep_secret(secret)
    try:
        raw = secret.encode()
    except UnicodeEncodeError:
        return
    encoded = base64.b64encode(before + raw + after).decode()
    assert "***" in log.redact(encoded)
    assert "***" in log.redact(base64.urlsafe_b64encode(before + raw + after).decode())


# ---------------------------------------------------------------- at rest

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_sealed_value_opens_again_and_shows_nothing() -> None:
    box = SecretBox([OLD])
    sealed = box.encrypt({"token": SecretStr(CANARIES[0]), "list": [1, None, True]})
    assert _leaks(sealed.decode()) == []
    assert sealed.startswith(box.key_id.encode() + b".")
    assert box.decrypt(sealed) == {"token": CANARIES[0], "list": [1, None, True]}


def test_what_was_opened_is_kept_out_of_the_logs() -> None:
    box = SecretBox([OLD])
    box.decrypt(box.encrypt({"nested": [CANARIES[1]]}))
    assert log.redact(CANARIES[1]) == "***"


def test_with_a_new_key_in_front_old_values_open_and_are_rotated() -> None:
    sealed = SecretBox([OLD]).encrypt({"token": "x"})
    box = SecretBox([NEW, OLD])
    assert box.decrypt(sealed) == {"token": "x"}
    rotated = box.rotate(sealed)
    assert box.rotate(rotated) is rotated
    assert SecretBox([NEW]).decrypt(rotated) == {"token": "x"}


def test_without_its_key_a_value_says_which_key_it_wants() -> None:
    sealed = SecretBox([OLD]).encrypt("x")
    wanted = SecretBox([OLD]).key_id
    with pytest.raises(SecretUnreadable, match=wanted) as caught:
        SecretBox([NEW]).decrypt(sealed)
    assert OLD not in str(caught.value)
    assert NEW not in str(caught.value)


@pytest.mark.parametrize("position", [8, 10, 40, -1])
def test_a_changed_value_does_not_open(position: int) -> None:
    sealed = bytearray(SecretBox([OLD]).encrypt("a secret"))
    sealed[position] ^= 1
    with pytest.raises(SecretUnreadable):
        SecretBox([OLD]).decrypt(bytes(sealed))


# ---------------------------------------------------------------- the key


def test_the_key_is_made_once_beside_the_database_and_is_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "trunkline.toml").write_text('[database]\nurl = "sqlite:///data/shop.db"\n')
    settings = load_settings(tmp_path / "trunkline.toml")
    first, second = secret_keys(settings), secret_keys(settings)
    assert first == second
    file = tmp_path / "data" / "trunkline.key"
    assert settings.key_file == file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["trunkline.key"]
    assert log.redact(first[0]) == "***"


def test_two_first_starts_agree_on_one_key(tmp_path: Path) -> None:
    (tmp_path / "trunkline.toml").write_text("")
    code = (
        "from trunkline.settings import load_settings; from trunkline.service.secret_box import secret_keys;"
        "print(secret_keys(load_settings())[0])"
    )
    starts = [
        subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert len({start.communicate()[0] for start in starts}) == 1


@pytest.mark.parametrize(
    "written",
    [OLD, f"{NEW},{OLD}", f" {NEW} , {OLD} ", base64.b64encode(b"\xff\xef" * 16).decode()],
    ids=["one", "two", "two-with-blanks", "plain-base64"],
)
def test_keys_come_from_the_environment_in_their_order(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", written)
    keys = secret_keys(load_settings())
    assert len(keys) == len(written.split(","))
    box = SecretBox(keys)
    assert box.decrypt(box.encrypt("x")) == "x"


@pytest.mark.parametrize(
    "written",
    ["short", "canary00-Plain0123456789", f"{OLD},canary00-Plain0123456789", "é" * 44],
    ids=["short", "plain", "one-of-two", "not-ascii"],
)
def test_what_is_no_key_is_refused_without_being_repeated(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", written)
    with pytest.raises(ConfigError, match="openssl rand -base64 32") as caught:
        secret_keys(load_settings())
    assert _leaks(str(caught.value)) == []
    assert written not in str(caught.value)


# ---------------------------------------------------------------- outputs


def test_an_account_as_others_see_it_has_no_settings() -> None:
    row = AccountRow(
        id="one", connector="shop", channel="shop", title="One", settings=CANARIES[0].encode(), locked=True,
        state="connected", reason=None, health=CANARIES[1],
    )  # fmt: skip
    assert _leaks(json.dumps(account_snapshot(row))) == []


@pytest.mark.promise("SEC-53")
def test_commands_print_no_secret(tmp_path: Path, shelf: Shelf) -> None:
    probe = "async def probe(self):\n        raise KeyError(self.config.shop_key.get_secret_value())"
    shelf.install_connector("shop", ("async def probe(self):", probe))
    accounts = [
        f"[[accounts]]\nid = 'a{n}'\nconnector = 'shop'\nsettings = {{ shop_key = {json.dumps(secret)} }}\n"
        for n, secret in enumerate(CANARIES)
    ]
    (tmp_path / "trunkline.toml").write_text("\n".join(accounts), encoding="utf-8")
    (tmp_path / "typo.toml").write_text("\n".join(accounts).replace("shop_key", "shop_kye"), encoding="utf-8")
    for command in (
        ["account", "list", "--json"],
        ["account", "probe"],
        ["doctor", "--probe"],
        ["doctor", "--config", "typo.toml"],
        ["migrate"],
    ):
        environment = {**os.environ, "PYTHONPATH": str(shelf.folder), "TRUNKLINE_LOG__LEVEL": "DEBUG"}
        done = warm.run(command, cwd=tmp_path, env=environment)
        assert done.stdout or done.stderr
        assert _leaks(done.stdout + done.stderr) == [], command
        assert "Traceback" not in done.stderr


def test_what_libraries_log_is_json_lines_too() -> None:
    written = io.StringIO()
    with redirect_stderr(written):
        log.configure(pretty=False)
        try:
            raise RuntimeError("two\nlines")
        except RuntimeError:
            logging.getLogger("some.library").exception("It failed: %s", "é")
        logging.getLogger("alembic.runtime").info("Running upgrade")
    (line,) = written.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["logger"], told["level"]) == ("library.logged", "some.library", "error")
    assert told["text"] == "It failed: é"
    assert "RuntimeError" in told["exception"]
