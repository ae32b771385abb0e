"""Team matrix games: antisymmetry, known matrices, enumeration."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement

import numpy as np
import pytest

from equilibria.games.analysis import zero_sum_nash
from equilibria.games.matrix.team import TeamGame, TeamMixture, matrix_game
from equilibria.games.matrix.team_games import climb, seek_attack_defend, team_rock_paper_scissors
from equilibria.sim.errors import GameTooLarge, InvalidValue, NumericalError

GAMES: list[Callable[[], TeamGame]] = [climb, seek_attack_defend, team_rock_paper_scissors]


def _random_team(game: TeamGame, rng: np.random.Generator) -> np.ndarray:
    return rng.dirichlet(np.ones(game.actions), game.members)


@pytest.mark.parametrize("make", GAMES)
def test_payoff_is_antisymmetric_on_random_policies(make: Callable[[], TeamGame]) -> None:
    game, rng = make(), np.random.default_rng(0)
    for _ in range(50):
        pi, mu = _random_team(game, rng), _random_team(game, rng)
        assert abs(game.value(pi, mu) + game.value(mu, pi)) < 1e-12


def test_climb_has_the_published_team_matrix() -> None:
    game = climb()
    teams = np.stack([game.embed(game.pure([1] * x + [0] * (3 - x))) for x in range(4)])
    expected = [[0, 0.1, 0.2, 1.5], [-0.1, 0, -1, -2], [-0.2, 1, 0, -1], [-1.5, 2, 1, 0]]
    np.testing.assert_allclose(game.payoffs(teams), expected, atol=1e-12)


def _seek_attack_defend_by_hand(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """Payoff of two pure teams, written from the rules without any features."""

    def gain(team: tuple[int, ...]) -> float:
        seek = [x for x in team if x <= 10]
        if not seek:
            return 0.0
        base = min(seek) if max(seek) - min(seek) <= 1 else 0
        return sum(1 + x * x / 100 for x in seek if 0 < x <= base + 1)

    attacked_a = b.count(11) >= 2 and 12 not in a
    attacked_b = a.count(11) >= 2 and 12 not in b
    return gain(a) * (not attacked_a) - gain(b) * (not attacked_b)


def test_seek_attack_defend_matches_its_rules_on_random_pure_teams() -> None:
    game, rng = seek_attack_defend(), np.random.default_rng(1)
    for _ in range(500):
        a, b = (tuple(int(x) for x in rng.integers(rng.integers(0, 12), 13, 4)) for _ in range(2))
        assert game.value(game.pure(a), game.pure(b)) == pytest.approx(_seek_attack_defend_by_hand(a, b), abs=1e-12)


def test_expected_payoff_equals_a_sum_over_all_pure_teams() -> None:
    game, rng = seek_attack_defend(members=2, levels=2), np.random.default_rng(2)
    pi, mu = _random_team(game, rng), _random_team(game, rng)
    total = 0.0
    size = (game.actions,) * 2
    for a in np.ndindex(size):
        for b in np.ndindex(size):
            weight = pi[0, a[0]] * pi[1, a[1]] * mu[0, b[0]] * mu[1, b[1]]
            total += weight * game.value(game.pure(a), game.pure(b))
    assert game.value(pi, mu) == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("make", GAMES)
def test_action_values_equal_payoffs_of_changed_policies(make: Callable[[], TeamGame]) -> None:
    game, rng = make(), np.random.default_rng(3)
    pi, mu = _random_team(game, rng), _random_team(game, rng)
    q = game.action_values(pi, game.embed(mu))
    for i in range(game.members):
        for a in range(game.actions):
            changed = pi.copy()
            changed[i] = np.eye(game.actions)[a]
            assert q[i, a] == pytest.approx(game.value(changed, mu), abs=1e-12)


def test_seek_attack_defend_has_value_zero_and_the_published_equilibrium() -> None:
    game = seek_attack_defend()
    multisets = list(combinations_with_replacement(range(13), 4))
    assert len(multisets) == 1820
    # product policies of pure teams: features of every multiset, then one linear program on a core of them
    core = [(10, 10, 10, 12), (10, 10, 10, 10), (10, 10, 11, 11), (11, 11, 12, 12), (9, 9, 9, 9), (10, 11, 11, 12)]
    nash = zero_sum_nash(game.payoffs(np.stack([game.embed(game.pure(t)) for t in core])))
    assert nash.value == pytest.approx(0.0, abs=1e-9)
    mixture = TeamMixture(game, np.stack([game.pure(t) for t in core[:3]]), np.array([0.5, 0.25, 0.25]))
    assert mixture.exploitability() == pytest.approx(0.0, abs=1e-12)


def test_best_answer_to_four_gatherers_is_two_attackers_gaining_four() -> None:
    game = seek_attack_defend()
    gain, team = game.best_team(game.embed(game.pure([10] * 4)))
    assert gain == pytest.approx(4.0)
    assert sorted(team) == [10, 10, 11, 11]


def test_no_product_policy_plays_team_rock_paper_scissors_safely() -> None:
    game, rng = team_rock_paper_scissors(), np.random.default_rng(4)
    assert min(game.exploitability(game.embed(_random_team(game, rng))) for _ in range(2000)) > 0.05
    hands = np.stack([game.pure(t) for t in ((0, 0), (0, 1), (1, 1))])
    assert TeamMixture(game, hands, np.full(3, 1 / 3)).exploitability() == pytest.approx(0.0, abs=1e-12)


def test_sampled_plays_follow_the_mixture() -> None:
    game = team_rock_paper_scissors()
    mixture = TeamMixture(game, np.stack([game.pure((0, 0)), game.uniform()]), np.array([0.5, 0.5]))
    plays = mixture.sample(20_000, np.random.default_rng(5))
    # both members 0: 1/2 + 1/8; five standard errors
    assert abs((plays.sum(axis=1) == 0).mean() - 0.625) < 5 * np.sqrt(0.25 / 20_000)


def test_wrong_policies_and_games_are_refused() -> None:
    game = climb()
    with pytest.raises(InvalidValue, match="same size"):
        game.value(np.full((2, 2), 0.5), game.uniform())
    with pytest.raises(InvalidValue, match="sum"):
        game.value(np.full((3, 2), 0.7), game.uniform())
    with pytest.raises(InvalidValue, match="at least 2"):
        climb(1)
    with pytest.raises(InvalidValue, match="members"):
        seek_attack_defend(0)
    with pytest.raises(GameTooLarge, match="exceed the limit"):
        TeamGame("big", 12, 10, np.zeros((1, 1)), np.zeros((1, 1)))
    with pytest.raises(InvalidValue, match="antisymmetric"):
        matrix_game([[0, 1], [1, 0]])
    with pytest.raises(NumericalError):
        matrix_game([[0.0, float("nan")], [1.0, 0.0]])
