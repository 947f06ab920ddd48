"""The tutorial is kept true: its code is the example's, its commands exist, and the example works."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from tests.house import ROOT
from trunkline.cli.commands import app
from trunkline.cli.skeleton import write

EXAMPLE = ROOT / "examples" / "telegram"
TUTORIAL = ROOT / "docs" / "tutorial" / "a-telegram-connector.md"
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [(kind, text) for kind, text in FENCED.findall(TUTORIAL.read_text(encoding="utf-8"))]
CODE = [text for kind, text in BLOCKS if kind not in {"console", ""}]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every file of the example, and of what the tutorial begins with."""
    begun = tmp_path_factory.mktemp("tutorial") / "trunkline-telegram"
    write("telegram", begun)
    return [path.read_text(encoding="utf-8") for folder in (EXAMPLE, begun) for path in _files(folder)]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix in {".py", ".toml", ".md"})


@pytest.mark.parametrize("block", CODE, ids=[text.strip().splitlines()[0][:50] for text in CODE])
def test_every_block_of_code_stands_in_the_example(block: str, texts: list[str]) -> None:
    lines = block.rstrip("\n").splitlines()
    indents = {"", "   "}
    assert any("\n".join(_indented(lines, by)) in text for text in texts for by in indents), block


def _indented(lines: list[str], by: str) -> list[str]:
    return [f"{by}{line}" if line else line for line in lines]


def test_every_block_says_what_it_is() -> None:
    assert {kind for kind, _ in BLOCKS} == {"console", "python", "toml"}
    assert len(CODE) > 20


def test_every_command_exists() -> None:
    typed = [line for kind, text in BLOCKS if kind == "console" for line in text.splitlines()]
    assert typed
    assert all(line.startswith("$ ") for line in typed), "what is typed begins with a $"
    commands = [line.removeprefix("$ trunkline ").split() for line in typed if line.startswith("$ trunkline ")]
    assert commands
    for words in commands:
        command = get_command(app)
        for word in words:
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, words
            command = command.commands[word]


def test_every_file_that_is_written_by_hand_is_named() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    names = [path.name for path in (EXAMPLE / "trunkline_telegram").glob("*.py")]
    names += [path.name for path in (EXAMPLE / "tests").glob("test_*.py")]
    names += [f"simulator/{path.name}" for path in (EXAMPLE / "trunkline_telegram" / "simulator").glob("*.py")]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_target_of_make_exists() -> None:
    targets = [
        word for _, text in BLOCKS for line in text.splitlines() if "$ make " in line for word in line.split()[2:]
    ]
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets
    assert [target for target in targets if not re.search(rf"^{target}:", rules, re.MULTILINE)] == []


def test_the_example_has_nothing_left_to_fill_in() -> None:
    assert [path.name for path in _files(EXAMPLE) if "TODO" in path.read_text(encoding="utf-8")] == []


def test_the_example_is_small() -> None:
    """Code as ADR 0019 counts it: no blank lines, comments, docstrings and imports."""
    assert sum(map(_code_lines, (EXAMPLE / "trunkline_telegram").glob("*.py"))) <= 400


def _code_lines(path: Path) -> int:
    text = path.read_text(encoding="utf-8")
    beside: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant(value=str())):
                beside |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(1 for at, line in lines if line.strip() and not line.lstrip().startswith("#") and at not in beside)


# ---------------------------------------------------------------- what is said to work half-way, works

#: The files that are written by the end of a step at which the tutorial says "This works now".
STOPS = {
    "step 4": ("__init__.py", "config.py", "signature.py", "inbound.py"),
    "step 8": ("capabilities.py", "outbound.py", "api.py", "connector.py"),
}


def test_what_the_tutorial_says_to_work_on_the_way_works(tmp_path: Path) -> None:
    package = tmp_path / "trunkline-telegram"
    write("telegram", package)
    shutil.copy(EXAMPLE / "tests" / "test_inbound.py", package / "tests")
    assert TUTORIAL.read_text(encoding="utf-8").count("**This works now**") == len(STOPS)
    for written in STOPS.values():
        for name in written:
            shutil.copy(EXAMPLE / "trunkline_telegram" / name, package / "trunkline_telegram")
        run(package, package, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_inbound.py")


# ---------------------------------------------------------------- the example works


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed the example, as a wheel built from a copy of it."""
    folder = tmp_path_factory.mktemp("telegram")
    source, target = folder / "source", folder / "installed"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns(".*_cache", "__pycache__"))
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run([sys.executable, "-m", "pip", "install", *quiet, "--target", target, source], check=True)
    return target


def run(installed: Path, folder: Path, *words: str) -> str:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {
        **ours,
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def test_it_is_listed(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(run(installed, tmp_path, "trunkline.cli", "channels", "--json"))
    (telegram,) = [one for one in listed if one["connector"] == "telegram"]
    assert (telegram["channel"], telegram["distribution"]) == ("telegram", "trunkline-telegram")


def test_its_own_tests_and_the_suite_pass(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    run(installed, tmp_path, "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'own'}", "tests")


def test_nothing_of_ours_names_it() -> None:
    for room in ("core", "desk"):
        named = [str(path) for path in (ROOT / room).rglob("*.py") if "telegram" in path.read_text("utf-8").lower()]
        assert named == []
