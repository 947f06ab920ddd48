"""Deliberately broken connectors: at least one for each check, and the suite must see what is wrong with each."""

from __future__ import annotations

from tests.conformance.mutants import declaring, hosted, reading, sending, trouble
from tests.conformance.mutants.making import Mutant

__all__ = ["MUTANTS", "Mutant"]

MUTANTS: tuple[Mutant, ...] = (
    *declaring.DECLARING, *reading.SIGNATURES, *reading.BLANK, *reading.READING, reading.CLOCK, *reading.HOSTILE,
    *reading.KINDS, reading.PRESSED, *sending.KINDS, *sending.SENDING, *sending.WINDOWS, *trouble.FAILURES,
    *trouble.TOKENS, *trouble.SECRETS, *trouble.EXTRAS, *trouble.MEDIA, *trouble.PULLING, *trouble.HEALTH,
    *hosted.HOSTED,
)  # fmt: skip
