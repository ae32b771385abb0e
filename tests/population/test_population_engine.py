"""The population engine: recording points, chunks, resume, samples, and its errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equilibria.games.population import plugins
from equilibria.sim.contract import AgentSpec, Engine, EngineContext, MetricSpec, TableSpec
from equilibria.sim.engines.plugins import population
from equilibria.sim.engines.population import PopulationEngine, PopulationView, build
from equilibria.sim.errors import InvalidValue, UnknownName, UnsupportedGame
from equilibria.sim.plugin import Plugin
from equilibria.sim.seeds import SeedTree

WORLDS: dict[str, tuple[Plugin, dict[str, Any], list[tuple[Plugin, dict[str, Any], int]]]] = {
    "wealth": (
        plugins.wealth_exchange,
        {"agents": 50, "activation": "random-sequential"},
        [(plugins.gini, {}, 3), (plugins.mean_wealth, {}, 5), (plugins.top_share, {"share": 0.2}, 4)],
    ),
    "grid": (
        plugins.wealth_grid,
        {"agents": 40, "width": 5, "height": 6, "activation": "simultaneous"},
        [(plugins.gini, {}, 2)],
    ),
    "schelling": (
        plugins.schelling,
        {"width": 8, "height": 9, "activation": "random-sequential"},
        [(plugins.segregation_index, {}, 2), (plugins.unhappy_share, {}, 3)],
    ),
    "contagion": (
        plugins.contagion,
        {"model": "sis", "infection": 0.2, "recovery": 0.3, "initial_infected": 9, "activation": "simultaneous",
         "graph": {"generator": "star_graph", "params": {"n": 40}}},
        [(plugins.prevalence, {}, 3), (plugins.attack_rate, {}, 1)],
    ),
}  # fmt: skip


def engine(world: str, budget: int = 12, *, sample: int | None = 7, every: int = 4, seed: int = 9) -> PopulationEngine:
    plugin, parameters, metrics = WORLDS[world]
    seeds = SeedTree(seed)
    model = plugin.settings.model_validate(parameters)
    context = EngineContext(
        game=plugin.load()(model, seeds=seeds.child("game")),
        game_plugin=plugin,
        game_settings=model,
        agents=(),
        mechanisms=(),
        metrics=[MetricSpec(plugin=p, settings=p.settings.model_validate(s), every=e) for p, s, e in metrics],
        tables=[TableSpec(name="agents", every=every, sample=sample)],
        budget=budget,
        seeds=seeds,
        threads=1,
    )
    built = build(context)
    built.start(seeds)
    return built


@pytest.mark.parametrize("world", WORLDS)
def test_engine_keeps_the_contract(world: str) -> None:
    assert isinstance(engine(world), Engine)
    assert population.load() is build


def test_metrics_are_recorded_at_multiples_and_at_the_end(recorder: Callable[[], Any]) -> None:
    out, run = recorder(), engine("wealth", budget=11)
    assert run.advance(100, out) == 11
    assert run.advance(100, out) == 0
    assert [u for name, u, _, _ in out.metrics if name == "gini"] == [0, 3, 6, 9, 11]
    assert [u for name, u, _, _ in out.metrics if name == "mean_wealth"] == [0, 5, 10, 11]
    assert [(u, key) for name, u, _, key in out.metrics if name == "top_share"] == [
        (0, "0.2"), (4, "0.2"), (8, "0.2"), (11, "0.2"),
    ]  # fmt: skip
    assert sorted({row[0] for row in out.rows["agents"]}) == [0, 4, 8]


def test_sample_is_drawn_once_and_sorted(recorder: Callable[[], Any]) -> None:
    out, run = recorder(), engine("wealth")
    run.advance(12, out)
    samples = [[row[1] for row in out.rows["agents"] if row[0] == unit] for unit in (0, 4, 8, 12)]
    assert len(samples[0]) == 7
    assert all(s == sorted(set(samples[0])) for s in samples)
    assert out.columns["agents"] == [("unit", "int64"), ("agent", "int64"), ("wealth", "int32")]


def test_sample_of_everybody_keeps_all_agents(recorder: Callable[[], Any]) -> None:
    for sample in (None, 50, 1000):
        out, run = recorder(), engine("wealth", sample=sample)
        run.advance(1, out)
        assert [row[1] for row in out.rows["agents"]] == list(range(50))


@given(
    world=st.sampled_from(sorted(WORLDS)), chunks=st.lists(st.integers(1, 6), min_size=12, max_size=12), cut=st.integers(0, 11)
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_chunks_and_resume_record_the_same(world: str, chunks: list[int], cut: int) -> None:
    whole, split = _Lists(), _Lists()
    engine(world).advance(12, whole)
    run = engine(world)
    for number, n in enumerate(chunks):
        run.advance(n, split)
        if number == cut:
            state = run.save()
            run = engine(world, seed=10)  # everything must come from the state, graph and settings apart
            run.load(state)
    assert split.metrics == whole.metrics
    assert split.rows == whole.rows


class _Lists:
    """A recorder for use inside hypothesis, which refuses function-scoped fixtures."""

    def __init__(self) -> None:
        self.metrics: list[tuple[Any, ...]] = []
        self.rows: list[tuple[Any, ...]] = []

    def metric(self, name: str, unit: Any, value: Any, key: str = "") -> None:
        self.metrics.append((name, unit, value, key))

    def table(self, name: str, columns: Any) -> None:
        self.rows.append((name, {c: v.tolist() for c, v in columns.items()}))


def test_other_seed_gives_other_numbers() -> None:
    one, two = _Lists(), _Lists()
    engine("wealth", seed=1).advance(12, one)
    engine("wealth", seed=2).advance(12, two)
    assert one.metrics != two.metrics


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_ends_with_a_certificate(world: str) -> None:
    run = engine(world)
    run.advance(12, _Lists())
    certificate = run.certificate()
    assert np.isfinite(certificate.value)
    assert certificate.low <= certificate.value <= certificate.high
    assert certificate.to_json()["sentence"]


def test_view_names_the_columns_there_are() -> None:
    game = engine("wealth")._game
    assert PopulationView(game, 0).column("wealth").size == 50
    with pytest.raises(UnknownName, match="did you mean 'wealth'"):
        PopulationView(game, 0).column("welth")


def context(**changes: Any) -> EngineContext:
    plugin, parameters, _ = WORLDS["wealth"]
    model = plugin.settings.model_validate(parameters)
    values: dict[str, Any] = {
        "game": plugin.load()(model, seeds=SeedTree(1)), "game_plugin": plugin, "game_settings": model, "agents": (),
        "mechanisms": (), "metrics": (), "tables": (), "budget": 5, "seeds": SeedTree(1), "threads": 1,
    }  # fmt: skip
    return EngineContext(**{**values, **changes})


def spec(plugin: Plugin, **params: Any) -> MetricSpec:
    return MetricSpec(plugin=plugin, settings=plugin.settings.model_validate(params), every=1)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"game": object()}, UnsupportedGame, "no population world"),
        ({"metrics": [spec(plugins.prevalence)]}, UnknownName, "needs the column 'state'"),
        ({"metrics": [spec(plugins.gini, column="welth")]}, UnknownName, "did you mean 'wealth'"),
        ({"tables": [TableSpec(name="agent", every=1)]}, UnknownName, "did you mean 'agents'"),
        ({"tables": [TableSpec(name="agents", every=0)]}, InvalidValue, "every"),
        ({"tables": [TableSpec(name="agents", every=1, sample=0)]}, InvalidValue, "sample"),
        ({"budget": -1}, InvalidValue, "budget"),
        (
            {"agents": [AgentSpec(role="all", plugin=plugins.gini, settings=plugins.gini.settings())]},
            UnsupportedGame,
            "write agents: \\[\\]",
        ),
    ],
)
def test_what_cannot_run_is_refused_by_name(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build(context(**changes))


def test_a_world_that_hosts_agents_receives_them() -> None:
    received: list[Any] = []

    class Host:
        agents = 3

        def columns(self) -> dict[str, Any]:
            return {}

        def attach(self, agents: Any, mechanisms: Any) -> None:
            received.extend([agents, mechanisms])

    build(context(game=Host(), mechanisms=["tax"]))
    assert received == [(), ["tax"]]
