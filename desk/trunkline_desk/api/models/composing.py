"""What is written in the composer beside plain text, and what becomes of it: previews, templates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from trunkline_desk.api.models.content import Content
from trunkline_desk.api.models.words import Answer, Body, Identifier, Page, Time

__all__ = ["NewContent", "ReactionBody", "ReplyPreview", "TemplatePage"]

#: Lengths are the channel's affair; these keep nonsense out.
_Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\x00]*$")]
_Long = Annotated[str, StringConstraints(max_length=5000, pattern=r"^[^\x00]*$")]
_Address = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$")]


class NewButton(Body):
    """A button of a card: it opens a page, or its `data` comes back when it is pressed."""

    title: _Short
    data: Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")] | None = None
    url: _Address | None = None


class NewCardPart(Body):
    """A titled picture with buttons; `image` is a file that was uploaded."""

    title: _Short
    text: _Long | None = None
    image: Identifier | None = None
    buttons: Annotated[list[NewButton], Field(max_length=20)] = Field(default_factory=list)


class NewCard(NewCardPart):
    """One card."""

    type: Literal["card"]


class NewCarousel(Body):
    """Cards side by side."""

    type: Literal["carousel"]
    cards: Annotated[list[NewCardPart], Field(min_length=1, max_length=30)]


class NewLocation(Body):
    """A place, in degrees (WGS 84)."""

    type: Literal["location"]
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    title: _Short | None = None
    address: _Short | None = None


class NewPerson(Body):
    """One entry of a contact card."""

    name: _Short
    phones: Annotated[list[_Short], Field(max_length=10)] = Field(default_factory=list)
    emails: Annotated[list[_Short], Field(max_length=10)] = Field(default_factory=list)
    organization: _Short | None = None


class NewContacts(Body):
    """Contact cards."""

    type: Literal["contacts"]
    people: Annotated[list[NewPerson], Field(min_length=1, max_length=20)]


class NewLink(Body):
    """A link with its description."""

    type: Literal["link"]
    url: _Address
    title: _Short | None = None
    text: _Long | None = None
    image: Identifier | None = None


class NewFile(Body):
    """A file that was uploaded, in the place of a variable."""

    media: Identifier


_Number = Annotated[int, Field(ge=-(2**53), le=2**53)] | Annotated[float, Field(allow_inf_nan=False)]
_Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
#: A text, a number, a file, or an object of texts and numbers (`currency`, `date_time`).
_Value = _Long | _Number | NewFile | Annotated[dict[_Key, _Long | _Number], Field(max_length=20)]


class NewTemplate(Body):
    """A template of the platform; `variables` by the names of its blanks."""

    type: Literal["template"]
    name: _Key
    language: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]
    variables: Annotated[dict[_Key, _Value], Field(max_length=100)] = Field(default_factory=dict)


NewContent = Annotated[
    NewCard | NewCarousel | NewLocation | NewContacts | NewLink | NewTemplate, Field(discriminator="type")
]


class ReactionBody(Body):
    """An emoji; null takes ours away."""

    emoji: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00-\x20\x7f]*$")] | None


# ---------------------------------------------------------------- what becomes of it


class PreviewedReply(Answer):
    """A suggested answer as it goes out."""

    title: str
    data: str | None = None
    kind: str | None = None


class Objection(Answer):
    """Why something will not go out; with a `field` the whole reply would be refused."""

    code: str
    text: str
    field: str | None


class Carried(Answer):
    """One request to the platform."""

    #: Number of the message that it belongs to: a long text is one message in several requests.
    message: int
    parts: list[Content]
    quick_replies: list[PreviewedReply]
    level: Literal["full", "partial", "fallback", "dropped", "rejected"]
    #: What the agent should know of the level.
    notes: list[str]
    #: What it costs; null when it does not go out.
    cost: Literal["free", "quota", "paid"] | None
    refusal: Objection | None


class WindowLeft(Answer):
    """The window under which it goes: messages left before and after; null where there is no limit."""

    open: bool
    expires_at: Time | None
    before: int | None
    after: int | None
    afterwards: Literal["nothing", "template", "tag", "costs"]


class ReplyPreview(Answer):
    """What the channel will carry of a reply; nothing of it is stored."""

    requests: list[Carried]
    level: Literal["full", "partial", "fallback", "dropped", "rejected"]
    window: WindowLeft | None
    quota_before: int | None
    quota_after: int | None
    refusals: list[Objection]


class TemplateVariable(Answer):
    """One blank of a template."""

    name: str
    #: "text", "image", "video", "file", "url", "currency", "date_time" or "payload".
    kind: str
    #: Where it stands: "header", "body", "button".
    place: str
    example: str | None
    max_length: int | None


class TemplateInfo(Answer):
    """A template that the platform approved; its `text` has the blanks as {{name}}."""

    name: str
    language: str
    category: str
    text: str
    variables: list[TemplateVariable]
    usable: bool
    #: Why it is not usable.
    note: str | None


class TemplatePage(Page[TemplateInfo]):
    """All templates of an account."""
