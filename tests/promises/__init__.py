"""The promise tests: real servers, real kills, one history.

How to use what is shared here:

- `servers` (fixture, conftest.py): `server = await servers(database_url)` starts a real `trunkline serve` and waits for
  its /health/ready; keywords: `config` (more TOML), `accounts` (TOML of `[[accounts]]`; `line_account()` by default),
  `seeds` ({"name": value}, see seeds.py), `under` (a command in front, such as strace).
  What was started is killed at the end of the test.
- `Server` (processes.py): `start()`, `stop()` (SIGTERM, returns the exit code), `kill()` (kill -9), `signal(n)`,
  `wait()`, `ready()`, `pid`, `port`, `address`, `journal()` (what it wrote to stderr), `rss()`,
  `limit_files(bytes)` (a full disk), `command(…)` (another command with its configuration). A stopped server
  may be started again: same port, same database.
- `database_url` (fixture): the test runs on SQLite and on PostgreSQL, each time on an empty database; `sqlite_url`
  and `postgres_url` for one of them.
- `Line` (clients.py): signed LINE webhooks over n kept connections; writes every call into a `History`.
- `History` and `Database` (history.py): what clients saw, what the database has, and `judge(history, database)`.
- `seeds.py`: the deliberate breaks by name. A promise test runs its body once more with its seed and expects the
  checker to find something.
- `rounds(push=…, long=…)` (tests/conftest.py): figures; `TRUNKLINE_ROUNDS=push` for those of a push run.
"""
