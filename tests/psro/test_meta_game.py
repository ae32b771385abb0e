"""Meta-games on realisation plans: payoffs, growth, tensor against operator."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.population.meta_solvers.hybrid import hybrid
from equilibria.agents.solvers.population.plan_game import PlanMetaGame, Representation
from equilibria.games.extensive import BehaviouralPolicy, ExtensiveGame, expected_values, openspiel, random_policy
from equilibria.sim.errors import GameTooLarge, InvalidValue

GAMES = ["kuhn_poker", "leduc_poker", "kuhn_poker(players=3)", "kuhn_poker(players=4)", "sheriff"]


def populated(
    game: ExtensiveGame, counts: list[int], representation: Representation = "auto", seed: int = 0
) -> tuple[PlanMetaGame, list[list[BehaviouralPolicy]]]:
    rng = np.random.default_rng(seed)
    meta = PlanMetaGame(game, representation=representation)
    off = game.arrays.seq_off.astype(int)
    policies: list[list[BehaviouralPolicy]] = []
    for p, count in enumerate(counts):
        policies.append([random_policy(game, rng) for _ in range(count)])
        for policy in policies[-1]:
            meta.add(p, policy.plan()[off[p] : off[p + 1]])
    return meta, policies


def combine(game: ExtensiveGame, policies: list[BehaviouralPolicy]) -> BehaviouralPolicy:
    off = game.arrays.seq_off.astype(int)
    parts = [policy.probs[off[p] : off[p + 1]] for p, policy in enumerate(policies)]
    return BehaviouralPolicy(game, np.concatenate(parts))


@pytest.mark.parametrize("name", GAMES)
def test_entries_are_expected_payoffs(name: str) -> None:
    game = openspiel(name)
    counts = [2, 3, 2, 1][: game.players]
    meta, policies = populated(game, counts)
    payoffs = meta.payoffs()
    for entry in np.ndindex(*counts):
        exact = expected_values(game, combine(game, [policies[p][j] for p, j in enumerate(entry)]))
        np.testing.assert_allclose([t[entry] for t in payoffs], exact, atol=1e-12 * max(1.0, meta.scale))


@pytest.mark.parametrize("name", GAMES)
def test_tensor_and_operator_agree(name: str) -> None:
    game = openspiel(name)
    counts = [3, 4, 2, 3][: game.players]
    tensor, _ = populated(game, counts, "tensor")
    operator, _ = populated(game, counts, "operator")
    rng = np.random.default_rng(1)
    for _ in range(5):
        sigma = [rng.dirichlet(np.ones(k)) for k in counts]
        for p in range(game.players):
            np.testing.assert_allclose(
                tensor.values(p, sigma), operator.values(p, sigma), atol=1e-12 * max(1.0, tensor.scale)
            )


@pytest.mark.parametrize("name", ["kuhn_poker", "kuhn_poker(players=3)", "kuhn_poker(players=4)"])
def test_shor_agrees_on_tensor_and_operator_over_100_rounds(name: str) -> None:
    game = openspiel(name)
    counts = [4] * game.players
    found = [
        hybrid(populated(game, counts, kind)[0].arrays(), 100, 0.3, 0.5, 0.5, 0.05, True, True)
        for kind in ("tensor", "operator")
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)


@pytest.mark.parametrize("name", ["leduc_poker", "kuhn_poker(players=3)"])
def test_adding_policies_never_changes_old_entries(name: str) -> None:
    game = openspiel(name)
    meta, _ = populated(game, [3] * game.players)
    before = [t.copy() for t in meta.payoffs()]
    off = game.arrays.seq_off.astype(int)
    rng = np.random.default_rng(2)
    for p in range(game.players):
        for _ in range(20):  # beyond the first capacity
            meta.add(p, random_policy(game, rng).plan()[off[p] : off[p + 1]])
            if p == 0:
                meta.payoffs()
    for old, new in zip(before, meta.payoffs(), strict=True):
        np.testing.assert_array_equal(new[tuple(slice(k) for k in old.shape)], old)


def test_entries_do_not_depend_on_when_they_are_filled() -> None:
    game = openspiel("kuhn_poker(players=3)")
    at_once, policies = populated(game, [3, 3, 3], "tensor")
    stepwise = PlanMetaGame(game, representation="tensor")
    off = game.arrays.seq_off.astype(int)
    for j in range(3):
        for p in range(3):
            stepwise.add(p, policies[p][j].plan()[off[p] : off[p + 1]])
        stepwise.payoffs()
    for a, b in zip(at_once.payoffs(), stepwise.payoffs(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_large_populations_of_many_players_switch_to_the_operator() -> None:
    game = openspiel("kuhn_poker(players=3)")
    small, _ = populated(game, [5, 5, 5])
    large, _ = populated(game, [50, 50, 50])
    assert small.uses_tensor()
    assert not large.uses_tensor()
    two, _ = populated(openspiel("kuhn_poker"), [60, 60])
    assert two.uses_tensor()


def test_a_tensor_beyond_the_limit_is_refused_with_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    from equilibria.agents.solvers.population import plan_game

    monkeypatch.setattr(plan_game, "MAX_ENTRIES", 100)
    meta, _ = populated(openspiel("kuhn_poker(players=3)"), [5, 5, 5])
    with pytest.raises(GameTooLarge, match=r"375 payoff entries.*shor, pm"):
        meta.payoffs()


def test_arrays_that_are_no_realisation_plans_are_refused() -> None:
    meta = PlanMetaGame(openspiel("kuhn_poker"))
    with pytest.raises(InvalidValue, match=r"shape \(3,\), expected \(13,\)"):
        meta.add(0, np.ones(3))
    with pytest.raises(InvalidValue, match="no realisation plan"):
        meta.add(0, np.ones(13))
    with pytest.raises(InvalidValue, match="no realisation plan"):
        meta.add(0, np.full(13, np.nan))
    with pytest.raises(InvalidValue, match=r"player must lie in 0\.\.1"):
        meta.add(2, np.ones(13))
    with pytest.raises(InvalidValue, match="representation"):
        PlanMetaGame(openspiel("kuhn_poker"), representation="dense")  # type: ignore[arg-type]
