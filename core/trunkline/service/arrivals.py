"""The working set of one group of webhook requests: what is there, what is new, what will be written.

Everything is looked up with a few multi-row statements, changed in memory, and written with a few more, so that the
cost of a message hardly depends on how many arrive together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.contract import ThreadItem, Unknown
from trunkline.model import Address, new_id
from trunkline.service.aliases import join_ids, thread_keys_elsewhere
from trunkline.service.thread_state import AccountFacts, Person, ThreadState
from trunkline.store import Lookup, Rewrite, schema

if TYPE_CHECKING:
    from trunkline.contract import Item
    from trunkline.store import Transaction

__all__ = ["HANDLER_TRIES", "AccountFacts", "Arrival", "ThreadState", "WorkingSet", "placeholder_id"]

#: A handler that failed is tried this often by itself; what cannot be parsed waits for a person.
HANDLER_TRIES = 5


class Arrival(msgspec.Struct, kw_only=True):
    """One proved request, read into items or not."""

    raw_id: str
    account: AccountFacts
    received_at: int
    request_id: str
    method: str = "POST"
    query: str = "{}"
    headers: str = "{}"
    body: bytes = b""
    items: Sequence[Item] = ()
    #: Why the body could not be read, for the quarantine.
    error: str | None = None
    #: False when the raw request is stored already (a replay, an item stored alone).
    keep_raw: bool = True


def placeholder_id(dedupe_key: str) -> str:
    """Return the platform id under which the placeholder of an unknown item is stored."""
    return f"?{dedupe_key}"


_THREAD = (
    "account_id",
    "key",
    "id",
    "contact_id",
    "identity_id",
    "channel",
    "state",
    "round",
    "assignee_id",
    "assignee_name",
    "last_position",
    "last_message_at",
    "last_inbound_at",
    "first_unanswered_at",
    "unread",
    "preview",
)
_STATE = _THREAD[2:-1]
_NEW_THREAD = (*_THREAD, "created_at")
_IDENTITY = ("account_id", "external_id", "id", "contact_id", "name", "reachable")
_NEW_IDENTITY = (*_IDENTITY, "kind", "created_at")
_RAW = (
    "id",
    "account_id",
    "received_at",
    "request_id",
    "method",
    "query",
    "headers",
    "body",
    "state",
    "reason",
    "error",
    "attempts",
    "items",
    "updated_at",
)
_ITEM = ("account_id", "dedupe_key", "raw_id", "at")
_t, _i = schema.thread.c, schema.identity.c
_FIND_THREADS = Lookup(
    [*(_t[name] for name in _THREAD[1:]), _i.name, _i.reachable],
    scope=_t.account_id,
    key=_t.key,
    joined=schema.thread.join(schema.identity, _i.id == _t.identity_id),
)
_FIND_PEOPLE = Lookup([_i[name] for name in _IDENTITY[1:]], scope=_i.account_id, key=_i.external_id)

_SAVE_THREAD = Rewrite(
    schema.thread,
    (
        "last_position",
        "last_message_at",
        "last_inbound_at",
        "first_unanswered_at",
        "unread",
        "preview",
        "channel",
    ),
)

_encode = msgspec.json.Encoder().encode


class WorkingSet:
    """Threads and people of one group, and the rows to be written for it."""

    def __init__(self, tx: Transaction, now: int) -> None:
        self.tx, self.now = tx, now
        self._threads: dict[tuple[str, str], ThreadState] = {}
        self._people: dict[tuple[str, str], Person] = {}
        self._changed: dict[str, ThreadState] = {}
        #: People who came with several ids.
        self._aliased: dict[tuple[str, str, tuple[str, ...]], Address] = {}
        self.messages: list[tuple[Any, ...]] = []
        self.credentials: list[tuple[Any, ...]] = []
        self.media: list[tuple[Any, ...]] = []
        #: Stored files that messages of this group took: id → their row.
        self.taken: dict[str, Any] = {}

    def keep_raw(self, arrivals: Iterable[Arrival], outcomes: dict[str, tuple[str, str | None, str | None]]) -> None:
        """Write the raw requests with their outcome: (state, reason, error)."""
        self.tx.insert(
            schema.raw_request,
            [
                (
                    arrival.raw_id,
                    arrival.account.id,
                    arrival.received_at,
                    arrival.request_id,
                    arrival.method,
                    arrival.query,
                    arrival.headers,
                    arrival.body,
                    *outcomes[arrival.raw_id],
                    1,
                    len(arrival.items),
                    self.now,
                )
                for arrival in arrivals
                if arrival.keep_raw
            ],
            _RAW,
        )

    def claim(self, keys: Sequence[tuple[str, str, str]]) -> set[tuple[str, str]]:
        """Remember (account, dedupe key, raw id) and return the (account, key) never seen before."""
        # In one order for all processes, so that two of them never wait for each other's rows.
        rows = [(account, key, raw_id, self.now) for account, key, raw_id in sorted(keys)]
        return self.tx.insert_new(schema.inbound_item, rows, _ITEM, ("account_id", "dedupe_key"))

    def load(self, items: Sequence[tuple[Arrival, Item]]) -> None:
        """Look up, and create where missing, the threads and people of all items."""
        wanted: dict[tuple[str, str], tuple[AccountFacts, Address]] = {}
        members: dict[tuple[str, str], Address] = {}
        for arrival, item in items:
            if not isinstance(item, (ThreadItem, Unknown)) or item.contact is None or item.thread_key is None:
                continue
            wanted.setdefault((arrival.account.id, item.thread_key), (arrival.account, item.contact))
            if item.contact.aliases:
                self._aliased[arrival.account.id, item.contact.external_id, item.contact.aliases] = item.contact
            if item.member is not None:
                members.setdefault((arrival.account.id, item.member.external_id), item.member)
        self._find_or_create(wanted, members)

    def _find_or_create(
        self, wanted: dict[tuple[str, str], tuple[AccountFacts, Address]], members: dict[tuple[str, str], Address]
    ) -> None:
        for (account_id, *_), address in sorted(self._aliased.items(), key=itemgetter(0)):
            join_ids(self.tx, account_id, address, self.now)
        self._read_threads(wanted)
        missing = {key: place for key, place in wanted.items() if key not in self._threads}
        # Two new threads of one group may be one person: then each has to see what the one before it made.
        steps = [{key: place} for key, place in missing.items()] if self._aliased and missing else [missing]
        for step in steps:
            self._create(self._find_elsewhere(step) if step else step, members)

    def _create(
        self, missing: dict[tuple[str, str], tuple[AccountFacts, Address]], members: dict[tuple[str, str], Address]
    ) -> None:
        people = members | {(key[0], contact.external_id): contact for key, (_, contact) in missing.items()}
        if people:
            self._load_people(people)
        if missing:
            self._create_threads(missing)

    def thread(self, account: AccountFacts, key: str) -> ThreadState:
        """Return a thread that `load` has seen."""
        return self._threads[account.id, key]

    def person(self, account: AccountFacts, address: Address) -> Person:
        """Return a person that `load` has seen."""
        return self._people[account.id, address.external_id]

    def touch(self, thread: ThreadState) -> None:
        """Write this thread's counters at the end."""
        self._changed[thread.id] = thread

    def flush(self) -> None:
        """Write everything that was gathered."""
        tx = self.tx
        tx.insert(schema.message, self.messages, MESSAGE_COLUMNS)
        tx.insert(schema.reply_credential, self.credentials, CREDENTIAL_COLUMNS)
        tx.insert(schema.media, self.media, MEDIA_COLUMNS)
        tx.rewrite(_SAVE_THREAD, [_thread_values(self._changed[key]) for key in sorted(self._changed)])
        if self.media:
            tx.wake("media")

    def _load_people(self, wanted: dict[tuple[str, str], Address]) -> None:
        self._read_people(wanted)
        # In a fixed order, so that two processes never wait for each other.
        missing = sorted(key for key in wanted if key not in self._people)
        if not missing:
            return
        contacts, identities = [], []
        for key in missing:
            address, contact_id = wanted[key], new_id()
            contacts.append((contact_id, address.name, self.now))
            identities.append((*key, new_id(), contact_id, address.name, True, address.kind.value, self.now))
        self.tx.insert(schema.contact, contacts, ("id", "name", "created_at"))
        self.tx.insert_new(schema.identity, identities, _NEW_IDENTITY, ("id",))
        self._read_people(missing)
        self.tx.wake("profiles")

    def _read_people(self, keys: Iterable[tuple[str, str]]) -> None:
        for account_id, external_ids in _by_account(keys):
            for external_id, *rest in self.tx.look_up(_FIND_PEOPLE, account_id, external_ids):
                self._people[account_id, external_id] = Person(*rest)

    def _find_elsewhere(
        self, missing: dict[tuple[str, str], tuple[AccountFacts, Address]]
    ) -> dict[tuple[str, str], tuple[AccountFacts, Address]]:
        """Take the threads that people have under another of their ids; returns what is really missing."""
        elsewhere = thread_keys_elsewhere(self.tx, [(key, address) for key, (_, address) in sorted(missing.items())])
        if not elsewhere:
            return missing
        self._read_threads({(key[0], known): missing[key] for key, known in elsewhere.items()})
        for key, known in elsewhere.items():
            thread = self._threads[key] = self._threads[key[0], known]
            person = Person(thread.identity_id, thread.contact_id, thread.contact_name, thread.reachable)
            self._people.setdefault((key[0], missing[key][1].external_id), person)
        return {key: place for key, place in missing.items() if key not in elsewhere}

    def _create_threads(self, missing: dict[tuple[str, str], tuple[AccountFacts, Address]]) -> None:
        rows = []
        for key, (account, address) in sorted(missing.items(), key=itemgetter(0)):
            person = self.person(account, address)
            rows.append((*key, new_id(), person.contact_id, person.identity_id, None, "new", 1, *_FRESH, self.now))
        new = self.tx.insert_new(schema.thread, rows, _NEW_THREAD, ("id",))
        self._read_threads(missing)
        for key, (_, address) in missing.items():
            thread = self._threads[key]
            thread.is_new, thread.address = (thread.id,) in new, address.external_id

    def _read_threads(self, wanted: dict[tuple[str, str], tuple[AccountFacts, Address]]) -> None:
        for account_id, keys in _by_account(wanted):
            for key, *rest, name, reachable in self.tx.look_up(_FIND_THREADS, account_id, keys):
                account, address = wanted[account_id, key]
                thread = _thread_state(rest, account, name, reachable=bool(reachable))
                self._threads[account_id, key] = thread
                person = Person(thread.identity_id, thread.contact_id, name, thread.reachable)
                self._people.setdefault((account_id, address.external_id), person)


def _by_account(keys: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for account_id, key in keys:
        found.setdefault(account_id, []).append(key)
    return sorted(found.items())


def _thread_state(values: Sequence[Any], account: AccountFacts, name: str | None, *, reachable: bool) -> ThreadState:
    """Return the state of a thread from its columns `_THREAD[2:]`."""
    *facts, preview = values
    return ThreadState(
        **dict(zip(_STATE, facts, strict=True)),
        account=account,
        contact_name=name,
        reachable=reachable,
        preview=None if preview is None else msgspec.Raw(preview.encode()),
    )


#: assignee, name, last_position, last_message_at, last_inbound_at, first_unanswered_at, unread, preview
_FRESH = (None, None, 0, 0, 0, None, 0, None)

MESSAGE_COLUMNS = (
    "id",
    "thread_id",
    "position",
    "account_id",
    "direction",
    "author_kind",
    "author_id",
    "author_name",
    "content",
    "external_id",
    "quotes",
    "quote_token",
    "read_token",
    "album",
    "at",
    "platform_at",
    "late",
    "raw_id",
    "placeholder",
    "referral",
)
CREDENTIAL_COLUMNS = ("id", "thread_id", "value", "expires_at", "single_use", "cost")
MEDIA_COLUMNS = (
    "id",
    "account_id",
    "thread_id",
    "message_id",
    "state",
    "mime",
    "size",
    "name",
    "duration_ms",
    "source",
    "attempts",
    "due_at",
    "created_at",
)


def _thread_values(thread: ThreadState) -> tuple[Any, ...]:
    """Return the id and the values of `_SAVE_THREAD`."""
    return (
        thread.id,
        thread.last_position,
        thread.last_message_at,
        thread.last_inbound_at,
        thread.first_unanswered_at,
        thread.unread,
        None if thread.preview is None else _encode(thread.preview).decode(),
        thread.channel,
    )
