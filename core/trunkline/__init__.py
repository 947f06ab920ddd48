"""Trunkline: every place where customers write, one inbox where agents answer.

What a connector needs is in `trunkline.contract` and `trunkline.model`; these are the names most of them use.
"""

from __future__ import annotations

from trunkline.contract import (
    Accepted,
    Application,
    ApplicationSpec,
    Capabilities,
    Channel,
    Connector,
    ConnectorSpec,
    OutboundMessage,
    Services,
    TrustedBody,
    WebhookReply,
    WebhookRequest,
    hookimpl,
)

__all__ = [
    "Accepted",
    "Application",
    "ApplicationSpec",
    "Capabilities",
    "Channel",
    "Connector",
    "ConnectorSpec",
    "OutboundMessage",
    "Services",
    "TrustedBody",
    "WebhookReply",
    "WebhookRequest",
    "hookimpl",
]
