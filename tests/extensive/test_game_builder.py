"""The direct builder: a hand-made game, refusals, merging."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equilibria.games.extensive import (
    GameBuilder,
    expected_values,
    exploitability,
    openspiel,
    random_policy,
    uniform_policy,
)
from equilibria.sim.errors import ImperfectRecall, InvalidValue


def pennies() -> GameBuilder:
    b = GameBuilder(2, name="pennies")
    row = b.add_infoset(0, "row", ["heads", "tails"])
    col = b.add_infoset(1, "column", ["heads", "tails"])
    for i in range(2):
        for j in range(2):
            u = 1.0 if i == j else -1.0
            b.add_terminal((row + i, col + j), (u, -u))
    return b


def kuhn() -> GameBuilder:
    """Kuhn poker written out by hand: bet 1, cards 0 < 1 < 2."""
    b = GameBuilder(2, name="kuhn by hand")
    for mine in range(3):
        for other in range(3):
            if mine == other:
                continue
            win = 1.0 if mine > other else -1.0
            open_ = b.add_infoset(0, f"{mine}", ["pass", "bet"])
            after_pass = b.add_infoset(1, f"{other}p", ["pass", "bet"])
            after_bet = b.add_infoset(1, f"{other}b", ["pass", "bet"])
            respond = b.add_infoset(0, f"{mine}pb", ["pass", "bet"], parent=open_)
            for seqs, u in (
                ((open_, after_pass), win),
                ((open_ + 1, after_bet), 1.0),
                ((open_ + 1, after_bet + 1), 2.0 * win),
                ((respond, after_pass + 1), -1.0),
                ((respond + 1, after_pass + 1), 2.0 * win),
            ):
                b.add_terminal(seqs, (u, -u), 1.0 / 6.0)
    return b


def test_a_hand_made_matrix_game_has_its_known_values() -> None:
    game = pennies().build()
    uniform = uniform_policy(game)
    assert expected_values(game, uniform).tolist() == [0.0, 0.0]
    assert exploitability(game, uniform) == 0.0
    assert game.action_names[0] == ("heads", "tails")


def test_kuhn_by_hand_agrees_with_openspiel() -> None:
    by_hand, compiled = kuhn().build(nodes=58), openspiel("kuhn_poker")
    assert by_hand.arrays.merged == compiled.arrays.merged
    assert exploitability(by_hand, uniform_policy(by_hand)) == pytest.approx(0.9166666666666666 / 2, abs=1e-14)


def test_equal_sequence_tuples_are_added_up() -> None:
    b = GameBuilder(1, name="lottery")
    pick = b.add_infoset(0, "pick", 2)
    b.add_terminal((pick,), (3.0,), 0.25)
    b.add_terminal((pick,), (1.0,), 0.75)
    b.add_terminal((pick + 1,), (2.0,))
    game = b.build()
    assert game.arrays.merged == 2
    assert game.arrays.val.tolist() == [1.5, 2.0]
    assert expected_values(game, uniform_policy(game)).tolist() == [1.75]
    assert exploitability(game, uniform_policy(game)) == pytest.approx(0.25)


def test_a_player_without_infosets_is_allowed() -> None:
    b = GameBuilder(2, name="dictator")
    give = b.add_infoset(0, "give", 2)
    b.add_terminal((give, 0), (0.0, 1.0))
    b.add_terminal((give + 1, 0), (1.0, 0.0))
    game = b.build()
    assert expected_values(game, uniform_policy(game)).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("sequences", "utilities", "chance", "text"),
    [
        ((1,), (1.0, 1.0), 1.0, "2 sequences and 2 utilities"),
        ((1, 99), (1.0, 1.0), 1.0, "sequence of player 1 must lie in 0..2, got 99"),
        ((1, -1), (1.0, 1.0), 1.0, "sequence of player 1"),
        ((1, 1), (math.nan, 1.0), 1.0, "must be finite"),
        ((1, 1), (math.inf, 1.0), 1.0, "must be finite"),
        ((1, 1), (1.0, 1.0), -0.1, "chance probability"),
        ((1, 1), (1.0, 1.0), math.nan, "chance probability"),
    ],
)
def test_impossible_terminals_are_refused(
    sequences: tuple[int, ...], utilities: tuple[float, ...], chance: float, text: str
) -> None:
    with pytest.raises(InvalidValue, match=text):
        pennies().add_terminal(sequences, utilities, chance)


def test_impossible_infosets_are_refused() -> None:
    b = pennies()
    with pytest.raises(InvalidValue, match=r"player must lie in 0\.\.1"):
        b.add_infoset(2, "x", 2)
    with pytest.raises(InvalidValue, match="at least one action"):
        b.add_infoset(0, "x", [])
    with pytest.raises(InvalidValue, match="parent of infoset 'x'"):
        b.add_infoset(0, "x", 2, parent=7)
    with pytest.raises(ImperfectRecall, match="imperfect recall at infoset 'row'"):
        b.add_infoset(0, "row", ["heads", "tails"], parent=1)
    with pytest.raises(InvalidValue, match="has actions"):
        b.add_infoset(0, "row", 3)
    with pytest.raises(InvalidValue, match="no terminal"):
        GameBuilder(2).build()
    with pytest.raises(InvalidValue, match="players must be at least 1"):
        GameBuilder(0)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_values_of_random_matrix_games_are_bilinear_forms(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, rows, columns))
    b = GameBuilder(2)
    r, c = b.add_infoset(0, "r", rows), b.add_infoset(1, "c", columns)
    for i in range(rows):
        for j in range(columns):
            b.add_terminal((r + i, c + j), (first[i, j], second[i, j]))
    game = b.build()
    policy = random_policy(game, rng)
    x, y = policy.probs[1 : rows + 1], policy.probs[rows + 2 :]
    assert expected_values(game, policy) == pytest.approx([x @ first @ y, x @ second @ y], abs=1e-12)
