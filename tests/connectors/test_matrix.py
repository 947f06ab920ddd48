"""The table of channels: what every connector declares about leave-a-message forms is what was agreed, row by row."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from trunkline.contract import Submissions
from trunkline.plugins import load_registry
from trunkline.service.submissions.matrix import matrix
from trunkline.service.submissions.settings import SettingRefused, SubmissionSetting, check_setting

BOTH, TICKET = ["offline_message", "ticket"], ["ticket"]
WINDOW = {"kind": "window", "hours": 48, "starts": "last_customer_input", "edge": "inclusive"}
COUNT = {"kind": "count", "messages": 5, "resets_on": "customer_message"}

#: serial, channel, modes, does a ticket's reply reach the customer, the limit of prompts
TABLE: list[tuple[int, str, list[str], bool, dict[str, Any] | None]] = [
    (1, "web_desktop", BOTH, True, None),
    (2, "web_mobile", BOTH, True, None),
    (3, "app_sdk", BOTH, True, None),
    (4, "wechat_oa", TICKET, True, WINDOW),
    (5, "wechat_mini", TICKET, True, COUNT),
    (6, "wecom", TICKET, True, None),
    (7, "wechat_kf", TICKET, False, None),
    (8, "weibo", [], False, None),
    (9, "facebook", TICKET, False, None),
    (10, "baidu_ad", TICKET, False, None),
]
ROWS = {row["channel"]: row for row in matrix(load_registry(()).connectors.values())}


def test_the_table_has_ten_rows_in_their_order_and_the_others_after_them() -> None:
    assert [row["channel"] for row in ROWS.values() if row["serial"]] == [code for _, code, *_ in TABLE]
    assert [row["serial"] for row in ROWS.values()][: len(TABLE)] == list(range(1, 11))


@pytest.mark.parametrize(("serial", "channel", "modes", "replies", "limit"), TABLE)
def test_each_channel_takes_what_was_agreed(
    serial: int, channel: str, modes: list[str], replies: bool, limit: dict[str, Any] | None
) -> None:
    row = ROWS[channel]
    floor = {"group": "3.0.3"} if channel == "app_sdk" else {}
    assert row == {
        "serial": serial,
        "channel": channel,
        "title": row["title"],
        "modes": modes,
        "dimensions": ["channel", "group"] if modes else [],
        "min_client_version": floor,
        "ticket_reply": replies,
        "prompt_limit": limit,
    }


@pytest.mark.parametrize("channel", ["line", "whatsapp", "instagram"])
def test_channels_outside_the_table_take_no_forms(channel: str) -> None:
    row = ROWS[channel]
    assert (row["serial"], row["modes"], row["dimensions"], row["ticket_reply"]) == (None, [], [], False)


@pytest.mark.parametrize(("channel", "modes"), [(code, modes) for _, code, modes, *_ in TABLE])
@pytest.mark.parametrize("mode", BOTH)
def test_a_mode_that_a_channel_lacks_cannot_be_set_for_it(channel: str, modes: list[str], mode: str) -> None:
    row = ROWS[channel]
    can = Submissions(modes=tuple(row["modes"]), scopes=tuple(row["dimensions"]))
    setting = msgspec.convert({"mode": mode, "dimension": "group"} if modes else {"mode": mode}, SubmissionSetting)
    if mode in modes:
        check_setting("account", setting, can)
        return
    with pytest.raises(SettingRefused) as caught:
        check_setting("account", setting, can)
    assert caught.value.code == "submission_mode_unsupported"
