"""The doctor's checks of what lies between us and the world: the clock, and the way to our own address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import msgspec
from sqlalchemy import func, select

from trunkline.cli.findings import Finding
from trunkline.cli.options import open_reader, store_of
from trunkline.clock import SystemClock, to_ms
from trunkline.errors import ConfigError, TrunklineError
from trunkline.service.accounts import resolve
from trunkline.service.platform_http import build_client

if TYPE_CHECKING:
    from trunkline.plugins import Registry
    from trunkline.settings import Settings

__all__ = ["check_clock", "check_public_address"]

#: No account can have this id, so that we know our own answer.
_NOBODY = "/webhooks/-"
_TIMEOUT_S = 8.0
#: From so many seconds on it is told, and from so many it does harm: tokens and signatures are good for minutes.
_TOLD_S, _HARM_S = 2, 60
_NTP = "Let the system keep it right: timedatectl set-ntp true. Windows, tokens and signatures depend on it."
#: Part of an error's name → (what is wrong, what to do); the first that fits, the last fits all.
_CAUSES = (
    ("DNS", "its name is not known", "Enter the name at your DNS provider, or correct server.public_url."),
    (
        "Certificate",
        "its certificate is refused",
        "Give the proxy a certificate for this name from a known authority, with the whole chain.",
    ),
    ("Timeout", "nothing answers in time", "Let the firewall pass this port to the proxy."),
    ("", "no connection can be made", "Start the proxy, and let it listen on this address."),
)


class _Answer(msgspec.Struct, frozen=True):
    """What came of a question; `status` is 0 where nothing answered."""

    status: int = 0
    #: Whether it is the answer that Trunkline gives.
    is_ours: bool = False
    #: The class of the error.
    error: str = ""
    #: Milliseconds that our clock is ahead of theirs, at least; None where they told no time.
    ahead_ms: int | None = None


async def _ask(url: str) -> _Answer:
    clock, place = SystemClock(), urlsplit(url).netloc
    began = clock.now_ms()
    try:
        async with build_client((), allow_hosts=[place], timeout_s=_TIMEOUT_S) as client:
            response = await client.get(url)
    except (httpx2.TransportError, httpx2.InvalidURL, TrunklineError) as error:
        return _Answer(error=f"{type(error).__name__} {error}")
    ahead = None
    with suppress(KeyError, ValueError):
        ahead = _ahead(to_ms(parsedate_to_datetime(response.headers["Date"])), (began, clock.now_ms()))
    is_ours = response.status_code == 404 and b'"unknown_account"' in response.content
    return _Answer(status=response.status_code, is_ours=is_ours, ahead_ms=ahead)


def _ahead(theirs: int, ours: tuple[int, int]) -> int:
    """Return by how much our clock is certainly ahead: they told a whole second, at some moment between our two."""
    began, ended = ours
    if theirs > ended:
        return ended - theirs
    return max(0, began - (theirs + 999))


# ---------------------------------------------------------------- the clock


async def check_clock(settings: Settings, registry: Registry) -> AsyncIterator[Finding]:
    """Compare our clock with the database server's, and with that of the first platform that answers."""
    if settings.database_file is None:
        async for finding in _against_database(settings, registry):
            yield finding
    for place in dict.fromkeys(_platforms(settings, registry)):
        answer = await _ask(place)
        if answer.ahead_ms is not None:
            yield _compared(urlsplit(place).netloc, answer.ahead_ms)
            return


def _platforms(settings: Settings, registry: Registry) -> Iterator[str]:
    """Yield where the accounts' platforms are."""
    for position in range(len(settings.accounts)):
        try:
            spec, _, config = resolve(registry, settings, position)
        except ConfigError:
            continue
        bases = [value for name, value in config if name.endswith("_base") and isinstance(value, str)]
        yield from [*bases, *(f"https://{host}" for host in spec.hosts if "*" not in host)][:1]


async def _against_database(settings: Settings, registry: Registry) -> AsyncIterator[Finding]:
    clock = SystemClock()
    with suppress(TrunklineError):  # That it cannot be reached is another check's finding.
        async with open_reader(store_of(settings, registry)) as connection:
            began = clock.now_ms()
            theirs = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
            yield _compared("the database", _ahead(to_ms(theirs), (began, clock.now_ms())))


def _compared(whose: str, ahead_ms: int) -> Finding:
    seconds = abs(ahead_ms) / 1000
    if seconds < _TOLD_S:
        return Finding("clock", "ok", f"The clock agrees with {whose}")
    words = f"The clock is {seconds:,.0f} s {'ahead of' if ahead_ms > 0 else 'behind'} {whose}"
    return Finding("clock", "failure" if seconds > _HARM_S else "warning", words, _NTP)


# ---------------------------------------------------------------- our own address


async def check_public_address(settings: Settings) -> AsyncIterator[Finding]:
    """Ask ourselves the way platforms do, through the public address; needs a Trunkline that serves."""
    base = settings.server.public_url
    if not base:
        return
    host, _, port = settings.server.listen.rpartition(":")
    local = "127.0.0.1" if host in {"", "0.0.0.0"} else host.replace("[::]", "[::1]")  # noqa: S104 - compared, not bound
    if not (await _ask(f"http://{local}:{port}{_NOBODY}")).is_ours:
        words = f"Whether {base} leads here can be told only while Trunkline serves"
        yield Finding("public_url", "note", words, "Run `trunkline serve`, then `trunkline doctor --probe` again.")
        return
    answer = await _ask(base + _NOBODY)
    if answer.is_ours:
        yield Finding("public_url", "ok", f"{base}/webhooks/… leads here, seen from this machine")
    else:
        yield _lost(base, settings.server.listen, answer)


def _lost(base: str, listen: str, answer: _Answer) -> Finding:
    """Say why platforms do not reach us."""
    if 300 <= answer.status < 400:
        words, fix = "it leads elsewhere", "Platforms follow no redirect: enter the address to which it leads."
    elif answer.status:
        words = f"it answers {answer.status}, and not as Trunkline does"
        fix = f"Let the proxy pass every path to {listen} as it is."
    else:
        words, fix = next((words, fix) for part, words, fix in _CAUSES if part in answer.error)
    return Finding("public_url", "failure", f"{base} does not lead here: {words}", fix)
