"""`python -m trunkline.cli`."""

from __future__ import annotations

from trunkline.cli import main

main()
