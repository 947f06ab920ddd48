"""`trunkline connector new`: what it writes is whole, and every place that waits for its author is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.house import ROOT
from trunkline.cli.commands import app
from trunkline.cli.skeleton import todos_in, write
from trunkline.errors import StartRefused
from trunkline.plugins.inspection import connectors_in

FILES = {
    ".gitignore", "LICENSE", "README.md", "pyproject.toml",
    "tests/__init__.py", "tests/test_conformance.py", "tests/test_connector.py",
    *(f"trunkline_acme_chat/{name}.py" for name in (
        "__init__", "api", "capabilities", "config", "connector", "inbound", "outbound", "signature",
    )),
    "trunkline_acme_chat/py.typed", "trunkline_acme_chat/simulator/__init__.py",
}  # fmt: skip


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "trunkline-acme-chat"
    write("acme_chat", folder)
    return folder


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, ["connector", "new", *words])


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {
        **ours,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_tells_the_files_and_every_place_to_fill_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = ask("acme_chat")
    assert told.exit_code == 0, told.output
    folder = tmp_path / "trunkline-acme-chat"
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert written == FILES
    assert all(f"  {path}\n" in told.output for path in FILES)
    waiting = [(path, text.count("TODO: ")) for path in sorted(written) if (text := (folder / path).read_text())]
    assert sum(number for _, number in waiting) == len(todos_in(folder)) > 20
    for todo in todos_in(folder):
        assert f"{todo.path}:{todo.line}: {todo.words}" in told.output


def test_another_folder_may_be_named(tmp_path: Path) -> None:
    assert ask("acme", "--folder", str(tmp_path / "some" / "where")).exit_code == 0
    assert (tmp_path / "some" / "where" / "trunkline_acme" / "__init__.py").is_file()


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    refused = ask("acme", "--folder", str(tmp_path))
    assert isinstance(refused.exception, StartRefused)
    assert "--folder" in str(refused.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "name", ["", "Acme", "1acme", "acme-chat", "_acme", "acme__x", "acme_", "../acme", "ä", "a" * 31]
)
def test_a_wrong_name_is_refused_with_a_right_one(name: str, tmp_path: Path) -> None:
    refused = ask(name, "--folder", str(tmp_path / "new"))
    assert isinstance(refused.exception, StartRefused)
    assert "as in acme" in str(refused.exception)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = ask("acme", "--folder", str(tmp_path / "file" / "new"))
    assert isinstance(refused.exception, StartRefused)
    assert "cannot be written" in str(refused.exception)


def test_no_blank_is_left(package: Path) -> None:
    left = [path.name for path in package.rglob("*") if path.is_file() and re.search(r"\{\{\w+\}\}", path.read_text())]
    assert left == []


def test_every_file_of_the_connector_has_something_to_fill_in(package: Path) -> None:
    waiting = {todo.path for todo in todos_in(package)}
    assert waiting >= {path for path in FILES if path.startswith("trunkline_acme_chat/") and path.endswith(".py")}


def test_it_passes_ruff(package: Path) -> None:
    for words in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = run(package, "ruff", *words, ".")
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_it_passes_mypy_strict(package: Path) -> None:
    # A cache beside that of `make check`: without one it reads half of the environment anew.
    cache = str(ROOT / ".mypy_cache" / "skeleton")
    done = run(package, "mypy", "--cache-dir", cache, "--strict", ".")
    assert done.returncode == 0, done.stdout


def test_it_loads(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(package))
    import trunkline_acme_chat  # type: ignore[import-not-found]  # written a moment ago

    (spec,) = connectors_in(trunkline_acme_chat.trunkline_connectors())
    assert (spec.name, spec.channels[0].code, spec.title["en"]) == ("acme_chat", "acme_chat", "Acme Chat")


def test_it_passes_its_tests_and_the_suite(package: Path, tmp_path: Path) -> None:
    done = run(package, "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'own'}")
    assert done.returncode == 0, done.stdout[-3000:]


def test_what_it_writes_ships_with_the_core() -> None:
    """Templates are data: without `.txt` at their end tools would take them for code."""
    templates = (ROOT / "core" / "trunkline" / "cli" / "skeleton" / "package").rglob("*")
    assert all(path.suffix == ".txt" for path in templates if path.is_file())
