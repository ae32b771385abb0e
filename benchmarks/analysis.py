"""Empirical game analysis: alpha-rank at size, team self-play, iterated tournaments against axelrod.

The tournament's unit is turns per CPU second of one process.  A noise-free pair of automata is played once
however many repetitions are asked for, so the rows count played turns only.  The limit of the
random case is the generator: two players' words for two turns from one Philox block of about 8 ns.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from open_spiel.python.egt import alpharank as openspiel_alpharank

from equilibria.agents.solvers.fxp.cross_play import FXP
from equilibria.benchmarks.common import Row, medians
from equilibria.games.analysis.alpharank import alpha_rank
from equilibria.games.matrix.iterated import PRISONERS_DILEMMA, IteratedGame, tournament
from equilibria.games.matrix.strategies import memory_one
from equilibria.games.matrix.team_games import seek_attack_defend
from equilibria.sim.types import FloatArray

_TURNS = 200
_PEER_VERSION = "4.13.1"  # the last release that does not import torch


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield the measured cases."""
    rounds = 3 if quick else 5
    yield from _alpha_rank(rounds)
    yield _cross_play(rounds)
    yield from _tournament(rounds)


def _alpha_rank(rounds: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    general = [rng.normal(size=(100, 100)) for _ in range(2)]
    cases: dict[str, list[FloatArray]] = {
        "random": general,
        "zero-sum": [general[0], -general[0]],
        "coordination": [np.eye(100), np.eye(100)],
    }
    for name, payoffs in cases.items():
        took = medians({"ours": lambda p=payoffs: alpha_rank(p)}, rounds=rounds)["ours"]  # type: ignore[misc]
        yield Row(case=f"alpha-rank, 100 x 100 {name} profiles", ours=took, unit="s", target=1.0)
        took = medians({"ours": lambda p=payoffs: alpha_rank(p, alpha=1.0)}, rounds=rounds)["ours"]  # type: ignore[misc]
        yield Row(case=f"alpha-rank at alpha 1, 100 x 100 {name} profiles", ours=took, unit="s", target=1.0)
    tracemalloc.start()
    alpha_rank(cases["coordination"])
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    yield Row(case="alpha-rank, 100 x 100 profiles, peak memory", ours=peak, unit="MB", target=200.0)
    small = [rng.normal(size=(12, 12)) for _ in range(2)]
    calls: dict[str, Callable[[], object]] = {
        "ours": lambda: alpha_rank(small),
        "peer": lambda: openspiel_alpharank.compute(small, use_inf_alpha=True, inf_alpha_eps=1e-6),
    }
    took_both = medians(calls, rounds=rounds)
    yield Row(
        case="alpha-rank, 12 x 12 profiles",
        ours=took_both["ours"] * 1e3,
        peer=took_both["peer"] * 1e3,
        peer_name="open_spiel egt.alpharank",
        unit="ms",
        ratio=took_both["peer"] / took_both["ours"],
        note="ours is the exact limit, the peer one epsilon (1e-6)",
    )


def _cross_play(rounds: int) -> Row:
    game = seek_attack_defend()
    took = medians({"fxp": lambda: FXP(game).step(10)}, rounds=rounds)["fxp"]
    return Row(case="FXP on Seek-Attack-Defend, 10 generations", ours=took, unit="s", target=4.0)


def _strategies(count: int, *, pure: bool) -> list[FloatArray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 2, 4).astype(np.float64) if pure else rng.random(4) for _ in range(count)]


def _tournament(rounds: int) -> Iterator[Row]:
    for pure in (False, True):
        vectors = _strategies(20, pure=pure)
        # repetitions would be free for pure automata: play each pair once, over more turns
        turns, repetitions = (_TURNS * 50, 1) if pure else (_TURNS, 50)
        game = IteratedGame(
            tuple(memory_one(f"m{i}", v) for i, v in enumerate(vectors)), np.array(PRISONERS_DILEMMA), turns
        )
        took = medians({"ours": lambda g=game, r=repetitions: tournament(g, repetitions=r)}, rounds=rounds)["ours"]  # type: ignore[misc]
        ours = 210 * turns * repetitions / took
        peer = _peer_rate(vectors, rounds)
        yield Row(
            case=f"tournament of 20 {'deterministic' if pure else 'random'} memory-one strategies",
            ours=ours,
            peer=peer,
            peer_name=f"axelrod {_PEER_VERSION}" if peer else "",
            unit="turns/s",
            ratio=ours / peer if peer else None,
            target=300.0 if peer else 1.2e7,
            note=""
            if peer
            else "axelrod is not installed: 300 times its 4e4 turns/s is asked for; "
            f'to compare, pip install "axelrod=={_PEER_VERSION}" pyarrow',
        )


def _peer_rate(vectors: list[FloatArray], rounds: int) -> float | None:
    """Return turns per CPU second of the axelrod library, ``None`` without it."""
    if importlib.util.find_spec("axelrod") is None:
        return None
    axelrod: Any = importlib.import_module("axelrod")
    players = [axelrod.MemoryOnePlayer(four_vector=tuple(float(p) for p in v)) for v in vectors]
    rates = []
    for _ in range(rounds):
        match = axelrod.Tournament(players, turns=_TURNS, repetitions=1, seed=1)
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            match.play(progress_bar=False, processes=None)
        rates.append(len(players) * (len(players) + 1) / 2 * _TURNS / (time.process_time() - start))
    return float(np.median(rates))
