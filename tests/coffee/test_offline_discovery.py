"""COffeE-PSRO: pessimistic regret, offline data, learned ensembles."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from equilibria.agents.solvers.coffee import baselines
from equilibria.agents.solvers.coffee.baselines import (
    PLAIN,
    behaviour_cloning,
    best_pure_profile,
    mixed_with_cloning,
    transfer,
)
from equilibria.agents.solvers.coffee.data import OfflineData, generate
from equilibria.agents.solvers.coffee.ensemble import learn
from equilibria.agents.solvers.coffee.pessimism import pessimistic_meta_strategy, pessimistic_regret
from equilibria.agents.solvers.coffee.settings import CoffeeSettings
from equilibria.agents.solvers.coffee.solver import CoffeePSRO
from equilibria.games.extensive.policy import behavioural, uniform_policy
from equilibria.games.extensive.spiel import openspiel
from equilibria.games.extensive.values import expected_values, nash_conv
from equilibria.sim.contract import Solver
from equilibria.sim.errors import InvalidValue, Unsupported
from equilibria.sim.seeds import SeedTree

# coordination on A = (2, 2) or B = (1, 1); A is promising but hardly seen
ESTIMATE = np.array([[[2, 0.0], [0.2, 1]], [[2, 0.2], [0, 1]]])
DEVIATION = np.array([[[1.5, 0], [1, 0]], [[1.5, 1], [0, 0]]])


def _complete_kuhn(weight: float) -> OfflineData:
    """Return Kuhn poker with every episode exactly ``weight`` times."""
    import pyspiel

    game = pyspiel.load_game("kuhn_poker")
    columns = ("episode", "step", "player", "state", "infostate", "legal", "action", "successor")
    rows: list[tuple[object, ...]] = []
    rewards: list[list[float]] = []

    def walk(state: object, past: list[tuple[object, ...]]) -> None:
        if state.is_terminal():  # type: ignore[attr-defined]
            rows.extend((len(rewards), i, *r) for i, r in enumerate(past))
            rewards.append(state.returns())  # type: ignore[attr-defined]
            return
        player = state.current_player()  # type: ignore[attr-defined]
        chance = state.is_chance_node()  # type: ignore[attr-defined]
        text = "" if chance else state.information_state_string(player)  # type: ignore[attr-defined]
        for action in state.legal_actions():  # type: ignore[attr-defined]
            child = state.child(action)  # type: ignore[attr-defined]
            legal = [] if chance else state.legal_actions()  # type: ignore[attr-defined]
            row = (-1 if chance else player, state.history_str(), text, legal, action, child.history_str())  # type: ignore[attr-defined]
            walk(child, [*past, row])

    walk(game.new_initial_state(), [])
    steps = pl.DataFrame(rows, schema=columns, orient="row", schema_overrides={"legal": pl.List(pl.Int64)})
    return OfflineData("kuhn_poker", steps, np.array(rewards), np.full(len(rewards), weight))


def test_pessimist_takes_the_safe_equilibrium_and_the_optimist_the_better_one() -> None:
    a, b = (np.array([1.0, 0.0]),) * 2, (np.array([0.0, 1.0]),) * 2
    low, high = ESTIMATE - DEVIATION, ESTIMATE + DEVIATION
    assert pessimistic_regret(low, high, a) == pytest.approx((0.7, 0.7))  # (0.2 + 1) - (2 - 1.5)
    assert pessimistic_regret(low, high, b) == pytest.approx((0.0, 0.0))
    (x, y), regret = pessimistic_meta_strategy(ESTIMATE, DEVIATION, kappa=1.0)
    assert (x[1], y[1], regret) == (1, 1, 0)
    (x, y), regret = pessimistic_meta_strategy(ESTIMATE, DEVIATION, kappa=0.0)
    assert (x[0], y[0], regret) == (1, 1, 0)


def test_pessimistic_regret_is_at_least_the_estimated_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        u, s = rng.normal(size=(2, 3, 4)), rng.random((2, 3, 4))
        sigma = (rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4)))
        plain = pessimistic_regret(u, u, sigma)
        wide = pessimistic_regret(u - 0.5 * s, u + 0.5 * s, sigma)
        assert all(w >= p - 1e-12 for w, p in zip(wide, plain, strict=True))


def test_full_coverage_finds_the_equilibrium_of_the_true_game() -> None:
    game = openspiel("kuhn_poker")
    data = _complete_kuhn(1e4)
    for settings in (PLAIN, CoffeeSettings()):
        solver = CoffeePSRO(data, settings)
        solver.step(15)
        assert nash_conv(game, solver.transferred(game)) < 0.02
        assert solver.coverage() == 1.0


def test_members_agree_on_plentiful_data_and_disagree_on_few() -> None:
    spread = []
    for weight in (1.0, 1e4):
        ensemble = learn(_complete_kuhn(weight), CoffeeSettings(), SeedTree(1))
        values = [expected_values(g, uniform_policy(g))[0] for g in ensemble.games]
        spread.append(np.std(values))
    assert spread[1] < 0.02 < spread[0]
    # the uniform profile of kuhn poker is worth 1/8 to the first player
    assert np.mean(values) == pytest.approx(0.125, abs=0.02)


def test_more_data_lower_the_deviation_on_average() -> None:
    # one policy pair, 20 seeds: the deviation with 4 times the episodes is smaller in the mean and in most pairs
    def deviation(weight: float, seed: int) -> float:
        ensemble = learn(_complete_kuhn(weight), CoffeeSettings(), SeedTree(seed))
        return float(np.std([expected_values(g, uniform_policy(g))[0] for g in ensemble.games]))

    few = np.array([deviation(5.0, s) for s in range(20)])
    many = np.array([deviation(20.0, s) for s in range(20)])
    assert many.mean() < few.mean()
    assert (many < few).sum() >= 14  # one-sided sign test of 20 pairs: p < 0.06


def test_deviation_is_zero_where_members_agree_and_nothing_is_unknown() -> None:
    solver = CoffeePSRO(generate("kuhn_poker", episodes=50), CoffeeSettings())
    values = np.tile(np.array([0.3, -1.0]), (6, 1))
    values[-1] = 0.0  # expected uncertainty of the steps
    np.testing.assert_array_equal(solver._spread(values), 0.0)
    values[0, 0] += 1.0
    assert solver._spread(values)[0] > 0


def test_learning_never_touches_the_true_game() -> None:
    class Untouchable:
        """Raises whatever is asked of it."""

        def __getattribute__(self, name: str) -> object:
            raise AssertionError(f"the true game was asked for {name}")

    data = generate("kuhn_poker", episodes=200, coverage=0.5)
    solver = CoffeePSRO(data, true_game=Untouchable())  # type: ignore[arg-type]
    solver.step(3)
    assert solver.policy().probs.size and solver.coverage() > 0
    with pytest.raises(AssertionError, match="true game was asked"):
        solver.certificate()


@pytest.mark.parametrize("strength", [0.02, 0.1])
def test_small_penalties_cost_nothing_on_complete_data(strength: float) -> None:
    game = openspiel("kuhn_poker")
    solver = CoffeePSRO(_complete_kuhn(1e4), CoffeeSettings(own_penalty=strength, strategic_penalty=strength))
    solver.step(15)
    assert nash_conv(game, solver.transferred(game)) < 0.02


def test_bounds_contain_the_estimate_and_old_payoffs_never_change() -> None:
    solver = CoffeePSRO(generate("kuhn_poker", episodes=300, coverage=0.5), CoffeeSettings())
    solver.step(3)
    old = solver.save().arrays["estimate"].copy()
    assert (solver.save().arrays["deviation"] >= 0).all()  # type: ignore[operator]
    solver.step(2)
    np.testing.assert_array_equal(solver.save().arrays["estimate"][:, :4, :4], old)


def test_resumed_solver_goes_on_bit_identically() -> None:
    data = generate("kuhn_poker", episodes=300, coverage=0.5)
    whole, first, second = (CoffeePSRO(data, CoffeeSettings(), seeds=SeedTree(4)) for _ in range(3))
    whole.step(6)
    first.step(4)
    second.load(first.save())
    second.step(2)
    np.testing.assert_array_equal(whole.policy().probs, second.policy().probs)
    assert whole.save().meta == second.save().meta
    assert isinstance(whole, Solver)


def test_unknown_actions_stay_legal_and_maximally_uncertain() -> None:
    data = generate("kuhn_poker", episodes=500, coverage=0.3, seeds=SeedTree(2))
    ensemble = learn(data, CoffeeSettings(), SeedTree(2))
    assert min(d.observed for d in ensemble.decisions) == 0.5
    assert max(ensemble.leaves.uncertainty) >= 5.0
    for i in ensemble.mean.index.values():
        assert int(ensemble.mean.arrays.nact[i]) == 2


def test_solver_needs_no_game() -> None:
    solver = CoffeePSRO(generate("kuhn_poker", episodes=200), CoffeeSettings())
    solver.step(2)
    certificate = solver.certificate()
    assert certificate.measure == "pessimistic regret" and "bounds nothing" in certificate.warning


def test_data_survive_a_round_trip(tmp_path: Path) -> None:
    data = generate("kuhn_poker", episodes=50)
    data.save(tmp_path / "kuhn")
    again = OfflineData.load(tmp_path / "kuhn")
    assert again.steps.equals(data.steps)
    np.testing.assert_array_equal(again.rewards, data.rewards)
    with pytest.raises(InvalidValue, match="not a data set"):
        OfflineData.load(tmp_path)


def test_restricted_infosets_show_half_of_their_actions() -> None:
    data = generate("kuhn_poker", episodes=1000, coverage=0.5, seeds=SeedTree(3))
    seen = data.steps.filter(pl.col("player") >= 0).group_by("infostate").agg(pl.col("action").n_unique().alias("n"))
    assert set(seen["n"].to_list()) == {1, 2}


def test_bad_data_are_refused() -> None:
    data = generate("kuhn_poker", episodes=20)
    with pytest.raises(InvalidValue, match="empty"):
        OfflineData("x", data.steps.clear(), data.rewards, data.weights)
    rewards = data.rewards.copy()
    rewards[3, 0] = np.nan
    with pytest.raises(InvalidValue, match="episode 3"):
        OfflineData("x", data.steps, rewards, data.weights)
    mixed = data.steps.with_columns(
        pl.when(pl.int_range(pl.len()) == 2).then(pl.lit([0, 1, 2])).otherwise(pl.col("legal")).alias("legal")
    )
    with pytest.raises(InvalidValue, match="different legal actions"):
        OfflineData("x", mixed, data.rewards, data.weights)
    with pytest.raises(InvalidValue, match="coverage"):
        generate("kuhn_poker", episodes=5, coverage=0.0)
    with pytest.raises(ValueError, match="members"):
        CoffeeSettings(members=1)
    three = OfflineData("x", data.steps, np.zeros((20, 3)), data.weights)
    with pytest.raises(Unsupported, match="two-player"):
        CoffeePSRO(three)


def test_mixed_model_and_cloning_is_an_equilibrium_where_the_data_are_complete() -> None:
    game = openspiel("kuhn_poker")
    policy, weight = mixed_with_cloning(_complete_kuhn(200.0), game)
    assert weight == 0.0  # the model is right: nothing to gain from the uniform behaviour policy
    assert nash_conv(game, policy) < 0.05
    data = _complete_kuhn(200.0)
    cloned, all_of_it = mixed_with_cloning(data, game, weights=(1.0,))
    assert all_of_it == 1.0
    assert nash_conv(game, cloned) == pytest.approx(nash_conv(game, behaviour_cloning(data, game)), abs=1e-9)


def test_folds_are_disjoint_and_complete() -> None:
    data = generate("kuhn_poker", episodes=101)
    for each in (data, OfflineData("x", data.steps, data.rewards, np.full(101, 3.0))):
        a, b = baselines._halves(each, SeedTree(0))
        assert a.weights.sum() + b.weights.sum() == each.weights.sum()
        assert a.steps["episode"].n_unique() == len(a.rewards)
    with pytest.raises(InvalidValue, match="two episodes"):
        baselines._halves(generate("kuhn_poker", episodes=1), SeedTree(0))
    with pytest.raises(InvalidValue, match="weights"):
        mixed_with_cloning(data, openspiel("kuhn_poker"), weights=(2.0,))


def test_best_pure_profile_is_one_pair_of_collected_policies_of_least_estimated_regret() -> None:
    game = openspiel("kuhn_poker")
    data = generate("kuhn_poker", episodes=500, coverage=0.5)
    policy = best_pure_profile(data, game, steps=4, seeds=SeedTree(1))
    solver = CoffeePSRO(data, PLAIN, seeds=SeedTree(1))
    solver.step(4)
    u = np.asarray(solver.save().arrays["estimate"])
    regret = u[0].max(axis=0, keepdims=True) - u[0] + u[1].max(axis=1, keepdims=True) - u[1]
    i, j = np.unravel_index(int(regret.argmin()), regret.shape)  # constant sum: welfare ties everywhere
    plan = np.concatenate([solver.plans[0][i], solver.plans[1][j]])
    expected = transfer(behavioural(solver.ensemble.mean, plan), game)
    np.testing.assert_array_equal(policy.probs, expected.probs)


@pytest.mark.slow
def test_half_coverage_on_kuhn_beats_cloning_and_is_no_worse_than_plain_psro_on_average() -> None:
    game = openspiel("kuhn_poker")
    rows = []
    for seed in range(200, 220):
        data = generate("kuhn_poker", episodes=2000, coverage=0.5, seeds=SeedTree(seed))
        row = [nash_conv(game, behaviour_cloning(data, game))]
        for settings in (CoffeeSettings(), PLAIN):
            solver = CoffeePSRO(data, settings, seeds=SeedTree(seed).child("s"))
            solver.step(20)
            row.append(nash_conv(game, solver.transferred(game)))
        rows.append(row)
    cloning, ours, plain = np.array(rows).T
    assert (ours < cloning).sum() >= 14  # one-sided sign test of 20 pairs: p < 0.1 needs 14
    assert ours.mean() <= plain.mean()


def test_all_outcomes_of_two_cards_are_learned() -> None:
    ensemble = learn(_complete_kuhn(100.0), CoffeeSettings(), SeedTree(5))
    texts = {t for _, t in ensemble.mean.index}
    assert {a + b for a, b in product("012", ("", "pb"))} <= texts
