"""An application of somebody else: built, installed, found; its own tests pass, and the paper about it is true."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import ROOT

EXAMPLE = ROOT / "examples" / "waiting_room"
PACKAGE = EXAMPLE / "trunkline_waiting_room"
PAPER = ROOT / "docs" / "how-to" / "add-an-application.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAPER.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_its_own_tests_pass_beside_the_desk_and_an_app(tmp_path: Path, postgres: str) -> None:
    installed, here = _install(tmp_path), tmp_path / "here"
    shutil.copytree(EXAMPLE / "tests", here / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(EXAMPLE / "pyproject.toml", here)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {
        **ours,
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    plugins = ["-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider"]
    words = [sys.executable, "-m", "pytest", "-q", *plugins, f"--basetemp={tmp_path / 'own'}", "--postgres", postgres]
    done = subprocess.run(words, env=environment, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "skipped" not in done.stdout


def _install(folder: Path) -> Path:
    """Return the folder into which pip installed the example, as a wheel built from a copy of it."""
    source, target = folder / "source", folder / "installed"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns(".*_cache", "__pycache__"))
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run([sys.executable, "-m", "pip", "install", *quiet, "--target", target, source], check=True)
    return target


def test_nothing_of_ours_names_it() -> None:
    for room in ("core", "desk"):
        named = [str(path) for path in (ROOT / room).rglob("*.py") if "waiting_room" in path.read_text("utf-8")]
        assert named == []


@pytest.mark.parametrize("block", BLOCKS, ids=[text.strip().splitlines()[0][:50] for text in BLOCKS])
def test_every_block_of_the_paper_stands_in_the_example(block: str) -> None:
    folders = (PACKAGE, EXAMPLE / "tests")
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")]
    lines = block.rstrip("\n").splitlines()
    indented = ["\n".join(f"{by}{line}" if line else line for line in lines) for by in ("", "    ")]
    assert any(wanted in text for wanted in indented for text in texts), block


def test_every_file_of_the_example_is_named() -> None:
    text = PAPER.read_text(encoding="utf-8")
    names = [path.name for path in PACKAGE.glob("*.py")]
    assert [name for name in names if f"`{name}`" not in text] == []
    assert len(BLOCKS) > 8
