"""Files of media on the disk: streamed in, recognised, pictures written anew, shown only when they are whole.

A file is written under a temporary name, synced and renamed; the row that points to it is committed after that.
What a killed process leaves behind is therefore a file without a row, which the sweeper finds, and never half a
picture.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from trunkline.contract import Clock
from trunkline.errors import TrunklineError
from trunkline.log import get_logger
from trunkline.service.durations import duration_ms
from trunkline.service.filetypes import HEAD, OPAQUE, FileType, clean_name, recognise

__all__ = ["MediaFiles", "MediaLimits", "MediaRefused", "Taken"]

log = get_logger("service")

_MIB = 1024 * 1024
_BUFFER = 256 * 1024
_NAME = re.compile(r"[0-9a-f]{32}")
_CHILD = Path(__file__).with_name("picture.py")
#: Pictures that are read at the same time, each in a process of its own.
_CHILDREN = 2


class MediaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a file may cost."""

    max_bytes: int = 25 * _MIB
    #: Nothing is taken while the disk has less room than this.
    free_space_floor: int = 200 * _MIB
    #: From the request to the last byte of one file.
    fetch_s: float = 30.0
    per_account: int = 4
    max_pixels: int = 40_000_000
    #: 40 million pixels of RGBA are 160 MB, twice while they are turned upright.
    picture_memory: int = 512 * _MIB
    picture_cpu_s: int = 10
    preview_bytes: int = 1_000_000


class MediaRefused(TrunklineError):
    """The file was not taken; `code` is stable, `detail` is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One file in its place, not yet in the database."""

    file: str
    preview_file: str | None
    mime: str
    size: int
    name: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


class MediaFiles:
    """The folder. Names in it are random and come from nowhere else."""

    def __init__(self, folder: Path, clock: Clock, limits: MediaLimits) -> None:
        self.folder, self.limits = folder, limits
        self._clock = clock
        self._children = asyncio.Semaphore(_CHILDREN)
        #: Names that are being written, not to be swept.
        self._busy: set[str] = set()

    def path(self, name: str) -> Path | None:
        """Return where a file is, None if there is none of this name."""
        if _NAME.fullmatch(name) is None:
            return None
        path = self._place(name)
        return path if path.is_file() else None

    async def take(
        self, chunks: AsyncIterator[bytes], *, name: str | None, announced: str | None, strict: bool
    ) -> Taken:
        """Store a stream. With `strict` a picture that cannot be read is refused, else kept as a plain file.

        Raises:
            MediaRefused: too_large, empty, disk_full, picture_too_large, picture_unreadable.
        """
        self._check_room()
        target, preview = self._new_name(), self._new_name()
        try:
            size, head = await self._spool(chunks, target)
            kind = recognise(head, name=name, announced=announced)
            if kind.picture:
                return await self._take_picture(target, preview, name, strict=strict)
            length = await asyncio.to_thread(duration_ms, self._part(target), kind.mime)
            await asyncio.to_thread(self._settle, target)
            shown = clean_name(name, kind)
            return Taken(file=target, preview_file=None, mime=kind.mime, size=size, name=shown, duration_ms=length)
        except OSError as error:
            raise _as_refusal(error) from error
        finally:
            self._busy -= {target, preview}
            for left in (target, preview):
                self._part(left).unlink(missing_ok=True)

    def remove(self, *names: str | None) -> None:
        """Delete files; those that are gone already are no error."""
        for name in names:
            if name is not None and _NAME.fullmatch(name):
                self._place(name).unlink(missing_ok=True)

    def old_names(self, older_than_ms: int) -> Iterator[str]:
        """Yield files that were written before a moment, and delete half-written ones of that age."""
        for path in self.folder.glob("??/*"):
            if path.name.partition(".")[0] in self._busy or path.stat().st_mtime * 1000 >= older_than_ms:
                continue
            if _NAME.fullmatch(path.name):
                yield path.name
            else:
                path.unlink(missing_ok=True)

    def _place(self, name: str) -> Path:
        return self.folder / name[:2] / name

    def _part(self, name: str) -> Path:
        return self._place(name).with_suffix(".part")

    def _new_name(self) -> str:
        name = secrets.token_hex(16)
        self._place(name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._busy.add(name)
        return name

    def _check_room(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(self.folder).free < self.limits.free_space_floor:
            raise MediaRefused("disk_full", "There is not enough room on the disk to store files.")

    async def _spool(self, chunks: AsyncIterator[bytes], name: str) -> tuple[int, bytes]:
        """Write a stream to its temporary file and return its size and its head."""
        size, head, buffer = 0, b"", bytearray()
        descriptor = os.open(self._part(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > self.limits.max_bytes:
                    raise MediaRefused("too_large", f"A file may have at most {self.limits.max_bytes} bytes.")
                if len(head) < HEAD:
                    head += chunk[: HEAD - len(head)]
                buffer += chunk
                if len(buffer) >= _BUFFER:
                    await asyncio.to_thread(_write, file.fileno(), bytes(buffer))
                    buffer.clear()
            await asyncio.to_thread(_write, file.fileno(), bytes(buffer))
        if size == 0:
            raise MediaRefused("empty", "The file is empty.")
        return size, head

    async def _take_picture(self, source: str, preview: str, name: str | None, *, strict: bool) -> Taken:
        """Write a picture anew; the original is deleted, and with it where and by whom it was taken."""
        target = self._new_name()
        try:
            done = await self._in_child(source, target, preview)
            if done.error is not None:
                return await self._refuse_picture(source, name, done.error, strict=strict)
            size = self._part(target).stat().st_size
            await asyncio.to_thread(self._settle, target)
            await asyncio.to_thread(self._settle, preview)
            kind = FileType(done.mime, _EXTENSIONS[done.mime], inline=True)
            return Taken(
                file=target,
                preview_file=preview,
                mime=done.mime,
                size=size,
                name=clean_name(_stem(name), kind),
                width=done.width,
                height=done.height,
            )
        finally:
            self._busy.discard(target)
            self._part(target).unlink(missing_ok=True)

    async def _refuse_picture(self, source: str, name: str | None, code: str, *, strict: bool) -> Taken:
        if strict:
            raise MediaRefused(code, _WORDS[code])
        log.info("media.kept_as_file", reason=code)
        size = self._part(source).stat().st_size
        await asyncio.to_thread(self._settle, source)
        shown = clean_name(name, FileType(OPAQUE))
        return Taken(file=source, preview_file=None, mime=OPAQUE, size=size, name=shown)

    async def _in_child(self, source: str, target: str, preview: str) -> _Answer:
        limits = self.limits
        job = {
            "source": str(self._part(source)),
            "target": str(self._part(target)),
            "preview": str(self._part(preview)),
            "max_pixels": limits.max_pixels,
            "preview_bytes": limits.preview_bytes,
            "memory": limits.picture_memory,
            "cpu_s": limits.picture_cpu_s,
            "file_bytes": max(limits.max_bytes * 4, 64 * _MIB),
        }
        async with self._children:
            return await _run_child(msgspec.json.encode(job).decode(), wall_s=3.0 * limits.picture_cpu_s)

    def _settle(self, name: str) -> None:
        """Sync a finished temporary file and give it its name, for good."""
        part, place = self._part(name), self._place(name)
        moment = self._clock.now_ms() / 1000
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o600)
        os.utime(part, (moment, moment))
        part.rename(place)
        descriptor = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class _Answer(msgspec.Struct):
    """What the child says."""

    mime: str = ""
    width: int | None = None
    height: int | None = None
    error: str | None = None


_EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}
_WORDS = {
    "picture_too_large": "The picture has too many pixels.",
    "picture_unreadable": "The picture cannot be read; it may be damaged.",
}


async def _run_child(job: str, *, wall_s: float) -> _Answer:
    """Run `picture.py`; a child that dies or hangs has met a picture that nobody should read."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_CHILD),
        job,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(wall_s):
            said, _ = await child.communicate()
    except TimeoutError:
        return _Answer(error="picture_too_large")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        return _Answer(error="picture_too_large" if child.returncode < 0 else "picture_unreadable")
    return msgspec.json.decode(said, type=_Answer)


def _stem(name: str | None) -> str | None:
    """Drop the extension of a picture: its format may have changed."""
    stem, dot, extension = (name or "").rpartition(".")
    return stem if stem and dot and len(extension) <= 5 else name


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _as_refusal(error: OSError) -> MediaRefused:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return MediaRefused("disk_full", "The disk for files is full.")
    return MediaRefused("storage_failed", f"The file could not be stored ({type(error).__name__}).")
