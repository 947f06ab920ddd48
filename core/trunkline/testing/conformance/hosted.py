"""Checks of channels of which we own both ends: key, clients, pages. The protocol itself is the core's."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from aiohttp import web

from trunkline.contract import Capabilities, Connector, WebhookRequest
from trunkline.errors import SignatureInvalid
from trunkline.model import Address, Text
from trunkline.testing.conformance.checks import Broken, Check, Subject, Topic, need
from trunkline.testing.conformance.stage import Stage, simulator_of
from trunkline.testing.conformance.strangers import secret_values
from trunkline.testing.conformance.talk import Talk
from trunkline.testing.services import FakeServices, HandClock

__all__ = ["HOSTED"]

_PLATFORMS = ("web", "ios", "android", "macos", "windows", "flutter", "reactnative", "unknown", "a_new_one")


def _settings(subject: Subject) -> dict[str, Any]:
    return simulator_of(subject)().settings()


def _built(stage: Stage, **more: Any) -> Any:
    """Return a hosted connector; what it has besides a Connector is looked up by name."""
    return stage.build({**stage.simulator.settings(), **more})


def _clients() -> list[Any]:
    """Return clients of every kind, as the protocol hands them over."""
    return [
        SimpleNamespace(platform=platform, version=version, form=form, locale=locale)
        for platform in _PLATFORMS
        for version in (None, "1.0.0", "99.0")
        for form in ("desktop", "mobile")
        for locale in ("en", "zh-Hans-CN", "zh_TW", "pl", "ar", "xx-yy", "")
    ]


async def key(stage: Stage) -> None:
    named = _built(stage).public_key
    need(named.startswith(("wk_", "ak_")), f"the public key is {named!r}: wk_… or ak_…")
    need(named == _built(stage).public_key, "the public key changes with every start")


async def own_key(stage: Stage) -> None:
    settings, model, named = stage.simulator.settings(), stage.subject.spec.config, _built(stage).public_key
    bare = {name: value for name, value in settings.items() if named not in str(value)}
    try:
        config = model.model_validate(bare)
    except ValueError as error:
        raise stage.not_here("account without a key of its own") from error
    keys = set()
    for account_id in ("shop-one", "shop-two"):
        services = FakeServices(config, channel=stage.subject.channel.code, clock=HandClock())
        services.account_id = account_id
        built: Any = stage.subject.spec.build(services)
        keys.add(built.public_key)
        await services.http.aclose()
    need(len(keys) == 2, "two accounts without a key have the same one")


async def no_webhook(stage: Stage) -> None:
    request = WebhookRequest(method="POST", query={}, headers={}, body=b"{}")
    connector: Connector = _built(stage)
    try:
        connector.authenticate(request)
    except SignatureInvalid:
        need(connector.handshake(request) is None, "a hosted account answers a handshake")
        return
    raise Broken("a hosted account trusts a webhook")


async def channels(stage: Stage) -> None:
    codes, connector = {channel.code for channel in stage.subject.spec.channels}, _built(stage)
    found = {connector.channel_for(client) for client in _clients()}
    need(found <= codes, f"clients are told to be {sorted(found - codes)}, which is no declared channel")
    need(stage.subject.channel.code in found, f"no client is ever told to be {stage.subject.channel.code}")


async def presentation(stage: Stage) -> None:
    connector = _built(stage)
    for client in _clients():
        shown = json.dumps(connector.presentation(client))
        leaks = [secret for secret in secret_values(stage.built[-1][1].config) if secret in shown]
        need(not leaks, "a secret is shown to visitors")


async def narrowed(stage: Stage) -> None:
    declared = stage.capabilities
    left: Capabilities = _built(stage).narrowed(declared)
    need(set(left.receives) <= set(declared.receives), "settings add content that is not declared")
    need(set(left.sends) <= set(declared.sends), "settings add content that is not declared")
    need(left.extras <= declared.extras, "settings add extras that are not declared")


async def probe(stage: Stage) -> None:
    health = await _built(stage).probe()
    need(health.state == "connected", f"a hosted account is probed as {health}")


async def deliver(stage: Stage) -> None:
    stage.build()
    stage.talks["ada"] = talk = _talk()
    message = await stage.message("ada", Text(text="one"), Text(text="two"))
    accepted = await stage.attempt(message)
    need(len(accepted.parts) == 2, "two parts are accepted with other than two ids")
    need(len({part.external_id for part in accepted.parts}) == 2, "two parts have one id")
    need(talk.thread_key == "ada", "a delivery changed its thread")


def _talk() -> Talk:
    talk = Talk(())
    talk.thread_key, talk.contact = "ada", Address(external_id="ada")
    return talk


async def pages(stage: Stage) -> None:
    spec = stage.subject.spec
    if spec.pages is None:
        raise stage.not_here("pages")
    connector = _built(stage)
    house = SimpleNamespace(
        public_url="https://desk.example",
        find=lambda named: connector if named == connector.public_key else None,
        title=lambda named: "Shop",
    )
    built = spec.pages(house)
    need(isinstance(built, web.Application), f"pages makes a {type(built).__name__} and no aiohttp application")
    need(len(built.router.routes()) > 0, "pages has no page")


async def embedded(stage: Stage) -> None:
    connector = _built(stage)
    lines = connector.embed("https://desk.example")
    need(
        not lines or "https://desk.example" in lines or connector.public_key in lines,
        "embed names neither us nor the key",
    )


async def ended(stage: Stage) -> None:
    connector = _built(stage)
    await connector.aclose()
    await connector.aclose()


def _is_hosted(subject: Subject) -> bool:
    return subject.is_hosted


HOSTED = Topic(
    "Hosted channels",
    (
        Check("hosted.key", key, "The account has a public key, the same after every start.",
              "It stands in other people's pages and apps.", _is_hosted),
        Check("hosted.own_key", own_key, "Accounts that were given no key each have their own.",
              "One's visitors must not write to another.", _is_hosted),
        Check("hosted.no_webhook", no_webhook, "Nothing comes in but by the visitor protocol.",
              "A second door is one that nobody guards.", _is_hosted),
        Check("hosted.channels", channels, "Every client is one of the declared channels, and each of them can be met.",
              "A thread keeps it, and rules ask for it.", _is_hosted),
        Check("hosted.presentation", presentation,
              "What visitors are shown is JSON in any language, and holds no secret.",
              "It is public.", _is_hosted),
        Check("hosted.narrowed", narrowed, "Settings take capabilities away and never add any.",
              "What is declared is the most.", _is_hosted),
        Check("hosted.probe", probe, "The account is connected.", "There is nobody to ask.", _is_hosted),
        Check("hosted.deliver", deliver, "What is sent is accepted at once, with an id for each part.",
              "Receipts and quotes find messages by it.", _is_hosted),
        Check("hosted.pages", pages,
              "Its pages are an aiohttp application.", "They are mounted at pages_at.", _is_hosted),
        Check("hosted.embed", embedded, "The lines for the site name us or the account.",
              "They are copied as they are.", _is_hosted),
        Check("hosted.end", ended, "Ending twice does no harm.", "It happens when a start fails.", _is_hosted),
    ),
)  # fmt: skip
