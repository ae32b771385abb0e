"""Gambit files: known games, round trips, positions of every kind of mistake, random damage."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import equilibria as eq
from equilibria.games.extensive.efg import format_efg, load_efg, parse_efg, read_efg, write_efg
from equilibria.games.extensive.gambit_text import TokenReader
from equilibria.games.extensive.lp import sequence_form_lp
from equilibria.games.extensive.nfg import StrategicGame, load_nfg, parse_nfg, read_nfg, write_nfg
from equilibria.games.extensive.random_games import random_tree
from equilibria.sim.errors import GameError, GameFileError, ImperfectRecall
from equilibria.sim.seeds import SeedTree

# Myerson (1991), section 2.1: a card game; its value is 1/3 with betting probability 1/3 on the low card
CARDS = """EFG 2 R "Myerson card game" { "raiser" "caller" }
"one card, one round"

c "" 1 "deal" { "red" 1/2 "black" 1/2 } 0
p "" 1 1 "red" { "raise" "fold" } 0
p "" 2 1 "raised" { "meet" "pass" } 0
t "" 1 "big win" { 2, -2 }
t "" 2 "win" { 1, -1 }
t "" 2
p "" 1 2 "black" { "raise" "fold" } 0
p "" 2 1 0
t "" 3 "big loss" { -2, 2 }
t "" 2
t "" 4 "loss" { -1 1 }
"""

PRISONERS = """NFG 1 R "prisoners" { "row" "column" }
{ { "quiet" "talk" } { "quiet" "talk" } }
""

-1 -1
0 -3
-3 0
-2 -2
"""


def test_card_game_has_its_textbook_value(tmp_path: Path) -> None:
    path = tmp_path / "cards.efg"
    path.write_text(CARDS)
    game = eq.load_efg(str(path))
    assert game.players == 2
    assert game.nodes == 11
    assert game.infostates == ("red", "black", "raised")
    assert game.action_names[0] == ("raise", "fold")
    solution = sequence_form_lp(game)
    assert solution.value == pytest.approx(1 / 3)
    assert solution.policy.prob(0, "black")[0] == pytest.approx(1 / 3)
    assert solution.policy.prob(1, "raised")[0] == pytest.approx(2 / 3)


def test_strategic_file_reads_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "prisoners.nfg"
    path.write_text(PRISONERS)
    game = read_nfg(path)
    assert game.payoffs[:, 1, 0].tolist() == [0.0, -3.0]  # row talks, column keeps quiet
    compact = parse_nfg(
        TokenReader(
            "outcomes",
            'NFG 1 R "prisoners" { "row" "column" } { { "quiet" "talk" } { "quiet" "talk" } } '
            '{ { "a" -1 -1 } { "b" 0 -3 } { "c" -3, 0 } { "d" -2 -2 } } 1 2 3 4',
        )
    )
    np.testing.assert_array_equal(compact.payoffs, game.payoffs)
    plain = parse_nfg(TokenReader("p", 'NFG 1 R "x" { "a" "b" } { 2 2 } -1 -1 0 -3 -3 0 -2 -2'))
    np.testing.assert_array_equal(plain.payoffs, game.payoffs)
    assert eq.load_nfg(path).action_names == (("quiet", "talk"), ("quiet", "talk"))


def test_outcome_zero_pays_nothing() -> None:
    game = parse_nfg(TokenReader("z", 'NFG 1 R "" { "a" } { { "x" "y" } } { { "" 3 } } 0 1'))
    assert game.payoffs.tolist() == [[0.0, 3.0]]


def test_outcomes_on_the_way_are_added_up() -> None:
    text = 'EFG 2 R "ante" { "a" "b" } p "" 1 1 { "x" "y" } 1 { -1 -1 } t 2 { 5 0 } t 0'
    game = parse_efg(TokenReader("ante", text)).game()
    assert (game.utility_min, game.utility_max) == (-1.0, 4.0)


@pytest.mark.parametrize("seed", range(25))
def test_random_trees_survive_a_round_trip(seed: int, tmp_path: Path) -> None:
    tree = random_tree(SeedTree(seed), players=1 + seed % 4, depth=4, chance=0.4)
    path = tmp_path / "game.efg"
    write_efg(tree, path, comment='with "quotes" and \\ slashes')
    again = read_efg(path)
    assert again.players == tree.players
    first, second = tree.game().arrays, load_efg(path).arrays
    np.testing.assert_array_equal(first.col, second.col)
    np.testing.assert_array_equal(first.val, second.val)
    assert format_efg(again) == format_efg(tree)


def test_strategic_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    game = read_nfg_text(PRISONERS)
    noisy = type(game)(
        game.name, game.players, game.strategies, game.payoffs + np.random.default_rng(0).normal(size=(2, 2, 2))
    )
    write_nfg(noisy, tmp_path / "x.nfg")
    assert read_nfg(tmp_path / "x.nfg").payoffs.tobytes() == np.ascontiguousarray(noisy.payoffs).tobytes()
    assert load_nfg(tmp_path / "x.nfg").name == "prisoners"


def read_nfg_text(text: str) -> StrategicGame:
    return parse_nfg(TokenReader("text", text))


BROKEN = [
    (CARDS.replace("EFG 2", "EFG 3"), "x.efg:1:5: expected '2', found '3'"),
    (CARDS.replace('"caller" }', '"caller"'), "x.efg:4:1: expected a player name in quotation marks, found 'c'"),
    (CARDS.replace("1/2 } 0", "1/3 } 0"), "x.efg:4:15: chance probabilities must sum to 1"),
    (CARDS.replace('1/2 "black"', '1/0 "black"'), "x.efg:4:23: a chance probability '1/0' divides by zero"),
    (CARDS.replace('1/2 "black"', 'half "black"'), "x.efg:4:23: expected a chance probability .* found 'half'"),
    (CARDS.replace('p "" 2 1 "raised"', 'p "" 3 1 "raised"'), "x.efg:6:6: the player number must be 1..2, found 3"),
    (CARDS.replace('p "" 2 1 0', 'p "" 2 7 0'), "x.efg:11:8: information set 7 is used first here and needs its list"),
    (CARDS.replace("{ 2, -2 }", "{ 2 }"), "x.efg:7:6: outcome 1 has 1 payoffs, expected 2"),
    (CARDS.replace("{ 2, -2 }", "{ 2, nan }"), "x.efg:7:23: expected a payoff .* found 'nan'"),
    (CARDS.replace("{ 2, -2 }", "{ 2, 1e999 }"), "x.efg:7:23: a payoff '1e999' is too large"),
    (CARDS.replace("{ -1 1 }\n", ""), "x.efg:14:6: outcome 4 is used first here and needs its payoffs"),
    (CARDS.replace('t "" 4 "loss" { -1 1 }\n', ""), "x.efg:13:7: the file ends where 'c' or 'p' or 't' was expected"),
    (CARDS + 't "" 1\n', "x.efg:15:1: the tree is complete, but 't' follows"),
    (CARDS.replace('"big loss', "'big loss"), "x.efg:12:6: outcome 3 is used first here"),
    (CARDS + '"', "x.efg:15:1: label without closing quotation mark"),
    (CARDS.replace('{ "meet" "pass" }', "{ }"), "x.efg:6:19: an information set needs at least one action"),
    ("", "x.efg:1:1: the file ends where 'EFG' was expected"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_mistakes_are_named_with_line_and_column(text: str, message: str) -> None:
    with pytest.raises(GameFileError, match=message):
        parse_efg(TokenReader("x.efg", text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PRISONERS.replace("-2 -2\n", "-2\n"), "x.nfg:8:3: the file ends where payoff of player 2 at profile 4 of 4"),
        (PRISONERS + "1", "x.nfg:9:1: the table is complete, but '1' follows"),
        (PRISONERS.replace('{ "quiet" "talk" } }', "}"), "x.nfg:2:1: found strategies of 1 players, expected 2"),
        (PRISONERS.replace("NFG 1", "EFG 1"), "x.nfg:1:1: expected 'NFG', found 'EFG'"),
        ('NFG 1 R "" { "a" "b" } { 99999 99999 } 1', "the game has 9999800001 profiles"),
        ('NFG 1 R "" { "a" } { { "x" } } { { "" 3 } } 2', "outcome of profile 1 of 1 must be 0..1, found 2"),
    ],
)
def test_mistakes_in_strategic_files_are_named(text: str, message: str) -> None:
    with pytest.raises(GameFileError, match=message):
        parse_nfg(TokenReader("x.nfg", text))


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(GameFileError, match="cannot read the file: No such file"):
        load_efg(tmp_path / "missing.efg")
    with pytest.raises(GameFileError, match="cannot read the file: Is a directory"):
        load_efg(tmp_path)
    (tmp_path / "binary.efg").write_bytes(b"EFG 2 R \xff\xfe")
    with pytest.raises(GameFileError, match="not UTF-8 text"):
        load_efg(tmp_path / "binary.efg")
    with pytest.raises(GameFileError, match="cannot write the file"):
        write_efg(random_tree(SeedTree(0)), tmp_path / "no" / "such" / "folder.efg")


def test_forgetful_players_are_refused_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "forget.efg"
    path.write_text(
        'EFG 2 R "absent" { "a" } p "" 1 1 "first" { "l" "r" } 0 '
        'p "" 1 2 "second" { "l" "r" } 0 t 1 { 1 } t 2 { 2 } p "" 1 2 0 t 3 { 3 } t 4 { 4 }'
    )
    with pytest.raises(ImperfectRecall, match=r"forget.efg: .*infoset 'second'"):
        load_efg(path)


def test_random_damage_gives_named_errors_only() -> None:
    rng = random.Random(3)
    broken = 0
    for _ in range(1500):
        text = list(CARDS)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text))
            change = rng.random()
            if change < 0.4:
                del text[at]
            elif change < 0.8:
                text[at] = rng.choice('0123456789{}", -/ctpx\\\n')
            else:
                text = [*text[:at], " "]
        try:
            parse_efg(TokenReader("x.efg", "".join(text))).game()
        except GameError:
            broken += 1
    assert 1000 < broken < 1500


@pytest.mark.parametrize("seed", range(8))
def test_openspiel_reads_our_files_as_the_same_game(seed: int, tmp_path: Path) -> None:
    """OpenSpiel has its own reader of the format: an independent check of what we write and read."""
    from equilibria.games.extensive.policy import uniform_policy
    from equilibria.games.extensive.spiel import openspiel
    from equilibria.games.extensive.values import expected_values, nash_conv

    tree = random_tree(SeedTree(seed), depth=4, chance=0.4, actions=(2, 3))
    path = tmp_path / "game.efg"
    write_efg(tree, path)
    ours, theirs = load_efg(path), openspiel(f"efg_game(filename={path})", cache=False)
    assert (theirs.nodes, theirs.arrays.infosets) == (ours.nodes, ours.arrays.infosets)
    for measure in (expected_values, nash_conv):
        np.testing.assert_allclose(
            measure(theirs, uniform_policy(theirs)), measure(ours, uniform_policy(ours)), atol=1e-9
        )


def test_openspiel_reads_strategic_files_as_we_do(tmp_path: Path) -> None:
    from equilibria.games.extensive.policy import uniform_policy
    from equilibria.games.extensive.spiel import openspiel
    from equilibria.games.extensive.values import gains

    # OpenSpiel's reader knows the numbers of strategies only, no names
    rows = np.random.default_rng(5).normal(size=(12, 2)).round(6)
    path = tmp_path / "game.nfg"
    body = "\n".join(f"{a} {b}" for a, b in rows)
    path.write_text(f'NFG 1 R "random" {{ "row" "column" }} {{ 3 4 }}\n\n{body}\n')
    ours, theirs = load_nfg(path), openspiel(f"nfg_game(filename={path})", cache=False)
    np.testing.assert_allclose(gains(theirs, uniform_policy(theirs)), gains(ours, uniform_policy(ours)), atol=1e-9)
