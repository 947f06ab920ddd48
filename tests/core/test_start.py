"""What a start loads: what nobody asked for yet costs neither time nor memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trunkline.main import open_house
from trunkline.settings import load_settings

#: Runs as `trunkline serve` does, and prints what is loaded when it is ready.
SERVE = """
import json, os, signal, sys
from pathlib import Path
from trunkline.cli.serving import serve
import trunkline.main

begin = trunkline.main.serve

def told(settings):
    def ready(house, address):
        accounts = [account.id for account in house.accounts.all() if account.connector]
        print(json.dumps({"modules": sorted(sys.modules), "accounts": accounts}), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
    return begin(settings, on_ready=ready)

trunkline.main.serve = told
serve(Path(sys.argv[1]))
"""

#: Needed now and then, or by other commands: package → when.
LATER = {
    "PIL": "a picture is cleaned",
    "alembic": "the schema is changed",
    "httpcore2": "nothing: our client sends over aiohttp",
    "joserfc": "a visitor shows a token",
    "mako": "the schema is changed",
    "puremagic": "a file is none of the usual ones",
    "pygments": "nothing: it comes with rich",
    "rich": "a command prints a table",
    "trunkline.cli.checks": "the doctor is asked",
    "trunkline.demo": "the demo is run",
    "trunkline.testing": "a connector is tested or shown",
    "trunkline_baidu.connector": "it has an account",
    "trunkline_facebook.connector": "it has an account",
    "trunkline_wechat.kf.connector": "it has an account",
    "trunkline_weibo.connector": "it has an account",
    "trunkline_whatsapp.connector": "it has an account",
    "zxcvbn": "somebody chooses a password",
}


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """One account, on an address that nobody else has."""
    file = tmp_path / "trunkline.toml"
    file.write_text(
        '[server]\nlisten = "127.0.0.1:0"\nmetrics_listen = "off"\n[[accounts]]\nid = "shop"\nconnector = "line"\n'
        'settings = { channel_id = "1", channel_secret = "invented-secret", access_token = "invented-token", '
        'api_base = "http://127.0.0.1:9" }\n'
    )
    return file


async def test_a_start_loads_nothing_that_is_needed_later_or_never(configuration: Path) -> None:
    # The database is there, as at every start but the first.
    async with open_house(load_settings(configuration)):
        pass
    run = subprocess.run(
        [sys.executable, "-c", SERVE, str(configuration)],
        capture_output=True, text=True, timeout=100, check=True, cwd=configuration.parent,
    )  # fmt: skip
    told = json.loads(run.stdout)
    loaded = set(told["modules"])
    assert told["accounts"] == ["shop"]
    assert {"trunkline_line.connector", "trunkline_desk.application", "trunkline.hosted.door"} <= loaded
    assert sorted(loaded & LATER.keys()) == []
