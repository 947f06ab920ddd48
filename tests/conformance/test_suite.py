"""The suite itself: a good connector passes, every broken one is caught by the check of that name."""

from __future__ import annotations

import pytest

from tests.conformance import bay, quay
from tests.conformance.mutants import MUTANTS, Mutant
from tests.conformance.mutants.trouble import LEFT
from trunkline.testing.conformance import CHECKS, ConnectorConformance, State, examine, run_check, running, stage


class TestQuay(ConnectorConformance):
    spec = quay.SPEC


def _named(mutant: Mutant) -> str:
    return f"{mutant.check}: {mutant.what}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=_named)
async def test_a_broken_connector_is_caught_by_the_check_of_that_name(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a broken connector never does need not be waited for as long as what a good one may be slow to do.
    monkeypatch.setattr(stage, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(running, "_LONGEST_S", 5.0)
    outcome = await run_check(CHECKS[mutant.check], mutant.subject)
    while LEFT:
        await LEFT.pop().aclose()
    assert outcome.state is State.FAILED, f"{mutant.what}: {outcome.state} {outcome.words}"


def test_every_check_has_a_mutant() -> None:
    assert set(CHECKS) == {mutant.check for mutant in MUTANTS}


def test_there_are_at_least_eighty_checks_each_with_a_sentence_and_a_reason() -> None:
    assert len(CHECKS) >= 80
    for check in CHECKS.values():
        assert check.sentence.endswith("."), check.id
        assert check.reason.endswith((".", "?")), check.id


async def test_the_samples_pass_every_check_and_none_is_left_out() -> None:
    reports = [await examine(one) for one in (bay.SPEC, quay.SPEC)]
    assert [report.text() for report in reports if not report.is_conformant] == []
    passed = {one.id for report in reports for one in report.of(State.PASSED)}
    assert passed == set(CHECKS)
