"""Who somebody is: the vectors of the specification, signing in, changing the user, and what is merged."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import SecretStr

from tests.hosted.booth import IDENTITY_SECRET, hmac_of, vouch
from tests.hosted.people import KEY, OTHER_KEY, Place, Visitor, closed, message
from trunkline.hosted import IdentityKey, IdentityMode, IdentityPolicy
from trunkline.hosted.identity import HmacProof, prove
from trunkline.hosted.refusals import ClientRefused
from trunkline.store import schema

HEADER = b'{"alg":"HS256","typ":"JWT","kid":"k1"}'
PAYLOAD = (
    b'{"sub":"cust-42","aud":"ak_test_0001","iat":1700000000,"exp":1700000600,"jti":"j-0001",'
    b'"name":"Ana Example","email":"ana@example.test"}'
)
SIGNATURE = "zMGhxbXFjMFEazQI6_3dnDOW1xiMphhK3boYiaGhTBc"
HMAC = "be1ac6e89e15c334e4b93583c3ce638085b1c70f0abb51b0c1eecca0b6b935f7"
SECRET = SecretStr(IDENTITY_SECRET)
POLICY = IdentityPolicy(
    mode=IdentityMode.ACCEPT, keys=(IdentityKey(algorithm="HS256", key=SECRET, kid="k1"),), hmac_secret=SECRET
)


def packed(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


VECTOR = f"{packed(HEADER)}.{packed(PAYLOAD)}.{SIGNATURE}"


def refused(given: Any, policy: IdentityPolicy = POLICY, now_s: int = 1700000300) -> str:
    with pytest.raises(ClientRefused) as caught:
        prove(given, policy, "ak_test_0001", now_s * 1000)
    return caught.value.code


def test_the_vector_is_good_in_its_time() -> None:
    proved = prove(VECTOR, POLICY, "ak_test_0001", 1700000300_000)
    assert (proved.subject, proved.facts) == ("cust-42", {"name": "Ana Example", "email": "ana@example.test"})


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (1700000700, "identity_expired"),
        (1699999800, "identity_not_yet_valid"),
        (1700000661, "identity_expired"),
        (1699999939, "identity_not_yet_valid"),
    ],
)
def test_the_vector_is_refused_outside_its_time(now: int, code: str) -> None:
    assert refused(VECTOR, now_s=now) == code


@pytest.mark.parametrize("now", [1700000660, 1699999940])
def test_clocks_may_differ_by_a_minute(now: int) -> None:
    assert prove(VECTOR, POLICY, "ak_test_0001", now * 1000).subject == "cust-42"


def test_the_hmac_vector_proves_the_id_and_nothing_else() -> None:
    assert hmac_of("cust-42") == HMAC
    proved = prove(HmacProof("cust-42", HMAC), POLICY, "ak_test_0001", 0)
    assert (proved.subject, proved.facts) == ("cust-42", {})
    assert refused(HmacProof("cust-43", HMAC)) == "identity_invalid"


CLAIMS = {"sub": "cust-42", "aud": "ak_test_0001", "iat": 1700000000, "exp": 1700000600}


def signed(algorithm: str, key: Any, **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode({"alg": algorithm}, claims, key, algorithms=[algorithm])


OCT = OctKey.import_key(IDENTITY_SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "ak_other"},
        {"aud": None},
        {"exp": None},
        {"iat": None},
        {"exp": 1700003601},
        {"exp": 1700000000},
        {"sub": None},
        {"sub": ""},
        {"sub": 42},
        {"sub": "x" * 256},
        {"name": {"$ne": None}},
        {"attrs": ["a"]},
        {"exp": "1700000600"},
    ],
)
def test_claims_that_are_missing_or_of_another_kind_are_refused(changes: dict[str, Any]) -> None:
    assert refused(signed("HS256", OCT, **changes)) == "identity_invalid"


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b", "a.b.c", f"{packed(HEADER)}.{packed(PAYLOAD)}.", VECTOR[:-1], f"{VECTOR}A", "é.é.é", "." * 3],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    assert refused(token) == "identity_invalid"


def test_a_token_without_a_signature_is_refused_whatever_it_says() -> None:
    for head in (b'{"alg":"none"}', b'{"alg":"None"}', b'{"alg":"HS256"}', b'{"alg":["HS256"]}'):
        assert refused(f"{packed(head)}.{packed(PAYLOAD)}.") == "identity_invalid"


def test_a_public_key_is_no_shared_secret() -> None:
    """The classic switch of algorithms: sign with the public key as if it were an HMAC secret."""
    pair = RSAKey.generate_key(2048)
    public = pair.as_pem(private=False).decode()
    policy = IdentityPolicy(mode=IdentityMode.ACCEPT, keys=(IdentityKey(algorithm="RS256", key=SecretStr(public)),))
    assert prove(signed("RS256", pair), policy, "ak_test_0001", 1700000300_000).subject == "cust-42"
    head, body = packed(b'{"alg":"HS256"}'), packed(PAYLOAD)
    import hashlib
    import hmac

    forged = packed(hmac.digest(public.encode(), f"{head}.{body}".encode(), hashlib.sha256))
    assert refused(f"{head}.{body}.{forged}", policy) == "identity_invalid"


def test_elliptic_keys_and_several_at_once() -> None:
    pair = ECKey.generate_key("P-256")
    public = SecretStr(pair.as_pem(private=False).decode())
    keys = (IdentityKey(algorithm="ES256", key=public), IdentityKey(algorithm="HS256", key=SECRET, kid="k1"))
    policy = IdentityPolicy(mode=IdentityMode.ACCEPT, keys=keys)
    for token in (signed("ES256", pair), VECTOR):
        assert prove(token, policy, "ak_test_0001", 1700000300_000).subject == "cust-42"


def test_off_refuses_every_proof() -> None:
    assert refused(VECTOR, IdentityPolicy(mode=IdentityMode.OFF, keys=POLICY.keys)) == "identity_invalid"


# ---------------------------------------------------------------- over the door


def proof(place: Place, subject: str = "cust-1", key: str = KEY, **claims: Any) -> str:
    return vouch(subject, key, place.clock.now, **claims)


async def signed_in(place: Place, subject: str = "cust-1", **claims: Any) -> Visitor:
    return await place.visitor(identity=proof(place, subject, **claims))


async def test_a_proved_visitor_has_one_history_on_all_devices(place: Place) -> None:
    phone, laptop = await signed_in(place), await signed_in(place)
    await phone.say("From the phone")
    assert await laptop.texts() == ["From the phone"]
    assert phone.given["identity"] == "verified"
    (identity,) = await place.rows(schema.identity)
    assert (identity.external_id, identity.verified_as) == ("u:cust-1", "cust-1")


async def test_a_proof_for_another_inbox_is_not_good_here(place: Place) -> None:
    headers = {"X-Inbox-Key": OTHER_KEY}
    answer = await place.call("POST", "/tokens", {"identity": proof(place)}, headers=headers)
    assert (answer.status, answer.code) == (401, "identity_invalid")


async def test_the_older_proof_is_accepted_for_the_id(place: Place) -> None:
    known = await place.visitor(identity={"id": "cust-9", "hmac": hmac_of("cust-9")})
    assert known.given["identity"] == "verified"


async def test_signing_in_as_somebody_new_keeps_everything_where_it_is(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread("Before")
    answer = await ana.post("/tokens/exchange", {"identity": proof(place, name="Ana Example")})
    assert (answer["merged"], answer["contact"]["name"]) == (False, "Ana Example")
    old, ana.token = ana.token, answer["token"]
    assert (await place.call("GET", "/me", headers={"Authorization": f"Bearer {old}"})).code == "token_invalid"
    said = await ana.say("After")
    assert said["message"]["thread_id"] == f"th_{thread}"
    assert await ana.texts() == ["Before", "After"]
    (contact,) = await place.rows(schema.contact)
    assert contact.name == "Ana Example"
    assert len(await place.rows(schema.identity)) == 1
    assert (await ana.changes(ana.cursor))["reset"] is False


async def test_signing_in_as_somebody_known_moves_what_was_written(place: Place) -> None:
    known = await signed_in(place)
    older = await known.thread("Older")
    ana = await place.visitor()
    newer = await ana.thread("Newer")
    answer = await ana.post("/tokens/exchange", {"identity": proof(place)})
    assert answer["merged"] is True
    ana.token = answer["token"]
    listed = (await ana.get("/threads"))["threads"]
    assert [(one["id"], one["live"]) for one in listed] == [(f"th_{newer}", True), (f"th_{older}", False)]
    assert await ana.texts() == ["Newer"]
    assert await ana.texts(f"th_{older}") == ["Older"]
    threads = await place.rows(schema.thread)
    assert len({row.contact_id for row in threads}) == 1
    assert sorted(row.key for row in threads) == ["u:cust-1", f"u:cust-1#{older}"]
    assert (await ana.say("Goes on"))["message"]["thread_id"] == f"th_{newer}"
    linked = await place.rows(schema.event, schema.event.c.kind == "identity_linked")
    assert {row.thread_id for row in linked} == {older, newer}


async def test_a_merge_ends_the_sockets_and_the_cursors_of_before(place: Place) -> None:
    """B12.4."""
    known, ana = await signed_in(place), await place.visitor()
    await known.say("Older")
    await ana.say("Newer")
    theirs, _ = await known.ready(cursor=known.cursor)
    mine, _ = await ana.ready(cursor=ana.cursor)
    answer = await ana.post("/tokens/exchange", {"identity": proof(place)})
    assert await closed(mine) == 4401
    assert await closed(theirs) == 1012
    _, ready = await known.ready(cursor=known.cursor)
    assert ready["resume"] == "reset"
    gone = await known.call("GET", "/changes", params={"cursor": known.cursor})
    assert (gone.status, gone.code, gone.json["reset"]) == (410, "cursor_expired", True)
    assert (await known.changes(gone.json["cursor"]))["reset"] is False
    ana.token = answer["token"]
    assert await known.texts() == await ana.texts() == ["Newer"]


async def test_users_are_never_merged_with_each_other(place: Place) -> None:
    one = await signed_in(place, "cust-1")
    await one.say("Mine")
    answer = await one.call("POST", "/tokens/exchange", {"identity": proof(place, "cust-2")})
    assert (answer.status, answer.code) == (409, "identity_conflict")
    switched = await one.post("/tokens/exchange", {"identity": proof(place, "cust-2"), "switch": True})
    assert switched["merged"] is False
    old, one.token = one.token, switched["token"]
    assert await one.texts() == []
    assert (await place.call("GET", "/me", headers={"Authorization": f"Bearer {old}"})).status == 401
    assert await (await signed_in(place, "cust-1")).texts() == ["Mine"]


async def test_a_device_goes_with_the_token_and_dies_with_it(place: Place) -> None:
    one = await signed_in(place, "cust-1")
    device = {"provider": "fcm", "push_token": "invented-push-token"}
    assert (await one.call("PUT", "/devices/phone", device)).json["device_id"] == "phone"
    switched = await one.post("/tokens/exchange", {"identity": proof(place, "cust-2"), "switch": True})
    one.token = switched["token"]
    (row,) = await place.rows(schema.visitor_device)
    (token,) = await place.rows(schema.visitor_token, schema.visitor_token.c.id == row.token_id)
    assert token.subject == "cust-2"
    assert b"invented-push-token" not in bytes(row.push_token)
    assert (await one.call("DELETE", "/tokens/current")).status == 204
    assert await place.rows(schema.visitor_device) == []
    bad = await (await place.visitor()).call("PUT", "/devices/p", {"provider": "apns", "push_token": "no hex"})
    assert (bad.status, bad.code) == (422, "invalid_push_token")


async def test_an_anonymous_visitor_signs_out_only_with_force(place: Place) -> None:
    ana = await place.visitor()
    socket, _ = await ana.ready()
    answer = await ana.call("DELETE", "/tokens/current")
    assert (answer.status, answer.code) == (409, "anonymous_history_loss")
    assert (await ana.call("DELETE", "/tokens/current?force=true")).status == 204
    assert await closed(socket) == 4401
    assert (await ana.call("GET", "/me")).code == "token_invalid"


async def test_a_token_ends_by_itself(place: Place) -> None:
    ana, known = await place.visitor(), await signed_in(place)
    place.clock.advance(hours=13)
    assert (await known.call("GET", "/me")).code == "token_expired"
    assert (await ana.call("GET", "/me")).status == 200
    place.clock.advance(hours=24 * 181)
    assert (await ana.call("GET", "/me")).code == "token_expired"


async def test_a_socket_is_warned_before_its_token_ends_and_closed_after(place: Place) -> None:
    from tests.hosted.people import until

    known = await signed_in(place)
    socket, _ = await known.ready()
    place.clock.advance(hours=11.95)
    await place.sockets.sweep()
    assert (await until(socket, "auth.expiring"))["expires_at"] == known.given["expires_at"]
    place.clock.advance(hours=1)
    await place.sockets.sweep()
    assert await closed(socket) == 4401


async def test_an_unsigned_value_does_not_replace_a_signed_one(place: Place) -> None:
    known = await signed_in(place, name="Ana Example")
    answer = await known.call("PATCH", "/me", {"name": "Mallory"})
    assert (answer.status, answer.code, answer.json["error"]["field"]) == (409, "verified_field", "name")
    changed = await known.call("PATCH", "/me", {"phone": "+49 30 1234", "attributes": {"plan": "gold"}})
    assert (changed.json["name"], changed.json["phone"]) == ("Ana Example", "+49 30 1234")
    assert await known.get("/me") == changed.json
    assert changed.json["verified_fields"] == ["name"]


async def test_what_visitors_say_of_themselves_reaches_the_agents(place: Place) -> None:
    ana = await place.visitor()
    await ana.say()
    await ana.call("PATCH", "/me", {"name": "Ana"})
    (contact,) = await place.rows(schema.contact)
    assert contact.name == "Ana"
    told = [change for change in (await ana.changes())["changes"] if change["type"] == "contact.changed"]
    assert told[0]["data"]["name"] == "Ana"
    taken_back = await ana.call("PATCH", "/me", {"name": None})
    assert taken_back.json["name"] is None


async def test_require_serves_nobody_unproved(place: Place) -> None:
    """B12.7."""
    place.connector().mode = IdentityMode.REQUIRE
    headers = {"X-Inbox-Key": KEY}
    answer = await place.call("POST", "/tokens", {}, headers=headers)
    assert (answer.status, answer.code) == (403, "identity_required")
    late = proof(place)
    place.clock.advance(seconds=700)
    answer = await place.call("POST", "/tokens", {"identity": late}, headers=headers)
    assert (answer.status, answer.code) == (401, "identity_expired")
    place.clock.advance(seconds=-2000)
    answer = await place.call("POST", "/tokens", {"identity": late}, headers=headers)
    assert (answer.status, answer.code) == (401, "identity_not_yet_valid")


async def test_a_send_that_loses_against_a_sign_in_stores_nothing(place: Place) -> None:
    """The token was good when the request came in, and is dead when it would be stored."""
    ana = await place.visitor()
    real = place.front.take

    def late(tx: Any, sendings: Any) -> Any:
        tx.execute(schema.visitor_token.update().values(revoked_at=1))
        return real(tx, sendings)

    place.front.take = late  # type: ignore[method-assign] # the moment between admission and commit, made long
    answer = await ana.call("POST", "/threads/live/messages", message())
    assert (answer.status, answer.code) == (401, "token_invalid")
    assert await place.rows(schema.message) == []
