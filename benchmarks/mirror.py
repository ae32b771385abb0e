"""Magnetic mirror descent, sampled CFR and the Gambit reader against their peers in OpenSpiel.

Peers: OpenSpiel's Python ``mmd_dilated`` (sequence-form MMD), its C++ external- and outcome-sampling MCCFR
solvers, and its C++ reader of .efg files (``efg_game``).
"""

from __future__ import annotations

import importlib.metadata
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from equilibria.agents.solvers.mirror.solver import MMD
from equilibria.agents.solvers.regret.mccfr import MCCFR
from equilibria.benchmarks.common import Row, medians
from equilibria.games.extensive.efg import load_efg, write_efg
from equilibria.games.extensive.random_games import random_tree
from equilibria.games.extensive.spiel import openspiel
from equilibria.sim.seeds import SeedTree


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield one row per case as it is measured."""
    rounds, budget = (3, 0.05) if quick else (5, 0.3)
    version = importlib.metadata.version("open_spiel")
    yield from _mirror(rounds, budget, version)
    yield from _sampling(rounds, budget, version)
    yield from _reader(rounds, budget, version)


def _compare(
    case: str, ours: Callable[[], object], ours_units: int, peer: Callable[[], object], *, peer_name: str,
    rounds: int, budget: float, unit: str = "us/iteration", target: float | None = None, note: str = "",
) -> Row:  # fmt: skip
    times = medians({"ours": ours, "peer": peer}, rounds=rounds, budget=budget)
    mine, theirs = times["ours"] / ours_units * 1e6, times["peer"] * 1e6
    return Row(
        case=case, ours=mine, peer=theirs, peer_name=peer_name, unit=unit, ratio=theirs / mine, target=target, note=note
    )


def _mirror(rounds: int, budget: float, version: str) -> Iterator[Row]:
    import pyspiel
    from open_spiel.python.algorithms.mmd_dilated import MMDDilatedEnt

    for name in ("kuhn_poker", "leduc_poker"):
        solver = MMD(openspiel(name), form="sequence", schedule="constant", alpha=0.1)
        peer = MMDDilatedEnt(pyspiel.load_game(name), 0.1)
        yield _compare(
            f"MMD sequence form, {name}", lambda s=solver: s.step(100), 100, peer.update_sequences,  # type: ignore[misc]
            peer_name=f"OpenSpiel {version} mmd_dilated (Python)", rounds=rounds, budget=budget, target=30.0,
        )  # fmt: skip
    solver = MMD(openspiel("leduc_poker"), alpha=5.0)
    alone = medians({"ours": lambda: solver.step(100)}, rounds=rounds, budget=budget)["ours"]
    yield Row(case="MMD behavioural form, leduc_poker", ours=alone * 1e4, unit="us/iteration")


def _sampling(rounds: int, budget: float, version: str) -> Iterator[Row]:
    import pyspiel

    makers: dict[str, Callable[[Any], Any]] = {
        "external": lambda game: pyspiel.ExternalSamplingMCCFRSolver(game, 1),
        "outcome": lambda game: pyspiel.OutcomeSamplingMCCFRSolver(game, 0.6, 1),
    }
    for name in ("kuhn_poker", "leduc_poker"):
        for sampling, maker in makers.items():
            solver = MCCFR(openspiel(name), sampling=sampling, baseline="none")  # type: ignore[arg-type]
            peer = maker(pyspiel.load_game(name))
            yield _compare(
                f"MCCFR {sampling} sampling, {name}", lambda s=solver: s.step(1000), 1000, peer.run_iteration,  # type: ignore[misc]
                peer_name=f"OpenSpiel {version} MCCFR (C++)", rounds=rounds, budget=budget, target=3.0,
                note="one pass per player on both sides",
            )  # fmt: skip


def _reader(rounds: int, budget: float, version: str) -> Iterator[Row]:
    import pyspiel

    tree = random_tree(SeedTree(1), depth=9, actions=(2, 3))
    nodes = sum(1 for _ in tree.walk())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "game.efg"
        write_efg(tree, path)
        times = medians(
            {
                "ours": lambda: load_efg(path),
                "peer": lambda: pyspiel.load_game(f"efg_game(filename={path})"),
            },
            rounds=rounds, budget=budget,
        )  # fmt: skip
    yield Row(
        case=f".efg file of {nodes} nodes", ours=times["ours"] / nodes * 1e6, peer=times["peer"] / nodes * 1e6,
        peer_name=f"OpenSpiel {version} efg_game (C++ parser)", unit="us/node", ratio=times["peer"] / times["ours"],
        note="ours checks the tree and builds the solver's arrays; the peer parses only",
    )  # fmt: skip
