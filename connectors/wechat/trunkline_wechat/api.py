"""The one place that speaks to WeChat and WeCom: tokens, calls, files, and what error codes mean.

Sources: https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html,
https://developer.work.weixin.qq.com/document/path/90313 (read 2026-11-22)
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from email.message import Message
from enum import StrEnum
from functools import partial
from typing import Any

import httpx2
import msgspec

from trunkline.contract import AccessToken, MediaStream, Services, file_of, wait_s
from trunkline.errors import (
    DeliveryError,
    PlatformAnswer,
    RateLimited,
    SignInNeeded,
    TryLater,
    Uncertain,
    Undeliverable,
    WindowClosed,
)
from trunkline.model import Media
from trunkline_wechat.config import MINI, OA, Config

Json = dict[str, Any]


class Host(StrEnum):
    """The same number may mean different things on the two."""

    WEIXIN = "weixin"
    QYAPI = "qyapi"


class Meaning(StrEnum):
    """What an error code asks for."""

    TRANSIENT = "transient"
    TOKEN = "token"  # noqa: S105 - a meaning, no secret
    RATE = "rate"
    WINDOW = "window"
    BUDGET = "budget"
    RECIPIENT = "recipient"
    CONTENT = "content"
    MEDIA = "media"
    CONFIG = "config"
    ADDRESS = "address"
    #: KF: the session is somebody else's or over.
    STATE = "state"
    #: KF: the token of the callback is stale; pull by cursor.
    STALE = "stale"
    #: Nothing went wrong that anybody should hear of.
    FINE = "fine"


_BOTH: Mapping[Meaning, tuple[int, ...]] = {
    Meaning.TRANSIENT: (-1,),
    Meaning.TOKEN: (40014, 42001, 41001),
    Meaning.RATE: (45009,),
    Meaning.RECIPIENT: (40003, 43004),
    Meaning.CONTENT: (
        45001, 40006, 40009, 40010, 40011, 40012, 40004, 40005, 40008, 45002, 45003, 45004, 45005, 45006, 45007, 45008,
        44002, 44004, 47001, 40035, 40058, 40063,
    ),
    Meaning.MEDIA: (40007,),
    Meaning.CONFIG: (40013, 48001),
}  # fmt: skip
_OF_WEIXIN: Mapping[Meaning, tuple[int, ...]] = {
    Meaning.TOKEN: (40001,),
    Meaning.RATE: (45011, 45029),
    Meaning.WINDOW: (45015,),
    Meaning.BUDGET: (45047,),
    Meaning.RECIPIENT: (48002, 50002, 50005, 43019, 43101, 70000),
    Meaning.CONTENT: (48008, 45162, 45166, 87014, 45072),
    Meaning.CONFIG: (42007, 40125, 48004, 40200),
    Meaning.ADDRESS: (40164,),
    Meaning.FINE: (45065, 45080, 45081),
}
_OF_QYAPI: Mapping[Meaning, tuple[int, ...]] = {
    Meaning.TRANSIENT: (6000,),
    Meaning.RATE: (45033,),
    Meaning.WINDOW: (95002, 95031),
    Meaning.BUDGET: (95001,),
    Meaning.RECIPIENT: (50002, 60111, 60011, 81013, 40096, 84061),
    Meaning.CONTENT: (40033, 40201, 82001, 95008, 95009, 95022, 95030),
    Meaning.MEDIA: (830002,),
    Meaning.CONFIG: (
        40001, 48002, 50003, 301002, 301007, 95000, 95003, 95004, 95011, 95012, 95014, 95017, 95023, 95032,
    ),
    Meaning.ADDRESS: (60020,),
    Meaning.STATE: (95013, 95016, 95018, 95019),
    Meaning.STALE: (95007,),
}  # fmt: skip

#: (host, errcode) → what it means. What is not here is final: the send may have been accepted.
ERRORS: Mapping[tuple[Host, int], Meaning] = {
    (host, code): meaning
    for host, tables in ((Host.WEIXIN, (_BOTH, _OF_WEIXIN)), (Host.QYAPI, (_BOTH, _OF_QYAPI)))
    for table in tables
    for meaning, codes in table.items()
    for code in codes
}

#: Meaning → the error of our own tree.
FATES: Mapping[Meaning, Callable[..., DeliveryError]] = {
    Meaning.TRANSIENT: partial(TryLater, code="platform_busy"),
    Meaning.TOKEN: partial(SignInNeeded, code="token_refused"),
    Meaning.RATE: RateLimited,
    Meaning.WINDOW: WindowClosed,
    Meaning.BUDGET: partial(WindowClosed, code="budget_spent"),
    Meaning.RECIPIENT: partial(Undeliverable, whose="recipient", code="recipient_refused"),
    Meaning.CONTENT: partial(Undeliverable, whose="content", code="content_refused"),
    Meaning.MEDIA: partial(Undeliverable, whose="content", code="media_refused"),
    Meaning.CONFIG: partial(SignInNeeded, code="not_allowed"),
    Meaning.ADDRESS: partial(SignInNeeded, code="address_not_allowed"),
    Meaning.STATE: partial(Undeliverable, whose="account", code="session_state"),
    Meaning.STALE: partial(TryLater, code="stale_callback_token"),
}
#: How long to wait where the platform names no time: WeChat counts calls by the day, WeCom by the minute first.
_QUOTA_S = {Host.WEIXIN: 3600, Host.QYAPI: 60}

_RENEW_AT_S = 300
#: The core itself renews a minute before the end.
_EARLY_S = _RENEW_AT_S - 60
_LONGEST_ERROR, _NO_NUMBER = 65_536, -(10**9)
#: What WeCom says of a file that is longer than a piece.
_IN_PIECES_ONLY, _PIECE = 830002, 20 * 1024 * 1024


class Api:
    """Calls of one account, with its access token."""

    def __init__(self, services: Services[Config]) -> None:
        self._http, self._clock, self._tokens = services.http, services.clock, services.tokens
        self._media, self._config = services.media, services.config
        self.host = Host.WEIXIN if self._config.surface in {OA, MINI} else Host.QYAPI
        #: The token is that of this very id, also after the settings changed.
        self._name = f"access:{self._config.receive_id}"[:64]
        #: The token that the platform refused last: asked again it would give us the same one.
        self._refused = ""

    # ---------------------------------------------------------------- calls

    async def post(self, path: str, body: Json, *, once: bool = False) -> Json:
        """Return the answer to a call with a body of real UTF-8: the platform shows escapes to customers.

        Raises Uncertain for a 5xx or nonsense in answer to what may be sent only `once`.
        """
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return await self._call("POST", path, once=once, content=content, headers=headers)

    async def get(self, path: str, **params: Any) -> Json:
        return await self._call("GET", path, params=params)

    async def upload(self, kind: str, media: Media) -> str:
        """Upload a file of an outbound message and return its media id, good for three days."""
        stream = await self._media.open(media)
        content = b"".join([chunk async for chunk in stream.chunks])
        return await self.upload_bytes(kind, content, name=stream.name or kind, mime=stream.mime)

    async def upload_bytes(self, kind: str, content: bytes, *, name: str, mime: str | None = None) -> str:
        files = {"media": (name, content, mime or "application/octet-stream")}
        try:
            answer = await self._call("POST", "/cgi-bin/media/upload", params={"type": kind}, files=files)
        except httpx2.TransportError as error:
            # The message itself has not left yet.
            raise TryLater("WeChat did not take a file to its end.", code="not_uploaded") from error
        media_id = answer.get("media_id") or answer.get("thumb_media_id")
        if not media_id:
            raise TryLater("WeChat took a file and gave no id for it.", code="no_media_id")
        return str(media_id)

    async def _call(self, method: str, path: str, *, once: bool = False, **options: Any) -> Json:
        """Return the answer; a refused token is renewed once and the call repeated once."""
        for last in (False, True):
            token = await self._token()
            response = await self._http.send(self._request(method, path, token, options))
            answer = _read(response, once=once)
            if last or not self._is_about_token(answer):
                break
            await self._forget(token)
        self.check(answer, status=response.status_code)
        return answer

    def _request(self, method: str, path: str, token: str, options: Json) -> httpx2.Request:
        params = {"access_token": token, **options.get("params", {})}
        return self._http.build_request(method, self._config.base + path, **{**options, "params": params})

    def check(self, answer: Json, *, status: int = 200) -> None:
        """Raise what an answer means, if it is no yes."""
        code = _code(answer)
        if code == 0 or ERRORS.get((self.host, code)) is Meaning.FINE:
            return
        raise error_of(self.host, answer, status=status)

    def _is_about_token(self, answer: Json) -> bool:
        return ERRORS.get((self.host, _code(answer))) is Meaning.TOKEN

    # ---------------------------------------------------------------- files from customers

    async def download(self, media_id: str, *, name: str | None = None) -> MediaStream:
        """Open a file that a customer sent. The platform may answer with an error, or with the address of a film."""
        answer: Json = {}
        for last in (False, True):
            token = await self._token()
            found = await self._file(media_id, token, name)
            if isinstance(found, MediaStream):
                return found
            answer = found
            if _code(answer) == _IN_PIECES_ONLY:
                return await self._in_pieces(media_id, token, name)
            if last or not self._is_about_token(answer):
                break
            await self._forget(token)
        if answer.get("video_url"):
            return await self.copy(str(answer["video_url"]), name=name)
        self.check(answer)
        raise Undeliverable("WeChat gave no file.", whose="platform", code="no_file")

    async def _file(self, media_id: str, token: str, name: str | None, start: int | None = None) -> MediaStream | Json:
        """Open a file, or the piece of it that begins at `start`."""
        options: Json = {"params": {"media_id": media_id}}
        if start is not None:
            options["headers"] = {"Range": f"bytes={start}-{start + _PIECE - 1}"}
        return await self._open(self._request("GET", "/cgi-bin/media/get", token, options), name)

    async def _in_pieces(self, media_id: str, token: str, name: str | None) -> MediaStream:
        """Open a file that is too large for one answer."""
        first = await self._file(media_id, token, name, 0)
        if not isinstance(first, MediaStream):
            raise error_of(self.host, first)
        return msgspec.structs.replace(first, chunks=self._pieces(first, media_id, token))

    async def _pieces(self, piece: MediaStream, media_id: str, token: str) -> AsyncIterator[bytes]:
        whole, start = piece.size or 0, 0
        while True:
            before = start
            async for chunk in piece.chunks:
                start += len(chunk)
                yield chunk
            if start >= whole:
                return
            found = await self._file(media_id, token, None, start)
            if start == before or not isinstance(found, MediaStream):
                raise TryLater("WeChat gave a file only in part.", code="not_whole")
            piece = found

    async def copy(self, url: str, *, name: str | None = None) -> MediaStream:
        """Open a file at an address that the platform named, without our token; only hosts of the platform."""
        if url.startswith("http://") and not url.startswith(self._config.base):
            url = "https" + url.removeprefix("http")
        found = await self._open(self._http.build_request("GET", url), name)
        if isinstance(found, MediaStream):
            return found
        raise Undeliverable("The file is gone.", whose="platform", code="no_file")

    async def _open(self, request: httpx2.Request, name: str | None) -> MediaStream | Json:
        """Return the bytes, or the JSON that came in their place with status 200."""
        response = await self._http.send(request, stream=True)
        chunks = response.aiter_bytes()
        first = await anext(chunks, b"")
        kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
        looks_so = kind not in {"application/json", "text/plain"} and first[:1] not in {b"{", b""}
        if response.is_success and (looks_so or "content-disposition" in response.headers):
            return file_of(response, name=name or _named(response), chunks=_chained(first, chunks, response))
        async for chunk in chunks:
            first = (first + chunk)[:_LONGEST_ERROR]
        await response.aclose()
        answer = _parsed(first)
        if answer is None or not response.is_success:
            raise _broken(response, once=False)
        return answer

    # ---------------------------------------------------------------- tokens

    async def _token(self) -> str:
        return await self._tokens.get(self._renew, name=self._name)

    async def _forget(self, token: str) -> None:
        self._refused = token
        await self._tokens.forget(token, name=self._name)

    async def _renew(self) -> AccessToken:
        """Fetch a token. The message has not left yet: nothing that fails here leaves it in doubt."""
        now = self._clock.now_ms()
        try:
            answer = await self._fetched(force=False)
            if answer.get("access_token") == self._refused and self._config.tokens_from == "stable_token":
                # A calm call gives the same token again, however bad it is.
                answer = await self._fetched(force=True)
        except httpx2.TransportError as error:
            raise TryLater("WeChat did not answer when asked for an access token.", code="no_token") from error
        life_s = max(int(answer.get("expires_in", 0)) - _EARLY_S, 60)
        return AccessToken(value=str(answer["access_token"]), expires_at_ms=now + life_s * 1000)

    async def _fetched(self, *, force: bool) -> Json:
        base, secret = self._config.base, self._config.app_secret or self._config.corp_secret
        hidden = secret.get_secret_value() if secret else ""
        if self._config.access_service:
            response = await self._http.get(self._config.access_service)
        elif self.host is Host.QYAPI:
            params = {"corpid": self._config.receive_id, "corpsecret": hidden}
            response = await self._http.get(f"{base}/cgi-bin/gettoken", params=params)
        else:
            who = {"grant_type": "client_credential", "appid": self._config.receive_id, "secret": hidden}
            if self._config.tokens_from == "token":
                response = await self._http.get(f"{base}/cgi-bin/token", params=who)
            else:
                response = await self._http.post(f"{base}/cgi-bin/stable_token", json={**who, "force_refresh": force})
        return self._granted(_read(response, once=False))

    def _granted(self, answer: Json) -> Json:
        """Where a token is fetched, a code that elsewhere speaks of the token speaks of the secret."""
        if answer.get("access_token"):
            return answer
        if _code(answer) == 0:
            raise TryLater("The platform gave no access token.", code="no_token")
        refusal = error_of(self.host, answer)
        if isinstance(refusal, TryLater | SignInNeeded) and refusal.code != "token_refused":
            raise refusal
        raise SignInNeeded(str(refusal), answer=refusal.answer)


def _named(response: httpx2.Response) -> str | None:
    """Return the name of a file; messages of customers do not tell it."""
    head = Message()
    head["Content-Disposition"] = response.headers.get("content-disposition", "")
    return head.get_filename()


async def _chained(first: bytes, rest: AsyncIterator[bytes], response: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        yield first
        async for chunk in rest:
            yield chunk
    finally:
        await response.aclose()


# ---------------------------------------------------------------- answers


def _code(answer: Json) -> int:
    """Return the errcode; an answer without one is a yes, one that is no number is a code that nobody knows."""
    code = answer.get("errcode", 0)
    return code if type(code) is int else _NO_NUMBER


def _parsed(content: bytes) -> Json | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _read(response: httpx2.Response, *, once: bool) -> Json:
    answer = _parsed(response.content)
    if answer is None or not response.is_success or (once and "errcode" not in answer):
        raise _broken(response, once=once)
    return answer


def _broken(response: httpx2.Response, *, once: bool) -> DeliveryError:
    """Return what an answer means that is none of the platform's own kind: a gateway's page, half a body."""
    status = response.status_code
    answer, said = PlatformAnswer(status=status), f"WeChat answered {status} without a result."
    if status == 429:
        return RateLimited(said, after_s=wait_s(response), answer=answer)
    if 400 <= status < 500:
        return Undeliverable(said, whose="platform", code="refused", answer=answer)
    return (Uncertain if once else TryLater)(said, answer=answer)


def error_of(host: Host, answer: Json, *, status: int = 200) -> DeliveryError:
    """Return what a refusal means, by its errcode alone; the words are kept as evidence."""
    code, text = _code(answer), str(answer.get("errmsg", ""))[:1000]
    evidence = PlatformAnswer(status=status, code=str(code), text=text)
    said = f"WeChat: {text} ({code})" if text else f"WeChat answered with the error {code}."
    unknown = partial(Undeliverable, whose="platform", code="refused")
    error = FATES.get(ERRORS.get((host, code), Meaning.FINE), unknown)(said, answer=evidence)
    if isinstance(error, RateLimited) and code == 45009:
        error.after_s = _QUOTA_S[host]
    return error
