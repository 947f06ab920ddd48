"""A disk for SQLite that loses power: what was written and not yet synced may be lost, each write by itself.

It stands in memory. SQLite sees what it wrote; `cut` says what a machine would find after the power failed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import apsw

__all__ = ["Disk", "PowerCut"]

#: One write that is not yet on the platters: (offset, data), or (length, None) for a truncation.
_Op = tuple[int, bytes | None]


class PowerCut(Exception):
    """The power failed in the middle of something."""


@dataclass
class _Stored:
    """One file: as programs see it, as the platters have it, and what lies between."""

    seen: bytearray = field(default_factory=bytearray)
    synced: bytearray = field(default_factory=bytearray)
    pending: list[_Op] = field(default_factory=list)

    def do(self, op: _Op) -> None:
        _apply(self.seen, op)
        self.pending.append(op)

    def sync(self) -> None:
        for op in self.pending:
            _apply(self.synced, op)
        self.pending.clear()

    def after_cut(self, lot: random.Random) -> bytearray:
        for op in self.pending:
            if lot.random() < 0.5:
                _apply(self.synced, op)
        return self.synced


def _apply(content: bytearray, op: _Op) -> None:
    offset, data = op
    if data is None:
        del content[offset:]
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


class Disk(apsw.VFS):
    """The disk. `fuse` counts down with every write and sync; at 0 the power fails."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(name, base="unix")
        self.name = name
        self.files: dict[str, _Stored] = {}
        self.fuse = -1
        #: While a connection to a dead disk is taken down, which must change nothing.
        self._dark = False
        self._live: list[_File] = []
        self._keep(_main(name), bytearray(content))

    def open(self) -> apsw.Connection:
        """Open the database on this disk. The write-ahead index is kept in memory: no other process looks."""
        connection = apsw.Connection(_main(self.name), vfs=self.name)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        return connection

    def cut(self, connection: apsw.Connection, lot: random.Random) -> None:
        """Let the power fail now: from here on the disk holds what a machine would find."""
        self._dark = True
        for file in self._live:
            file.dead = True
        self._live.clear()
        connection.close(force=True)
        for name, stored in list(self.files.items()):
            self._keep(name, stored.after_cut(lot))
        self.fuse, self._dark = -1, False

    def burn(self) -> None:
        """Count one write or sync."""
        if self.fuse > 0:
            self.fuse -= 1
        if self.fuse == 0:
            raise PowerCut

    def _keep(self, name: str, content: bytearray) -> None:
        self.files[name] = _Stored(bytearray(content), bytearray(content))

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _File:  # type: ignore[override]  # noqa: N802 - it only has to look like a VFSFile; SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        file = _File(self, self.files.setdefault(path, _Stored()))
        self._live.append(file)
        flags[1] = flags[0]
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        if not self._dark:
            self.files.pop(filename, None)

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802 - SQLite's name
        return pathname in self.files

    def xFullPathname(self, name: str) -> str:  # noqa: N802 - SQLite's name
        return name


class _File:
    """One open file. apsw calls what has these names; a dead file takes everything and keeps nothing."""

    def __init__(self, disk: Disk, stored: _Stored) -> None:
        self._disk, self._stored, self.dead = disk, stored, False

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        return bytes(self._stored.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._change((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._change((newsize, None))

    def _change(self, op: _Op) -> None:
        if not self.dead:
            self._disk.burn()
            self._stored.do(op)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if not self.dead:
            self._disk.burn()
            self._stored.sync()

    def xFileSize(self) -> int:  # noqa: N802 - SQLite's name
        return len(self._stored.seen)

    def xClose(self) -> None:  # noqa: N802 - SQLite's name
        pass

    def xLock(self, level: int) -> None:  # noqa: N802 - SQLite's name
        pass

    def xUnlock(self, level: int) -> None:  # noqa: N802 - SQLite's name
        pass

    def xCheckReservedLock(self) -> bool:  # noqa: N802 - SQLite's name
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: N802 - SQLite's name
        return False

    def xSectorSize(self) -> int:  # noqa: N802 - SQLite's name
        return 4096

    def xDeviceCharacteristics(self) -> int:  # noqa: N802 - SQLite's name
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE


def _main(name: str) -> str:
    return f"/{name}/trunkline.db"
