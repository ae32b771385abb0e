"""Coupled restless bandits: feasibility, exact programme, bounds, indices, rules, refusals."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from equilibria.agents.decisions.restless import RestlessRule
from equilibria.games.decisions import restless_kernels as kernels
from equilibria.games.decisions.restless import RestlessGame, build
from equilibria.games.decisions.settings import RestlessSettings
from equilibria.sim.errors import EquilibriaError, GameTooLarge, InvalidValue
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine


def game(seed: int = 0, **settings: Any) -> RestlessGame:
    return build(RestlessSettings(**settings), seeds=SeedTree(seed))


def exact(g: RestlessGame, rule: str) -> float:
    decide, rng = RestlessRule(g, rule, seeds=SeedTree(1)).policy(), np.random.default_rng(0)
    return g.evaluate(g.table(lambda t, s: decide(t, s, rng)))


def fits_somehow(g: RestlessGame, pulled: Any) -> bool:
    """Try every assignment of pulled arms to workers."""
    arms, workers = np.flatnonzero(pulled), g.fits.shape[1]
    for places in itertools.product(range(workers), repeat=arms.size):
        if g.by_capacity:
            load = np.bincount(places, weights=g.cost[arms], minlength=workers) if arms.size else np.zeros(workers)
            if (load <= g.capacity).all():
                return True
        elif len(set(places)) == arms.size and all(g.fits[j, i] for j, i in zip(arms, places, strict=True)):
            return True
    return False


@pytest.mark.parametrize("coupling", ["capacity", "schedule"])
def test_feasible_sets_are_those_with_an_assignment(coupling: str) -> None:
    for seed in range(6):
        g = game(seed, arms=6, workers=3, coupling=coupling)
        listed = set(g.sets().tolist())
        for mask in range(64):
            pulled = np.array([mask >> j & 1 for j in range(6)], np.bool_)
            assert g.feasible(pulled) == fits_somehow(g, pulled) == (mask in listed)


@pytest.mark.parametrize("coupling", ["capacity", "schedule"])
def test_the_best_set_is_the_best_of_all_feasible_ones(coupling: str) -> None:
    rng = np.random.default_rng(1)
    for trial in range(150):
        g = game(trial % 5, arms=int(rng.integers(1, 9)), workers=int(rng.integers(1, 4)), coupling=coupling)
        score = np.round(rng.normal(size=g.arms), 1)
        chosen = g.best_set(score)
        assert g.feasible(chosen)
        assert score[chosen].sum() == pytest.approx((g.members() @ score).max(), abs=1e-12)


def test_the_packing_search_equals_an_integer_program() -> None:
    rng = np.random.default_rng(2)
    for _ in range(8):
        cost, capacity, score = rng.integers(2, 7, 14), rng.integers(2, 8, 4), rng.random(14)
        once = np.kron(np.eye(14), np.ones(4))
        room = np.kron(cost[None, :], np.eye(4))
        found = milp(
            -np.repeat(score, 4), integrality=np.ones(56), bounds=Bounds(0, 1),
            constraints=[LinearConstraint(once, -np.inf, 1), LinearConstraint(room, -np.inf, capacity)],
        )  # fmt: skip
        chosen, proven = kernels.best_packed(score, cost, capacity, 1_000_000)
        assert proven
        assert score[chosen].sum() == pytest.approx(-found.fun, abs=1e-6)


def test_action_values_are_expectations_over_all_arms() -> None:
    g = game(arms=3, workers=2)
    later = np.random.default_rng(1).random(64)
    table, states = g.action_values(later), g.joint_states()
    for s in (0, 27, 63):
        for mask in range(8):
            total = 0.0
            for ups in itertools.product((0, 1), repeat=3):
                p, pay, after = 1.0, 0.0, []
                for j, up in enumerate(ups):
                    chance = g.up[mask >> j & 1, j]
                    p *= chance if up else 1 - chance
                    nxt = min(3, max(0, int(states[s, j]) + (1 if up else -1)))
                    pay += g.reward[j, nxt]
                    after.append(nxt)
                total += p * (pay + later[np.ravel_multi_index(after, (4, 4, 4))])
            assert table[s, mask] == pytest.approx(total, rel=1e-12)


def test_the_exact_programme_beats_looking_one_step_ahead_by_half() -> None:
    gains = []
    for seed in range(10):
        g = game(seed)
        values, chosen = g.solve()
        best = float(g.first_states() @ values[0])
        assert g.evaluate(chosen) == pytest.approx(best, rel=1e-12)
        bound, _ = g.relaxed()
        assert best <= bound + 1e-6
        near = exact(g, "myopic")
        assert best >= near - 1e-9
        gains.append(best / near - 1.0)
    assert np.mean(gains) >= 0.5
    assert max(gains) > 1.0


@pytest.mark.parametrize("coupling", ["capacity", "schedule"])
def test_no_rule_beats_the_programme_and_indices_come_close(coupling: str) -> None:
    for seed in (1, 3):
        g = game(seed, arms=4, horizon=12, coupling=coupling)
        best = float(g.first_states() @ g.solve()[0][0])
        values = {rule: exact(g, rule) for rule in ("null", "iterative", "myopic", "whittle", "lagrangian", "optimal")}
        assert max(values.values()) <= best + 1e-9
        assert values["optimal"] == pytest.approx(best, rel=1e-12)
        assert min(values["whittle"], values["lagrangian"]) > 0.97 * best
        assert values["null"] < values["myopic"]


def test_simulated_rewards_agree_with_exact_values() -> None:
    g = game(2, episodes=400)
    rule = RestlessRule(g, "myopic", seeds=SeedTree(3))
    rule.step(1)
    details = rule.certificate().details
    error = 4 * 15.0 / np.sqrt(400)
    assert float(str(details["simulated"])) == pytest.approx(float(str(details["value"])), abs=error)
    sampled = RestlessRule(g, "random", seeds=SeedTree(3))
    sampled.step(1)
    certificate = sampled.certificate()
    assert certificate.kind == "estimate"
    assert certificate.low > 0.0


def test_the_relaxed_bound_is_exact_where_nothing_is_coupled() -> None:
    g = game(1, arms=3, workers=3)
    free = RestlessGame(g.up, g.reward, g.horizon, g.cost, np.full(3, 100), g.fits)
    values, _ = free.solve()
    bound, price = free.relaxed()
    assert bound == pytest.approx(float(free.first_states() @ values[0]), rel=1e-9)
    alone, _ = free.charged_values(np.zeros_like(price))
    assert alone[0] @ [0.8, 0.2, 0, 0] @ np.ones(3) == pytest.approx(bound, rel=1e-9)


def test_whittles_index_is_the_charge_that_makes_pulling_pointless() -> None:
    g = game(0, arms=3, workers=1, horizon=6)
    index = g.whittle()
    last = g.step_reward()
    np.testing.assert_allclose(index[-1], last[1] - last[0], atol=1e-6)  # one step to go: the one-step gain
    for t, j, s in itertools.product(range(6), range(3), range(4)):
        _, gains = g.charged_values(np.full((6, 3), index[t, j, s]))
        assert gains[t, j, s] == pytest.approx(index[t, j, s], abs=1e-5)
    idle = RestlessGame(np.stack([g.up[1], g.up[1]]), g.reward, 6, g.cost, g.capacity, g.fits)
    np.testing.assert_allclose(idle.whittle(), 0.0, atol=1e-6)


@pytest.mark.parametrize("rule", ["random", "sampling", "whittle"])
def test_the_engine_keeps_its_contract(rule: str) -> None:
    scenario = {
        "version": 1,
        "name": "restless",
        "game": {"use": "corestless", "params": {"arms": 3, "workers": 1, "horizon": 4, "episodes": 3}},
        "agents": [{"use": "restless_rule", "params": {"rule": rule}}],
        "metrics": [{"use": "reward_per_step", "every": 2}],
        "run": {"budget": 7, "seed": 1},
    }
    check_engine(plan_from_bytes(json.dumps(scenario).encode(), "restless.yaml").build)


def test_large_instances_have_bounds_and_rules_but_no_programme() -> None:
    g = game(0, arms=20, workers=5, episodes=5)
    with pytest.raises(GameTooLarge, match="at most 6 arms"):
        RestlessRule(g, "optimal", seeds=SeedTree(1))
    with pytest.raises(GameTooLarge, match="at most 16 arms"):
        g.sets()
    rule = RestlessRule(g, "whittle", seeds=SeedTree(1))
    rule.step(1)
    certificate = rule.certificate()
    assert certificate.value > 0.0
    assert float(str(certificate.details["share_of_bound"])) > 0.8
    assert certificate.details["unproven_choices"] == 0


def test_broken_instances_and_policies_are_named() -> None:
    g = game(0)
    with pytest.raises(InvalidValue, match="up must be probabilities"):
        RestlessGame(g.up * 3, g.reward, 5, g.cost, g.capacity, g.fits)
    with pytest.raises(InvalidValue, match="reward must be finite"):
        RestlessGame(g.up, g.reward[:, :3], 5, g.cost, g.capacity, g.fits)
    with pytest.raises(InvalidValue, match="costs must be at least 1"):
        RestlessGame(g.up, g.reward, 5, g.cost * 0, g.capacity, g.fits)
    with pytest.raises(InvalidValue, match="step 0, joint state 0: set 11111 is not feasible"):
        g.evaluate(np.full((g.horizon, 4**5), 31))
    with pytest.raises(EquilibriaError, match="rule"):
        plan_from_bytes(
            b"version: 1\nname: x\ngame: {use: corestless}\nagents: [{use: restless_rule, params: {rule: best}}]\n"
            b"metrics: []\nrun: {budget: 1}",
            "x.yaml",
        )
