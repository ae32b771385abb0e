"""Deep fictitious cross-play: opponents, archive, exploitability, resume, the local equilibrium it escapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.players import FrozenPlayer, UniformPlayer
from equilibria.agents.learning.policies import JointPolicy
from equilibria.agents.solvers.fxp.deep.exploitability import (
    exact_exploitability,
    team_probabilities,
    trained_exploitability,
)
from equilibria.agents.solvers.fxp.deep.matches import play_match, round_robin
from equilibria.agents.solvers.fxp.deep.opponents import PopulationPlayer
from equilibria.agents.solvers.fxp.deep.settings import (
    DeepFictitiousSelfPlaySettings,
    DeepFXPSettings,
    DeepSelfPlaySettings,
    DeepTeamPSROSettings,
)
from equilibria.agents.solvers.fxp.deep.solver import DeepFXP
from equilibria.games.matrix import climb, team_rock_paper_scissors
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.two_teams import MiniBattle, TeamGameWorld
from equilibria.sim.errors import InvalidValue, Unsupported, UnsupportedGame
from equilibria.sim.seeds import SeedTree

SMALL: dict[str, Any] = {
    "worlds": 256, "steps": 2, "epochs": 4, "minibatches": 1, "actor_lr": 0.01, "critic_lr": 0.01, "hidden": 16,
    "layers": 1, "discount": 1.0, "snapshot_every": 15, "match_episodes": 64,
}  # fmt: skip
CLIMB = {
    **SMALL, "meta": "nash", "p_self": 0.3, "p_past_main": 0.35, "p_past_counter": 0.35, "reset_main": True,
    "reset_counter": True,
}  # fmt: skip
TINY = {**SMALL, "worlds": 16, "snapshot_every": 2, "match_episodes": 8, "certificate_updates": 1}


def constant(world: TeamGameWorld, probability_of_1: float, seed: int = 0) -> JointPolicy:
    """Return a team whose members play 1 with a given probability."""
    team = Learner(world, DeepFXPSettings(**SMALL), seeds=SeedTree(seed), roles=["red"]).policy()
    with torch.no_grad():
        team.head.weight.zero_()  # type: ignore[attr-defined]
        odds = np.log(probability_of_1 / (1 - probability_of_1))
        team.head.bias.copy_(torch.tensor([[0.0, float(odds)]]))  # type: ignore[attr-defined]
    return team


WORLD = TeamGameWorld(climb())
TEAMS = [constant(WORLD, p) for p in (1e-6, 0.5, 1 - 1e-6)]


def test_opponents_are_drawn_per_episode_with_their_probabilities() -> None:
    player = PopulationPlayer(lambda: TEAMS, 3)
    player.use(np.array([0.2, 0.4, 0.4]))
    player.begin(100_000)
    shares = np.bincount(player.present, minlength=3) / 100_000
    assert np.abs(shares - [0.2, 0.4, 0.4]).max() < 3 * np.sqrt(0.24 / 100_000)
    before, over = player.present, np.arange(100_000) % 2 == 0
    player.ended(over)
    assert np.array_equal(player.present[~over], before[~over])
    assert not np.array_equal(player.present[over], before[over])


def test_every_world_meets_the_team_it_drew() -> None:
    player = PopulationPlayer(lambda: TEAMS, 1)
    player.use(np.array([0.5, 0.0, 0.5]))
    player.begin(64)
    actions = player.act(torch.ones(64, 3, 1), None)
    assert np.array_equal(actions, np.repeat(player.present[:, None] // 2, 3, axis=1))
    with pytest.raises(InvalidValue, match="distribution over 3 teams"):
        player.use(np.array([0.5, 0.5]))


def test_a_population_goes_on_from_its_saved_state_and_copies_are_independent() -> None:
    player, twin = PopulationPlayer(lambda: TEAMS, 1), PopulationPlayer(lambda: TEAMS, 2)
    player.use(np.full(3, 1 / 3))
    player.begin(8)
    twin.load(player.save())
    obs, over = torch.ones(8, 3, 1), np.ones(8, np.bool_)
    copied = player.copy()
    for _ in range(3):
        assert np.array_equal(player.act(obs, None), twin.act(obs, None))
        player.ended(over)
        twin.ended(over)
        assert np.array_equal(player.present, twin.present)
    copied.begin(8)
    assert copied.present.shape == (8,)


def test_recurrent_teams_keep_their_own_memory_in_a_mixture() -> None:
    settings = DeepFXPSettings(**{**SMALL, "recurrent": True, "chunk": 2})
    world = MiniBattle()
    teams = [Learner(world, settings, seeds=SeedTree(i), roles=["red"]).policy() for i in range(2)]
    alone, mixed = (PopulationPlayer(lambda: teams, 1) for _ in range(2))
    for player, weights in ((alone, [1.0, 0.0]), (mixed, [0.5, 0.5])):
        player.use(np.array(weights))
        player.begin(16)
    first = mixed.present == 0
    obs = torch.from_numpy(world.reset(0, 16).observation[:, :2].copy())
    for _ in range(3):
        alone.act(obs, None)
        mixed.act(obs, None)
    assert 0 < first.sum() < 16
    torch.testing.assert_close(mixed._context["hidden"][first], alone._context["hidden"][first])
    assert not torch.allclose(mixed._context["hidden"][~first], alone._context["hidden"][~first])


def test_matches_pay_the_exact_values_and_round_robins_rank() -> None:
    found = round_robin(WORLD, TEAMS, episodes=2000, seeds=SeedTree(4))
    game = climb()
    tables = [team_probabilities(WORLD, t) for t in TEAMS]
    exact = np.array([[game.value(a, b) for b in tables] for a in tables])
    assert np.abs(found.payoffs - exact).max() < 4 * found.errors.max() + 1e-5
    assert np.array_equal(found.payoffs, -found.payoffs.T)
    assert found.wins[0, 2] == 2000
    assert found.elo.rating[0] > found.elo.rating[1:].max()
    assert found.elo.rating.mean() == pytest.approx(1000)


def test_battles_between_equals_are_fair_and_count_first_episodes_only() -> None:
    world = MiniBattle()
    match = play_match(world, UniformPlayer(13, 1), UniformPlayer(13, 2), episodes=600, key=5)
    assert match.returns.shape == match.results.shape == (600,)
    assert set(np.unique(match.results)) <= {-1, 0, 1}
    assert abs(match.returns.mean()) < 4 * match.returns.std() / np.sqrt(600)
    assert match.score == pytest.approx(0.5, abs=0.08)


def test_exploitability_of_known_teams_is_exact() -> None:
    values = [exact_exploitability(WORLD, [team], np.ones(1)) for team in TEAMS]
    assert values[0] == pytest.approx(0.0, abs=1e-4)
    assert values[2] == pytest.approx(1.5, abs=1e-4)  # all zeros beat all ones
    game = climb()
    half = game.exploitability(game.embed(np.full((3, 2), 0.5)))
    assert values[1] == pytest.approx(half, abs=1e-6)
    mixture = exact_exploitability(WORLD, TEAMS, np.array([0.5, 0.0, 0.5]))
    ones, zeros = game.embed(game.pure([1, 1, 1])), game.embed(game.pure([0, 0, 0]))
    assert mixture == pytest.approx(game.exploitability(0.5 * ones + 0.5 * zeros), abs=1e-4)
    assert exact_exploitability(MiniBattle(), [], np.ones(0)) is None


def test_a_trained_team_response_finds_what_no_single_member_does() -> None:
    assert climb().local_gain(climb().pure([1, 1, 1])) == 0.0
    settings = DeepFXPSettings(**SMALL)
    found = trained_exploitability(
        WORLD, FrozenPlayer(TEAMS[2], 1), settings, updates=30, episodes=400, seeds=SeedTree(2), starts=(None, TEAMS[1])
    )
    assert found.low <= found.gain <= found.high
    assert found.gain == pytest.approx(1.5, abs=0.05)
    assert found.score > 0.97
    assert found.responses == 2
    assert TEAMS[1].head.weight.abs().sum() == 0  # type: ignore[attr-defined]  # the start is left alone


@pytest.mark.heavy
def test_fxp_leaves_the_local_equilibrium_that_holds_self_play() -> None:
    fxp = DeepFXP(climb(), DeepFXPSettings(**CLIMB), seeds=SeedTree(1))
    fxp.step(60)
    own = DeepFXP(climb(), DeepSelfPlaySettings(**SMALL), seeds=SeedTree(1), name="sp_deep")
    own.step(60)
    assert team_probabilities(fxp.world, fxp.policy())[:, 0].min() > 0.9
    assert team_probabilities(own.world, own.policy())[:, 1].min() > 0.9
    assert fxp.certificate().kind == "exact"
    assert fxp.certificate().value < 0.1
    assert own.certificate().value > 1.2
    meta = fxp.meta_exploitability()
    assert meta is not None
    assert meta < 0.1
    assert np.array_equal(fxp.payoff_matrix, -fxp.payoff_matrix.T)
    rows = fxp.table("elo")
    assert rows["weight"].sum() == pytest.approx(1.0)
    assert len(rows["kind"]) == 2 * (1 + fxp.generation)
    assert len(fxp.table("cross_play")["payoff"]) == len(rows["kind"]) ** 2
    assert fxp.table("team_policy")["probability"].shape == (len(rows["kind"]) * 6,)


@pytest.mark.parametrize(
    "settings",
    [
        DeepFXPSettings(**TINY),
        DeepFXPSettings(**{**TINY, **{k: CLIMB[k] for k in ("meta", "reset_main", "reset_counter")}}),
        DeepFictitiousSelfPlaySettings(**TINY),
        DeepTeamPSROSettings(**TINY),
    ],
    ids=["fxp", "fxp nash", "fsp", "psro"],
)
@pytest.mark.parametrize("game", [team_rock_paper_scissors(), MiniBattle(horizon=3)], ids=["rps", "battle"])
def test_runs_resume_bit_identically(settings: DeepFXPSettings, game: Any) -> None:
    def solver() -> DeepFXP:
        return DeepFXP(game, settings, seeds=SeedTree(5))

    whole, first, second = solver(), solver(), solver()
    whole.step(7)
    first.step(5)
    second.load(first.save())
    second.step(2)
    end, again = whole.save(), second.save()
    assert end.arrays.keys() == again.arrays.keys()
    for name, array in end.arrays.items():
        assert np.array_equal(array, again.arrays[name]), name
    assert dict(end.meta) == dict(again.meta)
    assert whole.latest == second.latest


def test_opponents_follow_the_published_chances() -> None:
    solver = DeepFXP(team_rock_paper_scissors(), DeepFXPSettings(**TINY), seeds=SeedTree(0))
    solver.step(2)
    # live main, live counter, then main, counter, main, counter of the archive
    assert solver._main_weights() == pytest.approx([0.2, 0, 0.2, 0.2, 0.2, 0.2])
    assert solver._counter_weights() == pytest.approx([0, 0, 0.5, 0, 0.5, 0])


def test_an_uncertain_battle_gets_a_trained_lower_bound() -> None:
    settings = DeepFXPSettings(**{**TINY, "worlds": 32, "steps": 8, "certify": "meta", "certificate_episodes": 32})
    solver = DeepFXP(MiniBattle(horizon=6), settings, seeds=SeedTree(0))
    solver.step(2)
    found = solver.certificate()
    assert found.kind == "lower bound"
    assert found.measure == "exploitability of the meta-strategy's mixture"
    assert found.low <= found.value <= found.high
    assert found.details["population"] == 4
    assert "counter_mean_reward" in solver.latest
    with pytest.raises(Unsupported, match="feed-forward product policies in team games"):
        solver.table("team_policy")


def test_wrong_settings_and_games_are_refused_by_name() -> None:
    for settings, says in (
        ({"p_self": 0.5}, "must sum to 1"),
        ({"counter": False}, "without counter teams"),
        ({"meta": "nash", "p_past_main": 0.2, "p_current_counter": 0.2}, "must be 0"),
    ):
        with pytest.raises(ValueError, match=says):
            DeepFXPSettings(**settings)
    with pytest.raises(UnsupportedGame, match="fxp_deep plays symmetric games"):
        DeepFXP(CoordinationWorld(3), DeepFXPSettings(), seeds=SeedTree(0))
    with pytest.raises(Unsupported, match="give it role 'all'"):
        DeepFXP(climb(), DeepFXPSettings(**TINY), seeds=SeedTree(0)).meet({"blue": UniformPlayer(2, 0)})
    with pytest.raises(InvalidValue, match="at least 2 teams"):
        round_robin(WORLD, TEAMS[:1], episodes=2, seeds=SeedTree(0))
