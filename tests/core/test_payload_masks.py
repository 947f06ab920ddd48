"""Payloads as an operator sees them: secrets masked, long ones cut, nothing that moves a terminal."""

from __future__ import annotations

import pytest

from trunkline.service.payload_masks import SHOWN, masked, payload_of, printable


def test_a_long_body_is_cut_and_no_half_of_a_secret_is_left() -> None:
    secret = '{"token": "canary-half-a-secret"}'
    for place in range(SHOWN - 40, SHOWN + 20_000, 500):
        body = (b"x" * place + secret.encode() + b"y" * 40_000)[: SHOWN + 16 * 1024]
        shown = payload_of(body, place + 50_000)
        assert shown.cut
        assert len(shown.text) <= SHOWN
        assert "canary" not in shown.text


@pytest.mark.parametrize(
    "words",
    [
        '{"replyToken": "canary"}', '{"a":{"access_token" : "ca\\"nary"}}', '{"n":"{\\"api_key\\":\\"canary\\"}"}',
        '{"authorization":["Bearer canary"]}', "a=1&client_secret=canary&b=2", "<xml><Token><![CDATA[canary]]></Token>",
        "<password>canary</password>", "https://api.example/x?key=canary", '{"password": "canary without an end',
    ],
)  # fmt: skip
def test_values_that_are_named_like_secrets_are_masked(words: str) -> None:
    assert "nary" not in masked(words)
    assert "***" in masked(words)


def test_nothing_else_is_masked_and_no_sign_moves_a_terminal() -> None:
    words = '{"text": "my tokens, a secret: <b>", "user": "u1"}\n'
    assert masked(words) == words
    assert printable("a\x1b[31m\u202eb\tc\n\x9b") == "a\\u001b[31m\\u202eb\tc\n\\u009b"
