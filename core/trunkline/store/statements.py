"""How the statements of one transaction reach the database: at once, or together with the next that has an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Statements", "statements_of"]


class Statements(Protocol):
    """The way of one database. Statements take effect in the order in which they were given."""

    def put(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement whose answer nobody needs; what is wrong with it may be raised later, by `settle` at last."""
        ...

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run a statement and return its rows as tuples."""
        ...

    def settle(self) -> None:
        """Return when everything that was put has been done."""
        ...

    def drop(self) -> None:
        """Forget what was put and not yet done."""
        ...


class _AtOnce:
    """SQLite lives in this process: there is nothing to save."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def put(self, sql: str, values: Sequence[Any] = ()) -> None:
        self._driver.execute(sql, values).close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        cursor = self._driver.execute(sql, values)
        found: list[Any] = cursor.fetchall()
        cursor.close()
        return found

    def settle(self) -> None:
        """Nothing waits."""

    drop = settle


class _Together:
    """Every answer of PostgreSQL is a journey there and back: what needs none travels with what does.

    psycopg's usual cursor takes `%s` and reads every statement for them, with more than 50 parameters each time anew;
    the raw one sends SQL as the database itself reads it.
    """

    def __init__(self, driver: Any) -> None:
        from psycopg import RawCursor  # noqa: PLC0415 - SQLite's users need not load this driver

        self._driver, self._cursor = driver, RawCursor
        self._waiting: list[tuple[str, Sequence[Any]]] = []

    def put(self, sql: str, values: Sequence[Any] = ()) -> None:
        self._waiting.append((sql, values))

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        if not self._waiting:
            return self._run(sql, values)
        with self._driver.pipeline():
            self._send()
            return self._run(sql, values)

    def settle(self) -> None:
        if self._waiting:
            with self._driver.pipeline():
                self._send()

    def drop(self) -> None:
        self._waiting.clear()

    def _run(self, sql: str, values: Sequence[Any]) -> list[Any]:
        with self._cursor(self._driver) as cursor:
            found: list[Any] = cursor.execute(sql, values).fetchall()
            return found

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for sql, values in waiting:
            self._cursor(self._driver).execute(sql, values)


def statements_of(connection: Connection) -> Statements:
    """Return the way of this connection's database."""
    driver = connection.connection.driver_connection
    return _Together(driver) if connection.dialect.name == "postgresql" else _AtOnce(driver)
