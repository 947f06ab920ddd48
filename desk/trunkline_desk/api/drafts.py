"""From the body of a reply to what the core sends; the same for a reply and for its preview."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from trunkline.http.problems import FieldError, Problem
from trunkline.model import (
    Button,
    Card,
    Carousel,
    Contacts,
    Content,
    Link,
    Location,
    Media,
    Person,
    QuickReply,
    Template,
)
from trunkline.service.drafts import Draft, files_of
from trunkline.service.refusals import ReplyRefused
from trunkline.service.replies import account_of
from trunkline.service.templates import TemplatesRefused, check_template
from trunkline.store import schema
from trunkline_desk.api.models import composing
from trunkline_desk.threads.detail import find_thread
from trunkline_desk.threads.rows import ask

if TYPE_CHECKING:
    from trunkline_desk.api.models.messages import NewReply
    from trunkline_desk.api.route import Call
    from trunkline_desk.threads.rows import Database

__all__ = ["draft_of", "insist_on_own", "insist_on_template", "problem_of"]

_media = schema.media


def draft_of(body: NewReply, request_id: str | None = None) -> Draft:
    """Return what a body says."""
    return Draft(
        text=body.text,
        attachments=tuple(body.attachments),
        quick_replies=tuple(QuickReply(title=one.title, data=one.data or "") for one in body.quick_replies),
        reply_to=body.reply_to,
        contents=() if body.content is None else (_content(body.content),),
        request_id=request_id,
    )


def _content(given: Any) -> Content:
    match given:
        case composing.NewCard():
            return _card(given)
        case composing.NewCarousel(cards=cards):
            return Carousel(cards=tuple(map(_card, cards)))
        case composing.NewLocation():
            place = {"latitude": given.latitude, "longitude": given.longitude}
            return Location(**place, title=given.title, address=given.address)
        case composing.NewContacts(people=people):
            return Contacts(people=tuple(map(_person, people)))
        case composing.NewLink():
            return Link(url=given.url, title=given.title, text=given.text or None, image=_image(given.image))
        case _:
            return Template(
                name=given.name,
                language=given.language,
                variables={name: _variable(value) for name, value in given.variables.items()},
            )


def _card(given: composing.NewCardPart) -> Card:
    buttons = tuple(Button(title=one.title, data=one.data or None, url=one.url) for one in given.buttons)
    return Card(title=given.title, text=given.text or None, image=_image(given.image), buttons=buttons)


def _image(media_id: str | None) -> Media | None:
    return None if media_id is None else Media(id=media_id)


def _person(given: composing.NewPerson) -> Person:
    return Person(
        name=given.name,
        phones=tuple(given.phones),
        emails=tuple(given.emails),
        organization=given.organization,
    )


def _variable(value: Any) -> Any:
    return {"media": {"id": value.media}} if isinstance(value, composing.NewFile) else value


def problem_of(refusal: ReplyRefused) -> Problem:
    """Return a refusal in the shape of the API."""
    errors = [FieldError(refusal.field, str(refusal))] if refusal.field else []
    return Problem(refusal.status, refusal.code, str(refusal), errors=errors)


def insist_on_own(database: Database, draft: Draft, agent_id: str) -> None:
    """Refuse files that somebody else uploaded, or that belong to a message already.

    Raises:
        Problem: 404, or 422 when one is named twice.
    """
    named: Sequence[str] = [*draft.attachments, *(one for content in draft.contents for one in files_of(content))]
    mine = select(_media.c.id).where(
        _media.c.id.in_(named), _media.c.owner_id == agent_id, _media.c.message_id.is_(None)
    )
    if named and len(database.execute(mine).all()) < len(set(named)):
        words = "There is no such attachment of yours; upload it first."
        raise Problem(404, "attachment_not_found", words, errors=[FieldError("attachments", words)])
    if len(set(named)) < len(named):
        words = "An attachment is named twice."
        raise Problem(422, "invalid", words, errors=[FieldError("attachments", words)])


async def insist_on_template(call: Call[NewReply, None], draft: Draft) -> None:
    """Refuse a template that the platform does not have or that lacks a variable.

    A platform that does not tell its templates now is no reason: it will judge itself.

    Raises:
        ReplyRefused: in words.
    """
    wanted = [content for content in draft.contents if isinstance(content, Template)]
    if not wanted:
        return
    house = call.desk.house
    thread = await ask(house.store, find_thread, call.path("thread_id"))
    try:
        known = await call.desk.templates.of(account_of(house, thread.account_id))
    except TemplatesRefused:
        return
    for template in wanted:
        check_template(template, known)
