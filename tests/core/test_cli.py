"""The command line, driven from outside: exit codes, and sentences that say what to do."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer.main

from tests.core.command_line import Command
from tests.core.plugin_maker import Shelf
from trunkline.cli.commands import app
from trunkline.store.sqlite import FileLock

ACCOUNT = '[[accounts]]\nid = "one"\nconnector = "shop"\nsettings = { shop_key = { env = "ONE_KEY" } }\n'


@pytest.fixture
def trunkline(tmp_path: Path, shelf: Shelf) -> Command:
    folder = tmp_path / "house"
    folder.mkdir()
    return Command(folder, {"PYTHONPATH": str(shelf.folder), "ONE_KEY": "the-key-of-account-one"})


# ---------------------------------------------------------------- help and wrong use


def _commands() -> Iterator[tuple[str, ...]]:
    groups: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_group(app))]
    while groups:
        path, group = groups.pop()
        for name, command in group.commands.items():
            yield (*path, name)
            if hasattr(command, "commands"):
                groups.append(((*path, name), command))


@pytest.mark.parametrize("path", sorted(_commands()), ids=" ".join)
def test_every_command_explains_itself_with_an_example(path: tuple[str, ...]) -> None:
    command = typer.main.get_group(app)
    for name in path:
        command = command.commands[name]  # type: ignore[assignment]  # groups down to the command
    assert command.help
    assert (command.epilog or "").startswith("Example: trunkline ")


def test_every_command_that_lists_can_print_json() -> None:
    for path in (("channels",), ("account", "list"), ("dead-letters", "list"), ("doctor",), ("migrate",)):
        command: Any = typer.main.get_group(app)
        for name in path:
            command = command.commands[name]
        assert "--json" in {option for parameter in command.params for option in parameter.opts}


def test_help_and_version(trunkline: Command) -> None:
    assert trunkline.from_cold("--version") == f"trunkline {version('trunkline')}\n"
    shown = trunkline.from_cold("--help")
    for name in ("serve", "demo", "doctor", "channels", "account", "replay", "dead-letters", "backup", "migrate"):
        assert f" {name} " in shown
    assert "Example:" in trunkline("serve", "--help").out


@pytest.mark.parametrize(
    "words",
    [
        ["srve"],
        ["serve", "--lisen", "x"],
        ["backup"],
        ["replay"],
        ["replay", "--since", "yesterday"],
        ["dead-letters", "retry"],
        ["dead-letters", "retry", "x", "--all"],
        ["dead-letters", "skip", "x"],
        ["dead-letters", "retry", "x", "--dry-run"],
        ["dead-letters", "list", "--kind", "lost"],
        ["dead-letters", "list", "--until", "tomorrow"],
        ["dead-letters", "skip", "x", "--reason", " "],
        ["dead-letters", "delete", "x"],
        ["account", "add", "one"],
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_2(words: list[str], trunkline: Command) -> None:
    done = trunkline(*words, code=2)
    assert "Traceback" not in done.err
    assert "Usage:" in done.err


# ---------------------------------------------------------------- serve


def test_serve_is_ready_answers_and_leaves_in_order(trunkline: Command, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    trunkline.write(ACCOUNT)
    with trunkline.serving() as served:
        ready = httpx2.get(f"{served.address}/health/ready")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "failing": [], "checks": {}})
        assert httpx2.get(f"{served.address}/health/startup").status_code == 200
        assert httpx2.post(f"{served.address}/webhooks/nobody", content=b"{}").status_code == 404


def test_serve_lets_a_second_process_say_why_it_leaves(trunkline: Command) -> None:
    with trunkline.serving() as served:
        words = trunkline("serve", "--listen", "127.0.0.1:0", code=1).sentence
    assert words == (
        f"The database trunkline.db is in use by process {served.pid}: "
        "stop that process, or use PostgreSQL if you want several."
    )


def test_a_broken_plugin_does_not_keep_the_others_from_serving(trunkline: Command, shelf: Shelf) -> None:
    shelf.install_connector("odd", ("import base64", "1 / 0"))
    shelf.install_connector("shop")
    trunkline.write(ACCOUNT)
    with trunkline.serving() as served:
        assert httpx2.get(f"{served.address}/health/live").status_code == 200


def test_a_port_in_use_is_one_sentence(trunkline: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = trunkline("serve", "--listen", listen, code=1)
    assert done.sentence.startswith(f"The address {listen} cannot be opened (Address already in use): ")
    assert '"what": "server.public_url is not set"' in done.err, "what is unwise stands in the log of every start"


def test_a_port_for_metrics_in_use_is_one_sentence_where_it_was_asked_for(trunkline: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        wanted = {"TRUNKLINE_SERVER__METRICS_LISTEN": listen}
        words = trunkline("serve", "--listen", "127.0.0.1:0", code=1, **wanted).sentence
    assert words.startswith(f"server.metrics_listen {listen} cannot be opened")


def test_a_locked_database_is_one_sentence(trunkline: Command) -> None:
    lock = FileLock(trunkline.folder / "trunkline.db")
    lock.acquire()
    try:
        for words in (["serve", "--listen", "127.0.0.1:0"], ["migrate"], ["replay", "--since", "1h"]):
            assert "is in use by process" in trunkline(*words, code=1).sentence
    finally:
        lock.release()


def test_a_schema_from_the_future_is_one_sentence(trunkline: Command) -> None:
    trunkline("migrate")
    with sqlite3.connect(trunkline.folder / "trunkline.db") as database:
        database.execute("UPDATE schema_version_core SET version_num = '9999'")
    database.close()
    words = trunkline("serve", "--listen", "127.0.0.1:0", code=1).sentence
    assert "9999" in words
    assert "install the newer version" in words
    assert "newer Trunkline" in trunkline("migrate", "--check", code=1).sentence
    (finding,) = [one for one in trunkline("doctor", "--json", code=1).json if one["level"] == "failure"]
    assert finding["check"] == "schema"
    assert "install that version again" in finding["fix"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[server]\nlistne = "x"\n', ':2: unknown key "listne"; did you mean "listen"?'),
        ("[server\n", ":1: This is no TOML"),
        (ACCOUNT.replace("shop_key", "shop_kye"), ':4: unknown key "shop_kye"; did you mean "shop_key"?'),
        (ACCOUNT.replace('"shop"', '"shpo"'), ':3: no plugin brings the connector "shpo"; did you mean "shop"?'),
        (ACCOUNT.replace("ONE_KEY", "TWO_KEY"), ":4: the environment variable TWO_KEY, named by"),
        (ACCOUNT.replace('{ env = "ONE_KEY" }', '""'), ':4: the secret "shop_key" is blank'),
        ('[database]\nurl = "mysql://x"\n', ':2: "url"'),
    ],
)
def test_a_mistake_in_the_configuration_refuses_the_start(
    text: str, words: str, trunkline: Command, shelf: Shelf
) -> None:
    shelf.install_connector("shop")
    file = trunkline.write(text)
    assert f"{file}{words}" in trunkline("serve", "--listen", "127.0.0.1:0", code=1).sentence
    assert [path.name for path in trunkline.folder.iterdir()] == ["trunkline.toml"]


def test_a_missing_configuration_file_refuses_the_start(trunkline: Command) -> None:
    words = trunkline("serve", "--config", "nowhere.toml", code=1).sentence
    assert f"no configuration file {trunkline.folder}/nowhere.toml" in words


# ---------------------------------------------------------------- doctor and channels


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(trunkline: Command, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    shelf.install_connector("odd", ("import base64", "import no_such_library"))
    text = (
        '[server]\nlisten = "0.0.0.0:80"\npublic_url = "http://desk.example"\ntrusted_proxies = ["0.0.0.0/0"]\n'
        '[plugins]\ndisabled = ["gone"]\n'
    )
    weak = ACCOUNT.replace('{ env = "ONE_KEY" }', '"aaaaaaaaaaaaaaaaaaaa", api_base = "http://127.0.0.1:9000"')
    file = trunkline.write(text + weak)
    file.chmod(0o644)

    done = trunkline("doctor", "--json", code=1)

    found = {(one["check"], one["level"]): one for one in done.json}
    assert "trunkline-odd 1.0 is broken" in found["plugin", "failure"]["words"]
    assert "no_such_library is missing" in found["plugin", "failure"]["fix"]
    assert "names gone" in found["plugin", "warning"]["words"]
    assert found["account", "failure"]["fix"] == 'Allow it in [server]: allow_hosts = ["127.0.0.1:9000"]'
    assert found["secret", "warning"]["words"] == "one: the secret shop_key is weak"
    told = " ".join(f"{one['words']} {one['fix']}" for one in done.json if one["check"] == "unsafe")
    for words in ("accept https only", "trusts the whole network", f"chmod 600 {file}"):
        assert words in told
    assert {"python", "sqlite", "http_parser", "event_loop", "config", "key", "disk", "database"} <= {
        check for check, _ in found
    }
    shown = trunkline("doctor", code=1)
    assert "✗ trunkline-odd 1.0 is broken" in shown.out
    assert "  → " in shown.out
    assert "checks failed" in shown.sentence


def test_the_doctor_is_content_with_a_good_installation(trunkline: Command, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    # Nothing serves, and nothing answers for the platform: neither is asked of a network.
    nowhere = ACCOUNT.replace('ONE_KEY" }', 'ONE_KEY" }, api_base = "http://127.0.0.1:9"')
    text = '[server]\npublic_url = "https://desk.example"\nlisten = "127.0.0.1:9"\nallow_hosts = ["127.0.0.1:9"]\n'
    trunkline.write(text + nowhere)
    trunkline("migrate")
    found = trunkline("doctor", "--probe", "--json").json
    assert not [one for one in found if one["level"] == "failure"]
    answer, advice = [one for one in found if one["check"] == "probe"]
    assert answer["words"] == "one: It answers."
    assert advice["fix"] == "Switch redelivery on."
    assert {one["level"] for one in found if one["check"] == "schema"} == {"ok"}


def test_the_doctor_reports_a_configuration_that_cannot_be_read(trunkline: Command) -> None:
    file = trunkline.write('[server]\nlistne = "x"\n')
    (finding,) = [one for one in trunkline("doctor", "--json", code=1).json if one["check"] == "config"]
    assert finding["words"] == f'{file}:2: unknown key "listne"; did you mean "listen"?'


def test_channels_are_listed_with_their_connectors(trunkline: Command, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    shelf.install_connector("odd", ("import base64", "1 / 0"))
    (row,) = [row for row in trunkline("channels", "--json").json if row["connector"] == "shop"]
    assert (row["channel"], row["title"], row["distribution"], row["version"]) == (
        "shop",
        "shop shop",
        "trunkline-shop",
        "1.0",
    )
    assert row["receives"] == ["text"]
    shown = trunkline("channels")
    assert "shop shop" in shown.out
    assert "trunkline-odd 1.0 is left out" in shown.err


# ---------------------------------------------------------------- accounts


def test_an_account_is_added_listed_probed_and_served(trunkline: Command, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    added = trunkline("account", "add", "one", "--connector", "shop", "--set", "shop_key=env:ONE_KEY", "--title", "One")
    assert "/webhooks/one" in added.out
    (row,) = trunkline("account", "list", "--json").json
    assert (row["id"], row["channel"], row["state"], row["locked"]) == ("one", "shop", "new", True)
    assert "It answers." in trunkline("account", "probe", "one").out
    with trunkline.serving():
        (row,) = trunkline("account", "list", "--json").json
        assert row["title"] == "One"
        assert row["state"] in {"connecting", "connected"}
        assert trunkline("account", "probe", "--json").json[0]["state"] == "connected"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["--connector", "shpo"], 'did you mean "shop"?'),
        (["--connector", "shop"], 'the key "shop_key" is missing'),
        (["--connector", "shop", "--set", "shop_kye=env:ONE_KEY"], 'did you mean "shop_key"?'),
        (["--connector", "shop", "--set", "shop_key=env:NO_KEY"], "NO_KEY"),
        (["--connector", "shop", "--set", "shop_key=0123456789abcdef"], "--set shop_key=env:NAME"),
    ],
)
def test_a_wrong_account_is_not_added(settings: list[str], words: str, trunkline: Command, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    file = trunkline.write("# untouched\n")
    assert words in trunkline("account", "add", "one", *settings, code=1).sentence
    assert file.read_text() == "# untouched\n"
    assert [path.name for path in trunkline.folder.iterdir()] == ["trunkline.toml"]


def test_a_probe_that_fails_ends_with_1(trunkline: Command, shelf: Shelf) -> None:
    shelf.install_connector(
        "shop", ("async def probe(self):", "async def probe(self):\n        raise TryLater('Busy.')")
    )
    trunkline.write(ACCOUNT)
    assert trunkline("account", "probe", "--json", code=1).json[0]["summary"] == "The probe failed: Busy."
    assert 'no account "two"' in trunkline("account", "probe", "two", code=1).sentence


# ---------------------------------------------------------------- backup and migrate


def test_a_backup_is_made_while_trunkline_serves(trunkline: Command) -> None:
    with trunkline.serving():
        done = trunkline("backup", "copy.db")
    assert "copy.db" in done.out
    assert str(trunkline.folder / "trunkline.key") in done.out
    copy = trunkline.folder / "copy.db"
    assert copy.stat().st_mode & 0o077 == 0
    with sqlite3.connect(copy) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM heartbeat").fetchone() == (1,)
    database.close()
    assert not list(trunkline.folder.glob(".copy*"))


@pytest.mark.parametrize("case", ["there already", "no database", "no folder", "no database but a text"])
def test_a_backup_that_cannot_be_made_leaves_nothing(case: str, trunkline: Command) -> None:
    target = "missing/copy.db" if case == "no folder" else "copy.db"
    if case != "no database":
        trunkline("migrate")
    if case == "there already":
        trunkline.write("precious", target)
    if case == "no database but a text":
        trunkline.write("This is no database. " * 500, "trunkline.db")
    assert trunkline("backup", target, code=1).sentence
    found = trunkline.folder / target
    assert (found.read_text() if found.exists() else None) == ("precious" if case == "there already" else None)
    assert not list(trunkline.folder.glob(".copy*"))


def test_for_postgresql_the_exact_command_is_told_without_the_password(trunkline: Command) -> None:
    url = "postgresql://ada:canary-password@db.example:5433/desk"
    words = trunkline("backup", "/var/backups/a b.dump", "--database", url, code=1).sentence
    assert words.endswith(
        "pg_dump --format=custom --file='/var/backups/a b.dump' postgresql://ada@db.example:5433/desk"
    )


def test_migrate_tells_and_does(trunkline: Command) -> None:
    assert "There is no database" in trunkline("migrate", "--check", code=1).sentence
    rows = trunkline("migrate", "--json").json
    assert {row["state"] for row in rows} == {"current"}
    assert rows[0]["name"] == "core"
    trunkline("migrate", "--check")


def test_a_start_does_not_change_the_schema_where_that_is_forbidden(trunkline: Command) -> None:
    trunkline.write("[database]\nmigrate = false\n")
    sentence = trunkline("serve", "--listen", "127.0.0.1:0", code=1).sentence
    assert "database.migrate is false" in sentence
    assert "trunkline migrate" in sentence
