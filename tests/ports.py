"""A port for those who must know it before they listen."""

from __future__ import annotations

import random
import socket

__all__ = ["free_port"]

#: Below what the kernel gives to outgoing connections: nobody takes one of these by chance before it is listened on.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port of this machine that nobody listens on, most likely for as long as it takes to begin."""
    for port in random.sample(_PORTS, 100):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("No free port was found.")
