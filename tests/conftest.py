"""What every test may ask for."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Protocol

import pytest
import structlog
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = ["tests.requirement_table"]

#: What TRUNKLINE_ROUNDS may say -> how many rounds that is of (push, long).
RUNS: dict[str, Callable[[int, int], int]] = {
    "tenth": lambda push, _long: max(1, push // 10),
    "push": lambda push, _long: push,
    "long": lambda _push, long: long,
}

for _run, _examples in {"tenth": 50, "push": 200, "long": 5_000}.items():
    settings.register_profile(_run, max_examples=_examples, deadline=None, print_blob=True)


class Rounds(Protocol):
    """How many rounds to run, given the figures of a push run and of a long run."""

    def __call__(self, *, push: int, long: int) -> int: ...


def pytest_configure(config: pytest.Config) -> None:
    run = _asked_for()
    config.stash[RUN] = run
    settings.load_profile(run)


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that was tried in this process sets logging up for all of it; the next test shall not notice."""
    config, root = structlog.get_config(), logging.getLogger()
    level = root.level
    yield
    structlog.configure(**config)
    root.setLevel(level)
    for handler in [one for one in root.handlers if type(one) is logging.StreamHandler]:
        root.removeHandler(handler)


RUN: pytest.StashKey[str] = pytest.StashKey()


@pytest.fixture(scope="session")
def rounds(pytestconfig: pytest.Config) -> Rounds:
    """`rounds(push=200, long=2_000)`: `make test` runs a tenth of a push run, `make soak` a long one."""
    figure = RUNS[pytestconfig.stash[RUN]]

    def choose(*, push: int, long: int) -> int:
        return figure(push, long)

    return choose


def _asked_for() -> str:
    run = os.environ.get("TRUNKLINE_ROUNDS", "tenth")
    if run not in RUNS:
        raise pytest.UsageError(f"TRUNKLINE_ROUNDS is {run!r}; it may be {', '.join(RUNS)}.")
    return run
