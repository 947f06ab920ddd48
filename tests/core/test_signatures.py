"""Proofs that several platforms share: a query over secret, time and nonce, good for one body and some minutes."""

from __future__ import annotations

import pytest

from trunkline.contract import Proofs, WebhookRequest, hub_challenge, is_one_of, signatures, sorted_sha1
from trunkline.errors import SignatureInvalid
from trunkline.testing.services import HandClock

SECRET, AT, NONCE = "shopSecretDemo01", "1720000008", "57155999"
SIGNATURE = sorted_sha1(SECRET, AT, NONCE)
QUERY = {"signature": SIGNATURE, "timestamp": AT, "nonce": NONCE}


def proofs(*secrets: str, now: int = int(AT) * 1000, max_age_s: int = 300) -> Proofs:
    return Proofs(secrets or (SECRET,), HandClock(now), max_age_s=max_age_s, called="app_secret")


def signed(timestamp: str, nonce: str = NONCE) -> dict[str, str]:
    return {"signature": sorted_sha1(SECRET, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}


def test_the_values_are_sorted_as_plain_strings() -> None:
    assert sorted_sha1("ZZtoken", "1720000010", "99") == "b275cbe6a41134bcb1297be6d9426f963496e79e"


def test_both_secrets_are_good_while_one_is_changed() -> None:
    proofs("another", SECRET).check(QUERY, b"")
    with pytest.raises(SignatureInvalid, match="app_secret"):
        proofs("another", "a third").check(QUERY, b"")


@pytest.mark.parametrize("name", ["signature", "timestamp", "nonce"])
def test_sec_08_without_a_proof_nothing_is_taken(name: str) -> None:
    for query in ({k: v for k, v in QUERY.items() if k != name}, {**QUERY, name: ""}):
        with pytest.raises(SignatureInvalid) as refused:
            proofs().check(query, b"")
        assert refused.value.code == "signature_missing"


@pytest.mark.parametrize("signature", [*(SIGNATURE[:at] for at in range(1, 40)), SIGNATURE.upper(), "é" * 40])
def test_sec_11_a_shortened_or_foreign_signature_is_refused(signature: str) -> None:
    with pytest.raises(SignatureInvalid):
        proofs().check({**QUERY, "signature": signature}, b"")


@pytest.mark.parametrize(("seconds", "good"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_a_proof_is_good_for_some_minutes(seconds: int, good: bool) -> None:
    held = proofs(now=(int(AT) + seconds) * 1000)
    if good:
        held.check(QUERY, b"")
        return
    with pytest.raises(SignatureInvalid) as refused:
        held.check(QUERY, b"")
    assert refused.value.code == "signature_expired"


@pytest.mark.parametrize("timestamp", ["1720000008", "1720000008123"])
def test_a_time_comes_in_seconds_or_milliseconds(timestamp: str) -> None:
    proofs().check(signed(timestamp), b"")


@pytest.mark.parametrize("timestamp", ["soon", "²", "9" * 14, "-1720000008"])
def test_what_is_no_time_is_no_proof(timestamp: str) -> None:
    with pytest.raises(SignatureInvalid):
        proofs().check(signed(timestamp), b"")


def test_sec_10_a_captured_proof_carries_no_other_body() -> None:
    held = proofs()
    held.check(QUERY, b"the customer's words")
    held.check(QUERY, b"the customer's words")
    with pytest.raises(SignatureInvalid) as refused:
        held.check(QUERY, b"forged words")
    assert refused.value.code == "signature_reused"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "_MOST", 3)
    held = proofs()
    for number in range(4):
        held.check(signed(AT, str(number)), b"first")
    held.check(signed(AT, "0"), b"its proof was forgotten")
    with pytest.raises(SignatureInvalid, match="another body"):
        held.check(signed(AT, "3"), b"other")


def test_what_is_long_over_is_forgotten() -> None:
    clock = HandClock(int(AT) * 1000)
    held = Proofs((SECRET,), clock, max_age_s=300)
    held.check(QUERY, b"first")
    clock.move(601)
    later = str(int(AT) + 601)
    held.check(signed(later), b"second")
    assert len(held._bodies._seen) == 1


@pytest.mark.parametrize(("given", "good"), [("b", True), ("c", True), ("a", False), ("", False), ("é", False)])
def test_one_of_several_is_enough(given: str, good: bool) -> None:
    assert is_one_of(given, ("b", "c")) is good


def test_a_hub_is_answered_with_its_own_challenge_under_either_spelling() -> None:
    for dot in (".", "_"):
        query = {f"hub{dot}mode": "subscribe", f"hub{dot}verify_token": "ours", f"hub{dot}challenge": "<5>"}
        reply = hub_challenge(WebhookRequest(method="GET", query=query, headers={}, body=b""), "ours")
        assert reply is not None
        assert (reply.status, reply.body) == (200, b"<5>")


@pytest.mark.parametrize(
    ("mode", "given", "ours"), [("subscribe", "x", "ours"), ("other", "ours", "ours"), ("subscribe", "", "")]
)
def test_a_hub_without_our_words_is_refused(mode: str, given: str, ours: str) -> None:
    query = {"hub.mode": mode, "hub.verify_token": given, "hub.challenge": "5"}
    with pytest.raises(SignatureInvalid):
        hub_challenge(WebhookRequest(method="GET", query=query, headers={}, body=b""), ours)
