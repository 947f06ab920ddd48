"""The settings of one bot. The form in the inbox is made from them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from trunkline.contract import FilledSecret, HttpAddress, OneOrMany


class Config(BaseModel):
    """What @BotFather gave, and the word that we gave with the webhook."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bot_token: FilledSecret = Field(description="From @BotFather: 123456:ABC…")
    secret_token: Annotated[tuple[FilledSecret, ...], OneOrMany, Field(min_length=1)] = Field(
        description="The secret_token given to setWebhook. Two while it changes, the new one first."
    )
    api_base: HttpAddress = "https://api.telegram.org"
