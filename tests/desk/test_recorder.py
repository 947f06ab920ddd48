"""The flight recorder: what it learns from an account's own hours, what it tells, and what it never tells."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import warm
from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Opener, Template
from tests.desk.harness import BO, Client, Running
from tests.desk.rich import FAIR, fair, open_fair
from tests.desk.test_messages import last_message, reply
from tests.desk.test_rich_replies import pass_the_window
from trunkline.clock import SystemClock
from trunkline.contract import AccessToken
from trunkline.errors import TryLater
from trunkline.service.metrics import Metrics
from trunkline.service.recorder import acknowledged
from trunkline.service.rhythm import DAY, WEEK, silence
from trunkline.store import schema

MINUTE = 60


# ---------------------------------------------------------------- the rhythm


def test_forty_an_hour_and_none_for_twenty_minutes_is_an_alarm() -> None:
    found = silence([27] + [40] * 2 * WEEK, 20 * MINUTE)
    assert (found.state, round(found.missed, 1)) == ("alarm", 13.3)
    assert found.words == "Nothing for 20 minutes; usually 40 an hour at this time."
    assert silence([35] + [40] * 2 * WEEK, 10 * MINUTE).state == "usual"


def test_nights_and_weekends_are_quiet_without_an_alarm() -> None:
    """A shop that is open from 9 to 17 on five days; now it is Sunday, 20:00, and the last came on Friday, 17:00."""
    week = [30 if day < 5 and 9 <= hour < 17 else 0 for day in range(7) for hour in range(24)]
    now = 6 * 24 + 20
    hours = [week[(now - 1 - back) % WEEK] for back in range(4 * WEEK)]
    found = silence(hours, (24 + 24 + 3) * 3600)
    assert (found.state, found.missed) == ("quiet", 0.0)


def test_a_silent_monday_morning_is_an_alarm_although_the_weekend_was_silent() -> None:
    week = [30 if day < 5 and 9 <= hour < 17 else 0 for day in range(7) for hour in range(24)]
    now = 10
    hours = [0] + [week[(now - 1 - back) % WEEK] for back in range(1, 4 * WEEK)]
    assert silence(hours, (17 + 24 + 24) * 3600).state == "alarm"


def test_one_busy_day_does_not_make_the_others_look_silent() -> None:
    hours = [1] * 8 * DAY
    for hour in range(DAY, 2 * DAY):
        hours[hour] = 500
    assert silence(hours, 30 * MINUTE).state == "usual"


@pytest.mark.parametrize(
    ("hours", "quiet_s"),
    [([], None), ([40] * DAY, 3600), ([0] * 10 * WEEK, 3600), ([1] * 39 + [0] * WEEK, 3600), ([40] * 2 * WEEK, None)],
)
def test_without_a_known_rhythm_there_is_no_alarm(hours: list[int], quiet_s: int | None) -> None:
    assert silence(hours, quiet_s).state == "learning"


@given(
    hours=st.lists(st.integers(0, 500), max_size=4 * WEEK),
    quiet=st.integers(0, 40 * DAY * 3600),
    more=st.integers(0, DAY * 3600),
)
def test_a_longer_silence_is_never_less_of_one(hours: list[int], quiet: int, more: int) -> None:
    one, other = silence(hours, quiet), silence(hours, quiet + more)
    assert other.missed >= one.missed - 1e-6
    assert one.words
    if one.state == "alarm":
        assert other.state == "alarm"


def test_latencies_are_read_off_the_histogram() -> None:
    metrics = Metrics()
    assert acknowledged(metrics.webhook_ack) is None
    for _ in range(98):
        metrics.webhook("wire", "processed", 0.004)
    for _ in range(2):
        metrics.webhook("wire", "processed", 0.4)
    found = acknowledged(metrics.webhook_ack)
    assert found is not None
    assert found["count"] == 100
    assert 0 < found["p50_ms"] <= 5
    assert 250 < found["p99_ms"] <= 500


# ---------------------------------------------------------------- the record


async def record(client: Client, account: str = FAIR) -> dict[str, Any]:
    found: dict[str, Any] = await client.get(f"/accounts/{account}/health")
    return found


async def test_a_new_account_has_nothing_to_tell(desk: Running) -> None:
    ada, _ = await open_fair(desk)
    found = await record(ada)
    assert (found["last_inbound_at"], found["requests"], found["redelivery_rate"]) == (None, 0, None)
    assert (found["silence"]["state"], found["errors"], found["tokens"]) == ("learning", [], [])
    assert found["breaker"] == {"open": False, "until": None, "quota_until": None, "failures": 0, "reason": None}


async def test_it_tells_what_came_in_what_failed_and_what_waits(desk: Running) -> None:
    ada, connector = await open_fair(desk)
    thread = await desk.thread("Hello", account=FAIR)
    event = {"id": "e-again", "from": "u1", "name": "Bo", "text": "Again"}
    for _ in range(2):
        await desk.platform({"events": [event]}, account=FAIR)
    await desk.platform(b"no JSON at all", account=FAIR)
    connector.refuses = "No"
    await reply(ada, thread, {"text": "Refused"})
    await desk.settle()
    connector.refuses = None
    await reply(ada, thread, {"text": "Taken"})
    await desk.settle()
    await ada.post(f"/accounts/{FAIR}/probe")
    found = await record(ada)
    assert (found["requests"], found["redelivered"], found["redelivery_rate"]) == (4, 1, 0.25)
    assert (found["quarantined"], found["accepted"]) == (1, 1)
    assert [(one["code"], one["count"]) for one in found["errors"]] == [("refused", 1)]
    assert (found["health"]["quota_left"], found["health"]["state"]) == (7, "connected")
    assert found["last_inbound_at"] is not None
    assert found["acknowledged"]["count"] >= 4
    other = await record(ada, "shop")
    assert (other["requests"], other["accepted"], other["quarantined"]) == (0, 0, 0)


async def test_what_is_older_than_a_day_no_longer_counts(desk: Running) -> None:
    ada, _ = await open_fair(desk)
    thread = await desk.thread("Hello", account=FAIR)
    await reply(ada, thread, {"text": "Hi"})
    await desk.settle()
    last = (await record(ada))["last_inbound_at"]
    await pass_the_window(desk, ada)
    found = await record(ada)
    assert (found["requests"], found["accepted"], found["last_inbound_at"]) == (0, 0, last)


async def test_an_open_breaker_and_the_life_of_a_token_are_told(desk: Running) -> None:
    ada, _ = await open_fair(desk)
    now = desk.clock.now_ms()

    def break_down(tx: Any) -> None:
        tx.execute(
            schema.breaker.insert().values(
                account_id=FAIR,
                state="open",
                failures=5,
                opened_at=now,
                blocked_until=now + 60_000,
                reason="It is down.",
            )
        )

    await desk.house.store.writer.write(break_down)

    async def renew() -> AccessToken:
        return AccessToken(value="canary-token-value", expires_at_ms=now + 7_200_000)

    account = desk.house.accounts.find(FAIR)
    assert account is not None
    await desk.house.accounts.tokens(FAIR).get(renew)
    found = await record(ada)
    assert (found["breaker"]["open"], found["breaker"]["reason"]) == (True, "It is down.")
    assert [one["name"] for one in found["tokens"]] == ["access"]
    assert found["tokens"][0]["expires_at"] > found["at"]
    assert "canary-token-value" not in json.dumps(found)


async def test_an_account_that_falls_silent_raises_the_alarm_by_itself(plain_desk: Running) -> None:
    ada, _ = await open_fair(plain_desk)
    now = plain_desk.clock.now_ms()
    rows = [
        {
            "id": f"{hour:05}-{number}",
            "account_id": FAIR,
            "received_at": now - hour * 3_600_000 - number * 60_000 - 1_800_000,
            "request_id": "r",
            "method": "POST",
            "body": b"",
            "state": "processed",
        }
        for hour in range(3 * WEEK)
        for number in range(20)
    ]
    await plain_desk.house.store.writer.write(lambda tx: tx.execute(schema.raw_request.insert(), rows))
    found = await record(ada)
    assert (found["silence"]["state"], found["silence"]["quiet_s"]) == ("alarm", 1800)
    await plain_desk.customer("Hello", account=FAIR)
    assert (await record(ada))["silence"]["state"] == "usual"


async def test_the_record_is_an_admins_affair(desk: Running) -> None:
    await open_fair(desk)
    for path in ("health", "bundle"):
        assert (await desk.client(BO[0]).call("GET", f"/accounts/{FAIR}/{path}")).status == 403


# ---------------------------------------------------------------- the bundle

#: Put in every place where a customer, an agent or a secret leaves something.
CANARY = "canary4711"


async def plant(desk: Running) -> Client:
    """Let canaries get into every table that the record might touch."""
    ada, _ = await open_fair(desk)
    secrets = {"secret": f"{FAIR}-invented-secret", "token": f"{CANARY}-token", "spare": [f"{CANARY}-spare"]}
    keys = [{"name": "one", "key": f"{CANARY}-key"}]
    changed = await ada.call(
        "PATCH", f"/accounts/{FAIR}", {"title": f"{CANARY} title", "settings": {**secrets, "keys": keys}}
    )
    assert changed.status == 200, changed.raw
    connector = fair(desk)
    thread = await desk.thread(f"{CANARY} said", account=FAIR, sender=f"{CANARY}-sender")
    await desk.platform(f'{{"events": "{CANARY}"}}'.encode(), account=FAIR)
    connector.refuses = f"{CANARY} was refused"
    await reply(ada, thread, {"text": f"{CANARY} answer"})
    await desk.settle()
    assert (await last_message(ada, thread))["delivery_state"] == "failed"
    connector.refuses, connector.trouble = None, TryLater(f"{CANARY} later")
    await ada.call("GET", f"/accounts/{FAIR}/templates")
    now = desk.clock.now_ms()
    broken = {"state": "open", "failures": 5, "opened_at": now, "blocked_until": now + 60_000}

    def break_down(tx: Any) -> None:
        tx.execute(schema.breaker.insert().values(account_id=FAIR, reason=f"{CANARY} said the platform", **broken))

    await desk.house.store.writer.write(break_down)
    return ada


async def test_no_secret_and_no_word_of_a_customer_is_in_the_bundle(desk: Running) -> None:
    ada = await plant(desk)
    answer = await ada.call("GET", f"/accounts/{FAIR}/bundle")
    assert answer.status == 200
    assert CANARY not in answer.raw.decode()
    assert "invented-secret" not in answer.raw.decode()
    told = answer.json
    assert (told["settings"]["secret"], told["settings"]["token"], told["settings"]["spare"]) == (
        "(set)",
        "(set)",
        ["(set)"],
    )
    assert told["settings"]["keys"] == [{"name": "one", "key": "(set)", "served_at": None}]
    assert (told["account"]["id"], told["record"]["quarantined"]) == (FAIR, 1)
    assert "trunkline" in told["packages"]


# ---------------------------------------------------------------- the command


def show(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TRUNKLINE_SECRET_KEY": KEY}
    return warm.run(["account", "show", *words, "--config", str(config)], env=environment)


async def test_the_command_shows_the_same_beside_a_running_desk(
    sqlite_template: Template, settings_file: Path, tmp_path: Path, open_desk: Opener, clock: HandClock
) -> None:
    file = tmp_path / "trunkline.db"
    file.write_bytes(Path(sqlite_template[0]).read_bytes())
    url = f"sqlite:///{file}"
    async with open_desk(url, sqlite_template[1]) as desk:
        # The command goes by the machine's clock.
        ahead = SystemClock().now_ms() - clock.now
        clock.now += ahead
        await desk.house.applications["desk"].jumped(ahead)
        await plant(desk)
        head = settings_file.read_text().partition("[[accounts]]")[0]
        config = tmp_path / "beside.toml"
        config.write_text(f'{head}[database]\nurl = "{url}"\n')
        bundle = tmp_path / "fair.json"
        told = show(config, FAIR, "--bundle", str(bundle))
        assert told.returncode == 0, told.stderr
        assert "Failures: refused" in told.stdout
        assert CANARY not in bundle.read_text()
        assert json.loads(bundle.read_text())["account"]["connector"] == "rich"
        unknown = show(config, "nobody")
        assert (unknown.returncode, 'no account "nobody"' in unknown.stderr) == (1, True)
