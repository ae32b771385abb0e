"""Trees written by hand, matrix and Bayesian games, random games, their histories and bad input."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.games.extensive.histories import histories_of
from equilibria.games.extensive.lp import sequence_form_lp
from equilibria.games.extensive.matrix import bayesian_matrix_game, matrix_game
from equilibria.games.extensive.policy import random_policy, uniform_policy
from equilibria.games.extensive.random_games import random_game, random_tree
from equilibria.games.extensive.spiel import openspiel
from equilibria.games.extensive.tree import Chance, Decision, GameTree, Terminal, chance, decision, payoff
from equilibria.games.extensive.values import expected_values, nash_conv
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.sim.seeds import SeedTree


def _coin() -> GameTree:
    """A coin is shown to the first player, who sells or plays on; the second one guesses."""
    guess = {
        face: decision(1, "guess", {"heads": payoff(*heads), "tails": payoff(*tails)})
        for face, heads, tails in (("heads", (-1, 1), (1, -1)), ("tails", (1, -1), (-1, 1)))
    }
    return GameTree(
        "coin toss",
        ("first", "second"),
        chance(
            {
                "heads": (0.5, decision(0, "saw heads", {"sell": payoff(0.5, -0.5), "play": guess["heads"]})),
                "tails": (0.5, decision(0, "saw tails", {"sell": payoff(-0.5, 0.5), "play": guess["tails"]})),
            }
        ),
    )


def test_coin_toss_has_its_published_value() -> None:
    """Brown and Sandholm (2017), Safe and nested subgame solving: the game is worth 0; heads is guessed at 1/4."""
    game = _coin().game()
    solution = sequence_form_lp(game)
    assert solution.value == pytest.approx(0.0, abs=1e-12)
    assert solution.policy.prob(1, "guess")[0] == pytest.approx(0.25)


def test_bayesian_game_equals_its_tree() -> None:
    rng = np.random.default_rng(0)
    payoffs, prior = rng.normal(size=(2, 3, 2, 2, 2)), rng.dirichlet(np.ones(6)).reshape(2, 3)
    game = bayesian_matrix_game(payoffs, prior)
    assert game.infostates == ("type 0", "type 1", "type 0", "type 1", "type 2")
    policy = random_policy(game, rng)
    expected = np.zeros(2)
    for s in range(2):
        for t in range(3):
            row = [policy.prob(0, f"type {s}")[a] for a in range(2)]
            column = [policy.prob(1, f"type {t}")[a] for a in range(2)]
            expected += prior[s, t] * np.einsum("pij,i,j->p", payoffs[s, t], row, column)
    np.testing.assert_allclose(expected_values(game, policy), expected, atol=1e-12)


def test_matrix_games_agree_with_direct_evaluation() -> None:
    rng = np.random.default_rng(1)
    payoffs = rng.normal(size=(3, 2, 3, 4))
    game = matrix_game(payoffs)
    policy = random_policy(game, rng)
    mixed = [policy.probs[int(game.arrays.first[p]) :][: payoffs.shape[p + 1]] for p in range(3)]
    expected = np.einsum("pijk,i,j,k->p", payoffs, *mixed)
    np.testing.assert_allclose(expected_values(game, policy), expected, atol=1e-12)
    assert game.nodes == 1 + 2 + 6 + 24


def test_large_matrix_games_are_built_without_a_tree() -> None:
    game = matrix_game(np.random.default_rng(0).normal(size=(500, 600)))
    assert game.arrays.merged == 300_000
    assert game.constant_sum == 0.0


@pytest.mark.parametrize(
    "make", [lambda: _coin().game(), lambda: matrix_game([[1, -1], [-1, 1]]), lambda: random_game(SeedTree(8))]
)
def test_histories_agree_with_the_arrays(make) -> None:  # type: ignore[no-untyped-def]
    game = make()
    tree = histories_of(game)
    policy = random_policy(game, np.random.default_rng(0))
    reach = np.ones(tree.nodes)
    for h in range(1, tree.nodes):
        above = int(tree.parent[h])
        move = policy.probs[tree.edge[h]] if tree.edge[h] >= 0 else tree.chance[h] / tree.chance[above]
        reach[h] = reach[above] * move
    np.testing.assert_allclose(tree.utility @ reach, expected_values(game, policy), atol=1e-12)
    assert tree.nodes == game.nodes


def test_histories_of_openspiel_games_are_walked_again() -> None:
    game = openspiel("kuhn_poker")
    assert histories_of(game).nodes == 58


@pytest.mark.parametrize("seed", range(20))
def test_random_games_repeat_by_seed_and_are_zero_sum(seed: int) -> None:
    game, again, other = (random_game(SeedTree(s), players=2 + seed % 2) for s in (seed, seed, seed + 1000))
    assert game.content_hash == again.content_hash != other.content_hash
    assert game.constant_sum == pytest.approx(0.0, abs=1e-12)
    assert nash_conv(game, uniform_policy(game)) > 0.0


def test_random_general_sum_games_have_no_constant_sum() -> None:
    assert random_game(SeedTree(0), zero_sum=False).constant_sum is None


END = Terminal((0.0, 0.0))


@pytest.mark.parametrize(
    ("root", "text"),
    [
        (Terminal((1.0,)), "at the root: expected 2 payoffs, got 1"),
        (Terminal((float("nan"), 0.0)), "payoffs must be finite"),
        (Decision(2, "x", ("a",), (END,)), "player must lie in 0..1, got 2"),
        (Decision(0, "x", (), ()), "at least one"),
        (Decision(0, "x", ("a", "a"), (END, END)), "action names must differ"),
        (Chance(("a", "b"), (0.5, 0.4), (END, END)), "chance probabilities must sum to 1, they sum to 0.9"),
        (Chance(("a", "b"), (1.5, -0.5), (END, END)), "must be non-negative"),
        (Chance(("a", "b"), (1.0,), (END, END)), "expected 2 probabilities, got 1"),
        (
            Decision(0, "x", ("go",), (Decision(1, "y", ("l",), (Decision(1, "y", ("r",), (END,)),)),)),
            r"at node /go/l: infoset 'y' has actions \('r',\) here and \('l',\) elsewhere",
        ),
    ],
)
def test_broken_trees_name_the_node(root, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidValue, match=text):
        GameTree("broken", ("a", "b"), root)


def test_deep_trees_need_no_recursion() -> None:
    node: Terminal | Decision = Terminal((1.0, -1.0))
    for depth in range(5000):
        node = Decision(depth % 2, f"level {depth}", ("stop", "go"), (END, node))
    game = GameTree("deep", ("a", "b"), node).game()
    assert game.arrays.infosets == 5000
    assert histories_of(game).nodes == game.nodes


@pytest.mark.parametrize(
    ("payoffs", "text"),
    [
        ([1.0, 2.0], "shape"),
        ([[1.0, float("inf")]], r"payoffs must be finite, got inf at \(0, 1\)"),
        ([[1.0, 2.0], [3.0]], "rectangular table of numbers"),
        (np.zeros((3, 2, 2)), "shape"),
        (np.zeros((2, 0, 2)), "shape"),
        ([["a", "b"]], "rectangular table of numbers"),
    ],
)
def test_bad_tables_are_named(payoffs: object, text: str) -> None:
    with pytest.raises(InvalidValue, match=text):
        matrix_game(payoffs)  # type: ignore[arg-type]


def test_bad_priors_names_and_sizes_are_named() -> None:
    with pytest.raises(InvalidValue, match="prior must be a distribution"):
        bayesian_matrix_game(np.zeros((1, 2, 2, 2, 2)), [[0.5, 0.6]])
    with pytest.raises(InvalidValue, match="payoffs must have shape"):
        bayesian_matrix_game(np.zeros((2, 2, 2)), [[0.5, 0.5]])
    with pytest.raises(InvalidValue, match="distinct action names"):
        matrix_game([[0.0, 1.0]], actions=[["a"], ["b", "b"]])
    with pytest.raises(GameTooLarge, match="at most"):
        random_tree(SeedTree(0), depth=40)
    with pytest.raises(InvalidValue, match="least <= most"):
        random_tree(SeedTree(0), actions=(3, 2))
