"""IWOCS, policy sets, Exp3-IX and the designer: known answers, invariants, bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import brentq

from equilibria.agents.robust import (
    IWOCS,
    Designer,
    Exp3IX,
    Exp3IXSolver,
    discover,
    dominance,
    hypergradient,
    nondominated,
)
from equilibria.agents.robust.bilevel import soft_response
from equilibria.games.robust import (
    Design,
    LafferCurve,
    PolicyPayoffs,
    PostedPrice,
    RobustMDP,
    random_rectangular_mdp,
    windy_walk,
)
from equilibria.games.robust.mdp import optimal_values
from equilibria.games.robust.payoffs import EXAMPLE
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


@pytest.mark.parametrize(("k", "value"), [(0, -4.524381), (12, -6.229623), (24, -7.952147)])
def test_the_windy_walk_has_the_values_of_the_specification(k: int, value: float) -> None:
    walk = windy_walk()
    assert optimal_values(walk.transitions[k], walk.rewards, 0.95)[0].max() == pytest.approx(value, abs=1e-6)


def test_iwocs_needs_two_models_for_the_windy_walk() -> None:
    solver = IWOCS(windy_walk())
    solver.step(1)
    assert (solver.promised, solver.worst_value) == pytest.approx((-4.524381, -10.294413), abs=1e-6)
    solver.step(10)
    assert solver.solved == 2
    assert solver.worst_label == "alpha 0.5"
    certificate = solver.certificate()
    assert certificate.value == pytest.approx(0.0, abs=1e-9)
    assert certificate.details["nominal_value"] == pytest.approx(-7.395012, abs=1e-6)


def test_a_single_model_is_an_ordinary_process() -> None:
    walk = windy_walk(strengths=1)
    solver = IWOCS(walk)
    solver.step(1)
    assert solver.converged
    assert solver.worst_value == pytest.approx(-4.524381, abs=1e-6)


def test_iwocs_reaches_the_robust_optimum_of_random_rectangular_processes() -> None:
    """The reference run reached it on 20 of 20; at least 18 must be."""
    reached = 0
    for seed in range(20):
        game = random_rectangular_mdp(np.random.default_rng(seed))
        solver, before = IWOCS(game), np.full((5, 3), np.inf)
        for _ in range(12):
            solver.step(1)
            assert (solver.q <= before + 1e-12).all()
            before = solver.q
        robust = game.robust_values()
        assert (solver.q >= robust - 1e-9).all()
        worst = game.worst_model(solver.policy())
        assert solver.worst_value == pytest.approx(worst[1], abs=1e-12)
        best = float(robust[0].max())
        assert solver.worst_value <= best + 1e-9
        reached += abs(solver.worst_value - best) < 1e-8
    assert reached >= 18


def test_nature_in_a_rectangular_set_is_the_worst_of_all_choices() -> None:
    """Against all 2^6 choices of a small process."""
    rng = np.random.default_rng(5)
    game = random_rectangular_mdp(rng, states=3, actions=2, candidates=2)
    actions = np.array([1, 0, 1])
    found = []
    for choice in np.ndindex(*[2] * 6):
        states, moves = np.indices((3, 2))
        model = game.transitions[np.array(choice).reshape(3, 2), states, moves]
        found.append(RobustMDP(model[None], game.rewards, 0.9, 0).worst_model(actions)[1])
    assert game.worst_model(actions)[1] == pytest.approx(min(found), abs=1e-12)


def test_iwocs_goes_on_from_a_saved_state() -> None:
    game = random_rectangular_mdp(np.random.default_rng(3))
    whole, part, again = IWOCS(game), IWOCS(game), IWOCS(game)
    whole.step(4)
    part.step(1)
    again.load(part.save())
    again.step(3)
    assert again.worst_value == whole.worst_value
    assert np.array_equal(again.q, whole.q)


def test_dominance_and_discovery_of_the_example() -> None:
    table = np.array(EXAMPLE, float)
    expected = [-1.0, -2 / 3, -0.75, 1 / 3, 1 / 9, -1.0]
    assert dominance(table) == pytest.approx(expected, abs=1e-9)
    assert nondominated(table) == [0, 1, 2, 5]
    found = discover(table)
    assert (found.policies, found.gaps, found.opponents) == ((0, 5, 1), (0.0, 6.0, 2.0), (-1, 2, 1))
    assert found.remaining == 0.0
    assert discover(table, delta=3.0).policies == (0, 5)


def test_of_equal_policies_one_is_kept() -> None:
    assert nondominated([[1.0, 2.0], [1.0, 2.0]]) == [0]
    assert nondominated([[3.0, 1.0]]) == [0]


@pytest.mark.parametrize(("rate", "low", "high"), [(2.0, 0.012, 0.035), (5.0, 0.002, 0.018)])
def test_exp3_has_the_regret_of_the_reference(rate: float, low: float, high: float) -> None:
    """Reference over 3 seeds: .020-.023 (rate 2), .008-.010 (rate 5); single seeds scatter by about .006."""
    game, regrets = PolicyPayoffs(np.array(EXAMPLE, float), 10.0), []
    for seed in range(20):
        solver = Exp3IXSolver(game, horizon=2000, rate=rate, seeds=SeedTree(seed))
        solver.step(2000)
        certificate = solver.certificate()
        assert certificate.value < float(str(certificate.details["bound"])) == pytest.approx(0.1148, abs=1e-4)
        regrets.append(certificate.value)
    assert low < np.mean(regrets) < high


def test_one_arm_has_no_regret_and_long_runs_stay_finite() -> None:
    one = Exp3IXSolver(PolicyPayoffs(np.array([[5.0, 3.0]]), 10.0), horizon=100)
    one.step(100)
    assert one.regret() == pytest.approx(0.0, abs=1e-12)
    assert Exp3IX(1, 10).probabilities().tolist() == [1.0]
    long = Exp3IXSolver(PolicyPayoffs(np.array(EXAMPLE, float), 10.0), horizon=1_000_000, rate=5.0)
    long.step(1_000_000)
    assert np.isfinite(long.policy()).all()
    assert long.policy().sum() == pytest.approx(1.0)


def test_the_bandit_by_hand_is_the_compiled_one() -> None:
    solver = Exp3IXSolver(PolicyPayoffs(np.array(EXAMPLE, float), 10.0), horizon=50)
    by_hand = Exp3IX(3, 50)
    for t in range(50):
        before, earned = solver.bandit.log_weights.copy(), solver.earned
        solver.step(1)
        arm = int(np.argmax(solver.bandit.log_weights - before)) if solver.earned > earned else -1
        if arm >= 0:
            by_hand.update(arm, round(solver.earned - earned, 9))
        assert by_hand.log_weights == pytest.approx(solver.bandit.log_weights, abs=1e-9), t


def one_state(states: int = 1) -> Design:
    return Design(
        transitions=np.zeros((1, 3, 1)),
        rewards=np.zeros((1, 3)),
        rewards_by=np.eye(3)[:, None],
        utility=np.array([[1.0, 0.0, -1.0]]),
        utility_by=np.zeros((3, 1, 3)),
        start=np.ones(1),
    )


def test_the_hypergradient_of_one_state() -> None:
    assert hypergradient(one_state(), 0.5).gradient == pytest.approx([2 / 3, 0.0, -2 / 3], abs=1e-12)


@pytest.mark.parametrize("moving", [False, True])
def test_the_hypergradient_is_the_derivative(moving: bool) -> None:
    """Random soft process of 4 states and 3 actions; central differences with h = 1e-5."""
    rng = np.random.default_rng(0)
    base, tilt = rng.dirichlet(np.ones(4), size=(4, 3)), rng.dirichlet(np.ones(4), size=(4, 3))
    utility = rng.standard_normal((4, 3))

    def design(v: FloatArray) -> Design:
        mixed = base + v[0] * (tilt - base) if moving else base
        by = np.zeros((12, 4, 3, 4))
        by[0] = tilt - base
        return Design(
            transitions=mixed,
            rewards=v.reshape(4, 3),
            rewards_by=np.eye(12).reshape(12, 4, 3),
            utility=utility,
            utility_by=np.zeros((12, 4, 3)),
            start=np.full(4, 0.25),
            discount=0.9,
            transitions_by=by if moving else None,
        )

    at = rng.random(12)
    exact, h = hypergradient(design(at), 0.3).gradient, 1e-5
    for k in range(12):
        step = np.eye(12)[k] * h
        central = (hypergradient(design(at + step), 0.3).payoff - hypergradient(design(at - step), 0.3).payoff) / (
            2 * h
        )
        assert exact[k] == pytest.approx(central, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("first", [0.1, 0.9])
def test_the_designer_finds_the_top_of_the_laffer_curve_from_both_sides(first: float) -> None:
    designer = Designer(LafferCurve(first=first), final_temperature=0.01)
    designer.step(200)
    assert designer.parameters[0] == pytest.approx(0.5, abs=0.01)
    assert designer.look(0.01).payoff == pytest.approx(0.25, abs=1e-3)
    for temperature in (0.01, 0.001):
        problem = LafferCurve()

        def slope(rate: float, problem: LafferCurve = problem, temperature: float = temperature) -> float:
            return float(hypergradient(problem.design(np.array([rate])), temperature).gradient[0])

        top = float(brentq(slope, 0.4, 0.6, xtol=1e-12))
        assert abs(slope(top)) < 1e-6
        assert top == pytest.approx(0.5, abs=1e-3)
        assert hypergradient(problem.design(np.array([top])), temperature).payoff == pytest.approx(0.25, abs=1e-3)


def test_ignoring_the_response_taxes_everything_away() -> None:
    naive = Designer(LafferCurve(first=0.1), final_temperature=0.001, ignore_response=True)
    naive.step(200)
    assert naive.parameters[0] == 1.0
    assert naive.look(0.001).payoff < 0.03


@pytest.mark.parametrize("first", [0.1, 0.9])
def test_the_designer_finds_the_monopoly_price(first: float) -> None:
    designer = Designer(PostedPrice(first=first), final_temperature=0.01)
    designer.step(200)
    assert designer.parameters[0] == pytest.approx(0.5, abs=0.01)
    assert designer.look(0.01).payoff == pytest.approx(0.25, abs=0.01)
    assert designer.certificate().value < 0.01


def test_the_gradient_scales_with_the_designers_unit_and_resumes() -> None:
    plain = one_state()
    scaled = Design(
        transitions=plain.transitions,
        rewards=plain.rewards,
        rewards_by=plain.rewards_by,
        utility=7 * plain.utility,
        utility_by=plain.utility_by,
        start=plain.start,
    )
    assert hypergradient(scaled, 0.5).gradient == pytest.approx(7 * hypergradient(plain, 0.5).gradient)
    whole, part, again = (Designer(LafferCurve()) for _ in range(3))
    whole.step(30)
    part.step(11)
    again.load(part.save())
    again.step(19)
    assert again.parameters.tolist() == whole.parameters.tolist()


def test_unsolved_agents_are_flagged() -> None:
    rng = np.random.default_rng(0)
    hard = Design(
        transitions=rng.dirichlet(np.ones(4), size=(4, 3)),
        rewards=rng.standard_normal((4, 3)),
        rewards_by=np.zeros((1, 4, 3)),
        utility=np.zeros((4, 3)),
        utility_by=np.zeros((1, 4, 3)),
        start=np.full(4, 0.25),
        discount=0.99,
    )
    with pytest.warns(UserWarning, match="did not converge"):
        assert not soft_response(hard, 0.1, sweeps=1).converged
    assert soft_response(hard, 0.1).converged


def test_bad_input_has_names() -> None:
    walk = windy_walk(strengths=2)
    with pytest.raises(InvalidValue, match="empty"):
        RobustMDP(np.zeros((0, 2, 1, 2)), np.zeros((2, 1)), 0.9, 0)
    with pytest.raises(InvalidValue, match="sums to"):
        RobustMDP(walk.transitions * 0.5, walk.rewards, 0.9, 0)
    with pytest.raises(InvalidValue, match="start"):
        RobustMDP(walk.transitions, walk.rewards, 0.9, 99)
    with pytest.raises(InvalidValue, match="temperature"):
        hypergradient(one_state(), 0.0)
    with pytest.raises(InvalidValue, match="discount"):
        Design(
            transitions=np.zeros((1, 1, 1)), rewards=np.zeros((1, 1)), rewards_by=np.zeros((1, 1, 1)),
            utility=np.zeros((1, 1)), utility_by=np.zeros((1, 1, 1)), start=np.ones(1), discount=1.0,
        )  # fmt: skip
    with pytest.raises(InvalidValue, match="first must lie"):
        discover([[1.0, 2.0]], first=3)
    with pytest.raises(NumericalError):
        Exp3IX(2, 5).update(0, float("nan"))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        Exp3IX(2, 5).update(0, 3.0)
    assert "clipped" in str(seen[0].message)
    game = LafferCurve()
    game.first = np.array([np.nan])
    with pytest.raises(InvalidValue, match="finite"):
        Designer(game)
