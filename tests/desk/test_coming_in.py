"""Agents come in: the first one by a link, others by invitation, all with passwords that nobody guesses."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from tests.core.conftest import HandClock
from tests.desk.conftest import Opener, Template
from tests.desk.harness import ADA, BO, PASSWORD, Client, Running, begin, closed, frames
from trunkline_desk.people.passwords import Passwords

SETUP = {"name": "Cy", "email": "cy@shop.example", "password": "seven quiet rivers bend"}


@pytest.fixture
def empty_url(database_url: str) -> str:
    """A database without agents."""
    return database_url


def _printed(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().err.partition("token=")[2].split()[0]


async def test_the_first_link_is_printed_and_written_for_its_owner_alone(
    empty_url: str, open_desk: Opener, capfd: pytest.CaptureFixture[str]
) -> None:
    async with open_desk(empty_url, {}) as running:
        token, file = _printed(capfd), running.application.setup_file
        assert file.read_text().strip() == f"http://desk.example/inbox/setup?token={token}"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(token) > 40


async def test_the_first_link_makes_an_admin_once(
    empty_url: str, open_desk: Opener, capfd: pytest.CaptureFixture[str]
) -> None:
    async with open_desk(empty_url, {}) as running:
        token, client = _printed(capfd), running.client(None)
        assert await client.get(f"/setup/{token}") == {"email": None, "name": None, "role": "admin"}
        grant = await client.post("/setup", {"token": token, **SETUP})
        assert grant["agent"]["role"] == "admin"
        client.token = grant["token"]
        assert (await client.get("/me"))["email"] == SETUP["email"]
        again = await client.call("POST", "/setup", {"token": token, **SETUP, "email": "other@shop.example"})
        assert (again.status, again.code) == (404, "setup_link_invalid")


async def test_a_restart_makes_the_first_link_anew_until_there_is_an_agent(
    empty_url: str, open_desk: Opener, capfd: pytest.CaptureFixture[str]
) -> None:
    async with open_desk(empty_url, {}):
        old = _printed(capfd)
    async with open_desk(empty_url, {}) as running:
        new, client = _printed(capfd), running.client(None)
        assert (await client.call("GET", f"/setup/{old}")).status == 404
        await client.post("/setup", {"token": new, **SETUP})
    async with open_desk(empty_url, {}) as running:
        assert "token=" not in capfd.readouterr().err
        assert not running.application.setup_file.exists()


async def test_the_first_link_is_over_after_an_hour(
    empty_url: str, open_desk: Opener, clock: HandClock, capfd: pytest.CaptureFixture[str]
) -> None:
    async with open_desk(empty_url, {}) as running:
        token = _printed(capfd)
        clock.advance(hours=1)
        answer = await running.client(None).call("POST", "/setup", {"token": token, **SETUP})
        assert answer.code == "setup_link_invalid"


async def test_no_password_opens_a_fresh_installation(empty_url: str, open_desk: Opener) -> None:
    async with open_desk(empty_url, {}) as running:
        for email in ("admin", "admin@example.com", "root", ""):
            answer = await running.client(None).call("POST", "/sessions", {"email": email, "password": "admin"})
            assert answer.status == 401


async def test_an_agent_signs_in_and_out(nobody: Client) -> None:
    grant = await nobody.post("/sessions", {"email": " ADA@shop.example ", "password": PASSWORD})
    assert grant["token"].startswith("tla_")
    nobody.token = grant["token"]
    assert (await nobody.get("/me"))["name"] == "Ada"
    assert (await nobody.call("DELETE", "/sessions/current")).status == 204
    assert (await nobody.call("GET", "/me")).code == "sign_in_needed"


async def test_a_wrong_password_an_unknown_address_and_a_disabled_agent_look_the_same(
    desk: Running, ada: Client, nobody: Client
) -> None:
    agents = {agent["email"]: agent for agent in (await ada.get("/agents"))["items"]}
    await ada.call("PATCH", f"/agents/{agents[BO[0]]['id']}", {"enabled": False})
    tries = [(ADA[0], "wrong"), ("nobody@shop.example", "wrong"), (BO[0], PASSWORD), (ADA[0], PASSWORD + " ")]
    answers = [
        await nobody.call("POST", "/sessions", {"email": email, "password": password}) for email, password in tries
    ]
    seen = {(one.status, one.code, one.json["detail"]) for one in answers}
    assert seen == {(401, "sign_in_refused", "The address or the password is wrong.")}


async def test_an_address_that_no_database_can_hold_is_refused_like_any_other_wrong_input(nobody: Client) -> None:
    refused = await nobody.call("POST", "/sessions", {"email": "a\x00@shop.example", "password": "x"})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "email")


async def test_the_sixth_try_for_one_account_in_a_minute_is_refused(desk: Running, nobody: Client) -> None:
    wrong = {"email": ADA[0], "password": "wrong"}
    codes = [(await nobody.call("POST", "/sessions", wrong)).code for _ in range(5)]
    assert codes == ["sign_in_refused"] * 5
    right = {"email": ADA[0], "password": PASSWORD}
    refused = await nobody.call("POST", "/sessions", right)
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "too_many_attempts", "60")
    desk.clock.advance(seconds=61)
    assert (await nobody.call("POST", "/sessions", right)).status == 201


async def test_the_twenty_first_try_from_one_address_is_refused(nobody: Client) -> None:
    codes = [
        (await nobody.call("POST", "/sessions", {"email": f"a{n}@shop.example", "password": "x"})).code
        for n in range(21)
    ]
    assert codes == ["sign_in_refused"] * 20 + ["too_many_attempts"]


async def test_a_token_ends_when_it_is_idle_for_twelve_hours(desk: Running, ada: Client) -> None:
    desk.clock.advance(hours=11.9)
    await ada.get("/me")
    await desk.settle()
    desk.clock.advance(hours=11.9)
    await ada.get("/me")
    await desk.settle()
    desk.clock.advance(hours=12)
    assert (await ada.call("GET", "/me")).status == 401


async def test_a_token_ends_after_seven_days_however_busy(desk: Running, ada: Client) -> None:
    for _ in range(14):
        desk.clock.advance(hours=11.9)
        await ada.get("/me")
        await desk.settle()
    desk.clock.advance(hours=2)
    assert (await ada.call("GET", "/me")).status == 401


async def test_an_invited_agent_sets_a_password_with_their_link(desk: Running, ada: Client, nobody: Client) -> None:
    made = await ada.post("/agents", {"email": SETUP["email"], "name": "Cy Young", "role": "agent"})
    token = made["setup_url"].partition("token=")[2]
    assert made["setup_url"].startswith("http://desk.example/inbox/setup?token=tls_")
    shown = await nobody.get(f"/setup/{token}")
    assert shown == {"email": SETUP["email"], "name": "Cy Young", "role": "agent"}
    before = await nobody.call("POST", "/sessions", {"email": SETUP["email"], "password": SETUP["password"]})
    assert before.status == 401
    other = await nobody.call("POST", "/setup", {"token": token, **SETUP, "email": "else@shop.example"})
    assert (other.status, other.json["errors"][0]["field"]) == (422, "email")
    grant = await nobody.post("/setup", {"token": token, **SETUP})
    assert (grant["agent"]["name"], grant["agent"]["role"]) == ("Cy", "agent")
    assert (await nobody.call("GET", f"/setup/{token}")).status == 404
    await nobody.post("/sessions", {"email": SETUP["email"], "password": SETUP["password"]})


async def test_an_invitation_is_over_after_three_days(desk: Running, ada: Client, nobody: Client) -> None:
    made = await ada.post("/agents", {"email": SETUP["email"], "name": "Cy", "role": "agent"})
    desk.clock.advance(hours=72)
    token = made["setup_url"].partition("token=")[2]
    assert (await nobody.call("GET", f"/setup/{token}")).status == 404


@pytest.mark.parametrize("password", ["short", "password123456", "aaaaaaaaaaaaaaaa", "cy@shop.example", "qwertyuiop"])
async def test_a_password_that_is_easily_guessed_is_refused_with_words(
    desk: Running, ada: Client, nobody: Client, password: str
) -> None:
    made = await ada.post("/agents", {"email": SETUP["email"], "name": "Cy", "role": "agent"})
    body = {"token": made["setup_url"].partition("token=")[2], **SETUP, "password": password}
    answer = await nobody.call("POST", "/setup", body)
    assert (answer.status, answer.code) == (422, "password_weak")
    assert answer.json["errors"][0]["field"] == "password"
    assert password not in answer.raw.decode()


async def test_the_same_address_is_not_invited_twice(ada: Client) -> None:
    answer = await ada.call("POST", "/agents", {"email": "BO@shop.example", "name": "Bo", "role": "agent"})
    assert (answer.status, answer.code) == (409, "email_taken")


async def test_an_agent_may_not_manage_agents(bo: Client, ada: Client) -> None:
    invite = await bo.call("POST", "/agents", {"email": "x@shop.example", "name": "X", "role": "admin"})
    me = await bo.get("/me")
    raise_self = await bo.call("PATCH", f"/agents/{me['id']}", {"role": "admin"})
    assert (invite.status, raise_self.status) == (403, 403)
    assert len((await ada.get("/agents"))["items"]) == 2


ENDINGS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("PATCH", "", {"enabled": False}),
    ("PATCH", "", {"role": "admin"}),
    ("POST", "/reset", {}),
    ("DELETE", "/sessions", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ENDINGS)
async def test_sec_32_less_or_other_rights_end_all_tokens_tickets_and_open_feeds(
    desk: Running, ada: Client, bo: Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    me, sessions = await bo.get("/me"), [bo]
    for _ in range(2):
        another = desk.client(None)
        another.token = (await another.post("/sessions", {"email": BO[0], "password": PASSWORD}))["token"]
        sessions.append(another)
    sockets, ticket = [await bo.listen(), await sessions[1].listen()], await sessions[2].ticket()
    witness = await ada.listen()
    for socket in sockets:
        await begin(socket)
    endings = [asyncio.create_task(closed(socket)) for socket in sockets]
    async with asyncio.timeout(60):
        assert (await ada.call(method, f"/agents/{me['id']}{path}", body)).status in {200, 204}
        assert [(await client.call("GET", "/me")).status for client in sessions] == [401, 401, 401]
        assert await asyncio.gather(*endings) == [4401, 4401]
    assert await closed(await bo.connect({"ticket": ticket}, {"Origin": desk.address})) == 4401
    await desk.customer()
    assert await frames(witness, "message_received")


async def test_sessions_end_without_anything_else_of_the_agent(ada: Client, bo: Client, nobody: Client) -> None:
    me = await bo.get("/me")
    assert (await ada.call("DELETE", f"/agents/{me['id']}/sessions")).status == 204
    assert (await nobody.post("/sessions", {"email": BO[0], "password": PASSWORD}))["agent"] == me
    assert (await ada.call("DELETE", "/agents/unheard/sessions")).code == "unknown_agent"


async def test_a_feed_of_a_token_that_is_over_ends_by_itself(desk: Running, bo: Client) -> None:
    """As when another process ended it."""
    socket = await bo.listen()
    assert (await socket.receive_json())["type"] == "hello"
    desk.clock.advance(hours=12)
    assert await closed(socket) == 4401


async def test_signing_out_ends_the_feed_of_that_token_only(desk: Running, bo: Client) -> None:
    other = desk.client(None)
    other.token = (await other.post("/sessions", {"email": BO[0], "password": PASSWORD}))["token"]
    mine, theirs = await bo.listen(), await other.listen()
    await bo.call("DELETE", "/sessions/current")
    assert await closed(mine) == 4401
    await desk.customer()
    assert await frames(theirs, "message_received")


async def test_sec_32_a_reset_ends_password_tokens_and_feeds_and_gives_a_new_link(
    ada: Client, bo: Client, nobody: Client
) -> None:
    me, socket = await bo.get("/me"), await bo.listen()
    ending = asyncio.create_task(closed(socket))
    made = await ada.post(f"/agents/{me['id']}/reset")
    assert await ending == 4401
    assert (await bo.call("GET", "/me")).status == 401
    assert (await nobody.call("POST", "/sessions", {"email": BO[0], "password": PASSWORD})).status == 401
    token = made["setup_url"].partition("token=")[2]
    await nobody.post("/setup", {"token": token, **SETUP, "email": BO[0]})
    assert (await bo.call("POST", f"/agents/{me['id']}/reset", {})).status == 401
    assert (await ada.call("POST", "/agents/unheard/reset", {})).code == "unknown_agent"


async def test_the_last_admin_can_neither_be_disabled_nor_made_an_agent(ada: Client) -> None:
    me = await ada.get("/me")
    for change in ({"enabled": False}, {"role": "agent"}):
        answer = await ada.call("PATCH", f"/agents/{me['id']}", change)
        assert (answer.status, answer.code) == (409, "last_admin")
    assert (await ada.get("/me"))["role"] == "admin"


async def test_a_new_name_shows_in_the_list_and_changes_no_history(desk: Running, ada: Client, bo: Client) -> None:
    thread, me = await desk.thread(), await bo.get("/me")
    await bo.call("PUT", f"/threads/{thread}/assignee", {"agent_id": "me"})
    await ada.call("PATCH", f"/agents/{me['id']}", {"name": "Bo Li"})
    assert (await bo.get(f"/threads/{thread}"))["assignee"]["name"] == "Bo Li"
    history = (await bo.get(f"/threads/{thread}/history"))["items"]
    assert next(entry for entry in history if entry["kind"] == "assigned")["payload"]["assignee"]["name"] == "Bo"


async def test_no_secret_is_stored_as_it_is(template: Template, open_desk: Opener, tmp_path: Path) -> None:
    async with open_desk(*template) as running:
        if running.house.store.dialect != "sqlite":
            return
        ada = running.client(ADA[0])
        made = await ada.call(
            "POST",
            "/agents",
            {"email": SETUP["email"], "name": "Cy", "role": "agent"},
            headers={"Idempotency-Key": "k1"},
        )
        ticket, link = await ada.ticket(), made.json["setup_url"].partition("token=")[2]
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("trunkline.db*"))
    for secret in (running.tokens[ADA[0]], ticket, link, PASSWORD):
        assert secret.encode() not in stored


async def test_passwords_are_hashed_with_argon2id_and_a_lot_of_memory() -> None:
    stored = await Passwords().hash("x")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")


async def test_a_hash_with_weak_parameters_is_made_anew_at_sign_in(desk: Running, nobody: Client) -> None:
    from sqlalchemy import select

    from trunkline_desk.schema import agent

    desk.application.desk.passwords = Passwords()
    await nobody.post("/sessions", {"email": ADA[0], "password": PASSWORD})
    async with desk.house.store.read() as connection:
        stored = (await connection.execute(select(agent.c.password_hash).where(agent.c.email == ADA[0]))).scalar_one()
    assert "m=65536" in stored
    assert PasswordHasher().verify(stored, PASSWORD)
    await nobody.post("/sessions", {"email": ADA[0], "password": PASSWORD})
