"""Settings: where they come from, and how precisely they complain."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.plugin_maker import Shelf
from trunkline.errors import ConfigError
from trunkline.log import forget_secrets
from trunkline.plugins import load_registry
from trunkline.service.accounts import resolve
from trunkline.settings import Settings, load_settings, secrets_of
from trunkline.toml_places import line_of

#: Every section, with arrays and tables in the shapes that people write.
FULL = """\
# A shop.
[server]
listen = "127.0.0.1:8080"
public_url = "https://desk.example/"
allow_hosts = [
  "one.test",   # the simulator
  "two.test:8443",
]
trusted_proxies = ["10.0.0.0/8"]

[database]
url = "sqlite:///shop.db"

[media]
folder = "files"
max_bytes = 1_000_000

[log]
level = "DEBUG"
format = "json"

[retention]
raw_days = 7

[[accounts]]
id = "north"
connector = "shop"
settings = { shop_key = { env = "NORTH_KEY" } }

[[accounts]]
id = "south"
connector = "shop"
title = "South"

[accounts.settings]
shop_key = { file = "south.key" }
old_keys = [
  "an-older-key-of-the-south",
]

[accounts.settings.options]
retries = 5
"""

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("TRUNKLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    forget_secrets()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        file = tmp_path / "trunkline.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return to_file


def _refused(file: Path | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    return caught.value


# ---------------------------------------------------------------- what is read


def test_without_a_file_everything_is_at_its_default(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.file is None
    assert settings.server.listen == "127.0.0.1:8080"
    assert settings.server.metrics_listen == "127.0.0.1:9464"
    assert settings.database.url == f"sqlite:///{tmp_path}/trunkline.db"
    assert settings.media.free_space_floor == 200 * 1024 * 1024
    assert (settings.retention.raw_days, settings.retention.dedupe_days) == (30, 90)
    assert settings.accounts == ()


def test_relative_paths_start_at_the_file(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(FULL)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load_settings(file)
    assert settings.database_file == tmp_path / "shop.db"
    assert settings.media.folder == tmp_path / "files"
    assert settings.key_file == tmp_path / "trunkline.key"
    assert settings.server.public_url == "https://desk.example"


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = write(FULL)
    monkeypatch.setenv("TRUNKLINE_SERVER__LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("TRUNKLINE_SERVER__ALLOW_HOSTS", "three.test, four.test")
    monkeypatch.setenv("TRUNKLINE_RETENTION__RAW_DAYS", "3")
    settings = load_settings(file, {"server.listen": "127.0.0.1:2"})
    assert settings.server.listen == "127.0.0.1:2"
    assert settings.server.allow_hosts == ("three.test", "four.test")
    assert settings.retention.raw_days == 3


def test_a_database_named_on_the_command_line_is_where_one_stands(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = write(FULL)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load_settings(file, {"database.url": "sqlite:///other.db"})
    assert settings.database_file == tmp_path / "elsewhere" / "other.db"


def test_the_file_may_be_named_by_a_variable(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = write(FULL).rename(tmp_path / "other.toml")
    monkeypatch.setenv("TRUNKLINE_CONFIG", str(file))
    assert load_settings().file == file


@pytest.mark.parametrize("word", ["off", ""])
def test_the_second_listener_can_be_switched_off(word: str, write: Write) -> None:
    assert load_settings(write(f'[server]\nmetrics_listen = "{word}"\n')).server.metrics_listen is None


def test_settings_show_no_secret_when_printed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", "canary-key-for-secrets-at-rest")
    settings = load_settings(write(FULL))
    assert "older-key" not in f"{settings!r} {settings} {settings.accounts[1]!r}"
    assert "canary" not in f"{settings!r} {settings.secret_key!r}"


# ---------------------------------------------------------------- what is refused

#: What is wrong → (old text, new text) of FULL, how the line begins that is named, words.
TYPOS = {
    "a key": (("listen =", "listne ="), "listne", 'unknown key "listne"; did you mean "listen"?'),
    "a section": (("[retention]", "[retentoin]"), "[retentoin]", 'unknown key "retentoin"; did you mean "retention"?'),
    "a key after arrays": (("trusted_proxies", "trusted_proxy"), "trusted_proxy", 'did you mean "trusted_proxies"?'),
    "a key of the first account": (
        ('connector = "shop"\nsettings', 'conector = "shop"\nsettings'),
        "conector",
        'unknown key "conector"; did you mean "connector"?',
    ),
    "a key of the second account": (("title =", "titel ="), "titel", 'unknown key "titel"; did you mean "title"?'),
    "nothing alike": (("title =", "zzz ="), "zzz", "possible are channel, connector, id, settings, title"),
    "a type": (
        ("max_bytes = 1_000_000", 'max_bytes = "many"'),
        "max_bytes",
        '"max_bytes": Input should be a valid integer',
    ),
    "a range": (("raw_days = 7", "raw_days = 0"), "raw_days", "greater than or equal to 1"),
    "a word": (('"DEBUG"', '"LOUD"'), "level", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    "an address": (('"127.0.0.1:8080"', '"8080"'), "listen", 'must be "host:port"'),
    "a port": (('"127.0.0.1:8080"', '"127.0.0.1:99999"'), "listen", 'must be "host:port"'),
    "a network": (('["10.0.0.0/8"]', '["10.0.0.0/99"]'), "trusted_proxies", '"trusted_proxies"'),
    "a database": (('"sqlite:///shop.db"', '"mysql://x"'), "url", 'must be "sqlite:///FILE" or "postgresql://…"'),
    "an id": (('id = "north"', 'id = "no rth"'), "id = ", '"id": must be letters, digits, - and _, at most 64'),
    "a missing id": (('id = "north"\n', ""), "[[accounts]]", 'the key "id" is missing'),
    "two accounts of one name": (
        ('id = "south"', 'id = "north"'),
        'id = "north"\nconnector = "shop"\ntitle',
        'two accounts "north"',
    ),
    "a section that is a word": (("[retention]\nraw_days = 7", "[x]\n"), "[x]", 'unknown key "x"'),
    "broken TOML": (('level = "DEBUG"', 'level = "DEBUG'), "level", "This is no TOML"),
    "a key twice": (("raw_days = 7", "raw_days = 7\nraw_days = 8"), "raw_days = 8", "This is no TOML"),
}


def _changed(write: Write, change: tuple[str, str], beginning: str) -> tuple[Path, int]:
    """Write FULL with one change; return the file and the number of the first line that begins like this."""
    assert change[0] in FULL
    text = FULL.replace(*change, 1)
    before, found, _ = f"\n{text}".partition(f"\n{beginning}")
    assert found, beginning
    return write(text), before.count("\n") + 1


@pytest.mark.parametrize("case", TYPOS)
def test_a_mistake_is_named_with_its_key_file_and_line(case: str, write: Write) -> None:
    (old, new), beginning, words = TYPOS[case]
    file, line = _changed(write, (old, new), beginning)
    error = _refused(file)
    assert words in str(error)
    assert str(error).startswith(f"{file}:{line}: ")
    assert (error.file, error.line) == (str(file), line)
    assert "\n" not in str(error)


def test_a_missing_file_is_named() -> None:
    assert f"There is no configuration file {Path.cwd()}/nowhere.toml" in str(_refused(Path("nowhere.toml")))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "trunkline.toml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read: UnicodeDecodeError" in str(_refused())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TRUNKLINE_SERVER__LISTNE", "x", 'TRUNKLINE_SERVER__LISTNE: unknown key "listne"; did you mean "listen"?'),
        ("TRUNKLINE_SERVR__LISTEN", "x", 'TRUNKLINE_SERVR__LISTEN: unknown key "servr"; did you mean "server"?'),
        ("TRUNKLINE_MEDIA__MAX_BYTES", "many", 'TRUNKLINE_MEDIA__MAX_BYTES: "max_bytes": Input should be a valid'),
    ],
)
def test_a_wrong_variable_is_named(
    name: str, value: str, words: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert str(_refused(write(FULL))).startswith(words)


def test_variables_for_other_purposes_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_ROUNDS", "tenth")
    monkeypatch.setenv("TRUNKLINE_TEST_POSTGRES", "postgresql://x")
    assert load_settings().server.listen == "127.0.0.1:8080"


def test_a_refused_value_is_not_repeated(write: Write) -> None:
    text = FULL.replace('"an-older-key-of-the-south"', '{ key = "canary-older-key" }')
    settings = load_settings(write(text))
    assert "canary" not in repr(settings)


# ---------------------------------------------------------------- accounts


def _resolve(settings: Settings, position: int) -> object:
    return resolve(load_registry(), settings, position)[2]


@pytest.fixture
def shop(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connector called shop, and the secrets that FULL points at."""
    shelf.install_connector("shop")
    monkeypatch.setenv("NORTH_KEY", "the-key-of-the-north")
    (tmp_path / "south.key").write_text("the-key-of-the-south\n", encoding="utf-8")


@pytest.mark.usefixtures("shop")
def test_secrets_come_from_variables_and_files(write: Write) -> None:
    settings = load_settings(write(FULL))
    found = [[secret.get_secret_value() for _, secret in secrets_of(_resolve(settings, n))] for n in (0, 1)]
    assert found == [["the-key-of-the-north"], ["the-key-of-the-south", "an-older-key-of-the-south"]]


#: What is wrong → (old text, new text) of FULL, account, beginning of the line, words.
ACCOUNTS = {
    "a key": (
        ("{ shop_key = { env", "{ shop_kye = { env"),
        0,
        "settings = {",
        'unknown key "shop_kye"; did you mean "shop_key"?',
    ),
    "a nested key": (("retries = 5", "retires = 5"), 1, "retires", 'unknown key "retires"; did you mean "retries"?'),
    "a nested type": (("retries = 5", "retries = 'x'"), 1, "retries", '"retries": Input should be a valid integer'),
    "a missing variable": (
        ('env = "NORTH_KEY"', 'env = "NORHT_KEY"'),
        0,
        "settings = {",
        'the environment variable NORHT_KEY, named by "shop_key", is not set',
    ),
    "a reference": (("{ env =", "{ enw ="), 0, "settings = {", 'must be a text, { env = "NAME" } or { file'),
    "a missing file": (("south.key", "suoth.key"), 1, "shop_key = { file", "the file suoth.key, named by"),
    "a missing secret": (("shop_key = { file", "shop_kex = { file"), 1, "shop_kex", 'did you mean "shop_key"?'),
    "a blank secret": (('{ env = "NORTH_KEY" }', '""'), 0, "settings = {", 'the secret "shop_key" is blank'),
    "a secret of spaces": (('{ env = "NORTH_KEY" }', '" \\t "'), 0, "settings = {", 'the secret "shop_key" is blank'),
    "a blank secret in a list": (('"an-older-key-of-the-south"', '""'), 1, "old_keys = [", "old_keys[0]"),
    "a connector": (
        ('connector = "shop"\nsettings', 'connector = "shpo"\nsettings'),
        0,
        'connector = "shpo"',
        'did you mean "shop"?',
    ),
    "a channel": (('title = "South"', 'channel = "sohp"'), 1, "channel", "channel = one of shop"),
}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("case", ACCOUNTS)
def test_a_mistake_in_an_account_is_named_with_its_line(case: str, write: Write) -> None:
    (old, new), account, beginning, words = ACCOUNTS[case]
    file, line = _changed(write, (old, new), beginning)
    with pytest.raises(ConfigError) as caught:
        _resolve(load_settings(file), account)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}:{line}: ")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_a_variable_or_file_that_is_blank_is_refused(
    blank: str, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NORTH_KEY", blank)
    (tmp_path / "south.key").write_text(blank, encoding="utf-8")
    settings = load_settings(write(FULL))
    for position in (0, 1):
        with pytest.raises(ConfigError, match='"shop_key" is blank'):
            _resolve(settings, position)


# ---------------------------------------------------------------- lines

WORDS = st.text("abcdef", min_size=1, max_size=6)
VALUES = st.sampled_from(["1", '"x = 1"', "[1, 2]", "[\n  1,\n  2,\n]", '"""\na = 1\n\nb = 2\n"""', "{ x = 1 }", "'#'"])


@given(st.lists(st.tuples(st.sampled_from(["plain", "table", "array"]), VALUES), min_size=1, max_size=12), st.data())
def test_the_line_of_every_key_is_found(statements: list[tuple[str, str]], data: st.DataObject) -> None:
    lines: list[str] = []
    places: list[tuple[tuple[str | int, ...], int]] = []
    tables: tuple[str | int, ...] = ()
    arrays = 0
    for number, (kind, value) in enumerate(statements):
        if kind == "table":
            tables = (f"t{number}",)
            lines.append(f"[t{number}]")
        elif kind == "array":
            tables = ("rows", arrays)
            arrays += 1
            lines.append("[[rows]]")
        lines += data.draw(st.sampled_from([[], ["# listen = 1"], [""]]))
        places.append(((*tables, f"k{number}"), len(lines) + 1))
        lines += f"k{number} = {value}".split("\n")
    text = "\n".join(lines)
    assert [line_of(text, place) for place, _ in places] == [line for _, line in places]


def test_of_a_key_that_is_not_there_the_table_is_named() -> None:
    assert line_of('[a]\nx = 1\n\n[b]\ny = "a"\n', ("b", "z")) == 4
    assert line_of("x = 1", ("y",)) is None
