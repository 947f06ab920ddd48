"""The second look, tried on small suites: what it lets through, and what stays red."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.second_look import main

Look = Callable[..., tuple[int, str]]

FLAKY = """
from pathlib import Path

def test_fails_the_first_time():
    been = Path(__file__).with_suffix(".been")
    before = been.exists()
    been.touch()
    assert before, "the first run"

def test_is_sound():
    with Path(__file__).with_suffix(".count").open("a") as count:
        count.write("x")
"""
BROKEN = (
    "import pytest\n@pytest.mark.parametrize('n', range({count}))\ndef test_is_broken(n):\n    assert not 'broken'\n"
)


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Look:
    """Writes a suite, runs it through the second look, and returns how it ended and what it printed."""
    monkeypatch.chdir(tmp_path)
    # Of the plugins only what runs tests side by side.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "xdist.plugin")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def run(*arguments: str, **suites: str) -> tuple[int, str]:
        for name, source in suites.items():
            (tmp_path / f"test_{name}.py").write_text(source)
        code = main(arguments)
        return code, capfd.readouterr().out

    return run


def test_a_sound_suite_is_run_once(look: Look) -> None:
    code, words = look(sound="def test_is_sound():\n    pass\n")
    assert (code, words.count("test session starts")) == (0, 1)


def test_no_test_chosen_stays_five(look: Look) -> None:
    code, words = look("-k", "nothing", sound="def test_is_sound():\n    pass\n")
    assert (code, words.count("test session starts")) == (5, 1)


def test_what_cannot_be_collected_is_not_run_again(look: Look) -> None:
    code, words = look(torn="import nothing_of_this_name\n")
    assert (code, words.count("test session starts")) == (2, 1)


def test_a_flaky_test_passes_alone_and_is_named(look: Look, tmp_path: Path) -> None:
    code, words = look("-n", "2", "--dist", "worksteal", flaky=FLAKY)
    _, flaky, named = words.partition("FLAKY: failed beside others and passed alone: a defect, mend it.")
    assert (code, bool(flaky)) == (0, True)
    assert "test_flaky.py::test_fails_the_first_time" in named
    assert "AssertionError: the first run" in words
    assert (tmp_path / "test_flaky.count").read_text() == "x", "what passed is not run again"


def test_a_broken_test_stays_red(look: Look) -> None:
    code, words = look(broken=BROKEN.format(count=1), flaky=FLAKY)
    assert code == 1
    assert "FAILED again, alone:\n    test_broken.py::test_is_broken[0]" in words
    assert "FLAKY" not in words


def test_four_failures_are_no_accident(look: Look) -> None:
    code, words = look(broken=BROKEN.format(count=4))
    assert (code, words.count("test session starts")) == (1, 1)


def test_a_fixture_that_fails_at_the_end_counts(look: Look) -> None:
    broken = "import pytest\n@pytest.fixture\ndef dirty():\n    yield\n    assert 0\n\ndef test_it(dirty):\n    pass\n"
    code, words = look(broken=broken)
    assert (code, "FAILED again, alone:" in words) == (1, True)


def test_a_run_that_stopped_early_gets_no_second_look(look: Look) -> None:
    code, words = look("-x", flaky=FLAKY)
    assert (code, words.count("test session starts")) == (1, 1)


def test_a_test_that_is_not_found_again_has_not_passed(look: Look) -> None:
    wandering = "import os, pytest\n@pytest.mark.parametrize('n', [os.getpid()])\ndef test_it(n):\n    assert 0\n"
    code, _ = look(wandering=wandering)
    assert code != 0
