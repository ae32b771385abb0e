"""Coupled restless bandits: feasibility, exact programme, bounds, indices, rules, refusals."""

from __future__ import annotations

import functools
import itertools
import json
from typing import Any

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from equilibria.agents.decisions.restless import RestlessRule
from equilibria.games.decisions import couplings, tours
from equilibria.games.decisions import restless_kernels as kernels
from equilibria.games.decisions.couplings import Capacity, Count, Coupling, Path, Schedule, mask_of, solve_program
from equilibria.games.decisions.refusals import broken_constraint
from equilibria.games.decisions.restless import RestlessGame
from equilibria.games.decisions.restless_bounds import best_shared
from equilibria.games.decisions.restless_instances import build
from equilibria.games.decisions.settings import RestlessSettings
from equilibria.games.decisions.walks import Walks, shortest_tours
from equilibria.sim.errors import EquilibriaError, GameTooLarge, InvalidValue, Unsupported
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine

PULLED = ("capacity", "schedule", "path")
COUPLINGS = (*PULLED, "interventions")


def game(seed: int = 0, **settings: Any) -> RestlessGame:
    return build(RestlessSettings(**settings), seeds=SeedTree(seed))


def exact(g: RestlessGame, rule: str) -> float:
    decide, rng = RestlessRule(g, rule, seeds=SeedTree(1)).policy(), np.random.default_rng(0)
    return g.evaluate(g.table(lambda t, s: decide(t, s, rng)))


@functools.cache
def walks_of(path: Path) -> frozenset[int]:
    """Follow every walk, waiting included, and return the sets it visits."""
    found = set()

    def go(node: int, mask: int, left: int) -> None:
        if node == path.source:
            found.add(mask)
        if left:
            go(node, mask, left - 1)
            for other in np.flatnonzero(path.edges[node]):
                go(int(other), mask | 1 << int(other), left - 1)

    go(path.source, 1 << path.source, path.length)
    return frozenset(found)


def fits_somehow(coupling: Coupling, chosen: Any) -> bool:
    """Try every assignment of pulled arms to workers, every walk, or count."""
    arms = np.flatnonzero(chosen)
    if isinstance(coupling, Count):
        return arms.size <= coupling.most
    if isinstance(coupling, Path):
        mask = mask_of(chosen)
        return arms.size <= coupling.most and any(mask & ~seen == 0 for seen in walks_of(coupling))
    assert isinstance(coupling, Capacity | Schedule)
    workers = coupling.capacity.size if isinstance(coupling, Capacity) else coupling.fits.shape[1]
    for places in itertools.product(range(workers), repeat=arms.size):
        if isinstance(coupling, Capacity):
            load = (
                np.bincount(places, weights=coupling.cost[arms], minlength=workers) if arms.size else np.zeros(workers)
            )
            if (load <= coupling.capacity).all():
                return True
        elif len(set(places)) == arms.size and all(coupling.fits[j, i] for j, i in zip(arms, places, strict=True)):
            return True
    return False


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_feasible_sets_are_those_with_an_assignment(coupling: str) -> None:
    for seed in range(4):
        g = game(seed, arms=6, workers=3, coupling=coupling, walk=5)
        listed = set(g.sets().tolist())
        for mask in range(64):
            chosen = np.array([mask >> j & 1 for j in range(6)], np.bool_)
            assert g.feasible(chosen) == fits_somehow(g.coupling, chosen) == (mask in listed)


@pytest.mark.parametrize("coupling", PULLED)
def test_the_best_set_is_the_best_of_all_feasible_ones_and_the_integer_program_agrees(coupling: str) -> None:
    rng = np.random.default_rng(1)
    for trial in range(60):
        g = game(trial % 5, arms=int(rng.integers(1, 9)), workers=int(rng.integers(1, 4)), coupling=coupling)
        score = np.round(rng.normal(size=g.arms), 1)
        chosen, proven = g.coupling.best(score)
        assert proven
        assert g.feasible(chosen)
        best = (g.members() @ score).max()
        assert score[chosen].sum() == pytest.approx(best, abs=1e-12)
        if trial < 15:
            programmed = solve_program(g.coupling.program(), score)
            assert g.feasible(programmed)
            assert score[programmed].sum() == pytest.approx(best, abs=1e-6)


def test_the_best_interventions_are_the_same_listed_and_by_an_integer_program() -> None:
    rng = np.random.default_rng(4)
    for seed in range(6):
        g = game(seed, arms=7, workers=3, coupling="interventions", interventions=5)
        values = rng.normal(size=(g.up.shape[0], g.arms))
        chosen, programmed = g.best_set(values), best_shared(g, values)
        assert g.feasible(programmed)
        worth = [float(values[g.modes(c), np.arange(g.arms)].sum()) for c in (chosen, programmed)]
        assert worth[0] == pytest.approx(worth[1], abs=1e-6)
        assert worth[0] == pytest.approx(values[g.modes(g.members()), np.arange(g.arms)].sum(axis=1).max(), abs=1e-12)


def test_the_beam_of_walks_never_beats_the_list_and_mostly_equals_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, equal = np.random.default_rng(3), 0
    for seed in range(8):
        g = game(seed, arms=12, workers=3, coupling="path")
        assert isinstance(g.coupling, Path)
        for _ in range(3):
            score = rng.normal(size=12)
            best, proven = g.coupling.best(score)
            narrow = Walks(g.coupling.edges, g.coupling.source, g.coupling.length)
            monkeypatch.setattr("equilibria.games.decisions.walks.STATES", 1)
            found, sure = narrow.best(score, g.coupling.most)
            monkeypatch.undo()
            assert proven
            assert g.feasible(found)
            assert score[found].sum() <= score[best].sum() + 1e-12
            assert not sure or score[found].sum() == pytest.approx(score[best].sum(), abs=1e-12)
            equal += bool(score[found].sum() > score[best].sum() - 1e-12)
    assert equal >= 20


def test_bounds_hold_the_shortest_tour_and_mostly_meet() -> None:
    rng, decided = np.random.default_rng(6), 0
    for trial in range(120):
        g = game(trial % 6, arms=30, workers=3, coupling="path")
        assert isinstance(g.coupling, Path)
        hops, own = g.coupling.walks.hops, rng.permutation(29)[: int(rng.integers(3, 11))] + 1
        between, out = np.ascontiguousarray(hops[np.ix_(own, own)]), np.ascontiguousarray(hops[0, own])
        shortest = int(shortest_tours(between, out)[-1])
        low, high = tours.bounds(between, out)
        assert low <= shortest <= high
        assert tours.exact(between, out) == shortest
        assert [tours.fits(between, out, shortest + k) for k in (-1, 0)] == [False, True]
        decided += low == high
    assert decided > 100


def test_a_walk_through_many_arms_is_judged_at_once_and_as_the_integer_program_judges() -> None:
    # a ring of 16 arms and a tail of 2: around the ring and into the tail and back takes 16 + 2 * 2 edges
    edges = np.zeros((18, 18), np.bool_)
    for a, b in [*((j, (j + 1) % 16) for j in range(16)), (5, 16), (16, 17)]:
        edges[a, b] = edges[b, a] = True
    every = np.ones(18, np.bool_)
    for length in (18, 19, 20, 21):
        path = Path(edges, 0, length, 18)
        assert path.walks.visits(np.arange(18)) is (length >= 20)
        assert path.allows(every) is (length >= 20)
        if length in (19, 20):
            solution = couplings._solved(path.program(), np.zeros(18), every.astype(np.float64))
            assert (solution is not None) is (length >= 20)
    assert broken_constraint(Path(edges, 0, 19, 18), every).endswith("the shortest has at least 20")


def test_interventions_lift_arms_by_the_stated_sigmoid() -> None:
    g = game(2, arms=6, workers=3, coupling="interventions")
    assert (g.controls, g.links.shape) == (6, (6, 3))
    np.testing.assert_allclose(g.up[0], 0.01, atol=1e-12)
    good = g.reward[:, 2] == 0.1
    assert good.any()
    assert (g.up[1][good] < 0.1).all()  # one of three hardly moves a good arm, all three do
    assert (g.up[7][good] > 0.5).all()
    assert (np.diff(g.up[[1, 3, 7]], axis=0) >= 0).all()
    weak = g.up[1][~good] - g.up[0][~good]
    assert (weak > 0.5 * (g.up[7] - g.up[0])[~good]).all()  # one intervention does most of what bad arms can
    assert (g.up <= 0.99).all()


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


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_action_values_are_expectations_over_all_arms(coupling: str) -> None:
    g = game(3, arms=3, workers=2, coupling=coupling)
    later = np.random.default_rng(1).random(64)
    table, states, members = g.action_values(later), g.joint_states(), g.members()
    assert len(members) > 3
    for s in (0, 27, 63):
        for f, chosen in enumerate(members):
            total = 0.0
            for ups in itertools.product((0, 1), repeat=3):
                p, pay, after = 1.0, 0.0, []
                for j, up in enumerate(ups):
                    mode = sum(2**d for d, c in enumerate(g.links[j]) if c >= 0 and chosen[c])
                    chance = g.up[mode, j]
                    p *= chance if up else 1 - chance
                    nxt = min(3, max(0, int(states[s, j]) + (1 if up else -1)))
                    pay += g.reward[j, nxt]
                    after.append(nxt)
                total += p * (pay + later[np.ravel_multi_index(after, (4, 4, 4))])
            assert table[s, f] == pytest.approx(total, rel=1e-12)


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


@pytest.mark.parametrize("coupling", PULLED)
def test_no_rule_beats_the_programme_and_indices_come_close(coupling: str) -> None:
    for seed in (1, 3):
        g = game(seed, arms=4, horizon=12, coupling=coupling)
        best = float(g.first_states() @ g.solve()[0][0])
        values = {rule: exact(g, rule) for rule in ("null", "iterative", "myopic", "whittle", "lagrangian", "optimal")}
        assert best <= g.relaxed()[0] + 1e-6
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


def test_shared_interventions_defeat_rules_that_look_ahead_one_step_or_one_control() -> None:
    for seed in (0, 2):
        g = game(seed, arms=4, workers=4, coupling="interventions")
        best = float(g.first_states() @ g.solve()[0][0])
        values = {rule: exact(g, rule) for rule in ("iterative", "myopic", "lagrangian", "optimal")}
        assert max(values.values()) <= best + 1e-9
        assert values["optimal"] == pytest.approx(best, rel=1e-12)
        assert best <= g.relaxed()[0] + 1e-6
        assert max(values["iterative"], values["myopic"]) < 0.9 * best
        assert values["lagrangian"] > 0.9 * best
        with pytest.raises(Unsupported, match="single arms"):
            g.whittle()


def test_the_relaxed_bound_is_exact_where_nothing_is_coupled() -> None:
    g = game(1, arms=3, workers=3)
    free = RestlessGame(g.up, g.links, g.reward, g.horizon, Capacity(np.full(3, 2), np.full(3, 100)))
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
        _, worth = g.charged_values(np.full((6, 3, 1), index[t, j, s]))
        assert worth[t, 1, j, s] - worth[t, 0, j, s] == pytest.approx(index[t, j, s], abs=1e-5)
    idle = RestlessGame(np.stack([g.up[1], g.up[1]]), g.links, g.reward, 6, g.coupling)
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
        RestlessGame(g.up * 3, g.links, g.reward, 5, g.coupling)
    with pytest.raises(InvalidValue, match="reward must be finite"):
        RestlessGame(g.up, g.links, g.reward[:, :3], 5, g.coupling)
    with pytest.raises(InvalidValue, match="links must have shape"):
        RestlessGame(g.up, g.links + 1, g.reward, 5, g.coupling)
    with pytest.raises(InvalidValue, match="costs must be at least 1"):
        Capacity(np.zeros(3, np.int64), np.ones(2, np.int64))
    with pytest.raises(InvalidValue, match="symmetric"):
        Path(np.triu(np.ones((3, 3), np.bool_)), 0, 4, 2)
    with pytest.raises(InvalidValue, match=r"source must lie in 0\.\.2"):
        Path(np.ones((3, 3), np.bool_), 3, 4, 2)
    with pytest.raises(GameTooLarge, match="200000 sets"):
        Count(40, 10).sets()
    with pytest.raises(InvalidValue, match="step 0, joint state 0: set 11111 is not feasible"):
        g.evaluate(np.full((g.horizon, 4**5), 31))
    with pytest.raises(EquilibriaError, match="rule"):
        plan_from_bytes(
            b"version: 1\nname: x\ngame: {use: corestless}\nagents: [{use: restless_rule, params: {rule: best}}]\n"
            b"metrics: []\nrun: {budget: 1}",
            "x.yaml",
        )
