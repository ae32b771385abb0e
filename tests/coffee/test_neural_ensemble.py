"""The ensemble of networks: it fits the data, disagrees where they end, and drives offline PSRO."""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.coffee.baselines import behaviour_cloning
from equilibria.agents.solvers.coffee.data import generate
from equilibria.agents.solvers.coffee.neural import NeuralEnsemble
from equilibria.agents.solvers.coffee.settings import CoffeeSettings, NetworkSettings
from equilibria.agents.solvers.coffee.solver import CoffeePSRO
from equilibria.games.extensive.spiel import openspiel
from equilibria.games.extensive.values import nash_conv
from equilibria.sim.seeds import SeedTree

SMALL = NetworkSettings(hidden=32, epochs=15)


def test_networks_learn_final_payoffs_and_doubt_what_was_never_tried() -> None:
    data = generate("kuhn_poker", episodes=600, coverage=0.5, seeds=SeedTree(4))
    ensemble = NeuralEnsemble(data, 2, NetworkSettings(hidden=48, epochs=50), SeedTree(0))
    last = data.steps.group_by("episode", maintain_order=True).last()
    rows = list(zip(*(last[c].to_list() for c in ("episode", "state", "action", "player")), strict=True))[:60]
    found = np.array([ensemble.payoffs(s, a, p).mean(axis=0)[0] for _, s, a, p in rows])
    paid = data.rewards[[e for e, *_ in rows], 0]
    assert np.corrcoef(found, paid)[0, 1] > 0.9  # at the last step payoffs are determined
    tried = {(s, a) for s, a in zip(data.steps["state"].to_list(), data.steps["action"].to_list(), strict=True)}
    seen: list[tuple[str, int, int]] = []
    unseen: list[tuple[str, int, int]] = []
    for player, state, legal in zip(*(data.steps[c].to_list() for c in ("player", "state", "legal")), strict=True):
        if player >= 0:
            for action in legal:
                (seen if (state, action) in tried else unseen).append((state, int(action), int(player)))
    doubts = [np.mean([ensemble.doubt(*each) for each in sorted(set(part))]) for part in (seen, unseen)]
    assert 0 < doubts[0] < doubts[1] <= 5


def test_the_same_seed_gives_the_same_networks_and_another_one_others() -> None:
    data = generate("kuhn_poker", episodes=100)
    a, b, c = (NeuralEnsemble(data, 2, NetworkSettings(hidden=8, epochs=3), SeedTree(s)) for s in (1, 1, 2))
    state = data.steps["state"].to_list()[2]
    np.testing.assert_array_equal(a.payoffs(state, 0, 0), b.payoffs(state, 0, 0))
    assert (a.payoffs(state, 0, 0) != c.payoffs(state, 0, 0)).any()
    assert a.held_out_loss == b.held_out_loss


def test_offline_psro_runs_and_resumes_on_networks() -> None:
    game = openspiel("kuhn_poker")
    data = generate("kuhn_poker", episodes=600, coverage=0.5, seeds=SeedTree(3))
    settings = CoffeeSettings(model="neural", network=SMALL, members=3)
    whole, first, second = (CoffeePSRO(data, settings, seeds=SeedTree(5)) for _ in range(3))
    whole.step(5)
    first.step(3)
    second.load(first.save())
    second.step(2)
    np.testing.assert_array_equal(whole.policy().probs, second.policy().probs)
    assert nash_conv(game, whole.transferred(game)) < nash_conv(game, behaviour_cloning(data, game))
