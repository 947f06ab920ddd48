"""Hostile clients: foreign ids, forged credentials, odd values, odd files."""

from __future__ import annotations

import io
import uuid
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.hosted.booth import vouch
from tests.hosted.people import KEY, Answer, Place, Visitor, message
from trunkline.hosted import IdentityMode
from trunkline.store import schema


def picture(kind: str = "PNG") -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(body, kind)
    return body.getvalue()


async def uploaded(
    visitor: Visitor, data: bytes, name: str = "a.png", mime: str = "image/png", **options: Any
) -> Answer:
    form = aiohttp.FormData()
    form.add_field("file", data, filename=name, content_type=mime)
    headers = {**visitor.headers, **options.pop("headers", {})}
    return await visitor.place.call("POST", "/uploads", headers=headers, **{**options, "data": form})


def carrying(upload: str, kind: str = "image", **more: Any) -> dict[str, Any]:
    return {"client_id": str(uuid.uuid4()), "kind": kind, "attachments": [{"upload_id": upload}], **more}


async def full(place: Place) -> tuple[Visitor, dict[str, str]]:
    """A visitor who has everything, and its ids."""
    ben = await place.visitor()
    upload = (await uploaded(ben, picture())).json["upload_id"]
    said = await ben.say("Mine")
    thread = said["message"]["thread_id"]
    reply = await place.reply(thread.removeprefix("th_"), "For Ben")
    return ben, {"thread": thread, "message": said["message"]["id"], "reply": f"ms_{reply}", "upload": upload}


TOKEN_CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/tokens/exchange", {"identity": "x"}),
    ("DELETE", "/tokens/current", None),
    ("GET", "/me", None),
    ("PATCH", "/me", {}),
    ("PUT", "/devices/d", {"provider": "fcm", "push_token": "x"}),
    ("DELETE", "/devices/d", None),
    ("GET", "/unread", None),
    ("GET", "/threads", None),
    ("GET", "/threads/live/messages", None),
    ("POST", "/threads/live/messages", message()),
    ("POST", "/threads/live/postback", {"client_id": str(uuid.uuid4()), "message_id": "ms_x", "action_id": "q0"}),
    ("POST", "/threads/live/read", {"pos": 1}),
    ("POST", "/threads/live/typing", {}),
    ("GET", "/changes", None),
    ("POST", "/context", {"views": []}),
    ("POST", "/uploads", {"name": "a", "size": 1, "mime": "text/plain"}),
    ("PUT", "/uploads/up_x", b"x"),
    ("GET", "/submissions/form", None),
    ("GET", "/submissions", None),
    ("POST", "/submissions", {"client_id": str(uuid.uuid4()), "form_version": "x", "values": {}}),
]


def test_every_call_with_a_token_is_in_the_list_of_these_tests(booth: Place) -> None:
    listed = {(method, path.replace("live", "{}").split("/")[1]) for method, path, _ in TOKEN_CALLS}
    table = {(route.method, route.path.split("/")[1]) for route in booth.front.calls if route.auth == "token"}
    assert listed == table


WRONG = [
    "",
    "Bearer",
    "Bearer ",
    "Basic dXNlcjpwYXNz",
    "Bearer vt_",
    "Bearer vt_" + "A" * 43,
    "Bearer null",
    "Bearer [object Object]",
]


@pytest.mark.parametrize(("method", "path", "body"), TOKEN_CALLS)
async def test_sec_18_a_wrong_credential_opens_no_call(booth: Place, method: str, path: str, body: Any) -> None:
    for words in WRONG:
        answer = await booth.call(method, path, body, headers={"Authorization": words} if words else {})
        assert answer.status == 401, (words, answer.raw)
        assert answer.code in {"token_missing", "token_invalid"}


async def test_sec_18_a_token_is_compared_whole(booth: Place) -> None:
    ana = await booth.visitor()
    for token in (ana.token[:-1], ana.token + "A", ana.token.lower(), ana.token[:-1] + "_", f"{ana.token} {ana.token}"):
        if token != ana.token:
            assert (await booth.call("GET", "/me", headers={"Authorization": f"Bearer {token}"})).status == 401


async def test_sec_22_ids_of_others_are_not_there(place: Place) -> None:
    """B12.5: the same answer as for ids that were never given."""
    ana, (_, theirs) = await place.visitor(), await full(place)
    await ana.say("Mine")
    shapes = [
        ("GET", "/threads/{}/messages", None, "thread", "th_"),
        ("POST", "/threads/{}/messages", message(), "thread", "th_"),
        ("POST", "/threads/{}/read", {"pos": 1}, "thread", "th_"),
        ("POST", "/threads/{}/typing", {}, "thread", "th_"),
    ]
    for method, path, body, which, prefix in shapes:
        foreign = await ana.call(method, path.format(theirs[which]), body)
        missing = await ana.call(method, path.format(f"{prefix}{uuid.uuid4()}"), body)
        assert (
            (foreign.status, foreign.json["error"])
            == (missing.status, missing.json["error"])
            == (
                404,
                {"code": "not_found", "message": "There is nothing here."},
            )
        )
    press = {"client_id": str(uuid.uuid4()), "message_id": theirs["reply"], "action_id": "q0"}
    assert (await ana.call("POST", "/threads/live/postback", press)).status == 404
    quoted = await ana.call("POST", "/threads/live/messages", message(quoted_id=theirs["message"]))
    assert quoted.status == 422


async def test_sec_22_another_inbox_is_another_world(place: Place) -> None:
    ana = await place.visitor(key="wk_test_0002")
    ben, theirs = await full(place)
    assert (await ana.call("GET", f"/threads/{theirs['thread']}/messages")).status == 404
    assert (await ana.call("GET", "/changes", params={"cursor": ben.cursor})).status == 410


async def test_sec_23_files_open_by_their_own_signature_alone(place: Place) -> None:
    ana, (ben, _) = await place.visitor(), await full(place)
    mine = (await uploaded(ana, picture())).json["upload_id"]
    said = await ana.post("/threads/live/messages", carrying(mine))
    url = said["message"]["attachments"][0]["url"]
    good = await place.call("GET", url)
    assert (good.status, good.headers["Content-Type"]) == (200, "image/png")
    signature = url.partition("sig=")[2]
    assert len(signature) >= 22
    theirs = (await uploaded(ben, picture())).json["upload_id"]
    for path in (
        f"/files/{theirs}?sig={signature}",
        f"/files/{mine}",
        f"/files/{mine}?sig=",
        f"/files/{mine}?sig={'A' * 22}",
    ):
        answer = await ana.call("GET", path)
        assert (answer.status, answer.code) == (404, "not_found")
    preview = await place.call("GET", f"/files/{mine}?sig={signature}&variant=preview")
    assert preview.status == 404


async def test_sec_24_a_token_reads_its_own_conversation_alone(place: Place) -> None:
    ana, (_, theirs) = await place.visitor(), await full(place)
    invented = {"Authorization": "Bearer vt_" + "B" * 43}
    assert (await place.call("GET", f"/threads/{theirs['thread']}/messages", headers=invented)).status == 401
    assert (await ana.call("GET", f"/threads/{theirs['thread']}/messages")).status == 404
    assert (await ana.get("/threads"))["threads"] == []
    assert (await ana.changes())["changes"] == []


async def test_sec_25_a_foreign_upload_is_not_sent_and_stays_where_it_is(place: Place) -> None:
    ana, (ben, theirs) = await place.visitor(), await full(place)
    stolen = await ana.call("POST", "/threads/live/messages", carrying(theirs["upload"]))
    missing = await ana.call("POST", "/threads/live/messages", carrying(f"up_{uuid.uuid4()}"))
    assert (stolen.status, stolen.code) == (missing.status, missing.code) == (422, "unknown_upload")
    assert stolen.json["error"]["message"] == missing.json["error"]["message"]
    sent = await ben.post("/threads/live/messages", carrying(theirs["upload"]))
    assert sent["message"]["attachments"][0]["upload_id"] == theirs["upload"]
    again = await ben.call("POST", "/threads/live/messages", carrying(theirs["upload"]))
    assert (again.status, again.code) == (422, "unknown_upload")


async def test_sec_25_an_agents_upload_is_not_a_visitors(place: Place) -> None:
    ana = await place.visitor()

    async def chunks() -> Any:
        yield picture()

    media_id = await place.house.media.receive(chunks(), "a.png", "agent-1", "image/png")
    answer = await ana.call("POST", "/threads/live/messages", carrying(f"up_{media_id}"))
    assert (answer.status, answer.code) == (422, "unknown_upload")


@pytest.mark.parametrize(("method", "path", "body"), TOKEN_CALLS)
async def test_sec_27_required_identity_is_required_on_every_call(
    booth: Place, method: str, path: str, body: Any
) -> None:
    """A token from before the switch was thrown."""
    ana = await booth.visitor()
    booth.connector().mode = IdentityMode.REQUIRE
    answer = await ana.call(method, path, body)
    assert (answer.status, answer.code) == (403, "identity_required")


@pytest.mark.parametrize(
    "header", ["X-Forwarded-User", "Remote-User", "X-Remote-User", "X-Auth-Request-User", "X-WebAuth-User", "Cookie"]
)
async def test_sec_29_names_in_headers_prove_nothing(booth: Place, header: str) -> None:
    known = await booth.visitor(identity=vouch("cust-1", KEY, booth.clock.now))
    await known.say("Secret")
    answer = await booth.call("GET", "/threads", headers={header: "cust-1", "X-Inbox-Key": KEY})
    assert (answer.status, answer.code) == (401, "token_missing")
    given = await booth.call("POST", "/tokens", {}, headers={header: "cust-1", "X-Inbox-Key": KEY})
    assert given.json["identity"] == "anonymous"


ODD: list[Any] = [{"$ne": None}, {"$gt": ""}, [], ["x"], 7, True, 1.5]


@pytest.mark.parametrize("value", ODD)
async def test_sec_30_an_object_is_no_credential(booth: Place, value: Any) -> None:
    ana = await booth.visitor()
    headers = {"X-Inbox-Key": KEY}
    for field in ("identity", "device_id"):
        answer = await booth.call("POST", "/tokens", {field: value}, headers=headers)
        assert answer.status in {400, 422}, answer.raw
        if field == "device_id":
            assert answer.status == 400
    for body in (
        {"identity": value},
        {"identity": {"id": value, "hmac": "0" * 64}},
        {"identity": {"id": "x", "hmac": value}},
    ):
        answer = await ana.call("POST", "/tokens/exchange", body)
        assert answer.status == 400, answer.raw
    answer = await ana.call("POST", "/threads/live/messages", {**message(), "client_id": value})
    assert (answer.status, answer.code) == (400, "bad_request")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'"x"', b"null", b"\xff\xfe", b"{" * 5000])
async def test_sec_30_what_is_no_object_is_refused(booth: Place, body: bytes) -> None:
    ana = await booth.visitor()
    for path in ("/tokens/exchange", "/threads/live/messages", "/threads/live/read", "/context"):
        answer = await ana.call("POST", path, body)
        assert answer.status == 400, answer.raw


ACTIVE = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<!doctype html><html><script>alert(1)</script></html>",
    "xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "xml": b'<?xml version="1.0"?><?xml-stylesheet href="x.xsl"?><a/>',
    "mhtml": b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n<script>alert(1)</script>",
    "pdf": b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF",
}
SPELLINGS = [
    "image/svg+xml", "image/svg+xml; x", "IMAGE/SVG+XML", "image/png", "image/jpeg;charset=utf-8", "text/html",
    "text/html; charset=x", "application/xhtml+xml", "application/pdf", "text/plain", "application/octet-stream",
    "multipart/related", "text/xml", "image/svg", "*/*",
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(ACTIVE))
async def test_sec_36_files_that_could_run_are_refused_or_saved(booth: Place, name: str) -> None:
    ana = await booth.visitor()
    for spelling in SPELLINGS:
        answer = await uploaded(ana, ACTIVE[name], f"x.{name}", spelling)
        if answer.status in {415, 422} or spelling.startswith("multipart/"):
            assert answer.status >= 400
            continue
        assert answer.status == 201, answer.raw
        kind = "file"
        said = await ana.post("/threads/live/messages", carrying(answer.json["upload_id"], kind))
        served = await booth.call("GET", said["message"]["attachments"][0]["url"])
        assert served.headers["Content-Type"] == "application/octet-stream"
        assert served.headers["Content-Disposition"].startswith("attachment")
        assert served.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in served.headers["Content-Security-Policy"]


NAMES = [
    ".htaccess", "\u200b.htaccess", "..", "../../etc/passwd", "..\\..\\x", "CON", "nul.txt", "a.txt.", "a.txt ",
    "x" * 4096,
    "\u202egnp.exe", "a\uff0fb.txt", "\u2024\u2024/x", "%2e%2e%2fx", "a%00.png", " ", "-rf", "~", "a:b", "😀.txt",
]  # fmt: skip


async def test_sec_38_a_name_is_a_name_and_no_place(booth: Place) -> None:
    ana = await booth.visitor()
    for name in NAMES:
        answer = await uploaded(ana, b"plain words", name, "text/plain")
        assert answer.status in {201, 415}, (name, answer.raw)
        if answer.status == 201:
            shown = answer.json["name"]
            assert 0 < len(shown) <= 120
            assert not set(shown) & set("/\\:\0\u202e\u200b")
            assert not shown.startswith(".")
    for row in await booth.rows(schema.media):
        assert row.file is not None
        assert len(row.file) == 32
        assert row.file.isalnum()


async def test_sec_46_a_form_of_another_page_changes_nothing(booth: Place) -> None:
    """What a browser sends without asking first: a form, plain text, a changed method."""
    ana = await booth.visitor()
    bodies = {
        "application/x-www-form-urlencoded": b"client_id=x&kind=text&text=x",
        "text/plain": b'{"client_id":"0b7e7c1e-0000-4000-8000-000000000001","kind":"text","text":"x"}',
        "multipart/form-data; boundary=x": b"--x--",
    }
    for kind, body in bodies.items():
        for path in ("/threads/live/messages", "/tokens/exchange", "/context"):
            answer = await ana.call("POST", path, body, headers={"Content-Type": kind})
            assert (answer.status, answer.code) == (415, "unsupported_media_type")
    for headers in ({"X-HTTP-Method-Override": "POST"}, {"X-Method-Override": "DELETE"}):
        answer = await ana.call("GET", "/threads/live/messages?_method=POST", headers=headers)
        assert answer.json == {"messages": [], "has_more": False}
    wrong = await ana.call("GET", "/tokens")
    assert (wrong.status, wrong.code) == (405, "method_not_allowed")


async def test_sec_46_pages_of_others_may_read_two_calls_and_write_none(booth: Place) -> None:
    for path in ("/config", "/unread"):
        answer = await booth.call("OPTIONS", path, headers={"Origin": "https://shop.example"})
        assert answer.headers["Access-Control-Allow-Methods"] == "GET"
        assert "Access-Control-Allow-Credentials" not in answer.headers
    for path in ("/tokens", "/threads/live/messages", "/me"):
        answer = await booth.call("OPTIONS", path, headers={"Origin": "https://shop.example"})
        assert answer.status == 405
        assert "Access-Control-Allow-Methods" not in answer.headers
    config = await booth.call("GET", "/config", headers={"X-Inbox-Key": KEY, "Origin": "https://shop.example"})
    assert config.headers["Access-Control-Allow-Origin"] == "*"


async def test_sec_46_no_call_heeds_a_cookie_and_none_is_set(booth: Place) -> None:
    ana = await booth.visitor()
    answer = await booth.call("GET", "/me", headers={"Cookie": f"token={ana.token}; Authorization=Bearer {ana.token}"})
    assert answer.status == 401
    assert "Set-Cookie" not in answer.headers


async def test_no_answer_and_no_log_line_holds_a_token(booth: Place, capsys: pytest.CaptureFixture[str]) -> None:
    ana = await booth.visitor()
    await booth.call("POST", "/tokens/exchange", {"identity": "x"}, headers=ana.headers)
    await ana.say()
    (row,) = await booth.rows(schema.visitor_token)
    assert ana.token not in str(row)
    said = capsys.readouterr()
    assert ana.token not in said.out + said.err
