"""How long a recording is: platforms want to be told, and ISO media files say so in their header."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["duration_ms"]

_CONTAINERS = frozenset({"audio/mp4", "video/mp4"})
#: Boxes looked at on one level; no honest file has more on the way to its header.
_BOXES = 1000


def duration_ms(path: Path, mime: str) -> int | None:
    """Return the length of an MP4 or M4A file, None where it does not say."""
    if mime not in _CONTAINERS:
        return None
    with path.open("rb") as file:
        for kind, start, end in _boxes(file, 0, path.stat().st_size):
            if kind == b"moov":
                return _movie_duration(file, start, end)
    return None


def _movie_duration(file: BinaryIO, start: int, end: int) -> int | None:
    for kind, begin, _ in _boxes(file, start, end):
        if kind == b"mvhd":
            file.seek(begin)
            return _read_header(file.read(32))
    return None


def _read_header(header: bytes) -> int | None:
    """Read version, time scale and duration of a movie header (ISO/IEC 14496-12, 8.2.2)."""
    form, offset = (">IQ", 20) if header[:1] == b"\x01" else (">II", 12)
    if len(header) < offset + struct.calcsize(form):
        return None
    scale, units = struct.unpack_from(form, header, offset)
    return units * 1000 // scale if scale else None


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, begin, end) of the contents of each box between two places."""
    for _ in range(_BOXES):
        file.seek(start)
        header = file.read(16)
        if start + 8 > end or len(header) < 8:
            return
        size, kind = struct.unpack_from(">I4s", header)
        begin = start + 8
        if size == 1 and len(header) == 16:
            size, begin = struct.unpack_from(">Q", header, 8)[0], start + 16
        stop = end if size == 0 else min(end, start + size)
        if stop < begin:
            return
        yield kind, begin, stop
        start = stop
