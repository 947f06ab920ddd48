"""The registry: broken plugins are reported, the rest serve."""

from __future__ import annotations

import pytest

from tests.core.plugin_maker import CONNECTOR, Shelf
from trunkline.plugins import BrokenPlugin, Registry, load_registry

SPEC = "SPEC = ConnectorSpec("

#: What is wrong → (old text, new text) of a working connector, words that must be in the report.
BREAKS = {
    "a missing library": (("import base64", "import no_such_library"), "no_such_library"),
    "an error while importing": (("import base64", "1 / 0"), "ZeroDivisionError"),
    "an exit while importing": (("import base64", "raise SystemExit('bye')"), "bye"),
    "a hook that returns a number": (("return [SPEC]", "return 42"), "returned a value of type int"),
    "a hook that returns one spec": (("return [SPEC]", "return SPEC"), "instead of a list"),
    "a hook that returns classes": (("return [SPEC]", "return [Shop]"), "the class Shop"),
    "a hook that returns nothing": (("return [SPEC]", "pass"), "neither a connector nor an application"),
    "a hook that raises": (("return [SPEC]", "raise KeyError('lost')"), "lost"),
    "an asynchronous hook": (("def trunkline_connectors", "async def trunkline_connectors"), "async def"),
    "a hook with a wrong name": (("def trunkline_connectors", "def trunkline_conectors"), "trunkline_conectors"),
    "a hook with a wrong argument": (("trunkline_connectors()", "trunkline_connectors(house)"), "house"),
    "a hook without a mark": (("@hookimpl\n", ""), "marked with @hookimpl"),
    "another contract": ((SPEC, f"{SPEC} contract=99,"), "written for contract 99, this Trunkline speaks contract 1"),
    "no English title": (('title={"en": "odd shops"}', 'title={"fr": "magasins"}'), "title in English"),
    "a blank title of the channel": (('title={"en": "odd shop"}', 'title={"en": " "}'), "title in English"),
    "a config that is no model": (("config=Config", "config=dict"), "pydantic model"),
    "a config that swallows typos": (('extra="forbid")\n    shop_key', 'extra="ignore")\n    shop_key'), "forbid"),
    "a build that is no function": (("build=Shop", "build=None"), "build must be a function"),
    "no channels": (("channels=(Channel(", "channels=() and (Channel("), "at least one Channel"),
    "a channel that is none": (("channels=(Channel(", "channels=('odd',) or (Channel("), "instead of a Channel"),
    "capabilities that are none": (("capabilities=CAPABILITIES", "capabilities={}"), "instead of Capabilities"),
    "a name with capitals": (('name="odd"', 'name="Odd"'), "lower-case"),
    "a name that is a number": (('name="odd"', "name=7"), "lower-case"),
}


def _only(registry: Registry, distribution: str = "trunkline-odd") -> BrokenPlugin:
    (broken,) = [plugin for plugin in registry.broken if plugin.distribution == distribution]
    return broken


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_plugin_is_reported_and_the_rest_serve(case: str, shelf: Shelf) -> None:
    change, words = BREAKS[case]
    shelf.install_connector("good")
    shelf.install_connector("odd", change)

    registry = load_registry()

    assert "good" in registry.connectors
    assert registry.channels["good"][1].title["en"] == "good shop"
    assert "odd" not in registry.connectors
    assert "odd" not in registry.channels
    broken = _only(registry)
    assert words in broken.error
    assert (broken.name, broken.version) == ("odd", "1.0")
    assert "\n" not in broken.error
    assert "Traceback" not in broken.error


@pytest.mark.parametrize(
    ("case", "advice"),
    [
        ("a missing library", "no_such_library is missing"),
        ("another contract", "made for this Trunkline"),
        ("a hook that raises", "Tell the author of trunkline-odd 1.0"),
    ],
)
def test_the_report_says_what_to_do(case: str, advice: str, shelf: Shelf) -> None:
    shelf.install_connector("odd", BREAKS[case][0])
    broken = _only(load_registry())
    assert advice in broken.advice
    assert 'disabled = ["odd"]' in broken.advice


def test_of_two_plugins_with_one_connector_the_first_serves(shelf: Shelf) -> None:
    shelf.install("aaa", CONNECTOR.format(name="shop"))
    shelf.install("bbb", CONNECTOR.format(name="shop"))
    registry = load_registry()
    assert "shop" in registry.connectors
    broken = _only(registry, "trunkline-bbb")
    assert broken.error == "another plugin already brings the connector 'shop'"
    assert "Uninstall one of the two" in broken.advice


def test_of_two_plugins_with_one_channel_the_first_serves(shelf: Shelf) -> None:
    shelf.install("aaa", CONNECTOR.format(name="shop"))
    shelf.install("bbb", CONNECTOR.format(name="shop").replace('name="shop", title', 'name="store", title'))
    registry = load_registry()
    assert registry.channels["shop"][0].name == "shop"
    assert "store" not in registry.connectors
    assert "the channel 'shop'" in _only(registry, "trunkline-bbb").error


def test_an_entry_point_without_a_module_is_reported(shelf: Shelf) -> None:
    module = shelf.install_connector("odd")
    (shelf.folder / f"{module}.py").unlink()
    assert module in _only(load_registry()).error


def test_a_disabled_plugin_is_not_even_imported(shelf: Shelf) -> None:
    shelf.install_connector("odd", ("import base64", "raise SystemExit"))
    for named in ("odd", "trunkline-odd"):
        registry = load_registry([named])
        assert not [plugin for plugin in registry.broken if plugin.name == "odd"]
        assert [plugin.disabled for plugin in registry.plugins if plugin.name == "odd"] == [True]


def test_a_broken_plugin_is_found_by_the_connector_that_it_would_bring(shelf: Shelf) -> None:
    shelf.install_connector("odd", ("import base64", "1 / 0"))
    registry = load_registry()
    found = registry.broken_connector("odd")
    assert found is not None
    assert found.distribution == "trunkline-odd"
    assert registry.broken_connector("never") is None


def test_a_secret_in_an_import_error_is_not_reported(shelf: Shelf) -> None:
    from trunkline.log import forget_secrets, keep_secret

    keep_secret("canary-in-an-import-0001")
    try:
        shelf.install_connector("odd", ("import base64", "raise ValueError('canary-in-an-import-0001')"))
        assert "canary" not in _only(load_registry()).error
    finally:
        forget_secrets()


def test_an_application_is_found_beside_connectors(shelf: Shelf) -> None:
    more = (
        "\n\nfrom trunkline.contract import Application, ApplicationSpec\n\n\n"
        "@hookimpl\ndef trunkline_applications():\n"
        '    return [ApplicationSpec(name="watch", title={"en": "Watch"}, build=lambda house: Application())]\n'
    )
    shelf.install_connector("good", more=more)
    registry = load_registry()
    assert registry.applications["watch"].title["en"] == "Watch"
    assert registry.applications["watch"].migrations is None
