"""The door of the API: what comes in without proof, in the wrong shape, or twice."""

from __future__ import annotations

import asyncio
import gzip
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from tests.desk.harness import ADA, PASSWORD, Answer, Client, Running
from tests.desk.hostile import HOSTILE
from trunkline.errors import ContractError
from trunkline_desk.api.doors import insist_on_declared
from trunkline_desk.api.route import Route
from trunkline_desk.api.table import ROUTES
from trunkline_desk.people.roles import Action, Actor, Role, may

CLOSED = [route for route in ROUTES if route.action is not Action.ANYBODY]
WRITES = [route for route in ROUTES if route.method != "GET"]
WITH_BODY = [route for route in ROUTES if route.body is not None]


def _path(route: Route) -> str:
    return "/".join("x1" if part.startswith("{") else part for part in route.path.split("/"))


WRONG_PROOFS = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer tla_wrong",
    "Basic YWRhOnB3",
    "Bearer null",
    "Bearer " + "x" * 4000,
    f"Bearer {PASSWORD}",
]


async def test_sec_18_every_closed_route_refuses_a_wrong_proof(nobody: Client) -> None:
    """The list is generated from the route table."""
    for header in WRONG_PROOFS:
        for route in CLOSED:
            body: Any = {} if route.body is not None else None
            headers = {} if header is None else {"Authorization": header}
            answer = await nobody.call(route.method, _path(route), body, headers=headers)
            assert (answer.status, answer.code) == (401, "sign_in_needed"), (route.operation, header)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_what_the_table_gives_to_admins_is_refused_to_agents(bo: Client) -> None:
    agent = Actor("x", "x", "x", Role.AGENT, "x")
    only_admins = [route for route in ROUTES if not may(agent, route.action)]
    assert {route.operation for route in only_admins} >= {"invite_agent", "change_agent", "skip_quarantined"}
    for route in only_admins:
        answer = await bo.call(route.method, _path(route), {})
        assert (answer.status, answer.code) == (403, "not_allowed"), route.operation


def test_an_action_that_the_table_does_not_name_is_forbidden_to_everybody() -> None:
    class Unheard(str):
        __slots__ = ()

    admin = Actor("x", "x", "x", Role.ADMIN, "x")
    assert not may(admin, Unheard("unheard.of"))  # type: ignore[arg-type]  # the point of the test


def test_a_route_that_declares_no_action_stops_the_start() -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    api = web.Application()
    api.router.add_get("/v1/secrets", handler)
    with pytest.raises(ContractError, match="GET /v1/secrets declares no action"):
        insist_on_declared(api, ROUTES)


async def test_sec_46_a_write_that_another_site_began_is_refused(ada: Client) -> None:
    for route in WRITES:
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = await ada.call(route.method, _path(route), {} if route.body else None, headers=headers)
        assert (answer.status, answer.code) == (403, "cross_site"), route.operation


FORM_KINDS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/octet-stream"]


async def test_sec_46_a_body_that_a_form_could_send_is_refused(ada: Client) -> None:
    for kind in FORM_KINDS:
        for route in WITH_BODY:
            answer = await ada.call(route.method, _path(route), {}, headers={"Content-Type": kind})
            assert (answer.status, answer.code) == (415, "json_only"), (route.operation, kind)


async def test_sec_46_a_get_and_an_overridden_method_change_nothing(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    for header in ("X-HTTP-Method-Override", "X-Method-Override", "_method"):
        await ada.call("GET", f"/threads/{thread}", headers={header: "POST"})
        await ada.call("GET", f"/threads/{thread}?_method=POST", headers={header: "DELETE"})
    answer = await ada.call("GET", f"/threads/{thread}/close")
    assert (answer.status, answer.code, answer.headers["Allow"]) == (405, "method_not_allowed", "POST")
    assert (await ada.get(f"/threads/{thread}"))["state"] == "new"


NOT_TEXT: list[Any] = [{"$ne": None}, ["x"], 7, True, None, {"x": {"y": "z"}}]


async def test_sec_30_something_else_than_text_where_text_is_meant_is_refused(nobody: Client) -> None:
    right = {"email": ADA[0], "password": PASSWORD}
    for value in NOT_TEXT:
        for field in right:
            answer = await nobody.call("POST", "/sessions", {**right, field: value})
            assert (answer.status, answer.code) == (422, "invalid"), value
            assert answer.json["errors"][0]["field"] == field
        for field in ("token", "name", "email", "password"):
            body = {"token": "t", "name": "n", **right, field: value}
            assert (await nobody.call("POST", "/setup", body)).status == 422


BAD_BODIES = [
    (b"", 400, "body_unreadable"),
    (b"{", 400, "body_unreadable"),
    (b"\xff\xfe", 400, "body_unreadable"),
    (b'{"text": "\\ud800"}', 400, "body_unreadable"),
    (b"[" * 100_000, 400, "body_unreadable"),
    (b"[]", 422, "invalid"),
    (b'"text"', 422, "invalid"),
    (b'{"text": "x", "colour": "red"}', 422, "invalid"),
    (b'{"text": "\\u0000"}', 422, "invalid"),
    (b'{"text": ""}', 422, "invalid"),
    (b" " * (1024 * 1024 + 1), 413, "body_too_large"),
]


async def test_a_body_in_the_wrong_shape_is_refused(ada: Client) -> None:
    headers = {"Content-Type": "application/json"}
    for raw, status, code in BAD_BODIES:
        answer = await ada.call("POST", "/threads/x1/notes", data=BytesIO(raw), headers=headers)
        assert (answer.status, answer.code) == (status, code), raw[:40]


async def test_a_body_without_a_length_is_bounded_as_well(ada: Client) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b" " * 64 * 1024

    headers = {"Content-Type": "application/json"}
    answer = await ada.call("POST", "/threads/x1/notes", data=endless(), headers=headers)
    assert (answer.status, answer.code) == (413, "body_too_large")


async def test_a_compressed_body_is_refused(ada: Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await ada.call("POST", "/threads/x1/notes", data=gzip.compress(b"{}"), headers=headers)
    assert answer.status == 415


LISTS = [route for route in ROUTES if route.query is not None and route.method == "GET"]


async def test_sec_33_hostile_parameters_are_refused_or_taken_literally(desk: Running, ada: Client) -> None:
    """Every parameter of every list, found in the route table."""
    await desk.thread("harmless")
    for route in LISTS:
        assert route.query is not None
        for name in (*route.query.model_fields, "colour"):
            for value in HOSTILE:
                needed = {"q": "harmless"} if "q" in route.query.model_fields else {}
                answer = await ada.call(route.method, _path(route), params={**needed, name: value})
                assert answer.status in {400, 404} or _is_empty(answer), (route.operation, name, value)


def _is_empty(answer: Answer) -> bool:
    """Whether what was taken literally led to nothing."""
    assert answer.status == 200
    return not any(answer.json.get(key) for key in ("items", "messages", "contacts"))


async def test_sec_22_hostile_ids_lead_nowhere(ada: Client, desk: Running) -> None:
    for value in filter(None, HOSTILE):
        desk.clock.advance(seconds=30)
        await _try_ids(ada, value)


async def _try_ids(ada: Client, value: str) -> None:
    name = quote(value, safe="")
    for path in (f"/threads/{name}", f"/threads/{name}/messages", f"/threads/{name}/history", f"/media/{name}"):
        assert (await ada.call("GET", path)).status == 404
    for path in (f"/threads/{name}/close", f"/messages/{name}/retry", f"/quarantine/{name}/retry"):
        assert (await ada.call("POST", path, {})).status == 404
    assert (await ada.call("DELETE", f"/notes/{name}")).status == 404
    assert (await ada.call("PATCH", f"/agents/{name}", {"name": "X"})).status == 404
    assert (await ada.call("GET", f"/setup/{name}")).status == 404


#: What the bodies must hold for the address to matter.
BODIES: dict[str, dict[str, Any]] = {
    "read": {"position": 1},
    "assign": {"agent_id": "me"},
    "reply": {"text": "Hi"},
    "preview_reply": {"text": "Hi"},
    "react": {"emoji": "👍"},
    "add_note": {"text": "Hm"},
    "skip_quarantined": {"reason": "tested"},
    "delete_quarantined": {"reason": "tested"},
    "change_contact": {"name": "X"},
}


async def test_sec_22_an_id_that_is_not_there_is_a_404_on_every_route(ada: Client) -> None:
    for route in ROUTES:
        if "{" in route.path:
            body = BODIES.get(route.operation, {}) if route.body is not None else None
            answer = await ada.call(route.method, _path(route), body)
            assert answer.status == 404, (route.operation, answer.raw)


PROXY_HEADERS = [
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Preferred-Username",
    "Remote-User",
    "REMOTE_USER",
    "X-Remote-User",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Authenticated-User",
    "X-WEBAUTH-USER",
    "X-User",
    "X-MS-CLIENT-PRINCIPAL-NAME",
    "Cf-Access-Authenticated-User-Email",
    "X-Goog-Authenticated-User-Email",
    "X-SSO-User",
]


async def test_sec_29_what_a_proxy_says_of_the_user_is_not_believed(ada: Client, bo: Client, nobody: Client) -> None:
    me = await ada.get("/me")
    for header in PROXY_HEADERS:
        for value in (ADA[0], me["id"], "Ada"):
            assert (await nobody.call("GET", "/me", headers={header: value})).status == 401, header
            assert (await bo.get("/me", headers={header: value}))["name"] == "Bo", header


async def test_a_cursor_of_somebody_else_is_refused(ada: Client) -> None:
    for cursor in ["x", "WzEsMiwzXQ", "bnVsbA", "W10", "eyJhIjoxfQ", "WyJhIiwiYiJd", "a" * 399]:
        answer = await ada.call("GET", "/threads", params={"cursor": cursor})
        assert (answer.status, answer.code) == (400, "bad_cursor")


async def test_the_same_key_with_the_same_request_is_one_write_with_one_answer(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    options = {"headers": {"Idempotency-Key": "k1"}}
    first = await ada.call("POST", f"/threads/{thread}/messages", {"text": "Hi"}, **options)
    await desk.settle()
    second = await ada.call("POST", f"/threads/{thread}/messages", {"text": "Hi"}, **options)
    assert (first.status, second.status) == (202, 202)
    assert first.json == second.json
    await desk.settle()
    assert len(desk.connector().sent) == 1
    history = (await ada.get(f"/threads/{thread}/history"))["items"]
    assert [entry["kind"] for entry in history].count("reply_sent") == 1


async def test_the_same_key_with_another_request_is_refused(desk: Running, ada: Client, bo: Client) -> None:
    thread = await desk.thread()
    options = {"headers": {"Idempotency-Key": "k1"}}
    await ada.post(f"/threads/{thread}/notes", {"text": "one"}, **options)
    answer = await ada.call("POST", f"/threads/{thread}/notes", {"text": "two"}, **options)
    assert (answer.status, answer.code) == (409, "idempotency_key_reused")
    assert (await bo.post(f"/threads/{thread}/notes", {"text": "two"}, **options))["text"] == "two"


async def test_a_refused_write_does_not_use_its_key_up(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    options = {"headers": {"Idempotency-Key": "k1"}}
    assert (await ada.call("POST", f"/threads/{thread}/reopen", {}, **options)).status == 409
    await ada.post(f"/threads/{thread}/close")
    assert (await ada.call("POST", f"/threads/{thread}/reopen", {}, **options)).status == 200


async def test_many_repeats_at_once_are_one_write(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    options = {"headers": {"Idempotency-Key": "k1"}}
    answers = await asyncio.gather(
        *(ada.call("POST", f"/threads/{thread}/notes", {"text": "once"}, **options) for _ in range(12))
    )
    assert {answer.json["id"] for answer in answers} == {answers[0].json["id"]}
    assert len((await ada.get(f"/threads/{thread}/notes"))["items"]) == 1


async def test_a_repeated_invitation_answers_with_the_same_link(ada: Client) -> None:
    body, options = {"email": "cy@shop.example", "name": "Cy", "role": "agent"}, {"headers": {"Idempotency-Key": "k"}}
    first, second = [await ada.post("/agents", body, **options) for _ in range(2)]
    assert first == second


async def test_a_key_is_forgotten_after_a_day(desk: Running, ada: Client) -> None:
    thread, found = await desk.thread(), []
    for hours in (0, 11, 11, 1, 1):
        desk.clock.advance(hours=hours)
        await ada.get("/me")
        await desk.settle()
        await ada.post(f"/threads/{thread}/notes", {"text": "x"}, headers={"Idempotency-Key": "k1"})
        found.append(len((await ada.get(f"/threads/{thread}/notes"))["items"]))
    assert found == [1, 1, 1, 1, 2]


async def test_a_key_that_is_none_is_refused(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    for key in ["", " ", "a b", "ä", "x" * 256]:
        answer = await ada.call("POST", f"/threads/{thread}/close", {}, headers={"Idempotency-Key": key})
        assert (answer.status, answer.code) == (400, "bad_idempotency_key")


async def test_a_request_id_of_a_stranger_is_not_believed(ada: Client) -> None:
    answer = await ada.call("GET", "/me", headers={"X-Request-Id": "chosen-by-me"})
    assert answer.headers["X-Request-Id"] != "chosen-by-me"


async def test_an_error_inside_tells_nothing_but_its_request_id(
    desk: Running, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret-detail")

    monkeypatch.setattr(desk.house.accounts, "all", broken)
    answer = await ada.call("GET", "/accounts")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert b"secret-detail" not in answer.raw


async def test_an_unknown_address_is_a_problem_document(ada: Client) -> None:
    answer = await ada.call("GET", "/nothing/here")
    assert (answer.status, answer.code) == (404, "not_found")


async def test_answers_carry_the_security_headers(ada: Client) -> None:
    headers = (await ada.call("GET", "/me")).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
