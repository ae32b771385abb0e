"""The tabular engine against OpenSpiel: solver iterations, NashConv, conversion, cache, bandwidth.

All ratios come from one process; ours and the peer are interleaved and medians reported, except for
calls of the peer that last seconds, which are timed fewer times (the note says how often).

What an iteration costs at least: each player's gradient reads 8 + 4 (n - 1) bytes per merged
terminal (``val`` once, one column per other player) plus the gathered reaches, which stay in cache;
the passes over the own infosets touch about 48 bytes per sequence.  ``limit_fraction`` of the gradient
row is bytes read per second over what a plain sum of a large array reaches in the same run.

Peers: OpenSpiel's C++ ``CFRPlusSolver`` and ``nash_conv`` through its Python binding (the solver does
its iterations in C++), its Python CFR, and LiteEFG where it is installed.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from equilibria.agents.solvers.regret.methods import VADCFR, WOPCFR, CFRPlus
from equilibria.agents.solvers.regret.solver import RegretMinimiser
from equilibria.benchmarks.common import Row, medians, seconds
from equilibria.games.extensive import cache, kernels
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import uniform_policy
from equilibria.games.extensive.spiel import load, openspiel
from equilibria.games.extensive.values import nash_conv
from equilibria.sim.jit import kernel

_GOOFSPIEL = "turn_based_simultaneous_game(game=goofspiel(num_cards=5,imp_info=True,points_order=descending))"
_GAMES: dict[str, tuple[str, float]] = {
    "kuhn": ("kuhn_poker", 60.0),
    "leduc": ("leduc_poker", 300.0),
    "goofspiel 5": (_GOOFSPIEL, 300.0),
    "liar's dice 6": ("liars_dice(dice_sides=6)", 300.0),
    "leduc, 3 players": ("leduc_poker(players=3)", 800.0),
}
_SLOW_PEER = 0.5  # seconds; slower peer calls are timed a few times only
_UNROLL = 8


@kernel
def _sum(a):  # type: ignore[no-untyped-def]
    """Sum an array of a multiple of eight float64 with eight accumulators: the read bandwidth yardstick."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    i, end = np.uint64(0), np.uint64(a.shape[0])
    while i < end:
        s0 += a[i]
        s1 += a[i + np.uint64(1)]
        s2 += a[i + np.uint64(2)]
        s3 += a[i + np.uint64(3)]
        s4 += a[i + np.uint64(4)]
        s5 += a[i + np.uint64(5)]
        s6 += a[i + np.uint64(6)]
        s7 += a[i + np.uint64(7)]
        i += np.uint64(8)
    return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield the rows as they are measured; ``quick`` leaves the three-player game and slow peers out."""
    names = [n for n in _GAMES if not quick or n in ("kuhn", "leduc")]
    games = {name: openspiel(_GAMES[name][0]) for name in names}
    for name, game in games.items():
        yield _iteration(name, game)
    for name, game in games.items():
        if name != "leduc, 3 players":  # the peer needs minutes for one call there
            yield _nash_conv(name, game)
    for name, game in games.items():
        yield from _methods(name, game)
    yield _python_cfr("kuhn", games["kuhn"])
    yield _python_cfr("leduc", games["leduc"])
    yield from _lite_efg(games)
    yield from _gradient(games)
    yield from _conversion(names)


def _stepper(solver: RegretMinimiser, iterations: int) -> Callable[[], object]:
    return lambda: solver.step(iterations)


def _iterations(game: ExtensiveGame) -> int:
    """Return how many iterations make a call of about 20 milliseconds."""
    entries = game.arrays.merged * game.players
    return max(1, int(2e7 / (4.0 * entries + 300.0)))


def _against(ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float, str]:
    """Return medians in seconds per call and a note; slow peers are timed up to three times."""
    peer()
    once = seconds(peer)
    if once < _SLOW_PEER:
        times = medians({"ours": ours, "peer": peer})
        return times["ours"], times["peer"], ""
    mine = medians({"ours": ours})["ours"]
    theirs = [once] if once > 2.0 else [once, seconds(peer), seconds(peer)]
    return mine, statistics.median(theirs), f"peer timed {len(theirs)} times"


def _spiel_name() -> str:
    return f"OpenSpiel {importlib.metadata.version('open_spiel')}"


def _iteration(name: str, game: ExtensiveGame) -> Row:
    import pyspiel

    count = _iterations(game)
    peer = pyspiel.CFRPlusSolver(load(game.name))
    ours, theirs, note = _against(_stepper(CFRPlus(game), count), peer.evaluate_and_update_policy)
    return Row(
        case=f"CFR+ iteration, {name}",
        ours=1e6 * ours / count,
        unit="us/iteration",
        peer=1e6 * theirs,
        peer_name=f"{_spiel_name()} C++ CFRPlusSolver",
        ratio=theirs * count / ours,
        target=_GAMES[name][1],
        note=note,
    )


def _nash_conv(name: str, game: ExtensiveGame) -> Row:
    import pyspiel

    policy, other = uniform_policy(game), load(game.name)
    table = policy.to_openspiel()
    policy.plan()
    ours, theirs, note = _against(lambda: nash_conv(game, policy), lambda: pyspiel.nash_conv(other, table))
    return Row(
        case=f"NashConv, {name}",
        ours=1e6 * ours,
        unit="us/call",
        peer=1e6 * theirs,
        peer_name=f"{_spiel_name()} C++ nash_conv",
        ratio=theirs / ours,
        target=None if name == "kuhn" else 1000.0,
        note=note,
    )


def _methods(name: str, game: ExtensiveGame) -> Iterator[Row]:
    """Compare VAD and WOP with CFR+ on iterations that average; the ratio is CFR+ time over theirs."""
    count = _iterations(game)
    solvers = {"CFR+": CFRPlus(game), "VAD-CFR": VADCFR(game, warm_start=1), "WOP-CFR": WOPCFR(game, warm_start=1)}
    times = medians({label: _stepper(solver, count) for label, solver in solvers.items()}, budget=0.1)
    for label, limit in (("VAD-CFR", 3.0), ("WOP-CFR", 2.0)):
        yield Row(
            case=f"{label} iteration, {name}",
            ours=1e6 * times[label] / count,
            unit="us/iteration",
            peer=1e6 * times["CFR+"] / count,
            peer_name="our CFR+",
            ratio=times["CFR+"] / times[label],
            target=1.0 / limit,
            note=f"at most {limit:g} times the CFR+ iteration; measured {times[label] / times['CFR+']:.2f}",
        )


def _python_cfr(name: str, game: ExtensiveGame) -> Row:
    algorithms = importlib.import_module("open_spiel.python.algorithms.cfr")
    peer = algorithms.CFRPlusSolver(load(game.name))
    count = _iterations(game)
    ours, theirs, note = _against(_stepper(CFRPlus(game), count), peer.evaluate_and_update_policy)
    return Row(
        case=f"CFR+ iteration against Python, {name}",
        ours=1e6 * ours / count,
        unit="us/iteration",
        peer=1e6 * theirs,
        peer_name=f"{_spiel_name()} Python CFRPlusSolver",
        ratio=theirs * count / ours,
        note=note,
    )


def _lite_efg(games: dict[str, ExtensiveGame]) -> Iterator[Row]:
    """Yield rows against LiteEFG's alternating DCFR where the package is installed."""
    if importlib.util.find_spec("LiteEFG") is None:
        return
    lite: Any = importlib.import_module("LiteEFG")
    baselines: Any = importlib.import_module("LiteEFG.baselines.DCFR")
    for name, target in (("kuhn", 30.0), ("leduc", 300.0)):
        with contextlib.redirect_stdout(sys.stderr):  # the package prints while it builds
            environment = lite.OpenSpielEnv(load(games[name].name), traverse_type="Enumerate", regenerate=False)
            algorithm = baselines.graph()
            environment.set_graph(algorithm)
        count = _iterations(games[name])

        def peer(environment: Any = environment, algorithm: Any = algorithm) -> None:
            algorithm.update_graph(environment)

        ours, theirs, note = _against(_stepper(CFRPlus(games[name]), count), peer)
        yield Row(
            case=f"CFR+ iteration against LiteEFG DCFR, {name}",
            ours=1e6 * ours / count,
            unit="us/iteration",
            peer=1e6 * theirs,
            peer_name=f"LiteEFG {importlib.metadata.version('LiteEFG')}",
            ratio=theirs * count / ours,
            target=target,
            note=note,
        )


def _gradient(games: dict[str, ExtensiveGame]) -> Iterator[Row]:
    """Yield the bandwidth of the gradient of the largest game in relation to a plain sum."""
    name = list(games)[-1]
    a = games[name].arrays
    x, g = uniform_policy(games[name]).plan(), np.zeros(a.sequences)
    large = np.ones((1 << 22) // _UNROLL * _UNROLL)
    lo, hi = a.seq_off[0], a.seq_off[1]
    times = medians(
        {"gradient": lambda: kernels.gradient_rows(a.rowptr, a.col, a.val, x, g, lo, hi), "sum": lambda: _sum(large)},
        rounds=9,
        budget=0.05,
    )
    speed = a.merged * (8 + 4 * (a.players - 1)) / times["gradient"]
    limit = large.nbytes / times["sum"]
    yield Row(
        case=f"gradient of one player, {name}",
        ours=speed / 1e9,
        unit="GB/s",
        peer=limit / 1e9,
        peer_name="plain sum of an array",
        ratio=speed / limit,
        target=0.6 if a.merged > 1_000_000 else None,
        limit_fraction=speed / limit,
        note="the ratio is the fraction of the single-core read bandwidth",
    )


def _conversion(names: list[str]) -> Iterator[Row]:
    """Yield microseconds per history of walking a game, and the cache's speed-up."""
    for name in names:
        if name not in ("kuhn", "goofspiel 5"):
            yield from _conversion_of(name, _GAMES[name][0])


def _conversion_of(name: str, text: str) -> Iterator[Row]:
    game = openspiel(text, cache=False)
    rounds = 1 if game.nodes > 1_000_000 else 3
    walk = statistics.median([seconds(lambda: openspiel(text, cache=False)) for _ in range(rounds)])
    yield Row(
        case=f"conversion, {name}",
        ours=1e6 * walk / game.nodes,
        unit="us/history",
        target=2.5,
        note=f"{game.nodes} histories; lower is better",
    )
    with tempfile.TemporaryDirectory() as folder:
        place, stem = Path(folder), cache.key("openspiel", name, "error")
        cache.write(stem, game, place)
        times = medians({"load": lambda: cache.read(stem, place)}, budget=0.1)
    yield Row(
        case=f"loading from the cache, {name}",
        ours=1e3 * times["load"],
        unit="ms",
        peer=1e3 * walk,
        peer_name="walking the game",
        ratio=walk / times["load"],
        target=20.0,
    )
