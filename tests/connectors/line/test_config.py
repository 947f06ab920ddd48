from __future__ import annotations

import traceback

import pytest
from pydantic import ValidationError

from tests.connectors.line.conftest import Build, outbound
from trunkline.contract import Receipts, Submissions
from trunkline.errors import DeliveryError
from trunkline_line import SPEC, trunkline_connectors
from trunkline_line.config import Config
from trunkline_line.simulator import Customer, Simulator

CANARY = "canary-5f2d"


def test_one_secret_or_several_are_taken() -> None:
    for given, kept in (("a", ["a"]), (["b", "a"], ["b", "a"])):
        config = Config.model_validate({"channel_id": "1", "channel_secret": given})
        assert [secret.get_secret_value() for secret in config.channel_secret] == kept


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({}, "channel_secret"),
        ({"channel_secret": ""}, "channel_secret"),
        ({"channel_secret": "  "}, "channel_secret"),
        ({"channel_secret": []}, "channel_secret"),
        ({"channel_secret": ["good", ""]}, "channel_secret"),
        ({"channel_secret": "good", "channel_id": ""}, "channel_id"),
        ({"channel_secret": "good", "access_token": " "}, "access_token"),
        ({"channel_secret": "good", "kid": "k"}, "kid"),
        ({"channel_secret": "good", "private_key": CANARY}, "private_key"),
        ({"channel_secret": "good", "acess_token": "typo"}, "acess_token"),
        ({"channel_secret": "good", "reply_strategy": "always"}, "reply_strategy"),
        ({"channel_secret": "good", "api_base": "ftp://x"}, "api_base"),
    ],
)
def test_a_wrong_setting_names_itself(settings: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError, match=where) as refused:
        Config.model_validate({"channel_id": "1", **settings})
    assert CANARY not in str(refused.value.errors(include_input=False))


async def test_no_secret_is_seen_in_reprs_and_errors(build: Build, line: Simulator, ada: Customer) -> None:
    connector = build(channel_secret=CANARY, access_token=CANARY)
    config = Config(channel_id="1", channel_secret=CANARY, access_token=CANARY, kid="k", private_key=CANARY)  # type: ignore[arg-type]  # as in a file
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    seen = [repr(connector), str(vars(connector)), repr(config), config.model_dump_json(), repr(refused.value.answer)]
    seen += ["".join(traceback.format_exception(refused.value)), str(list(line.journal)), str(await connector.probe())]
    assert CANARY not in "".join(seen)


def test_the_connector_is_found_by_its_hook() -> None:
    assert list(trunkline_connectors()) == [SPEC]
    assert SPEC.channels[0].code == SPEC.name == "line"
    assert set(SPEC.hosts) == {"api.line.me", "api-data.line.me"}


def test_the_ladder_ends_at_sent() -> None:
    capabilities = SPEC.channels[0].capabilities
    assert capabilities.receipts == Receipts()
    assert capabilities.submissions == Submissions()
    assert capabilities.windows == ()
