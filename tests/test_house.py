"""The rules of the house: absences, sizes, lists that must agree with the tree. No rule exempts a file."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trunkline
from tests.house import ROOT, SHIPPED, Source, dotted, kept_files, kept_text, place, sources
from trunkline.plugins import load_registry

LONGEST_FILE = 400

#: Everything that we write, by folder; lists are compared with it.
CONNECTORS = sorted(path.parent.name for path in (ROOT / "connectors").glob("*/pyproject.toml"))

#: Channels for which we hold both ends, so that they may see `trunkline.hosted`.
HOSTED = {"web", "sdk"}

CHANNEL_NAMES = re.compile(
    r"wechat|weixin|wecom|whatsapp|facebook|instagram|messenger|weibo|baidu|telegram|web_desktop|web_mobile|app_sdk"
    r"|trunkline[_-](?:line|web|sdk)|(?-i:\bLINE\b)|(['\"])(?-i:line)\1",
    re.IGNORECASE,
)

SECRET_NAMES = re.compile(r"(token|secret|signature|password|digest)(_hash|_hex)?$", re.IGNORECASE)

WALL_CLOCK = {
    "time.time", "time.time_ns", "time.gmtime", "time.localtime", "time.ctime", "time.strftime",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
}  # fmt: skip

ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv"}

#: What a module that does no I/O has no use for.
IO = {
    "aiohttp", "aiosqlite", "asyncio", "httpx", "httpx2", "io", "os", "pathlib", "psycopg", "requests",
    "shutil", "socket", "sqlalchemy", "sqlite3", "ssl", "subprocess", "tempfile", "threading",
}  # fmt: skip

#: Named in signatures of the contract, and for typing only.
IO_FOR_TYPING = {"aiohttp", "httpx2"}

# Spelled in parts: this file is kept, too.
REGISTRIES = ["pypi." + "org", "files.python" + "hosted.org", "registry.npm" + "js.org"]
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(?:work|root|tmp/bash_" + r"jobs)(?:/|\b(?![\w.-]))")

NOQA = re.compile(r"#\s*(?:ruff:\s*)?noqa(?!\w)")
NOQA_WITH_REASON = re.compile(r"#\s*(?:ruff:\s*)?noqa: [A-Z]+\d+(?:,\s*[A-Z]+\d+)* - \S")
IGNORE = re.compile(r"#\s*type:\s*ignore")
IGNORE_WITH_REASON = re.compile(r"#\s*type: ignore\[[a-z, -]+\]\s+# \S")


def test_no_file_is_too_long() -> None:
    lengths = {path: len(kept_text(path).splitlines()) for path in _written_by_hand()}
    too_long = [f"{place(path)}: {lines}" for path, lines in lengths.items() if lines > LONGEST_FILE]
    assert not too_long, f"split these, {LONGEST_FILE} lines are enough: {too_long}"


def _written_by_hand() -> Iterator[Path]:
    for path in kept_files():
        head = kept_text(path)[:400] if path.suffix in {".py", ".ts", ".vue"} else ""
        if head and "migrations" not in path.parts and "auto-generated" not in head:
            yield path


def test_the_core_and_the_desk_name_no_channel() -> None:
    ours = (path for path in kept_files() if place(path).startswith(("core/trunkline/", "desk/trunkline_desk/")))
    found = [f"{place(path)}:{number}: {line.strip()}" for path in ours for number, line in _naming_a_channel(path)]
    assert not found, "a channel is named where none may be known:\n" + "\n".join(found)


def _naming_a_channel(path: Path) -> Iterator[tuple[int, str]]:
    lines = enumerate(kept_text(path).splitlines(), start=1)
    return ((number, line) for number, line in lines if CHANNEL_NAMES.search(line))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("from trunkline_line import x", True),
        ("kind = 'line'", True),
        ("the LINE platform", True),
        ("WeChatError", True),
        ("for line in lines:", False),
        ("baseline, online, LINES", False),
    ],
)
def test_a_channel_is_told_from_a_line_of_text(line: str, names: bool) -> None:
    assert bool(CHANNEL_NAMES.search(line)) is names


def test_no_channel_and_no_connector_that_is_installed_would_escape() -> None:
    registry = load_registry(())
    written = [f'"{code}"' for code in registry.channels] + [f"trunkline_{name}" for name in registry.connectors]
    assert [words for words in written if not CHANNEL_NAMES.search(words)] == []


def test_files_of_every_kind_are_searched_for_channels() -> None:
    """Code, pages, catalogues and templates alike; only what a build makes is no file of ours."""
    ours = [place(path) for path in kept_files() if place(path).startswith(("core/trunkline/", "desk/trunkline_desk/"))]
    assert {Path(path).suffix for path in ours} >= {".py", ".js", ".css", ".html", ".mako", ".txt"}
    assert [path for path in ours if path.startswith("desk/trunkline_desk/inbox/")] == []


def test_no_secret_is_compared_with_equals() -> None:
    found = [source.at(node) for source in sources(*SHIPPED) for node in _leaky_comparisons(source)]
    assert not found, f"hmac.compare_digest takes the same time for every guess, == does not: {found}"


def _leaky_comparisons(source: Source) -> Iterator[ast.Compare]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            sides = [_called(side) for side in (node.left, *node.comparators)]
            if any(map(_is_secret, sides)) and not any(map(_is_column, sides)):
                yield node


def _called(node: ast.expr) -> str:
    """What an operand is called: `a.token`, `row["token"]`, `token()`, `token.hex()` all end with token."""
    match node:
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case ast.Call(func=ast.Attribute(value=value, attr="hex" | "encode" | "decode" | "lower" | "strip")):
            return _called(value)
        case ast.Call(func=func):
            return dotted(func).removesuffix(".get_secret_value").removesuffix(".hexdigest")
        case _:
            return dotted(node)


def _is_secret(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    # A fencing token orders writers; it guards nothing that a guess could open.
    return bool(SECRET_NAMES.search(last)) and "fenc" not in last


def _is_column(name: str) -> bool:
    # `table.c.token_hash == x` builds a WHERE; the database compares.
    return ".c." in name


@pytest.mark.parametrize(
    ("code", "leaks"),
    [
        ("signature == given", True),
        ("config.channel_secret.get_secret_value() != x", True),
        ("body['token'] == x", True),
        ("digest.hex() == x", True),
        ("lease.fencing_token == mine", False),
        ("agents.c.token_hash == x", False),
        ("token is None", False),
        ("token_kind == 'setup'", False),
    ],
)
def test_comparisons_of_secrets_are_found(code: str, leaks: bool) -> None:
    assert bool(list(_leaky_comparisons(Source(ROOT / "x.py", ast.parse(code))))) is leaks


@pytest.mark.parametrize(
    ("forbidden", "reader", "instead"),
    [
        (WALL_CLOCK, "clock.py", "take a Clock"),
        (ENVIRONMENT, "settings.py", "take the value as an argument"),
    ],
    ids=["clock", "environment"],
)
def test_one_file_reads_the_outside(forbidden: set[str], reader: str, instead: str) -> None:
    others = (source for source in sources(*SHIPPED) if source.place != f"core/trunkline/{reader}")
    found = {source.at(node) for source in others for node, name in source.names() if name in forbidden}
    assert not found, f"only {reader} may read this, {instead}: {sorted(found)}"


@pytest.mark.parametrize("room", ["model", "contract"])
def test_words_and_promises_do_no_io(room: str) -> None:
    found = [at for source in sources(f"core/trunkline/{room}/") for at in _io_imports(source, room)]
    assert not found, f"{room} imports what does I/O: {found}"


def _io_imports(source: Source, room: str) -> Iterator[str]:
    typing_only = source.typing_only()
    for node, name in source.imports():
        library = name.split(".")[0]
        for_typing = room == "contract" and node in typing_only and library in IO_FOR_TYPING
        if (library in IO or name == "urllib.request") and not for_typing:
            yield f"{source.at(node)} {name}"


def test_connectors_import_only_what_they_may_see() -> None:
    found = [at for source in sources("connectors/") for at in _strange_imports(source)]
    assert not found, f"a connector sees contract, model, errors and log, its simulator also testing: {found}"


def _strange_imports(source: Source) -> Iterator[str]:
    connector = source.place.split("/")[1]
    rooms = ["contract", "model", "errors", "log"]
    rooms += ["testing"] if re.search(r"/simulator(\.py|/)", source.place) else []
    rooms += ["hosted"] if connector in HOSTED else []
    seen = re.compile(rf"trunkline\.({'|'.join(rooms)})\b|trunkline_{connector}\b")
    for node, name in source.imports():
        if name.startswith("trunkline") and not seen.match(name):
            yield f"{source.at(node)} {name}"


def test_nothing_kept_names_a_registry_or_a_machine() -> None:
    found = [f"{place(path)}:{at}" for path in kept_files() for at in _traces(kept_text(path))]
    assert not found, f"nobody else has this: {found}"


def _traces(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if any(host in line for host in REGISTRIES) or MACHINE_PATHS.search(line):
            yield f"{number}: {line.strip()[:80]}"


def test_every_exemption_has_a_code_and_a_reason() -> None:
    python = [path for path in kept_files() if path.suffix == ".py"]
    found = [f"{place(path)}:{at}" for path in python for at in _bare_exemptions(kept_text(path))]
    assert not found, f"write `# noqa: CODE - reason` and `# type: ignore[code]  # reason`: {found}"


def _bare_exemptions(text: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (
            (NOQA.search(token.string) and not NOQA_WITH_REASON.search(token.string))
            or (IGNORE.search(token.string) and not IGNORE_WITH_REASON.search(token.string))
        ):
            yield f"{token.start[0]}: {token.string}"


def test_the_public_names_are_sorted_and_exist() -> None:
    names: list[str] = trunkline.__all__
    # As ruff sorts them: CONSTANTS, Classes, functions.
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    missing = [name for name in names if not hasattr(trunkline, name)]
    assert not missing, f"__all__ names what is not there: {missing}"


def test_every_connector_stands_in_every_list() -> None:
    missing = [
        f"{module} is missing from {where}"
        for name in CONNECTORS
        for where, entries in _lists().items()
        for module in [f"trunkline_{name}" if "importlinter" in where else f"trunkline-{name}"]
        if module not in entries
    ]
    assert not missing, "\n".join(missing)


def test_no_list_names_a_connector_that_is_gone() -> None:
    known = {f"trunkline{dash}{name}" for name in [*CONNECTORS, "desk"] for dash in "-_"}
    gone = {
        f"{where} names {entry}"
        for where, entries in _lists().items()
        for entry in entries
        if re.match(r"trunkline[-_]", entry) and entry not in known
    }
    assert not gone, gone


def _lists() -> dict[str, set[str]]:
    """Every list that names connectors -> its entries."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rules = project["tool"]["importlinter"]
    lists: dict[str, set[str]] = {
        "project.dependencies": {_distribution(entry) for entry in project["project"]["dependencies"]},
        "tool.uv.sources": set(project["tool"]["uv"]["sources"]),
        "the tail of requirements.lock (make lock)": _left_out_of_the_lock(),
        "importlinter.root_packages": set(rules["root_packages"]),
    }
    return lists | {f"importlinter {name}": entries for name, entries in _rule_lists(rules["contracts"]).items()}


def _rule_lists(contracts: list[dict[str, Any]]) -> dict[str, set[str]]:
    rules = {contract["id"]: contract for contract in contracts}
    hosted = rules.get("hosted-connectors", {"source_modules": []})
    return {
        "desk": set(rules["desk"]["forbidden_modules"]),
        "desk-alone": set(rules["desk-alone"]["forbidden_modules"]),
        "connectors": {*rules["connectors"]["source_modules"], *hosted["source_modules"]},
        "strangers": set(rules["strangers"]["modules"]),
        "circles": set(rules["circles"]["ancestors"]),
    }


def _distribution(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _left_out_of_the_lock() -> set[str]:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return set(re.findall(r"^# (trunkline\S*)$", text, re.MULTILINE))


def test_the_lock_knows_every_dependency() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {_distribution(name) for name in re.findall(r"^(\S+)==", text, re.MULTILINE)}
    missing = _third_party() - locked
    assert not missing, f"make lock: requirements.lock does not know {sorted(missing)}"


def _third_party() -> set[str]:
    named: set[str] = set()
    for path in [
        ROOT / "pyproject.toml",
        *ROOT.glob("*/pyproject.toml"),
        *ROOT.glob("connectors/*/pyproject.toml"),
    ]:
        project = tomllib.loads(path.read_text(encoding="utf-8"))
        groups = project.get("dependency-groups", {}).values()
        entries = [
            *project["project"].get("dependencies", []),
            *(entry for group in groups for entry in group),
        ]
        named |= {_distribution(entry) for entry in entries}
    return {name for name in named if not re.match(r"trunkline(-|$)", name)}


def test_the_locks_tell_nobody_where_to_download() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.findall(r"://|^--|^-e ", lock, re.MULTILINE)
    assert not re.findall(r'"resolved": "[^"]*://', (ROOT / "package-lock.json").read_text(encoding="utf-8"))


def test_every_locked_package_of_the_inbox_has_its_hash() -> None:
    locked = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    fetched = {name: kept for name, kept in locked.items() if name.startswith("node_modules/")}
    bare = [name for name, kept in fetched.items() if not {"integrity", "link", "inBundle"} & set(kept)]
    assert not bare, f"make lock: no integrity for {bare}"
