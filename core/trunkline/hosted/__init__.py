"""Hosted channels: the visitor protocol, and the class that a connector of ours extends.

Importing this room costs nothing: the door itself (`trunkline.hosted.door`) is loaded when it is opened.
"""

from __future__ import annotations

from trunkline.hosted.connector import (
    Client,
    HostedConnector,
    IdentityKey,
    IdentityMode,
    IdentityPolicy,
    Pages,
    Terms,
)
from trunkline.hosted.limiting import Limit
from trunkline.hosted.push import Notice, Push, PushAnswer, PushResult, PushSender, PushTarget

__all__ = [
    "Client",
    "HostedConnector",
    "IdentityKey",
    "IdentityMode",
    "IdentityPolicy",
    "Limit",
    "Notice",
    "Pages",
    "Push",
    "PushAnswer",
    "PushResult",
    "PushSender",
    "PushTarget",
    "Terms",
]
