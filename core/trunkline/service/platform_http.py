"""The guarded client: every request that leaves Trunkline goes through here.

A name is resolved once, every answer is checked, and the connection goes to one of the checked addresses, so
that a name which changes its mind between check and use (DNS rebinding) gains nothing. Certificates, SNI and
Host keep the name.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from trunkline.errors import TryLater, Uncertain, Undeliverable, Whose
from trunkline.log import get_logger
from trunkline.service.addresses import refusal
from trunkline.service.transport import MAX_RESPONSE, Transport

__all__ = ["EgressRefused", "build_client", "build_open_client", "classify", "may_reach"]

log = get_logger("service")

_MIB = 1024 * 1024
_CONNECT_S = 10.0
_USER_AGENT = "trunkline"

#: The request cannot have left.
_NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.LocalProtocolError,
    httpx2.UnsupportedProtocol,
)


class EgressRefused(Undeliverable):
    """A request to this address is not allowed."""

    code = "egress_refused"

    def __init__(self, reason: str, host: str, *, whose: Whose) -> None:
        advice = "; add it to server.allow_hosts if it is yours" if whose == "account" else ""
        super().__init__(f"A request to {host} is not allowed ({reason}){advice}.", whose=whose)
        self.reason, self.host = reason, host


def classify(error: httpx2.TransportError) -> TryLater | Uncertain:
    """Return what a failed request means for a message: it never left, or nobody knows."""
    name = type(error).__name__
    if isinstance(error, _NEVER_SENT):
        return TryLater(f"The platform could not be reached ({name}).", code="not_reached")
    return Uncertain(f"The platform did not answer to the end ({name}).")


# ---------------------------------------------------------------- where requests may go


class _Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Which addresses a client may speak to. A host in `allowed` may be anything: private, http, any port."""

    #: (host, port); None for all ports.
    allowed: frozenset[tuple[str, int | None]]
    #: The platform's own hosts, "*.example.com" for a family; None for all hosts of the public internet.
    hosts: tuple[str, ...] | None
    schemes: frozenset[str]
    ports: frozenset[int]
    methods: frozenset[str] | None
    whose: Whose
    #: Told the reason of each refusal, for metrics.
    on_refused: Callable[[str], None] | None

    def check(self, request: httpx2.Request) -> None:
        """Check all that can be told without a resolver: aiohttp skips it for literal addresses."""
        host, port = _target(request.url)
        reason = self._reason(request, host, port)
        if reason is not None:
            raise self.refuse(reason, host)

    def passes(self, request: httpx2.Request) -> bool:
        """Whether `check` would let this request pass."""
        return self._reason(request, *_target(request.url)) is None

    def check_answers(self, host: str, port: int, answers: Sequence[ResolveResult]) -> None:
        """Refuse a name as a whole if one of its addresses is not public."""
        if self._is_allowed(_plain(host), port):
            return
        for answer in answers:
            reason = refusal(answer["host"])
            if reason is not None:
                raise self.refuse(reason, host)

    def refuse(self, reason: str, host: str) -> EgressRefused:
        """Log a refusal and return it."""
        log.warning("egress.refused", reason=reason, host=host)
        if self.on_refused is not None:
            self.on_refused(reason)
        return EgressRefused(reason, host, whose=self.whose)

    def _is_allowed(self, host: str, port: int) -> bool:
        return (host, None) in self.allowed or (host, port) in self.allowed

    def _reason(self, request: httpx2.Request, host: str, port: int) -> str | None:
        url = request.url
        if url.userinfo:
            return "credentials_in_url"
        if url.scheme not in _PORTS:
            return "scheme"
        if self.methods is not None and request.method not in self.methods:
            return "method"
        if self._is_allowed(host, port):
            return None
        if url.scheme not in self.schemes:
            return "scheme"
        if port not in self.ports:
            return "port"
        if self.hosts is not None and not any(_matches(host, pattern) for pattern in self.hosts):
            return "host"
        return refusal(host) if _is_literal(host) else None


_PORTS = {"https": 443, "http": 80}


def _target(url: httpx2.URL) -> tuple[str, int]:
    return _plain(url.raw_host.decode("ascii")), url.port or _PORTS.get(url.scheme, 0)


def _plain(host: str) -> str:
    return host.lower().rstrip(".").strip("[]")


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:].lower())
    return host == _plain(pattern)


def _is_literal(host: str) -> bool:
    """Whether a host is an address, in whatever spelling the system would take for one: 127.1, 0x7f000001."""
    if ":" in host:
        return True
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def _parse_allowed(entries: Sequence[str]) -> frozenset[tuple[str, int | None]]:
    """Read "host", "host:port", "[v6]:port" and bare "v6"."""
    found: set[tuple[str, int | None]] = set()
    for entry in entries:
        host, colon, port = entry.rpartition(":")
        has_port = bool(colon) and port.isdigit() and (":" not in host or host.endswith("]"))
        found.add((_plain(host), int(port)) if has_port else (_plain(entry), None))
    return frozenset(found)


class _CheckedResolver(AbstractResolver):
    """Hands out only addresses that passed the gate."""

    def __init__(self, gate: _Gate, resolver: AbstractResolver) -> None:
        self._gate, self._resolver = gate, resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answers = await self._resolver.resolve(host, port, family)
        self._gate.check_answers(host, port, answers)
        return answers

    async def close(self) -> None:
        await self._resolver.close()


# ---------------------------------------------------------------- clients


class _Client(httpx2.AsyncClient):
    """Bounds every answer that is not streamed: bytes after decoding, and seconds from first to last."""

    def __init__(self, *, whole_s: float, max_response: int, **options: Any) -> None:
        super().__init__(**options)
        self._whole_s, self._max_response = whole_s, max_response

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        if stream:
            return await super().send(request, stream=True, **options)
        request.extensions = {**request.extensions, MAX_RESPONSE: self._max_response}
        try:
            async with asyncio.timeout(self._whole_s):
                return await super().send(request, **options)
        except TimeoutError as error:
            words = f"No whole answer within {self._whole_s:g} s."
            raise httpx2.ReadTimeout(words, request=request) from error


def build_client(
    hosts: Sequence[str],
    *,
    allow_hosts: Sequence[str] = (),
    timeout_s: float = 30,
    max_response: int = _MIB,
    resolver: AbstractResolver | None = None,
    on_refused: Callable[[str], None] | None = None,
) -> httpx2.AsyncClient:
    """Return a client that speaks https to a platform's own `hosts`, and anything to `allow_hosts`.

    No redirects, no cookies, nothing from the environment. Answers are bounded by `max_response` bytes and
    `timeout_s` seconds unless they are streamed. Must be closed.

    Raises on a request:
        EgressRefused: the address is not allowed.
        httpx2.TransportError: see `classify`.
    """
    gate = _platform_gate(hosts, allow_hosts, on_refused)
    return _client(gate, timeout_s, max_response, resolver=resolver)


def may_reach(url: str, hosts: Sequence[str], allow_hosts: Sequence[str] = ()) -> bool:
    """Whether a client of `build_client` would speak to this address, as far as that can be told without a resolver."""
    try:
        request = httpx2.Request("GET", url)
        return _platform_gate(hosts, allow_hosts, None).passes(request)
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        return False


def _platform_gate(hosts: Sequence[str], allow_hosts: Sequence[str], on_refused: Callable[[str], None] | None) -> _Gate:
    return _Gate(
        allowed=_parse_allowed(allow_hosts),
        hosts=tuple(hosts),
        schemes=frozenset({"https"}),
        ports=frozenset({443}),
        methods=None,
        whose="account",
        on_refused=on_refused,
    )


def build_open_client(
    *,
    allow_hosts: Sequence[str] = (),
    timeout_s: float = 30,
    max_response: int = _MIB,
    resolver: AbstractResolver | None = None,
    on_refused: Callable[[str], None] | None = None,
) -> httpx2.AsyncClient:
    """Return a client that reads from any public host, for media and pictures that customers point to.

    GET and HEAD on ports 80 and 443, at most three redirects and each of them checked, no credentials.
    """
    gate = _Gate(
        allowed=_parse_allowed(allow_hosts),
        hosts=None,
        schemes=frozenset(_PORTS),
        ports=frozenset(_PORTS.values()),
        methods=frozenset({"GET", "HEAD"}),
        whose="content",
        on_refused=on_refused,
    )
    return _client(gate, timeout_s, max_response, resolver=resolver, redirects=3)


def _client(
    gate: _Gate,
    timeout_s: float,
    max_response: int,
    *,
    resolver: AbstractResolver | None,
    redirects: int = 0,
) -> _Client:
    connect_s = min(_CONNECT_S, timeout_s / 2)

    def checked() -> AbstractResolver:
        return _CheckedResolver(gate, resolver or ThreadedResolver())

    return _Client(
        whole_s=timeout_s,
        max_response=max_response,
        transport=Transport(gate.check, checked),
        timeout=httpx2.Timeout(timeout_s, connect=connect_s, pool=connect_s),
        headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=redirects > 0,
        max_redirects=redirects,
        trust_env=False,
    )
