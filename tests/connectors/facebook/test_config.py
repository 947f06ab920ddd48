"""Settings: what they must be, what is shown of them, and that secrets stay secret."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.connectors.facebook.conftest import Build, outbound
from trunkline.errors import DeliveryError
from trunkline.testing.faults import Fault
from trunkline_facebook import SPEC, trunkline_connectors
from trunkline_facebook.config import Config
from trunkline_facebook.simulator import Customer, Simulator

SETTINGS: dict[str, Any] = {
    "page_id": "9001",
    "page_access_token": "canary-token",
    "app_secret": ["canary-secret", "canary-older"],
    "verify_token": "canary-word",
}


def test_messenger_is_the_default_and_instagram_is_chosen_by_a_field() -> None:
    facebook = Config.model_validate(SETTINGS)
    instagram = Config.model_validate({**SETTINGS, "channel": "instagram", "instagram_id": "178"})
    assert SPEC.channel_of
    assert [SPEC.channel_of(config) for config in (facebook, instagram)] == ["facebook", "instagram"]
    assert [channel.code for channel in SPEC.channels] == ["facebook", "instagram"]
    assert (facebook.human_agent_enabled, facebook.take_threads) == (False, False)
    assert (facebook.api_base, facebook.api_version) == ("https://graph.facebook.com", "v26.0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "instagram"},
        {"channel": "threads"},
        {"page_id": ""},
        {"page_id": "../me"},
        {"app_secret": []},
        {"api_version": "26"},
        {"api_version": "v26.0/x"},
        {"api_base": "ftp://graph.facebook.com"},
        {"unheard_of": 1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({**SETTINGS, **wrong})


def test_every_field_that_a_person_fills_in_says_what_it_is() -> None:
    schema = Config.model_json_schema()["properties"]
    assert [name for name, field in schema.items() if "description" not in field] == ["api_base"]


def test_titles_are_there_in_every_language() -> None:
    assert trunkline_connectors() == [SPEC]
    for title in (SPEC.title, *(channel.title for channel in SPEC.channels)):
        assert set(title) == {"en", "zh-Hans", "zh-Hant", "pl"}


def test_no_secret_is_shown() -> None:
    config = Config.model_validate(SETTINGS)
    assert "canary" not in repr(config) + str(config) + config.model_dump_json()


async def test_sec_53_no_secret_is_in_an_error_or_the_journal(build: Build, page: Simulator, ada: Customer) -> None:
    connector = build(page)
    secrets = (page.world.token, page.world.app_secret, page.world.verify_token)
    for status in (400, 401, 500):
        page.fail(Fault(do="answer", status=status, body="{}"))
        with pytest.raises(DeliveryError) as refused:
            await connector.deliver(outbound(ada, "hello"))
        shown = f"{refused.value} {refused.value.answer!r} {page.journal!r} {connector!r}"
        assert not any(secret in shown for secret in secrets)
