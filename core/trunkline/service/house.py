"""Everything that runs, in one value: built by `main`, handed to the doors and the applications."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trunkline.contract import Application, Clock
    from trunkline.plugins import Registry
    from trunkline.service.accounts import Accounts
    from trunkline.service.feed import Feed
    from trunkline.service.intake import Intake
    from trunkline.service.media import MediaStore
    from trunkline.service.metrics import Metrics
    from trunkline.service.moments import Moments
    from trunkline.service.outbox import Outbox
    from trunkline.service.secret_box import SecretBox
    from trunkline.service.vitals import Vitals
    from trunkline.service.worker import Worker
    from trunkline.settings import Settings
    from trunkline.store import Store

__all__ = ["House"]


@dataclass
class House:
    """One running Trunkline."""

    settings: Settings
    clock: Clock
    store: Store
    registry: Registry
    secrets: SecretBox
    accounts: Accounts
    intake: Intake
    outbox: Outbox
    media: MediaStore
    feed: Feed
    moments: Moments
    metrics: Metrics
    vitals: Vitals
    #: Background workers by the name that `tx.wake` uses; the outbox among them.
    workers: dict[str, Worker] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    #: True in `trunkline demo`: its page may show the inbox in a frame.
    is_demo: bool = False

    def wake(self, names: set[str]) -> None:
        """Wake workers by name; "*" wakes all."""
        for name, worker in self.workers.items():
            if name in names or "*" in names:
                worker.wake()
