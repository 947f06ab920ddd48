"""All checks, in the order of the page."""

from __future__ import annotations

from trunkline.testing.conformance.checks import Check, Topic
from trunkline.testing.conformance.declarations import DECLARATIONS
from trunkline.testing.conformance.extras import EXTRAS, RECEIPTS
from trunkline.testing.conformance.failures import FAILURES
from trunkline.testing.conformance.files import MEDIA
from trunkline.testing.conformance.health import HEALTH
from trunkline.testing.conformance.hosted import HOSTED
from trunkline.testing.conformance.hostile import HOSTILE
from trunkline.testing.conformance.kinds import RECEIVING, SENDING_KINDS
from trunkline.testing.conformance.pulling import PULLING
from trunkline.testing.conformance.reading import READING
from trunkline.testing.conformance.secrecy import SECRETS
from trunkline.testing.conformance.sending import SENDING
from trunkline.testing.conformance.signatures import SIGNATURES
from trunkline.testing.conformance.tokens import TOKENS
from trunkline.testing.conformance.windows import WINDOWS

__all__ = ["CHECKS", "TOPICS"]

TOPICS: tuple[Topic, ...] = (
    DECLARATIONS, SIGNATURES, READING, HOSTILE, RECEIVING, SENDING_KINDS, SENDING, WINDOWS, FAILURES, TOKENS, SECRETS,
    EXTRAS, RECEIPTS, MEDIA, PULLING, HEALTH, HOSTED,
)  # fmt: skip
#: Id → check.
CHECKS: dict[str, Check] = {check.id: check for topic in TOPICS for check in topic.checks}
