"""The command line. Every command imports what it needs when it runs, so that none pays for the others."""

from __future__ import annotations

import os
import sys

from trunkline.cli.commands import app
from trunkline.errors import TrunklineError

__all__ = ["main"]


def main() -> None:
    """Run one command: exit 0 on success, 2 on wrong use, 1 with one sentence that says what to do on failure."""
    # Databases, keys, media and backups are nobody else's.
    os.umask(0o077)
    try:
        app()
    except TrunklineError as error:
        from trunkline.cli.screen import complain

        complain(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
