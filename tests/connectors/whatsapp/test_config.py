from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest
from pydantic import ValidationError

from tests.connectors.whatsapp.conftest import Build, outbound
from trunkline.contract import Afterwards, Extra, Idempotency, Submissions
from trunkline.errors import DeliveryError
from trunkline_whatsapp import SPEC, trunkline_connectors
from trunkline_whatsapp.config import Config
from trunkline_whatsapp.simulator import Customer, Simulator

CANARY = "canary-5f2d"
GOOD = {"phone_number_id": "8001", "waba_id": "7001", "access_token": "a", "app_secret": "b", "verify_token": "c"}


def test_one_app_secret_or_several_are_taken() -> None:
    for given, kept in (("a", ["a"]), (["b", "a"], ["b", "a"])):
        config = Config.model_validate({**GOOD, "app_secret": given})
        assert [secret.get_secret_value() for secret in config.app_secret] == kept


def test_the_version_is_pinned_and_can_be_set() -> None:
    assert Config.model_validate(GOOD).api_version == "v26.0"
    assert Config.model_validate({**GOOD, "api_version": "v27.0"}).api_version == "v27.0"


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        *[({name: None}, name) for name in GOOD],
        *[({name: " "}, name) for name in GOOD],
        ({"app_secret": []}, "app_secret"),
        ({"app_secret": ["good", ""]}, "app_secret"),
        ({"phone_number_id": "+1 555"}, "phone_number_id"),
        ({"phone_number_id": "../x"}, "phone_number_id"),
        ({"acess_token": "typo"}, "acess_token"),
        ({"api_version": "26"}, "api_version"),
        ({"api_version": "v26.0/../x"}, "api_version"),
        ({"api_base": "ftp://x"}, "api_base"),
        ({"list_button": "x" * 21}, "list_button"),
    ],
)
def test_sec_09_a_wrong_or_blank_setting_names_itself(settings: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        Config.model_validate({**GOOD, **settings})


async def test_no_secret_is_seen_in_reprs_errors_and_logs(
    build: Build, whatsapp: Simulator, ada: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connector = build(app_secret=CANARY, access_token=CANARY, verify_token=CANARY)
    config = Config.model_validate({**GOOD, "app_secret": CANARY, "access_token": CANARY, "verify_token": CANARY})
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    seen = [repr(connector), str(vars(connector)), repr(config), config.model_dump_json(), repr(refused.value.answer)]
    seen += ["".join(traceback.format_exception(refused.value)), str(list(whatsapp.journal)), caplog.text]
    assert CANARY not in "".join([*seen, str(await connector.probe())])


def test_the_connector_is_found_by_its_hook() -> None:
    assert list(trunkline_connectors()) == [SPEC]
    assert SPEC.channels[0].code == SPEC.name == "whatsapp"
    assert set(SPEC.hosts) == {"graph.facebook.com", "*.fbsbx.com", "*.facebook.com"}
    assert set(SPEC.title) == {"en", "zh-Hans", "zh-Hant", "pl"}


def test_every_setting_is_described_for_the_form() -> None:
    assert all(field.description for field in Config.model_fields.values())


def test_there_is_one_window_of_a_day_and_no_form_to_leave_a_message() -> None:
    capabilities = SPEC.channels[0].capabilities
    (window,) = capabilities.windows
    assert (window.lasts_s, window.budget, window.afterwards) == (86_400, None, Afterwards.TEMPLATE)
    assert capabilities.submissions == Submissions()
    assert capabilities.sending.idempotency is Idempotency.CORRELATION
    assert capabilities.extras >= {Extra.TEMPLATES, Extra.REACTIONS_OUT, Extra.EDITS_IN, Extra.GROUPS}
