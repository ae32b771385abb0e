"""Auction rules, sealed-bid equilibria and pacing against plain numpy, plain Python and OpenSpiel.

Peers: OpenSpiel's C++ CFR+ on the game tree of ``first_sealed_auction``; a vectorised numpy second-price auction; the
plain Python rules of this library, which are its reference and say what compiling them buys.
"""

from __future__ import annotations

import importlib.metadata
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from equilibria import mechanisms as m
from equilibria.agents.solvers.sealed_bid.solver import BayesianCFRPlus
from equilibria.benchmarks.common import Row, medians, seconds
from equilibria.games.auctions.sealed_bid import SealedBidGame
from equilibria.games.markets.settings import OrderMarketSettings
from equilibria.games.markets.world import OrderMarket
from equilibria.mechanisms import book_kernels
from equilibria.mechanisms.bundles_reference import combinatorial_reference
from equilibria.mechanisms.double_reference import double_reference
from equilibria.mechanisms.multi_unit_reference import multi_unit_reference
from equilibria.mechanisms.order_book import OrderBook
from equilibria.mechanisms.pacing import paced
from equilibria.mechanisms.position_reference import position_reference
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

VALUES = 20
ITERATIONS = 200


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield one row per case as it is measured."""
    rounds, budget = (3, 0.05) if quick else (5, 0.3)
    yield _sealed_bid(rounds, budget, quick=quick)
    yield from _second_price(rounds, budget, auctions=50_000 if quick else 200_000)
    yield from _rules(rounds, budget)
    yield _pacing(rounds, budget)
    yield _order_book(rounds, budget)
    yield from _order_markets(rounds, 50_000 if quick else 500_000)


def openspiel_auction(values: int) -> SealedBidGame:
    """Return OpenSpiel's ``first_sealed_auction`` with two bidders: values 1..K, bids 0..value-1."""
    grid = np.arange(1.0, values + 1)
    masses = np.full(values, 1 / values)
    return SealedBidGame("first_price", [grid] * 2, [masses] * 2, np.arange(float(values)), allowed="below_value")


def _sealed_bid(rounds: int, budget: float, *, quick: bool) -> Row:
    """CFR+ on a first-price auction; the peer's NashConv after the same iterations is compared as well."""
    import pyspiel

    game = openspiel_auction(VALUES)
    times = medians(
        {"ours": lambda: BayesianCFRPlus(game).step(ITERATIONS)}, rounds=rounds, budget=budget
    )["ours"]  # fmt: skip
    spiel = pyspiel.load_game(f"first_sealed_auction(players=2,max_value={VALUES})")
    peer = pyspiel.CFRPlusSolver(spiel)
    count = 2 if quick else 20
    theirs = seconds(lambda: [peer.evaluate_and_update_policy() for _ in range(count)]) / count
    check = BayesianCFRPlus(game)
    check.step(count)
    error = abs(check.metrics()["nash_conv"] - pyspiel.nash_conv(spiel, peer.average_policy()))
    mine = times / ITERATIONS
    return Row(
        case=f"CFR+ on a sealed-bid auction, K = {VALUES}, {ITERATIONS} iterations", ours=mine * 1e6, peer=theirs * 1e6,
        peer_name=f"OpenSpiel {importlib.metadata.version('open_spiel')} CFR+ (C++, game tree)", unit="us/iteration",
        ratio=theirs / mine, target=1000.0,
        note=f"NashConv differs by {error:.1e} after {count} iterations; peer timed over {count}",
    )  # fmt: skip


def _second_price(rounds: int, budget: float, *, auctions: int) -> Iterator[Row]:
    rng = np.random.default_rng(1)
    rule = m.second_price(reserve=0.1)
    for n in (2, 8, 48):
        bids = rng.random((auctions, n))
        ours_run, peer_run = partial(rule.allocate_and_price, bids), partial(_numpy_second_price, bids, 0.1)
        times = medians({"ours": ours_run, "peer": peer_run}, rounds=rounds, budget=budget)
        ours, peer = auctions / times["ours"], auctions / times["peer"]
        yield Row(
            case=f"second price, {n} bidders", ours=ours, peer=peer, peer_name=f"numpy {np.__version__} partition",
            unit="auctions/s", ratio=ours / peer,
            note="checks of the bids and all six output arrays included; peer returns winner and price only",
        )  # fmt: skip


def _numpy_second_price(bids: FloatArray, reserve: float) -> tuple[Any, FloatArray]:
    winner = bids.argmax(axis=1)
    top = np.partition(bids, -2, axis=1)
    return np.where(top[:, -1] >= reserve, winner, -1), np.maximum(top[:, -2], reserve)


def _rules(rounds: int, budget: float) -> Iterator[Row]:
    """Compare the batch of each rule with its plain Python original on the same auctions."""
    rng = np.random.default_rng(2)
    bids, asks = rng.random((2000, 6)), rng.random((2000, 6))
    units = -np.sort(-rng.random((2000, 6, 3)), axis=2)
    masks, values = rng.integers(1, 16, (2000, 5, 3)), rng.random((2000, 5, 3))
    ctr = [1.0, 0.6, 0.3]
    few = 50
    xor = [[list(zip(a.tolist(), b.tolist(), strict=True)) for a, b in zip(masks[i], values[i], strict=True)]
           for i in range(few)]  # fmt: skip
    cases: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "VCG position, 6 bidders, 3 slots": (
            lambda: m.vcg_position(ctr=ctr).allocate_and_price(bids),
            lambda: [position_reference("vcg_position", bids[i].tolist(), ctr) for i in range(few)],
        ),
        "Vickrey, 6 bidders, 3 units": (
            lambda: m.vickrey_multiunit(units=3).allocate_and_price(units),
            lambda: [multi_unit_reference("vickrey_multiunit", units[i].tolist()) for i in range(few)],
        ),
        "McAfee, 6 buyers, 6 sellers": (
            lambda: m.mcafee().allocate_and_price(bids, asks),
            lambda: [double_reference("mcafee", bids[i].tolist(), asks[i].tolist()) for i in range(few)],
        ),
        "combinatorial VCG, 5 bidders, 4 items": (
            lambda: m.combinatorial(items=4).allocate_and_price(masks, values),
            lambda: [combinatorial_reference(xor[i], 4) for i in range(few)],
        ),
    }
    for case, (ours, peer) in cases.items():
        times = medians({"ours": ours, "peer": peer}, rounds=rounds, budget=budget)
        mine, theirs = 2000 / times["ours"], few / times["peer"]
        yield Row(
            case=case, ours=mine, peer=theirs, peer_name="plain Python rule", unit="auctions/s", ratio=mine / theirs
        )


def _pacing(rounds: int, budget: float) -> Row:
    rng = np.random.default_rng(3)
    size = 200_000
    values, prices = rng.random(size), rng.random(size)
    times = medians(
        {"ours": lambda: paced("multiplicative", values, prices, size / 24)}, rounds=rounds, budget=budget
    )["ours"]  # fmt: skip
    return Row(case="adaptive pacing of one bidder", ours=size / times, unit="auctions/s")


def _order_book(rounds: int, budget: float) -> Row:
    """Zero-intelligence flow: 60 % limit orders around the middle, 10 % market orders, 30 % cancels."""
    rng = np.random.default_rng(4)
    size = 200_000
    kind = rng.choice([0, 1, 2], size, p=[0.6, 0.1, 0.3])
    kind[0] = 0
    side = rng.choice([1, -1], size)
    tick = 500 + rng.integers(-30, 30, size) - 3 * side
    recent = np.maximum(np.arange(size) - rng.integers(1, 2000, size), 0)
    amount = np.where(kind == 2, recent, rng.integers(1, 6, size))
    events = np.stack([kind, side, tick, amount, rng.integers(0, 100, size)], axis=1)
    times = medians({"ours": lambda: OrderBook(capacity=size).submit(events)}, rounds=rounds, budget=budget)["ours"]
    return Row(case="limit order book, zero-intelligence flow", ours=size / times, unit="events/s", target=1e6)


def _order_markets(rounds: int, events: int) -> Iterator[Row]:
    """Time the book with traders who decide; the limit is the bare book on the same events."""
    flow = {
        "noise": 0, "value": 0, "momentum": 0, "makers": 0, "zero": 1, "limit_rate": 0.5, "market_rate": 2.0,
        "cancel_rate": 0.1,
    }  # fmt: skip
    crowds: dict[str, tuple[dict[str, Any], int]] = {  # and events per minute of the market's clock
        "1,116 traders of ABIDES' rmsc04": ({}, 153),
        "zero-intelligence flow": (flow, 6000),
    }
    for name, (crowd, pace) in crowds.items():
        world = OrderMarket(OrderMarketSettings.model_validate({**crowd, "period": 60.0}))
        world.reset(SeedTree(1))
        world.keep_events(2 * events)
        done, speeds = 0, []
        for size in (3, *[max(3, events // rounds // pace)] * rounds):  # the first compiles
            before = world.tally["events"]
            speeds.append(seconds(partial(world.run, done + 1, size)) / (world.tally["events"] - before))
            done += size
        mine = 1.0 / statistics.median(speeds[1:])
        bare = _bare_book(world.events(), rounds)
        yield Row(
            case=f"order market, {name}, event queue and accounts included", ours=mine, unit="events/s", target=1e6,
            limit_fraction=mine / bare,
            note=f"limit: the bare book on the same events, {bare:.3g}/s; the source's kernel: 44,000 messages/s",
        )  # fmt: skip


def _bare_book(events: IntArray, rounds: int) -> float:
    """Return the events per second of the book without traders, accounts, checks and clock."""
    speeds = []
    for _ in range(rounds):
        orders = np.zeros((len(events), book_kernels.ORDER_COLUMNS), np.int64)
        ticks = np.full((int(events[:, 2].max()) + 2, book_kernels.TICK_COLUMNS), book_kernels.NONE, np.int64)
        top, trades = np.array([-1, len(ticks), 0, 0]), np.zeros((2 * len(events), 6), np.int64)
        speeds.append(seconds(partial(book_kernels.process, events, orders, ticks, top, trades)))
    return len(events) / statistics.median(speeds)
