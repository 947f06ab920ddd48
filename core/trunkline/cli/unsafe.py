"""What a configuration allows and nobody should: told by the doctor, and in the log at every start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trunkline.cli.findings import Finding
from trunkline.settings import Settings

__all__ = ["find_unsafe", "is_open", "unsafe"]

_LOOPBACK = {"127.0.0.1", "[::1]", "localhost"}


def find_unsafe(settings: Settings) -> Iterator[Finding]:
    """Yield what is unwise about a configuration; what it rightly says of its public address is told too."""
    server = settings.server
    if not server.public_url:
        yield unsafe("server.public_url is not set", "Platforms need your https address for media: set it.")
    elif not server.public_url.startswith("https://"):
        yield unsafe(f"server.public_url is {server.public_url}", "Platforms accept https only: put a proxy in front.")
    else:
        yield Finding("public_url", "ok", server.public_url)
    if not _on_loopback(server.listen) and not server.trusted_proxies:
        fix = "Put a proxy with TLS in front and name it in server.trusted_proxies."
        yield unsafe(f"server.listen is {server.listen}: open to the network, and without TLS", fix)
    if any(network.prefixlen == 0 for network in server.trusted_proxies):
        yield unsafe("server.trusted_proxies trusts the whole network", "Name your proxy's address.")
    if server.metrics_listen and not _on_loopback(server.metrics_listen):
        fix = 'Metrics need no password: listen on 127.0.0.1, or "off".'
        yield unsafe(f"server.metrics_listen is {server.metrics_listen}", fix)
    if server.allow_hosts:
        words = f"server.allow_hosts lets connectors speak to {', '.join(server.allow_hosts)}"
        yield unsafe(words, "For simulators and gateways only.")
    yield from _open_files(settings)


def unsafe(words: str, fix: str) -> Finding:
    """Return a finding that stops nothing."""
    return Finding("unsafe", "warning", words, fix)


def _on_loopback(listen: str) -> bool:
    return listen.rpartition(":")[0] in _LOOPBACK


def _open_files(settings: Settings) -> Iterator[Finding]:
    """Find files with secrets that others on this machine can read."""
    for file in (settings.key_file, settings.database_file):
        if file is not None and is_open(file):
            yield unsafe(f"{file} can be read by others on this machine", f"chmod 600 {file}")


def is_open(file: Path) -> bool:
    """Whether others on this machine can read a file."""
    return file.is_file() and bool(file.stat().st_mode & 0o077)
