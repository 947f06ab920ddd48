"""Run pytest, and look a second time at a few tests that failed: `python -m tests.second_look -n 2 tests/core`.

A test that fails beside others and passes alone is a defect, and is named loudly at the end. The second look only keeps
it from hiding whether everything else is sound.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

#: More failures than this are no accident.
MOST = 3
#: pytest's word for "tests failed"; everything else (none chosen, not collected, interrupted) is not ours to mend.
_FAILED = 1
_ALONE = ("-n", "0", "--dist", "no", "--last-failed", "--last-failed-no-failures", "none")
_STOPS = ("-x", "--exitfirst", "--maxfail")


def main(arguments: Sequence[str]) -> int:
    """Return what pytest ended with, 0 too where every test that failed passes alone."""
    with tempfile.TemporaryDirectory(prefix="second-look-") as folder:
        # A cache of its own: it knows the failures of this run, and of no other.
        code = _pytest(folder, arguments)
        failed = _failures(folder)
        if code != _FAILED or not 1 <= len(failed) <= MOST or _stopped_early(arguments):
            return code
        _say(f"A second look at {len(failed)} that failed, alone:", failed)
        again = _pytest(folder, [*arguments, *_ALONE])
        # One that was not found again is still among the failures, and has not passed.
        still = _failures(folder)
        if again != 0 or still:
            _say("FAILED again, alone:", still or failed)
            return again or _FAILED
    _say("FLAKY: failed beside others and passed alone: a defect, mend it.", failed)
    return 0


def _pytest(folder: str, arguments: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={folder}", *arguments]
    return subprocess.run(command, check=False).returncode


def _failures(folder: str) -> list[str]:
    """Return the ids of the tests that have failed and not passed since."""
    kept = Path(folder) / "v" / "cache" / "lastfailed"
    return sorted(json.loads(kept.read_text(encoding="utf-8"))) if kept.exists() else []


def _stopped_early(arguments: Sequence[str]) -> bool:
    """Whether tests may be left that never ran: then a second look at those that did proves nothing."""
    return any(one.startswith(_STOPS) for one in arguments)


def _say(words: str, tests: Sequence[str]) -> None:
    line = "!" * 100
    print("\n".join(("", line, words, *(f"    {test}" for test in tests), line)), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
