"""The contagion worlds: limits, theory, an independent reference, graphs and their errors."""

from __future__ import annotations

from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from equilibria.games.population import meanfield
from equilibria.games.population.contagion import Contagion, build, threshold
from equilibria.games.population.networks import build_network, network_of
from equilibria.games.population.settings import ContagionSettings, GraphSettings
from equilibria.sim.errors import InvalidValue, UnknownName
from equilibria.sim.seeds import SeedTree

TREE = SeedTree(21)
ACTIVATIONS = ["random-sequential", "simultaneous"]


def world(
    graph: str, params: dict[str, Any], *, activation: Any = "random-sequential", model: Any = "sir", **settings: Any
) -> Contagion:
    parameters = {"infection": 0.5, "recovery": 0.5, **settings}
    game = build(
        ContagionSettings(
            model=model, activation=activation, graph=GraphSettings(generator=graph, params=params), **parameters
        ),
        seeds=TREE,
    )
    game.reset(TREE)
    return game


def reference(draws: Any, game: Contagion, steps: int) -> tuple[list[int], list[int]]:
    s, net, key = game._settings, game.network, int(TREE.child("contagion").key())
    near = [net.target[net.start[i] : net.start[i + 1]].tolist() for i in range(net.nodes)]
    state, count = game._state.tolist(), game._infections.tolist()
    after = 0 if s.model == "sis" else 2
    infect, recover = round(s.infection * 2**32), round(s.recovery * 2**32)
    for step in range(1, steps + 1):
        old = list(state)
        if s.activation == "simultaneous":
            for i in range(net.nodes):
                word = draws.word(key, step, 1, i)
                k = sum(old[j] == 1 for j in near[i])
                if old[i] == 0 and word < round((1 - (1 - s.infection) ** k) * 2**32):
                    state[i], count[i] = 1, count[i] + 1
                elif old[i] == 1 and word < recover:
                    state[i] = after
            continue
        met = 0
        for p, i in enumerate(draws.permutation(key, step, 0, net.nodes)):
            if state[i] != 1:
                continue
            for j in near[i]:
                if state[j] == 0 and draws.word(key, step, 2, met) < infect:
                    state[j], count[j] = 1, count[j] + 1
                met += 1
            if draws.word(key, step, 1, p) < recover:
                state[i] = after
    return state, count


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("model", ["sis", "sir"])
@pytest.mark.parametrize(
    ("graph", "params"),
    [
        ("barabasi_albert_graph", {"n": 40, "m": 3}),
        ("star_graph", {"n": 30}),
        ("gnp_random_graph", {"n": 60, "p": 0.03}),
        ("empty_graph", {"n": 5}),
        ("complete_graph", {"n": 40}),  # more contacts than one buffer of words
        ("random_regular_graph", {"d": 3, "n": 1500}),  # more agents than one block
    ],
)
def test_contagion_agrees_with_an_independent_reference(
    draws: Any, activation: str, model: str, graph: str, params: dict[str, Any]
) -> None:
    game = world(graph, params, activation=activation, model=model, infection=0.3, recovery=0.35, initial_infected=3)
    expected = reference(draws, game, 8)
    game.run(1, 8)
    assert (game._state.tolist(), game._infections.tolist()) == expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_spreads_without_infection(activation: str) -> None:
    game = world("complete_graph", {"n": 50}, activation=activation, infection=0.0, recovery=0.3, initial_infected=7)
    game.run(1, 100)
    assert game.attack_rate() == 7 / 50
    assert game.prevalence() == 0.0
    assert game.certificate().value == 0.0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_certain_infection_takes_a_complete_graph_in_one_period(activation: str) -> None:
    game = world("complete_graph", {"n": 50}, activation=activation, infection=1.0, recovery=0.0)
    game.run(1, 1)
    assert game.prevalence() == 1.0


def test_simultaneous_infection_passes_one_link_per_period() -> None:
    game = world("star_graph", {"n": 10}, activation="simultaneous", infection=1.0, recovery=0.0)
    game._state[:] = 0
    game._state[3] = 1  # a leaf; the hub is node 0
    game.run(1, 1)
    assert np.flatnonzero(game._state).tolist() == [0, 3]
    game.run(2, 1)
    assert game.prevalence() == 1.0


@pytest.mark.parametrize("model", ["sis", "sir"])
def test_recovery_decays_geometrically_without_links(model: str) -> None:
    # 4,000 isolated infected agents, recovery 0.25: after 3 periods a share 0.4219 is infected, sd 0.0078.
    game = world("empty_graph", {"n": 4000}, model=model, recovery=0.25, initial_infected=4000)
    game.run(1, 3)
    assert game.prevalence() == pytest.approx(0.75**3, abs=4 * 0.0078)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_attack_rate_on_a_random_graph_is_the_mean_field_one(activation: str) -> None:
    # Poisson degrees with mean 4, T = 0.333; 400 of 20,000 start infected, so the size varies little.
    game = world(
        "fast_gnp_random_graph", {"n": 20_000, "p": 2e-4}, activation=activation, infection=0.2, recovery=0.5,
        initial_infected=400,
    )  # fmt: skip
    game.run(1, 200)
    certificate = game.certificate()
    assert certificate.value == 0.0
    assert certificate.details["attack_rate"] == pytest.approx(certificate.details["mean_field_attack_rate"], abs=0.03)


def test_simultaneous_endemic_state_has_a_small_net_flow() -> None:
    game = world(
        "random_regular_graph", {"d": 20, "n": 5000}, activation="simultaneous", model="sis", infection=0.02,
        recovery=0.2, initial_infected=2500,
    )  # fmt: skip
    game.run(1, 300)
    certificate = game.certificate()
    deviation = certificate.details["standard_deviation_of_the_flow"]
    assert isinstance(deviation, float)
    # The flow pulls back what chance adds per period, so it stays within a few deviations of zero.
    assert certificate.value < 4 * deviation
    assert game.prevalence() == pytest.approx(meanfield.endemic_prevalence(game.network.degrees, 0.02, 0.2), abs=0.06)


def test_net_flow_equals_the_mean_of_many_simultaneous_periods() -> None:
    game = world(
        "barabasi_albert_graph", {"n": 60, "m": 2}, activation="simultaneous", model="sis", infection=0.2,
        recovery=0.4, initial_infected=20,
    )  # fmt: skip
    start, changes = game.save(), []
    for step in range(1, 4001):
        game.load(start)
        game.run(step, 1)
        changes.append(game.prevalence() - 20 / 60)
    game.load(start)
    certificate = game.certificate()
    deviation = certificate.details["standard_deviation_of_the_flow"]
    assert isinstance(deviation, float)
    assert abs(np.mean(changes)) == pytest.approx(certificate.value, abs=4 * deviation / 4000**0.5)
    assert np.std(changes) == pytest.approx(deviation, rel=0.06)


@given(
    cut=st.integers(0, 6),
    activation=st.sampled_from(ACTIVATIONS),
    model=st.sampled_from(["sis", "sir"]),
    infection=st.floats(0, 1),
    recovery=st.floats(0, 1),
)
@settings(max_examples=40, deadline=None)
def test_chunks_and_resume_change_nothing(
    cut: int, activation: str, model: str, infection: float, recovery: float
) -> None:
    def make() -> Contagion:
        return world(
            "watts_strogatz_graph", {"n": 50, "k": 4, "p": 0.2}, activation=activation, model=model,
            infection=infection, recovery=recovery, initial_infected=5,
        )  # fmt: skip

    whole, split, again = make(), make(), make()
    whole.run(1, 6)
    split.run(1, cut)
    again.load(split.save())
    again.run(1 + cut, 6 - cut)
    for name, column in whole.columns().items():
        np.testing.assert_array_equal(again.columns()[name], column)
    assert set(whole._state.tolist()) <= {0, 1, 2}


def test_mean_field_thresholds_and_limits() -> None:
    regular = np.full(1000, 6)
    assert meanfield.endemic_prevalence(regular, 0.1, 0.6) == 0.0
    assert meanfield.endemic_prevalence(regular, 0.2, 0.6) == pytest.approx(1 - 0.6 / (0.2 * 6))
    assert meanfield.endemic_prevalence(regular, 0.2, 0.0) == 1.0
    assert meanfield.endemic_prevalence(np.zeros(3), 0.2, 0.1) == 0.0  # type: ignore[arg-type]
    assert meanfield.attack_rate(regular, 0.0, 0.5) == 0.0
    assert meanfield.attack_rate(regular, 1.0, 0.5) == pytest.approx(1.0)
    assert meanfield.attack_rate(np.zeros(10, np.int64), 0.5, 0.5, initial=0.3) == pytest.approx(0.3)
    # Kermack and McKendrick: many weak contacts, R0 = 2, final size z = 1 - exp(-2 z) = 0.7968.
    assert meanfield.attack_rate(np.full(10, 20_000), 1e-4 / 2, 0.5) == pytest.approx(0.7968, abs=2e-3)


def test_thresholds_of_probabilities_are_exact_at_the_ends() -> None:
    assert (int(threshold(0.0)), int(threshold(1.0)), int(threshold(0.5))) == (0, 2**32, 2**31)


def test_graph_depends_on_the_seed_alone() -> None:
    settings = GraphSettings(generator="gnp_random_graph", params={"n": 50, "p": 0.1})
    first, second, other = (build_network(settings, SeedTree(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.target, second.target)
    assert not np.array_equal(first.degrees, other.degrees)


def test_network_is_symmetric_and_keeps_isolated_nodes() -> None:
    graph = networkx.Graph([("a", "b"), ("b", "c"), ("c", "c")])
    graph.add_node("alone")
    net = network_of(graph)
    assert net.degrees.tolist() == [1, 2, 1, 0]
    assert net.target.tolist() == [1, 0, 2, 1]


def test_directed_and_parallel_edges_become_one_link() -> None:
    assert network_of(networkx.MultiDiGraph([(0, 1), (0, 1), (1, 0)])).target.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("generator", "params", "error", "words"),
    [
        ("barabasi_albert_grap", {"n": 10, "m": 2}, UnknownName, "did you mean 'barabasi_albert_graph'"),
        ("barabasi", {"n": 10, "m": 2}, UnknownName, "did you mean 'barabasi_albert_graph'"),
        ("read_gml", {"path": 1}, UnknownName, "no generator"),
        ("barabasi_albert_graph", {"n": 10}, InvalidValue, "its parameters are n, m"),
        ("barabasi_albert_graph", {"n": 2, "m": 5}, InvalidValue, "failed"),
        ("gnp_random_graph", {"n": 10, "p": 0.1, "seed": 3}, InvalidValue, "must not set"),
        ("empty_graph", {"n": 0}, InvalidValue, "without nodes"),
        ("random_regular_graph", {"d": 3, "n": 5}, InvalidValue, "failed"),
        ("gnp_random_graph", {"n": -3, "p": 0.1}, InvalidValue, "Negative"),
    ],
)
def test_bad_graphs_are_named_errors(
    generator: str, params: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        build_network(GraphSettings(generator=generator, params=params), TREE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"infection": -0.1},
        {"recovery": 1.5},
        {"model": "seir"},
        {"initial_infected": -1},
        {"graph": {"p": 1}},
        {"graph": {"params": {"n": "ten"}}},
    ],
)
def test_bad_settings_are_refused(wrong: dict[str, Any]) -> None:
    good = {"model": "sis", "infection": 0.1, "recovery": 0.1, "activation": "simultaneous"}
    with pytest.raises(ValidationError):
        ContagionSettings.model_validate({**good, **wrong})


def test_more_infected_than_agents_is_refused() -> None:
    with pytest.raises(InvalidValue, match="at most the 5 nodes"):
        world("path_graph", {"n": 5}, initial_infected=6)
