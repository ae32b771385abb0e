"""Conversion of OpenSpiel games: sizes, structure of the arrays, refusals."""

from __future__ import annotations

import numpy as np
import pyspiel
import pytest

from equilibria.games.extensive import ExtensiveGame, kernels, openspiel, openspiel_history, uniform_policy
from equilibria.games.extensive.probe import estimated_histories
from equilibria.sim.errors import (
    GameTooLarge,
    ImperfectRecall,
    InvalidValue,
    UnknownName,
    UnsupportedGame,
)
from equilibria.sim.types import FloatArray

TWO_DICE = "liars_dice(numdice=2,dice_sides=3)"
GOOFSPIEL_4 = "turn_based_simultaneous_game(game=goofspiel(num_cards=4,imp_info=True,points_order=descending))"
FORGETFUL = "goofspiel(num_cards=4)"  # its information states drop the own earlier bids


def gradient_of(game: ExtensiveGame, player: int, x: FloatArray) -> FloatArray:
    """Reach mass of a player's sequences: the gradient of ``cval``."""
    a = game.arrays
    g = np.zeros(a.sequences)
    kernels.gradient_rows(a.rowptr, a.col, a.cval, x, g, a.seq_off[player], a.seq_off[player + 1])
    return g[int(a.seq_off[player]) : int(a.seq_off[player + 1])]


def sizes(game: ExtensiveGame) -> tuple[int, int, int, list[int], int]:
    a = game.arrays
    per_player = np.diff(a.seq_off.astype(np.int64)).tolist()
    return game.nodes, game.terminals, a.merged, per_player, a.infosets


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kuhn_poker", (58, 30, 30, [13, 13], 12)),
        ("leduc_poker", (9_457, 5_520, 5_520, [1_093, 1_093], 936)),
    ],
)
def test_sizes_of_small_games_are_the_published_ones(name: str, expected: tuple[object, ...]) -> None:
    assert sizes(openspiel(name, cache=False)) == expected


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (TWO_DICE, (663_511, 331_695, 147_420, [24_571, 24_571], 24_576)),
        ("leduc_poker(players=3)", (1_831_601, 1_043_952, 1_043_952, [19_689] * 3, 25_800)),
    ],
)
def test_sizes_of_large_games_are_the_published_ones(name: str, expected: tuple[object, ...]) -> None:
    assert sizes(openspiel(name)) == expected


@pytest.mark.parametrize("name", ["kuhn_poker(players=3)", "leduc_poker", GOOFSPIEL_4])
def test_sequences_and_rows_are_laid_out_as_documented(name: str) -> None:
    a = openspiel(name).arrays
    m, n = a.merged, a.players
    assert a.parent.dtype == a.first.dtype == a.nact.dtype == a.rowptr.dtype == a.col.dtype == np.uint32
    assert (a.parent < a.first).all(), "a parent sequence has a smaller number than its children"
    assert a.col.shape == (n - 1, n * m)
    for p in range(n):
        lo, hi = int(a.seq_off[p]), int(a.seq_off[p + 1])
        assert int(a.rowptr[hi]) - int(a.rowptr[lo]) == m, "every player owns one copy of the merged terminals"
        owned = slice(int(a.iset_off[p]), int(a.iset_off[p + 1]))
        slots = np.concatenate(
            [np.arange(f, f + k) for f, k in zip(a.first[owned].tolist(), a.nact[owned].tolist(), strict=True)]
        )
        assert sorted(slots.tolist()) == list(range(lo + 1, hi)), "action sequences cover all but the empty one"
    assert not a.val.flags.writeable
    x = uniform_policy(openspiel(name)).plan()
    for p in range(n):
        mass = gradient_of(openspiel(name), p, x)
        assert float(mass @ x[int(a.seq_off[p]) : int(a.seq_off[p + 1])]) == pytest.approx(1.0, abs=1e-12)


def test_chance_mass_is_one_per_pair_of_pure_plans() -> None:
    game = openspiel("kuhn_poker")
    a = game.arrays
    # three private cards for two players: six deals of probability 1/6, five terminals each
    assert np.unique(np.round(a.cval, 12)).tolist() == [pytest.approx(1 / 6)]


def test_utilities_and_constant_sum_are_reported() -> None:
    kuhn, hanabi = openspiel("kuhn_poker"), openspiel("tiny_hanabi")
    assert (kuhn.utility_min, kuhn.utility_max, kuhn.constant_sum) == (-2.0, 2.0, 0.0)
    assert hanabi.constant_sum is None, "tiny Hanabi is a common-payoff game"


def test_a_pyspiel_game_object_and_its_string_give_the_same_game() -> None:
    import pyspiel

    assert openspiel(pyspiel.load_game("kuhn_poker")).content_hash == openspiel("kuhn_poker").content_hash


def test_simultaneous_games_are_made_turn_based() -> None:
    given = openspiel("goofspiel(num_cards=3,imp_info=True,points_order=descending)")
    wrapped = openspiel(
        "turn_based_simultaneous_game(game=goofspiel(num_cards=3,imp_info=True,points_order=descending))"
    )
    assert given.content_hash == wrapped.content_hash


def test_python_games_can_be_compiled() -> None:
    assert sizes(openspiel("python_kuhn_poker", cache=False)) == sizes(openspiel("kuhn_poker"))


def test_imperfect_recall_is_refused_refined_or_kept() -> None:
    with pytest.raises(ImperfectRecall, match=r"imperfect recall at infoset .*recall='refine'.*openspiel_history"):
        openspiel(FORGETFUL)
    refined = openspiel(FORGETFUL, recall="refine")
    kept = openspiel_history(FORGETFUL)
    assert refined.arrays.infosets > kept.infosets
    assert len(set(refined.index)) == refined.arrays.infosets


def test_histories_number_slots_like_sequences_under_perfect_recall() -> None:
    game, tree = openspiel("leduc_poker"), openspiel_history("leduc_poker")
    assert tree.infostates == game.infostates
    assert (tree.first == game.arrays.first).all()
    assert tree.nodes == game.nodes
    decisions = np.flatnonzero(tree.player >= 0)
    for h in decisions[::97].tolist():
        child, seen = int(tree.child[h]), []
        while child < tree.nodes:
            seen.append(int(tree.edge[child]))
            child = int(tree.sibling[child])
        i = int(tree.infoset[h])
        assert seen == list(range(int(tree.first[i]), int(tree.first[i]) + int(tree.nact[i])))


def test_unknown_games_name_their_neighbours() -> None:
    with pytest.raises(UnknownName, match="did you mean 'leduc_poker'"):
        openspiel("leduc_pokr")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("leduc_poker(foo=3)", "cannot load"),
        ("leduc_poker(players=99)", "cannot load"),
        ("leduc_poker(", "cannot load"),
        ("mfg_garnet", "mean-field"),
        ("pig", "no information state strings"),
        ("stones_and_gems", "samples its chance events"),
    ],
)
def test_games_the_engine_cannot_host_are_refused(name: str, text: str) -> None:
    with pytest.raises(UnsupportedGame, match=text):
        openspiel(name)


def test_too_large_games_name_the_count_and_an_estimate() -> None:
    with pytest.raises(GameTooLarge, match=r"more than 1000 histories \(max_nodes=1000; \d+ terminals .* bytes"):
        openspiel("leduc_poker", max_nodes=1_000, cache=False)
    assert openspiel("kuhn_poker", max_nodes=58, cache=False).nodes == 58


def test_a_cached_game_does_not_get_around_the_node_limit() -> None:
    openspiel("leduc_poker")
    with pytest.raises(GameTooLarge):
        openspiel("leduc_poker", max_nodes=1_000)


def test_games_that_no_walk_can_end_are_refused_after_a_few_probes() -> None:
    with pytest.raises(GameTooLarge, match=r"'chess' has about 1e\+\d+ histories .* arrays would take about .* GiB"):
        openspiel("chess", cache=False)


def test_probes_estimate_the_number_of_histories() -> None:
    for name, histories in [("kuhn_poker", 58), ("leduc_poker", 9_457), ("liars_dice(dice_sides=4)", 8_181)]:
        assert histories / 10 < estimated_histories(pyspiel.load_game(name)) < histories * 10


@pytest.mark.parametrize(("keyword", "value"), [("recall", "history"), ("recall", "no"), ("max_nodes", 0)])
def test_bad_arguments_are_named(keyword: str, value: object) -> None:
    with pytest.raises(InvalidValue, match=keyword):
        openspiel("kuhn_poker", **{keyword: value})


def test_other_objects_are_no_games() -> None:
    with pytest.raises(InvalidValue, match="got int"):
        openspiel(3)


def test_progress_is_reported() -> None:
    seen: list[int] = []
    openspiel("kuhn_poker", cache=False, progress=seen.append)
    assert seen == [], "the first report comes after a million histories"
