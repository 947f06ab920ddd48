"""The outbox: from a stored delivery to the platform's yes, or a visible end with a reason."""

from __future__ import annotations

from trunkline.service.outbox.dispatcher import Outbox

__all__ = ["Outbox"]
