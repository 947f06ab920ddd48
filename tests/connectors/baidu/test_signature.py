from __future__ import annotations

import pytest

from tests.connectors.baidu.conftest import Build
from trunkline.contract import WebhookRequest, sorted_sha1
from trunkline.errors import SignatureInvalid
from trunkline_baidu.simulator import Simulator

SECRET, AT, NONCE = "baiduTok01", "1720000009", "424242"
SIGNATURE = "3e9a8bb0474a2f267a79d5befec4ccfe8fbc1394"


def test_the_vector() -> None:
    assert sorted_sha1(SECRET, AT, NONCE) == SIGNATURE


@pytest.mark.parametrize("form", [False, True])
def test_the_challenge_is_a_post_and_answered_with_its_own_word(build: Build, baidu: Simulator, form: bool) -> None:
    reply = build().handshake(baidu.trial("say <this>", form=form))
    assert reply is not None
    assert (reply.status, reply.body, reply.content_type) == (200, b"say <this>", "text/plain")


@pytest.mark.parametrize("form", [False, True])
def test_a_forged_challenge_is_refused(build: Build, baidu: Simulator, form: bool) -> None:
    with pytest.raises(SignatureInvalid):
        build(token="another").handshake(baidu.trial("x", form=form))


@pytest.mark.parametrize("body", [b"{}", b'{"Content": "echoStr=x"}', b"<xml>echoStr=x</xml>", b""])
def test_a_message_is_no_challenge(build: Build, baidu: Simulator, body: bytes) -> None:
    connector, request = build(), baidu.webhook(body)
    assert connector.handshake(request) is None
    assert connector.authenticate(request) == body


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Forwarded-For"])
def test_sec_12_no_header_replaces_the_proof(build: Build, header: str) -> None:
    request = WebhookRequest(method="POST", query={}, headers={header: "localhost"}, body=b"{}", remote="127.0.0.1")
    with pytest.raises(SignatureInvalid):
        build().authenticate(request)
