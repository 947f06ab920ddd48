"""One file per version of the tables. What was released is never changed: the next change is a next file."""

from __future__ import annotations
