"""Checks of what a connector says of itself: they need no platform."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from trunkline.contract import CONTRACT_VERSION, Act, Afterwards, Extra, Idempotency, Receipts, Transport
from trunkline.model import AuthorKind, ContentKind, Level
from trunkline.service.platform_http import may_reach
from trunkline.testing.conformance.checks import Check, Subject, Topic, need
from trunkline.testing.conformance.stage import simulator_of
from trunkline.testing.simulator import Simulator

__all__ = ["DECLARATIONS"]

LANGUAGES = ("en", "zh-Hans", "zh-Hant", "pl")
_SECRET = re.compile(r"(secret|token|password|passphrase|private_key|api_key|aes_key)", re.IGNORECASE)
_CARRIED = frozenset({Level.FULL, Level.PARTIAL})
_MEDIA = (ContentKind.IMAGE, ContentKind.VIDEO, ContentKind.AUDIO, ContentKind.FILE)
_CARDS = (ContentKind.CARD, ContentKind.CAROUSEL)
_STAFF = {AuthorKind.AGENT, AuthorKind.BOT, AuthorKind.SYSTEM}


def contract(subject: Subject) -> None:
    spec = subject.spec
    need(spec.contract == CONTRACT_VERSION, f"it is for contract {spec.contract}, this is {CONTRACT_VERSION}")


def names(subject: Subject) -> None:
    for name in (subject.spec.name, subject.channel.code):
        need(re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name), f"{name!r} is no name: lower-case letters, digits, _")


def titles(subject: Subject) -> None:
    for what, title in (("connector", subject.spec.title), ("channel", subject.channel.title)):
        missing = [language for language in LANGUAGES if not title.get(language, "").strip()]
        need(not missing, f"the title of the {what} lacks {', '.join(missing)}")


def docs(subject: Subject) -> None:
    need(re.match(r"https://[^/\s]+", subject.spec.docs), f"docs is {subject.spec.docs!r}, not an https address")


def forbids(subject: Subject) -> None:
    for model in _models(subject.spec.config):
        need(model.model_config.get("extra") == "forbid", f"{model.__name__} takes unknown keys: extra='forbid'")


def frozen(subject: Subject) -> None:
    for model in _models(subject.spec.config):
        need(model.model_config.get("frozen"), f"{model.__name__} can be changed: frozen=True")


def secrets(subject: Subject) -> None:
    for model in _models(subject.spec.config):
        for name, field in model.model_fields.items():
            is_text = str in _kinds(field.annotation)
            need(not (_SECRET.search(name) and is_text), f"{model.__name__}.{name} is a str: make it a FilledSecret")


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for kind in _kinds(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _models(kind)


def _kinds(annotation: Any) -> set[Any]:
    """Return every type inside an annotation."""
    inner = get_args(annotation)
    return {annotation} if not inner else {kind for one in inner for kind in _kinds(one)}


def addresses(subject: Subject) -> None:
    properties = subject.spec.config.model_json_schema().get("properties", {})
    for name, field in subject.spec.config.model_fields.items():
        if not (name.endswith("_base") and isinstance(field.default, str)):
            continue
        need("uri" in str(properties.get(name)), f"{name} is a plain str: make it an HttpAddress")
        need(may_reach(field.default, subject.spec.hosts), f"{name} is {field.default}, which is not among the hosts")


def hosts(subject: Subject) -> None:
    need(subject.spec.hosts, "no hosts are named: the client would refuse every request")
    for host in subject.spec.hosts:
        need(re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+", host), f"{host!r} is no host: 'api.example.com'")


def simulator(subject: Subject) -> None:
    factory = simulator_of(subject)
    made = getattr(factory, "func", factory)
    need(isinstance(made, type) and issubclass(made, Simulator), f"{made!r} is no trunkline.testing Simulator")


def one_channel(subject: Subject) -> None:
    several = len(subject.spec.channels) > 1
    need(not several or subject.spec.channel_of, "there are several channels and no channel_of that tells which")


def text_limits(subject: Subject) -> None:
    rule = subject.capabilities.rule(ContentKind.TEXT)
    need(rule.level in _CARRIED, "no text is sent")
    need(rule.text and rule.text.max > 0, "text has no limit: say how many units one message holds")


def media_limits(subject: Subject) -> None:
    for kind in _MEDIA:
        rule = subject.capabilities.rule(kind)
        if rule.level in _CARRIED:
            need(rule.media, f"{kind} is sent without MediaLimits: say which files, and how large")
        for row in rule.media:
            good = row.max_bytes > 0 and row.mimes and all("/" in mime for mime in row.mimes)
            need(good, f"a MediaLimit of {kind} names no MIME types or no size")


def cards(subject: Subject) -> None:
    for kind in _CARDS:
        rule = subject.capabilities.rule(kind)
        if rule.level in _CARRIED:
            need(rule.card is not None and rule.card.title_max > 0, f"{kind} is sent without a CardLimit")
        if rule.card is not None:
            whole = bool(rule.card.buttons_max) == bool(rule.card.button_title_max)
            need(whole, f"{kind}: buttons_max and button_title_max belong together")


def fallbacks(subject: Subject) -> None:
    for kind, rule in subject.capabilities.sends.items():
        falls = rule.level is Level.FALLBACK
        need(falls == (rule.becomes is not None), f"{kind}: `becomes` belongs to FALLBACK and to nothing else")
        seen, at = {kind}, rule
        while at.level is Level.FALLBACK and at.becomes is not None:
            need(at.becomes not in seen, f"{kind} falls back in a circle")
            seen.add(at.becomes)
            at = subject.capabilities.rule(at.becomes)
        need(not falls or at.level in _CARRIED, f"{kind} falls back to what is not sent either")


def notes(subject: Subject) -> None:
    for rules in (subject.capabilities.receives, subject.capabilities.sends):
        for kind, rule in rules.items():
            loses = rule.level in {Level.PARTIAL, Level.DROPPED}
            need(not loses or rule.note, f"{kind} is {rule.level} without a note that says what is lost")


def windows(subject: Subject) -> None:
    declared = subject.capabilities.windows
    need(len({one.name for one in declared}) == len(declared), "two windows have one name")
    for one in declared:
        need(one.opened_by, f"nothing opens the window {one.name}")
        need(one.lasts_s is None or one.lasts_s > 0, f"the window {one.name} lasts {one.lasts_s} s")
        need(one.budget is None or one.budget > 0, f"the window {one.name} has a budget of {one.budget}")
        need(one.authors and one.authors <= _STAFF, f"the window {one.name} is for {sorted(one.authors)}")
    opens = any(Act.MESSAGE in one.opened_by for one in declared)
    need(opens or not declared, "no window opens when the customer writes")


def sending(subject: Subject) -> None:
    how = subject.capabilities.sending
    need(how.concurrency >= 1 and how.items_per_request >= 1, "concurrency and items_per_request are at least 1")
    need(0 < how.timeout_s <= 120, f"timeout_s is {how.timeout_s}")
    for rate in how.rates:
        need(rate.limit > 0 and rate.per_s > 0, f"{rate} lets nothing through")
        need(rate.scope in {"account", "recipient"}, f"a rate has the scope {rate.scope!r}")


def idempotency(subject: Subject) -> None:
    how = subject.capabilities.sending
    if how.idempotency is Idempotency.KEY:
        need(how.key_life_s is not None and how.key_life_s > 0, "say how long a key is remembered: key_life_s")
    else:
        need(how.key_life_s is None, "key_life_s belongs to Idempotency.KEY")


def receipts(subject: Subject) -> None:
    told = subject.capabilities.receipts
    need(not told.watermark or told.delivered or told.read, "a watermark of what? neither delivered nor read is told")
    if subject.capabilities.receiving.transport is Transport.PULL:
        need(subject.capabilities.receiving.pull_every_s, "nothing is pushed, and pull_every_s is not said")
    need(isinstance(told, Receipts), "receipts is no Receipts")


def receiving(subject: Subject) -> None:
    how = subject.capabilities.receiving
    need(how.dedupe_source, "dedupe_source does not say what tells one event from another")
    need(how.answer_within_s > 0 and how.max_body > 0, "answer_within_s and max_body must be more than nothing")
    pulls = how.transport in {Transport.NOTIFY, Transport.PULL}
    need(pulls or how.pull_every_s is None, "pull_every_s belongs to channels that are pulled")
    need(how.proof_header is None or how.proof_header.strip(), "proof_header is blank")


def templates(subject: Subject) -> None:
    sends = subject.capabilities.rule(ContentKind.TEMPLATE).level in _CARRIED
    claims = Extra.TEMPLATES in subject.capabilities.extras
    need(sends == claims, "Extra.TEMPLATES and the content kind TEMPLATE belong together")
    for one in subject.capabilities.windows:
        need(one.afterwards is not Afterwards.TEMPLATE or sends, f"{one.name} ends with templates, which are not sent")


def quick_replies(subject: Subject) -> None:
    limit = subject.capabilities.quick_replies
    if limit is not None:
        need(limit.max > 0 and limit.title_max > 0, "quick replies without room for one")
        need(limit.kinds, "quick replies of no kind")


def submissions(subject: Subject) -> None:
    how = subject.capabilities.submissions
    need(set(how.modes) <= {"offline_message", "ticket"}, f"submissions have the modes {how.modes}")
    need(set(how.scopes) <= {"channel", "group"}, f"submissions have the scopes {how.scopes}")
    need(bool(how.modes) == bool(how.scopes), "submissions need modes and scopes, or neither")


def unsecret(subject: Subject) -> None:
    shown = [
        name for name, field in subject.spec.config.model_fields.items() if _leaks(field.annotation, field.default)
    ]
    need(not shown, f"the default of {shown} is a secret that everybody can read")


def _leaks(annotation: Any, default: Any) -> bool:
    return SecretStr in _kinds(annotation) and isinstance(default, str | SecretStr)


def always(_subject: Subject) -> bool:
    """Hosted channels have these, too."""
    return True


DECLARATIONS = Topic(
    "Declarations",
    (
        Check("declared.contract", contract, "The connector is written for this contract.",
              "Another version may mean other fields, and is refused at the start.", always),
        Check("declared.names", names, "Names are lower-case letters, digits and underscores.",
              "They stand in addresses, metrics and rows.", always),
        Check("declared.titles", titles, "Connector and channel have a title in en, zh-Hans, zh-Hant and pl.",
              "Agents read them in their own language.", always),
        Check("declared.docs", docs, "The platform's documentation is named by an https address.",
              "Whoever doubts a limit should be one click away from the source."),
        Check("declared.unknown_keys", forbids, "Settings with an unknown key are refused.",
              "A typing mistake must not be a setting that silently does nothing.", always),
        Check("declared.frozen", frozen, "Settings cannot be changed after they were checked.",
              "What was validated is what is used.", always),
        Check("declared.secrets", secrets, "Every secret among the settings is a SecretStr.",
              "A str shows itself in every repr and every traceback.", always),
        Check("declared.no_default_secret", unsecret, "No secret has a default.",
              "A secret that ships with the source is none.", always),
        Check("declared.addresses", addresses, "Base addresses are HttpAddress, and their defaults are declared hosts.",
              "The form in the inbox checks what people fill in, and the client refuses other hosts."),
        Check("declared.hosts", hosts, "The hosts of the platform are named.",
              "Requests to any other host are refused: that is what keeps tokens at home."),
        Check("declared.simulator", simulator, "There is a simulator.",
              "Without a platform to speak to nothing else can be proved.", always),
        Check("declared.channel_of", one_channel, "Several channels can be told apart by the settings.",
              "An account must know which channel it is.", always),
        Check("declared.text_limit", text_limits, "Text is sent, and its limit and unit are told.",
              "The core splits by them and the composer counts by them.", always),
        Check("declared.media_limits", media_limits, "Every kind of file that is sent has MIME types and a size.",
              "What the platform would refuse is refused before the upload.", always),
        Check("declared.cards", cards, "Cards that are sent have a shape.",
              "What does not fit is refused in words, not cut in silence.", always),
        Check("declared.fallbacks", fallbacks, "Every fallback ends at something that is sent.",
              "A fallback to nothing is a lost message.", always),
        Check("declared.notes", notes, "What is carried with a loss says which.",
              "Agents decide by it whether to send something else.", always),
        Check("declared.windows", windows, "Windows have a name, an opener, an end and authors that make sense.",
              "The countdown in the inbox and the refusal of late replies derive from them.", always),
        Check("declared.sending", sending, "Rates, concurrency and time-out let something through.",
              "The dispatcher obeys them to the letter.", always),
        Check("declared.idempotency", idempotency, "A key says how long the platform remembers it.",
              "After that a repeated send is a second message."),
        Check("declared.receipts", receipts, "Receipts and transport fit each other.",
              "A state that nobody tells would wait forever.", always),
        Check("declared.receiving", receiving, "It is told how events come, and what tells them apart.",
              "Doubles are found by it.", always),
        Check("declared.templates", templates,
              "Templates are an extra, a content kind and a way out of a window together.",
              "One without the other offers agents what cannot be sent.", always),
        Check("declared.quick_replies", quick_replies, "Quick replies have room for at least one.",
              "A limit of nothing is a claim of nothing.", always),
        Check("declared.submissions", submissions, "Leave-a-message forms have known modes and scopes.",
              "The core decides by them which form a customer gets.", always),
    ),
)  # fmt: skip
