"""The registry over entry points: names, suggestions, broken and conflicting distributions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from equilibria.sim import registry
from equilibria.sim.errors import MissingExtra, PluginError, UnknownName
from equilibria.sim.plugin import KINDS, Family, Kind, NoSettings, Plugin


@pytest.fixture(autouse=True)
def _toys(toys: Path) -> None:
    """Every test here uses the toy plugins."""


def distribution(folder: Path, name: str, entry_points: str, code: str = "") -> None:
    """Lay out an installed distribution."""
    info = folder / f"{name.replace('-', '_')}-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    (folder / f"{name.replace('-', '_')}.py").write_text(code)


def test_find_returns_the_descriptor() -> None:
    plugin = registry.find("game", "toy_walk")
    assert isinstance(plugin, Plugin) and plugin.name == "toy_walk"
    assert registry.distribution("game", "toy_walk") == ("equilibria-toys", "1.0")


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("game", "toy_wakl", "unknown game 'toy_wakl'; did you mean 'toy_walk'"),
        ("mechanism", "zzzzz", "a plugin provides more by entry points of the group 'equilibria.mechanisms'"),
        ("metric", "toy_learner", "it is the name of an agent, not of a metric"),
        ("agent", "toy_tax", "it is the name of a mechanism, not of an agent"),
    ],
)
def test_unknown_name_says_what_is_near(kind: Kind, name: str, says: str) -> None:
    with pytest.raises(UnknownName, match=says) as caught:
        registry.find(kind, name)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "toy_broken",
            r"game 'toy_broken' of equilibria-toys 1\.0 \(entry point 'equilibria_toys_missing:walk'\) cannot",
        ),
        ("toy_number", r"must refer to a sim\.plugin\.Plugin, found int"),
        ("toy_misnamed", "entry point and descriptor must agree"),
    ],
)
def test_broken_plugin_names_distribution_and_entry_point(name: str, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        registry.find("game", name)


def test_broken_plugins_are_listed_and_stop_nobody() -> None:
    found = registry.all_plugins("game")
    broken = {p.name for p in found if isinstance(p, registry.BrokenPlugin) and p.name.startswith("toy_")}
    assert broken == {"toy_broken", "toy_number", "toy_misnamed"}
    assert "toy_walk" in {p.name for p in found if isinstance(p, Plugin)}
    assert [p.name for p in found] == sorted(p.name for p in found)


def test_two_distributions_with_one_name_are_an_error_that_names_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, "rival-toys", "[equilibria.games]\ntoy_walk = equilibria_toys:walk\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.refresh()
    with pytest.raises(PluginError, match=r"provided twice, by equilibria-toys 1\.0 .* and rival-toys 2\.0"):
        registry.find("game", "toy_walk")
    listed = [p for p in registry.all_plugins("game") if p.name == "toy_walk"]
    assert isinstance(listed[0], registry.BrokenPlugin) and listed[0].distribution == "equilibria-toys, rival-toys"
    assert registry.find("agent", "toy_learner").name == "toy_learner"


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "raise RuntimeError('no')", "import this_is_missing", "x = ("])
def test_a_module_that_fails_to_import_is_a_plugin_error(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, "bad-toys", "[equilibria.metrics]\nbad = bad_toys:metric\n", code)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.refresh()
    with pytest.raises(PluginError, match=r"metric 'bad' of bad-toys 2\.0"):
        registry.find("metric", "bad")
    monkeypatch.delitem(sys.modules, "bad_toys", raising=False)


def test_missing_extra_names_the_command() -> None:
    with pytest.raises(MissingExtra, match=r"pip install \"equilibria\[moon\]\""):
        registry.find("game", "toy_extra").load()


def test_missing_target_is_a_plugin_error() -> None:
    plugin = Plugin(kind="game", name="x", summary="", target="equilibria_toys:nothing")
    with pytest.raises(PluginError, match="cannot import 'equilibria_toys:nothing'"):
        plugin.load()


def test_every_part_of_the_product_can_be_described() -> None:
    for kind in KINDS:
        for name in registry.names(kind):
            if registry.distribution(kind, name)[0] == registry.PRODUCT:
                plugin = registry.find(kind, name)
                assert plugin.summary and not plugin.summary.endswith(" ")
                for field in plugin.settings.model_fields.values():
                    assert field.description, (kind, name, field)


def test_a_family_shares_package_engines_and_forms_unless_a_plugin_has_its_own() -> None:
    family = Family(package="pack.age", engines=("extensive",), forms=("team",), reference="paper")
    agent = family.agent("a", "does", "build:a", NoSettings, forms=(), requires="learn", modules=("torch",))
    assert (agent.kind, agent.target, agent.produces) == ("agent", "pack.age.build:a", "solver")
    assert (agent.engines, agent.forms, agent.reference, agent.modules) == (("extensive",), (), "paper", ("torch",))
    metric = family.metric("m", "counts", "metrics:M", "units", "lower")
    assert (metric.unit, metric.direction, metric.forms, metric.settings) == ("units", "lower", ("team",), NoSettings)
    assert family.game("g", "is", "build:g", NoSettings, engines=("training",)).engines == ("training",)
