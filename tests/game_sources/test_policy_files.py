"""Policies as JSON lines: exact round trips, foreign files, evaluation against another policy, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.lp import sequence_form_lp
from equilibria.games.extensive.policy import random_policy, uniform_policy
from equilibria.games.extensive.policy_io import (
    format_policy,
    head_to_head,
    parse_policy,
    play_value,
    read_policy,
    write_policy,
)
from equilibria.games.extensive.spiel import openspiel
from equilibria.games.extensive.values import best_response, expected_values
from equilibria.sim.errors import GameFileError, InvalidValue


@pytest.fixture(scope="module")
def kuhn() -> ExtensiveGame:
    return openspiel("kuhn_poker")


@pytest.mark.parametrize("name", ["kuhn_poker", "leduc_poker", "kuhn_poker(players=3)", "tiny_hanabi"])
def test_round_trip_keeps_every_bit(name: str, tmp_path: Path) -> None:
    game = openspiel(name)
    policy = random_policy(game, np.random.default_rng(1))
    write_policy(policy, tmp_path / "policy.jsonl")
    again = read_policy(game, tmp_path / "policy.jsonl", complete=True)
    assert again.probs.tobytes() == policy.probs.tobytes()


def test_foreign_lines_may_come_in_any_order_and_leave_infosets_out(kuhn: ExtensiveGame) -> None:
    policy = parse_policy(kuhn, '{"player": 0, "infostate": "0", "actions": [1, 0], "probs": [0.25, 0.75]}\n\n')
    assert policy.prob(0, "0") == {0: 0.75, 1: 0.25}
    assert policy.prob(1, "1b") == {0: 0.5, 1: 0.5}
    with pytest.raises(GameFileError, match=r"infoset .* and 10 more are missing"):
        parse_policy(kuhn, '{"player": 0, "infostate": "0", "actions": [1, 0], "probs": [0.25, 0.75]}', complete=True)


def test_policies_are_played_against_each_other(kuhn: ExtensiveGame) -> None:
    nash = sequence_form_lp(kuhn).policy
    uniform = uniform_policy(kuhn)
    assert head_to_head(kuhn, nash, nash) == pytest.approx(0.0, abs=1e-12)
    assert head_to_head(kuhn, nash, uniform) > 0.05
    value, response = best_response(kuhn, uniform, 0)
    assert play_value(kuhn, [response, uniform])[0] == pytest.approx(value)
    np.testing.assert_allclose(play_value(kuhn, [uniform, uniform]), expected_values(kuhn, uniform))


GOOD = '{"player": 0, "infostate": "0", "actions": [0, 1], "probs": [0.5, 0.5]}'


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("{", "p:1:1: expected a JSON object"),
        ("[1]", "p:1:1: expected a JSON object, found list"),
        (GOOD.replace('"0"', '"9"'), "p:1:1: game 'kuhn_poker' has no infoset '9' of player 0"),
        (GOOD.replace('"player": 0', '"player": "0"'), "has no infoset '0' of player '0'"),
        (GOOD.replace('"player": 0', '"player": [0]'), r"has no infoset '0' of player \[0\]"),
        (GOOD.replace("[0, 1]", "[0, 2]"), r"has actions \[0, 1\], found \[0, 2\]"),
        (GOOD.replace("[0.5, 0.5]", "[0.5]"), "of equal length"),
        (GOOD.replace("[0.5, 0.5]", "[0.5, 0.6]"), "sum to 1.1"),
        (GOOD.replace("[0.5, 0.5]", "[NaN, 1.0]"), "must be non-negative numbers"),
        (GOOD.replace("[0.5, 0.5]", "[-0.5, 1.5]"), "must be non-negative numbers"),
        (GOOD.replace("[0.5, 0.5]", '["a", 1.5]'), "must be non-negative numbers"),
        (f"{GOOD}\n{GOOD}", "p:2:1: infoset '0' appears twice"),
        ('{"format": "other", "version": 1}', "expected format 'equilibria-policy' version 1"),
        ('{"format": "equilibria-policy", "version": 1, "players": 3}', "is for 3 players"),
    ],
)
def test_bad_lines_are_named_with_their_number(kuhn: ExtensiveGame, line: str, text: str) -> None:
    with pytest.raises(GameFileError, match=text):
        parse_policy(kuhn, line, file="p")


def test_unreadable_files_and_wrong_counts_are_named(kuhn: ExtensiveGame, tmp_path: Path) -> None:
    with pytest.raises(GameFileError, match="cannot read the file: No such file"):
        read_policy(kuhn, tmp_path / "missing.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GameFileError, match="not UTF-8"):
        read_policy(kuhn, tmp_path / "binary")
    with pytest.raises(InvalidValue, match="has 2 players, got 1 policies"):
        play_value(kuhn, [uniform_policy(kuhn)])
    three = openspiel("kuhn_poker(players=3)")
    with pytest.raises(InvalidValue, match="policy 0 belongs to game"):
        play_value(kuhn, [uniform_policy(three)] * 2)
    with pytest.raises(InvalidValue, match="needs two players"):
        head_to_head(three, uniform_policy(three), uniform_policy(three))
    assert '"game": "kuhn_poker"' in format_policy(uniform_policy(kuhn))
