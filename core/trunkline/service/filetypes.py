"""What a file is, by its content alone: its announced type and its name do not decide how it is served."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import msgspec

__all__ = ["HEAD", "OPAQUE", "FileType", "clean_name", "recognise"]

#: Bytes from the start of a file that `recognise` wants to see.
HEAD = 64 * 1024
#: What everything is served as that is not verified.
OPAQUE = "application/octet-stream"

_NAME_CHARACTERS = 120


class FileType(msgspec.Struct, frozen=True):
    """A type, and how far it can be trusted."""

    mime: str
    extension: str = ""
    #: Verified by its signature: may be shown in place and served under its own type.
    inline: bool = False
    #: To be read, cleaned and written anew before anybody sees it.
    picture: bool = False


_M4A = FileType("audio/mp4", ".m4a", inline=True)
_MP4 = FileType("video/mp4", ".mp4", inline=True)
_OGG_CODECS = (b"OpusHead", b"\x01vorbis", b"\x7fFLAC", b"Speex   ")
#: Brands of ISO media files that browsers and platforms play.
_MP4_BRANDS = {
    b"isom",
    b"iso2",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"avc1",
    b"dash",
    b"MSNV",
    b"M4V ",
}
_M4A_BRANDS = {b"M4A ", b"M4B "}


def _is_mp4(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _MP4_BRANDS


def _is_m4a(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _M4A_BRANDS


def _is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _is_ogg(head: bytes) -> bool:
    return head[:5] == b"OggS\0" and any(codec in head[:512] for codec in _OGG_CODECS)


#: Kilobits per second of layer III, by index: MPEG 1, MPEG 2 and 2.5.
#: Source: http://www.mp3-tech.org/programmer/frame_header.html (read 2026-11-21)
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _is_mp3(head: bytes) -> bool:
    """Two frames in a row, after the ID3 tag if there is one; a tag that fills the head is believed."""
    start = 0
    if head[:3] == b"ID3" and len(head) > 10 and head[3] < 0xFF:
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        if start + 4 > len(head):
            return True
    length = _frame_length(head[start : start + 4])
    following = head[start + length : start + length + 4]
    return length > 0 and (len(following) < 4 or _frame_length(following) > 0)


def _frame_length(header: bytes) -> int:
    """Return the bytes of a layer III frame, 0 if this is no header of one."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, rate, sample = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or rate in {0, 15} or sample == 3:
        return 0
    kilobits, samples = (_RATES_1[rate], 144) if version == 3 else (_RATES_2[rate], 72)
    return samples * kilobits * 1000 // _SAMPLES[version][sample] + (header[2] >> 1 & 1)


#: The verified kinds.
_SIGNATURES: tuple[tuple[Callable[[bytes], bool], FileType], ...] = (
    (lambda head: head[:8] == b"\x89PNG\r\n\x1a\n", FileType("image/png", ".png", inline=True, picture=True)),
    (lambda head: head[:3] == b"\xff\xd8\xff", FileType("image/jpeg", ".jpg", inline=True, picture=True)),
    (
        lambda head: head[:6] in {b"GIF87a", b"GIF89a"},
        FileType("image/gif", ".gif", inline=True, picture=True),
    ),
    (_is_webp, FileType("image/webp", ".webp", inline=True, picture=True)),
    (_is_m4a, _M4A),
    (_is_mp4, _MP4),
    (_is_ogg, FileType("audio/ogg", ".ogg", inline=True)),
    (_is_mp3, FileType("audio/mpeg", ".mp3", inline=True)),
)


def recognise(head: bytes, *, name: str | None = None, announced: str | None = None) -> FileType:
    """Return the type of a file from its first `HEAD` bytes.

    `name` and `announced` only choose among types that the content allows equally.
    """
    for matches, found in _SIGNATURES:
        if matches(head):
            return _M4A if found is _MP4 and (announced or "").startswith("audio/") else found
    return _guess(head, _extension(name))


def _guess(head: bytes, extension: str) -> FileType:
    # Imported here because its tables are large, and what customers mostly send is recognised without them.
    import puremagic  # noqa: PLC0415 - see above

    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        found = []
    known = [match for match in found if match.mime_type and match.confidence >= 0.4]
    fitting = [match for match in known if match.extension.lstrip(".") == extension.lstrip(".")]
    if fitting or known:
        return FileType((fitting or known)[0].mime_type, extension)
    return FileType(_text_type(head, extension), extension)


_TEXT = {".csv": "text/csv", ".txt": "text/plain", ".log": "text/plain"}


def _text_type(head: bytes, extension: str) -> str:
    if extension not in _TEXT or b"\0" in head:
        return OPAQUE
    try:
        head[:-4].decode("utf-8", "strict")
    except UnicodeDecodeError:
        return OPAQUE
    return _TEXT[extension]


# ---------------------------------------------------------------- names

#: Categories of characters that reorder, break or hide.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: What some system takes for a separator.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u2044\u2215\u2216\u29f5\u29f8\ufe68\uff0f\uff3c]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def clean_name(name: str | None, kind: FileType) -> str:
    """Return a name that is safe to show and to offer for saving; files are stored under names of ours."""
    text = unicodedata.normalize("NFC", (name or "")[: 4 * _NAME_CHARACTERS])
    visible = "".join(character for character in text if unicodedata.category(character) not in _INVISIBLE)
    plain = _FORBIDDEN.sub("_", visible).strip(" ._")
    if not plain or _DEVICES.fullmatch(plain):
        plain = f"file{_extension(plain)}"
    if kind.inline and _extension(plain) != kind.extension:
        plain += kind.extension
    return _shorten(plain)


def _extension(name: str | None) -> str:
    stem, dot, extension = (name or "").rpartition(".")
    return f".{extension.lower()}" if stem and dot and extension.isalnum() and len(extension) <= 8 else ""


def _shorten(name: str) -> str:
    extension = _extension(name)
    return name if len(name) <= _NAME_CHARACTERS else name[: _NAME_CHARACTERS - len(extension)] + extension
