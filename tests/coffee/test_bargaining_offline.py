"""Alternating offers: backward induction, sequence form, offline discovery in a general-sum game."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from equilibria.agents.solvers.coffee.baselines import behaviour_cloning, best_pure_profile, mixed_with_cloning
from equilibria.agents.solvers.coffee.data import generate
from equilibria.agents.solvers.coffee.solver import CoffeePSRO
from equilibria.games.extensive.bargaining import AlternatingOffers, OfferState
from equilibria.games.extensive.bargaining_plugin import AlternatingOffersSettings
from equilibria.games.extensive.policy import uniform_policy
from equilibria.games.extensive.values import expected_values, nash_conv
from equilibria.sim.errors import GameTooLarge
from equilibria.sim.seeds import SeedTree

GAME = AlternatingOffers()


def _induction(state: OfferState) -> list[float]:
    """Backward induction on the tree; of equal actions the one of most welfare is taken, which is agreement."""
    if state.is_terminal():
        return state.returns()
    p = state.current_player()
    children = [_induction(OfferState(state.rules, [*state.past, a])) for a in state.legal_actions()]
    return max(children, key=lambda u: (u[p], sum(u)))


@pytest.mark.parametrize(("pie", "rounds", "discount"), [(5, 3, 0.9), (4, 1, 0.5), (5, 2, 0.9), (7, 3, 0.6)])
def test_closed_form_equals_backward_induction_on_the_tree(pie: int, rounds: int, discount: float) -> None:
    game = AlternatingOffers(AlternatingOffersSettings(pie=pie, rounds=rounds, discount=discount))
    assert game.subgame_perfect() == pytest.approx(tuple(_induction(game.new_initial_state())))


def test_a_fine_pie_tends_to_the_continuous_shares() -> None:
    shares = []
    for rounds in (1, 2, 3):
        game = AlternatingOffers(AlternatingOffersSettings(pie=50, rounds=rounds))
        shares.append(game.subgame_perfect()[0] / 50)
    np.testing.assert_allclose(shares, [1.0, 0.1, 0.91], atol=1 / 50 + 1e-12)


def test_sequence_form_has_the_expected_payoffs_of_the_tree() -> None:
    game = GAME.extensive()

    def mean(state: OfferState) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        if state.is_terminal():
            return np.array(state.returns())
        children = [mean(OfferState(state.rules, [*state.past, a])) for a in state.legal_actions()]
        return np.asarray(np.mean(children, axis=0))

    np.testing.assert_allclose(expected_values(game, uniform_policy(game)), mean(GAME.new_initial_state()), atol=1e-12)


def test_offline_discovery_in_bargaining_beats_cloning() -> None:
    game = GAME.extensive()
    ours, cloned = [], []
    for seed in range(3):
        data = generate(GAME, episodes=3000, coverage=0.7, seeds=SeedTree(seed))
        solver = CoffeePSRO(data, seeds=SeedTree(seed))
        solver.step(8)
        ours.append(nash_conv(game, solver.transferred(game)))
        cloned.append(nash_conv(game, behaviour_cloning(data, game)))
    assert np.mean(ours) < np.mean(cloned)
    policy, weight = mixed_with_cloning(data, game)
    assert 0 <= weight <= 1 and nash_conv(game, policy) >= 0
    assert nash_conv(game, best_pure_profile(data, game, steps=4)) >= 0


def test_rules_out_of_range_and_large_trees_are_refused() -> None:
    with pytest.raises(ValidationError):
        AlternatingOffersSettings(pie=0)
    with pytest.raises(GameTooLarge, match="lower pie or rounds"):
        AlternatingOffers(AlternatingOffersSettings(pie=50, rounds=6)).extensive()
