"""Bayesian-network policy gradient against published equations and the reference tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from equilibria.agents.bayesian_network.dag import dag_matrix, topological_order
from equilibria.agents.bayesian_network.policy import BNPolicy
from equilibria.agents.bayesian_network.settings import BNSettings, Graph
from equilibria.agents.bayesian_network.solver import BNPolicyGradient
from equilibria.games.matrix.team_games import climb
from equilibria.games.vector.payoffs import climbing_payoff, penalty_payoff
from equilibria.games.vector.tabular import TabularTeamGame, coordination_game, one_shot_game
from equilibria.sim.errors import InvalidValue, NumericalError, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray
from equilibria.testing import check_solver

GRAPHS: tuple[Any, ...] = ("empty", "line", "full", [[0, 0, 0], [1, 0, 1], [0, 0, 0]])


def random_game(agents: tuple[int, ...] = (2, 3, 2), states: int = 4, seed: int = 0) -> TabularTeamGame:
    rng = np.random.default_rng(seed)
    joint = math.prod(agents)
    moves = rng.random((states, joint, states)) + 0.01
    return TabularTeamGame(
        "random",
        agents,
        rng.normal(size=(states, joint)),
        moves / moves.sum(axis=2, keepdims=True),
        0.9,
        rng.random(states),
    )


def solver_for(game: TabularTeamGame, dag: Any, seed: int = 1) -> BNPolicyGradient:
    return BNPolicyGradient(game, BNSettings(dag=dag, start="normal"), seeds=SeedTree(seed))


def return_of(solver: BNPolicyGradient, theta: Any) -> Any:
    """J of logits by an independent route that also takes complex numbers."""
    game, layout = solver.game, solver.layout
    pi = np.ones((game.states, len(game.joint)), dtype=theta.dtype)
    for i in range(game.agents):
        shape = (game.states, int(layout.configurations[i]), int(layout.actions[i]))
        block = theta[layout.offset[i] : layout.offset[i] + math.prod(shape)].reshape(shape)
        weights = np.exp(block)
        table = weights / weights.sum(axis=2, keepdims=True)
        for a, actions in enumerate(game.joint):
            place = 0
            for j in range(game.agents):
                if layout.dag[j, i]:
                    place = place * game.actions[j] + actions[j]
            pi[:, a] *= table[:, place, actions[i]]
    moves = np.einsum("sa,sak->sk", pi, np.broadcast_to(game.transition, (game.states, *game.transition.shape[1:])))
    value = np.linalg.solve(np.eye(game.states) - game.discount * moves, (pi * game.rewards).sum(axis=1))
    return game.start @ value


@pytest.mark.parametrize("dag", GRAPHS)
@pytest.mark.parametrize("game", [random_game(), coordination_game(3)], ids=["random", "coordination"])
def test_gradient_is_the_derivative_of_the_return(game: TabularTeamGame, dag: Any) -> None:
    solver = solver_for(game, dag)
    assert return_of(solver, solver.theta[0]) == pytest.approx(solver.returns()[0], abs=1e-10)
    step = 1e-30  # complex step: no cancellation
    slopes = []
    for m in range(solver.layout.entries):
        theta = solver.theta[0].astype(complex)
        theta[m] += 1j * step
        slopes.append(return_of(solver, theta).imag / step)
    np.testing.assert_allclose(solver.gradient(), slopes, atol=1e-10)


# agents, graph, ratio to the optimum at 0, 100, 500, 1000, 2000 iterations from uniform play, gap at 0
TABLE: list[tuple[int, Graph, list[float | None], float]] = [
    (2, "empty", [0.523013, 0.951100, 0.991103, 0.995625, 0.997847], 7.6),
    (2, "full", [0.523013, 0.954838, 0.992139, 0.996063, 0.998010], 30.4),
    (3, "empty", [0.463994, 0.463994, 0.463994], 0.0),  # later rounding decides where the saddle is left
    (3, "line", [0.463994, 0.745645, 0.977863, 0.989719, 0.995010], 16.2133),
    (3, "full", [0.463994, 0.766571, 0.979024, 0.990089, 0.995091], 22.6987),
    (5, "empty", [0.464873, 0.508084, 0.966712, 0.982020], 6.08),
    (5, "line", [0.464873, 0.526242, 0.958835, 0.979550], 19.456),
    (5, "full", [0.464873, 0.514248, 0.950940, 0.977236], 42.5855),
]


@pytest.mark.parametrize(("agents", "dag", "ratios", "gap"), TABLE)
def test_deterministic_table_of_the_coordination_game(agents: int, dag: Graph, ratios: list[float], gap: float) -> None:
    solver = BNPolicyGradient(coordination_game(agents, start="published"), BNSettings(dag=dag))
    assert solver.gains().max() == pytest.approx(gap, abs=5e-5)
    for iteration, ratio in zip((0, 100, 500, 1000, 2000), ratios, strict=False):
        solver.step(iteration - solver.iteration)
        assert solver.returns()[0] / solver.optimum == pytest.approx(ratio, abs=1e-6)


def test_uniform_independent_play_of_three_agents_is_a_saddle_that_one_edge_removes() -> None:
    game = coordination_game(3, start="published")
    independent = BNPolicyGradient(game, BNSettings(dag="empty"))
    assert np.abs(independent.gradient()).max() < 1e-12
    assert independent.gains().max() < 1e-9
    assert np.abs(BNPolicyGradient(game, BNSettings(dag=[[0, 1, 0], [0, 0, 0], [0, 0, 0]])).gradient()).max() > 0.1


ONE_SHOT = {
    "climbing": climbing_payoff(),
    "penalty 10": penalty_payoff(-10),
    "penalty 100": penalty_payoff(-100),
}


@pytest.mark.parametrize(
    ("name", "dag", "values"),
    [
        ("climbing", "empty", {0: -3.44444, 100: 5.25870, 1000: 5.98792, 10_000: 6.98935, 100_000: 6.99986}),
        ("penalty 10", "empty", {0: 0.22222, 100: 1.72429, 1000: 1.98548, 10_000: 1.99865, 100_000: 1.99987}),
        ("penalty 100", "empty", {0: -19.77778, 100: 1.91344, 1000: 1.98844, 10_000: 1.99870, 100_000: 1.99987}),
        ("climbing", "line", {0: -3.44444, 10: 4.40040, 100: 10.83026, 1000: 10.98637, 10_000: 10.99867}),
        ("penalty 10", "line", {0: 0.22222, 10: 5.26729, 100: 9.76489, 1000: 9.97960, 10_000: 9.99800}),
        ("penalty 100", "line", {0: -19.77778, 10: 1.61149, 100: 9.73728, 1000: 9.97942, 10_000: 9.99799}),
    ],
)
def test_deterministic_table_of_one_shot_games(name: str, dag: Graph, values: dict[int, float]) -> None:
    solver = BNPolicyGradient(one_shot_game(ONE_SHOT[name]), BNSettings(dag=dag, rate=0.1))
    for iteration, value in values.items():
        solver.step(iteration - solver.iteration)
        assert solver.returns()[0] == pytest.approx(value, abs=1e-5)


def test_penalty_game_is_solved_by_a_correlated_policy() -> None:
    solver = BNPolicyGradient(one_shot_game(ONE_SHOT["penalty 10"]), BNSettings(dag="line", rate=0.1))
    solver.step(10_000)
    policy = solver.policy()
    np.testing.assert_allclose(policy.conditional(0)[0, 0], [0.5, 0, 0.5], atol=1e-3)
    joint = policy.joint(0)
    assert joint[0, 2] == pytest.approx(0.5, abs=2e-3)
    assert joint[2, 0] == pytest.approx(0.5, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "solved", "reached"),
    [("climbing", (0.16, 0.68), (7.32, 9.72)), ("penalty 10", (0.88, 1.0), (8.0, 9.9)), ("penalty 100", (0.38, 0.92), (4, 9))],
)  # fmt: skip
def test_one_edge_finds_the_best_pair_from_more_starts(
    name: str, solved: tuple[float, float], reached: tuple[float, float]
) -> None:
    found = []
    graphs: tuple[Graph, Graph] = ("empty", "line")
    for dag, share, value in zip(graphs, solved, reached, strict=True):
        settings = BNSettings(dag=dag, rate=0.1, start="normal", starts=50)
        solver = BNPolicyGradient(one_shot_game(ONE_SHOT[name]), settings, seeds=SeedTree(1))
        solver.step(10_000)
        best = solver.returns() > solver.optimum - 0.5
        assert best.mean() == pytest.approx(share, abs=0.2)  # 50 other starts than the reference's
        assert solver.returns().mean() > value - 1.2
        found.append(best.mean())
    assert found[1] > found[0]


# the reference's means over 49 starts have a standard error of up to 0.010; tolerances of ours are its 0.02 (0.03 for 2
# agents) where more starts leave the error to it, and 0.03 for 5 agents, where the reference's lines lie 2 errors high
MEANS = [
    (2, "empty", 343, 0.914, 0.03),
    (2, "full", 343, 0.990, 0.03),
    *(
        pytest.param(agents, dag, starts, mean, tolerance, marks=mark)
        for agents, starts, tolerance, mark, means in (
            (3, 343, 0.02, pytest.mark.heavy, (0.886, 0.883, 0.922, 0.946)),
            (5, 98, 0.03, pytest.mark.slow, (0.884, 0.918, 0.929, 0.919)),
        )
        for dag, mean in zip(("empty", "line_published", "line", "full"), means, strict=True)
    ),
]


@pytest.mark.parametrize(("agents", "dag", "starts", "mean", "tolerance"), MEANS)
def test_mean_over_random_starts_is_that_of_the_reference(
    agents: int, dag: Graph, starts: int, mean: float, tolerance: float
) -> None:
    settings = BNSettings(dag=dag, start="normal", starts=starts)
    solver = BNPolicyGradient(coordination_game(agents, start="published"), settings, seeds=SeedTree(1))
    solver.step(2000)
    assert solver.metrics()["return_ratio"] == pytest.approx(mean, abs=tolerance)
    assert solver.gains().min() >= 0


@pytest.mark.heavy
@pytest.mark.parametrize(("agents", "least"), [(2, 0.04), (3, 0.03)])
def test_all_edges_beat_none(agents: int, least: float) -> None:
    ratios = []
    graphs: tuple[Graph, Graph] = ("empty", "full")
    for dag in graphs:
        settings = BNSettings(dag=dag, start="normal", starts=98)
        solver = BNPolicyGradient(coordination_game(agents, start="published"), settings, seeds=SeedTree(3))
        solver.step(2000)
        ratios.append(solver.metrics()["return_ratio"])
    assert ratios[1] > ratios[0] + least


@pytest.mark.parametrize("dag", GRAPHS)
def test_joint_distributions_sum_to_one(dag: Any) -> None:
    policy = solver_for(random_game(), dag).policy()
    np.testing.assert_allclose(policy.joint_table().sum(axis=1), 1, atol=1e-12)


def test_independent_policy_is_the_product_of_its_marginals() -> None:
    game = random_game()
    policy = solver_for(game, "empty").policy()
    a, b, c = (policy.conditional(i)[2, 0] for i in range(3))
    np.testing.assert_allclose(policy.joint(2), np.einsum("i,j,k->ijk", a, b, c), atol=1e-15)


def test_child_conditions_on_its_parent_and_not_the_other_way_round() -> None:
    solver = solver_for(random_game(), [[0, 0, 1], [0, 0, 0], [0, 0, 0]])
    assert [solver.policy().conditional(i).shape for i in range(3)] == [(4, 1, 2), (4, 1, 3), (4, 2, 2)]
    joint = solver.policy().joint(1)
    given = joint.sum(axis=1) / joint.sum(axis=(1, 2))[:, None]
    np.testing.assert_allclose(given, solver.policy().conditional(2)[1], atol=1e-12)


def test_relabelling_agents_and_graph_leaves_the_return() -> None:
    game, order = random_game((2, 2, 2)), [2, 0, 1]
    joint = game.joint[:, order]  # new agent k is old agent order[k]
    old = np.zeros(8, dtype=np.int64)
    old[np.ravel_multi_index(tuple(joint.T), (2, 2, 2))] = np.arange(8)
    renamed = TabularTeamGame(
        "renamed", (2, 2, 2), game.rewards[:, old], game.transition[:, old], game.discount, game.start
    )
    dag = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    a = solver_for(game, dag.tolist())
    b = solver_for(renamed, dag[np.ix_(order, order)].tolist())
    parts = np.split(a.theta[0], a.layout.offset[1:])
    b.theta[0] = np.concatenate([parts[k] for k in order])
    assert b.returns()[0] == pytest.approx(a.returns()[0], abs=1e-12)


def brute_force_gain(solver: BNPolicyGradient, agent: int) -> float:
    """Best gain over all deterministic conditional policies of one agent."""
    game, layout = solver.game, solver.layout
    size = game.states * int(layout.configurations[agent])
    count, best = int(layout.actions[agent]), -math.inf
    first = int(layout.offset[agent])
    for code in range(count**size):
        digits = (code // count ** np.arange(size)) % count
        theta: FloatArray = solver.theta[0].copy()
        theta[first : first + size * count] = np.where(np.eye(count)[digits].ravel() > 0, 0.0, -700.0)
        best = max(best, float(return_of(solver, theta)))
    return best - float(solver.returns()[0])


@pytest.mark.parametrize("dag", ["empty", "full"])
def test_gain_is_that_of_the_best_of_all_deterministic_policies(dag: Graph) -> None:
    solver = solver_for(random_game((2, 2), states=3), dag)
    for agent in range(2):
        assert solver.gains()[0, agent] == pytest.approx(brute_force_gain(solver, agent), abs=1e-9)


def test_best_deterministic_policy_has_no_gap() -> None:
    solver = BNPolicyGradient(coordination_game(3), BNSettings(dag="full"))
    logits = np.full((solver.layout.entries // 2, 2), -800.0)
    logits[:, 0] = 0.0
    solver.theta[0] = logits.ravel()
    assert solver.gains().max() < 1e-8
    certificate = solver.certificate()
    assert certificate.kind == "exact"
    assert certificate.value < 1e-8


def test_the_trap_of_all_ones_is_an_equilibrium_without_edges() -> None:
    solver = BNPolicyGradient(coordination_game(3), BNSettings(dag="empty"))
    solver.theta[0] = np.tile([-800.0, 0.0], solver.layout.entries // 2)
    assert solver.gains().max() < 1e-9
    assert solver.returns()[0] / solver.optimum == pytest.approx(0.774313, abs=1e-6)


@pytest.mark.parametrize("dag", ["empty", "full"])
def test_solver_keeps_the_contract(dag: Graph) -> None:
    settings = BNSettings(dag=dag, start="normal", starts=3)
    check_solver(lambda: BNPolicyGradient(coordination_game(3), settings, seeds=SeedTree(4)))


def test_a_start_does_not_depend_on_the_number_of_starts() -> None:
    def run(starts: int) -> FloatArray:
        settings = BNSettings(start="normal", starts=starts)
        solver = BNPolicyGradient(coordination_game(2), settings, seeds=SeedTree(2))
        solver.step(20)
        return np.asarray(solver.theta[0])

    assert run(1).tobytes() == run(7).tobytes()


def test_policy_table_lists_every_conditional_once() -> None:
    columns = solver_for(random_game(), "full").table("policy")
    names = ("run", "agent", "state", "parents", "action")
    keys = set(zip(*(np.asarray(columns[name]).tolist() for name in names), strict=True))
    assert len(keys) == len(columns["run"]) == 4 * (2 + 6 + 12)
    assert float(np.sum(columns["probability"])) == pytest.approx(4 * (1 + 2 + 6))


def test_sampled_actions_follow_the_joint_distribution() -> None:
    policy: BNPolicy = solver_for(random_game(), "full").policy()
    drawn = policy.sample(1, 200_000, np.random.default_rng(0))
    counts = np.zeros((2, 3, 2))
    np.add.at(counts, tuple(drawn.T), 1 / len(drawn))
    np.testing.assert_allclose(counts, policy.joint(1), atol=6e-3)


def test_graph_has_an_edge_from_each_parent() -> None:
    graph = solver_for(random_game(), "line").policy().graph()
    assert sorted(graph.edges) == [(0, 1), (1, 2)]


@pytest.mark.parametrize(("spec", "edges"), [("empty", 0), ("line", 4), ("line_published", 3), ("full", 10)])
def test_named_graphs_are_acyclic_and_have_their_edges(spec: str, edges: int) -> None:
    dag = dag_matrix(spec, 5)
    assert int(dag.sum()) == edges
    assert topological_order(dag) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], "cycle 0 -> 1 -> 2 -> 0"),
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], "cycle 1 -> 1"),
        ([[0, 0], [0, 0]], "3 x 3 matrix"),
        ([[0, 1, 0], [0, 0], [0, 0, 0]], "3 x 3 matrix"),
        ([[0, 2, 0], [0, 0, 0], [0, 0, 0]], "zeros and ones"),
        ("lime", "did you mean 'line'"),
    ],
)
def test_bad_graphs_are_refused_by_name(spec: Any, says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        dag_matrix(spec, 3)


def test_wrong_use_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedGame, match="cooperative games given as tables"):
        BNPolicyGradient(climb())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="uniform starts are all the same"):
        BNSettings(starts=2)
    solver = solver_for(random_game(), "full")
    with pytest.raises(InvalidValue, match="expected 'bn_policy_gradient'"):
        solver.load(solver_for(random_game(), "empty").save())
    with pytest.raises(InvalidValue, match="agent must lie in"):
        solver.policy().conditional(3)
    with pytest.raises(InvalidValue, match="state must lie in"):
        solver.policy().joint(-1)
    with pytest.raises(InvalidValue, match="offers the tables policy"):
        solver.table("polizy")


def test_a_step_size_that_overflows_stops_with_the_unit() -> None:
    solver = BNPolicyGradient(one_shot_game([[1e300, 0.0], [0.0, 0.0]]), BNSettings(rate=1e300))
    with pytest.raises(NumericalError, match="policy logit became nan at unit 3"):
        solver.step(3)


def test_the_dag_table_lists_every_pair_with_its_edge() -> None:
    solver = solver_for(one_shot_game(ONE_SHOT["climbing"]), "line")
    rows = solver.table("dag")
    assert list(zip(rows["parent"], rows["child"], rows["probability"], strict=True)) == [(0, 1, 1.0), (1, 0, 0.0)]


def test_the_barrier_adds_its_slope_and_keeps_all_actions_alive() -> None:
    game = random_game()
    plain, guarded = (
        BNPolicyGradient(game, BNSettings(dag="line", start="normal", barrier=b, rate=0.5), seeds=SeedTree(1))
        for b in (0.0, 0.3)
    )

    def barrier(theta: FloatArray) -> float:
        total = 0.0
        for i, count in enumerate(game.actions):
            first = int(guarded.layout.offset[i])
            size = game.states * int(guarded.layout.width[i])
            rows = theta[first : first + size].reshape(-1, count)
            log_pi = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
            total += float((-np.log(count) - log_pi.mean(axis=1)).mean())  # KL(uniform || pi)
        return total

    theta, step = plain.theta[0], 1e-6
    slopes = []
    for m in range(len(theta)):
        moved = np.zeros_like(theta)
        moved[m] = step
        slopes.append(-0.3 * (barrier(theta + moved) - barrier(theta - moved)) / (2 * step))
    np.testing.assert_allclose(guarded.gradient() - plain.gradient(), slopes, atol=1e-8)
    for solver in (plain, guarded):
        solver.step(2000)
    assert plain.table("policy")["probability"].min() < guarded.table("policy")["probability"].min()
    assert guarded.returns()[0] < game.optimum() - 0.1  # the bias of the barrier
    assert np.abs(guarded.gradient()).max() < 1e-3


def test_subteams_of_the_tabular_solver_have_their_edges() -> None:
    solver = BNPolicyGradient(coordination_game(5), BNSettings(dag="subteams"))
    assert np.argwhere(solver.layout.dag).tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]
