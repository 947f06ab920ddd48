from __future__ import annotations

import pytest

from tests.connectors.weibo.conftest import Build
from trunkline.contract import WebhookRequest, sorted_sha1
from trunkline.errors import SignatureInvalid
from trunkline_weibo.simulator import Simulator

SECRET, AT, NONCE = "weiboSecretDemo01", "1720000008123", "57155999"
SIGNATURE = "86e70ebce54080b2203d90045aadbe31b7449650"


def test_the_vector() -> None:
    assert sorted_sha1(SECRET, AT, NONCE) == SIGNATURE


def test_the_challenge_is_answered_with_its_own_words(build: Build, weibo: Simulator) -> None:
    query = {**weibo.webhook(b"").query, "echostr": "say <this>"}
    reply = build().handshake(WebhookRequest(method="GET", query=query, headers={}, body=b""))
    assert reply is not None
    assert (reply.status, reply.body, reply.content_type) == (200, b"say <this>", "text/plain")


def test_a_forged_challenge_is_refused(build: Build) -> None:
    query = {"signature": "0" * 40, "timestamp": "1", "nonce": "2", "echostr": "x"}
    with pytest.raises(SignatureInvalid):
        build().handshake(WebhookRequest(method="GET", query=query, headers={}, body=b""))


def test_a_message_is_no_challenge(build: Build, weibo: Simulator) -> None:
    connector, request = build(), weibo.webhook(b"{}")
    assert connector.handshake(request) is None
    assert connector.authenticate(request) == b"{}"


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Forwarded-For"])
def test_sec_12_no_header_replaces_the_proof(build: Build, header: str) -> None:
    request = WebhookRequest(method="POST", query={}, headers={header: "localhost"}, body=b"{}", remote="127.0.0.1")
    with pytest.raises(SignatureInvalid):
        build().authenticate(request)
