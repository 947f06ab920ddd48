"""What WeCom accepts of a message, in its own units and with its own numbers. Pure.

Sources: https://developer.work.weixin.qq.com/document/path/90236, …/94677 (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trunkline_wechat.simulator.wire import Refused
from trunkline_wechat.simulator.world import World

Json = dict[str, Any]
Check = Callable[[World, Json], None]

_MB = 1024 * 1024
#: Kind of an upload → most bytes, beginnings of its files (None for any).
UPLOADS: dict[str, tuple[int, tuple[bytes, ...] | None]] = {
    "image": (10 * _MB, (b"\xff\xd8\xff", b"\x89PNG")),
    "voice": (2 * _MB, (b"#!AMR",)),
    "video": (10 * _MB, None),
    "file": (20 * _MB, None),
}
_TOO_BIG = {"image": 40009, "voice": 40010, "video": 40011, "file": 40006}
_LEAST = 5


def check_upload(kind: str, body: bytes) -> None:
    if kind not in UPLOADS:
        raise Refused(40004, "invalid media type")
    most, begins = UPLOADS[kind]
    if len(body) <= _LEAST or len(body) > most:
        raise Refused(_TOO_BIG[kind], "invalid file size")
    if begins is not None and not body.startswith(begins):
        raise Refused(40005, "invalid file type")


def size(value: Any) -> int:
    return len(str(value).encode())


def _limit(body: Json, name: str, most: int, *, code: int = 40058, must: bool = True) -> None:
    if must and not body.get(name):
        raise Refused(40063, f"missing {name}")
    if size(body.get(name, "")) > most:
        raise Refused(code, f"{name} is too long")


def _medium(kind: str, name: str = "media_id") -> Check:
    def check(world: World, body: Json) -> None:
        kept = world.file(body.get(name))
        if kept is None or kept.kind != kind:
            raise Refused(40007, f"invalid {name}")

    return check


def _plain(_world: World, body: Json) -> None:
    if not body.get("content"):
        raise Refused(44004, "text content is empty")
    if size(body["content"]) > 2048:
        raise Refused(45002, "content is too long")


def _truncated(_world: World, body: Json) -> None:
    """WeCom says nothing and cuts."""
    if not body.get("content"):
        raise Refused(44004, "text content is empty")
    body["content"] = str(body["content"]).encode()[:2048].decode(errors="ignore")


def _kf_link(world: World, body: Json) -> None:
    _limit(body, "title", 128, code=45003)
    _limit(body, "desc", 512, code=45004, must=False)
    _limit(body, "url", 2048, code=45005)
    _medium("image", "thumb_media_id")(world, body)


def _kf_menu(_world: World, body: Json) -> None:
    _limit(body, "head_content", 1024, must=False)
    _limit(body, "tail_content", 1024, must=False)
    entries = body.get("list") or []
    if len(entries) > 10:
        raise Refused(95008, "too many menu items")
    for entry in entries:
        kind = entry.get("type")
        if kind not in {"click", "view", "miniprogram"} or not isinstance(entry.get(kind), dict):
            raise Refused(95009, "invalid menu item")
        _limit(entry[kind], "id", 64, must=False)
        _limit(entry[kind], "content", 128)
        _limit(entry[kind], "url", 2048, must=kind == "view")


def _kf_place(_world: World, body: Json) -> None:
    fits = abs(float(body.get("latitude", 999))) <= 90 and abs(float(body.get("longitude", 999))) <= 180
    if not fits:
        raise Refused(40035, "invalid location")


def _app(_world: World, body: Json) -> None:
    _limit(body, "title", 64, must=False)
    _limit(body, "appid", 64)


#: What a desk sends.
OF_A_DESK: dict[str, Check] = {
    "text": _plain,
    **{kind: _medium(kind) for kind in UPLOADS},
    "link": _kf_link,
    "miniprogram": _app,
    "msgmenu": _kf_menu,
    "location": _kf_place,
}


def _textcard(_world: World, body: Json) -> None:
    _limit(body, "title", 128, code=45003)
    _limit(body, "description", 512, code=45004)
    _limit(body, "url", 2048, code=45005)


def _news(_world: World, body: Json) -> None:
    articles = body.get("articles") or []
    if not 1 <= len(articles) <= 8:
        raise Refused(45008, "invalid number of articles")
    for article in articles:
        _limit(article, "title", 128, code=45003)
        _limit(article, "description", 512, code=45004, must=False)
        _limit(article, "url", 2048, code=45005)


def _template_card(_world: World, body: Json) -> None:
    if body.get("card_type") != "button_interaction":
        raise Refused(40058, "invalid card_type")
    if not (body.get("main_title") or {}).get("title"):
        raise Refused(40063, "missing main_title")
    task, buttons = body.get("task_id"), body.get("button_list") or []
    if not task or size(task) > 128:
        raise Refused(40058, "invalid task_id")
    if not 1 <= len(buttons) <= 6:
        raise Refused(40058, "invalid button_list")
    for button in buttons:
        _limit(button, "text", 64)
        _limit(button, "key", 1024, must=button.get("type") != 1)


#: What an app sends.
OF_AN_APP: dict[str, Check] = {
    "text": _truncated,
    **{kind: _medium(kind) for kind in UPLOADS},
    "textcard": _textcard,
    "news": _news,
    "template_card": _template_card,
}
