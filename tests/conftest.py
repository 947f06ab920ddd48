"""What every test may ask for."""

from __future__ import annotations

import gc
import logging
import os
from typing import TYPE_CHECKING, Protocol

import pytest
import structlog
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = ["tests.databases", "tests.requirement_table"]

#: What TRUNKLINE_ROUNDS may say -> how many rounds that is of (push, long).
RUNS: dict[str, Callable[[int, int], int]] = {
    "tenth": lambda push, _long: max(1, push // 10),
    "push": lambda push, _long: push,
    "long": lambda _push, long: long,
}

for _run, _examples in {"tenth": 50, "push": 200, "long": 5_000}.items():
    # How fast an example is made or tried says something of the machine only.
    settings.register_profile(
        _run, max_examples=_examples, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
    )


class Rounds(Protocol):
    """How many rounds to run, given the figures of a push run and of a long run."""

    def __call__(self, *, push: int, long: int) -> int: ...


def pytest_configure(config: pytest.Config) -> None:
    run = _asked_for()
    config.stash[RUN] = run
    settings.load_profile(run)


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what stays to the end: without this it walks over all tests again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Render log lines cheaply: a coloured traceback of a deep stack takes a second."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])


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
