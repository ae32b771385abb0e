"""Real-time bidding: value programmes, replay, markets, against the plain Python loops of the publication.

The reference of the value programme and of replay is the plain loop that the published code runs, in
Python lists: states one by one, prices one by one until the bracket turns negative.

What the work costs at least:

* value programme: one multiply-add per state and price up to the bid; ``limit_fraction`` is the
  multiply-adds per second over those of a numpy matrix product in the same process;
* linear replay: 19 bytes per request read in order; ``limit_fraction`` is its speed over that of summing the same
  columns;
* table replay: two reads of a table row per request that is affordable;
* markets: one random block per four bidders, nine table reads per live table bid.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from equilibria.agents.bidding.linear import Lin
from equilibria.agents.bidding.pacing import AdaptivePacing, PIDPacing
from equilibria.agents.bidding.rlb import RLB, RLBTheta
from equilibria.agents.bidding.value import final_values, solve, solve_spread, stride_error
from equilibria.benchmarks.common import Row, medians
from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.predrawn import run_sales
from equilibria.games.auctions.rtb.requests import Training, training
from equilibria.games.auctions.rtb.rules import MAX_PRICE, pack
from equilibria.games.auctions.rtb.synthetic import Source
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

_TREE = SeedTree(1)
_UNLIMITED = 2**40


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield one row per case."""
    train = Source("2997", "burst", _TREE).train(40_000 if quick else 400_000)
    yield _programme_against_plain(train, quick)
    yield from _programmes(train, quick)
    yield from _replays(train, quick)
    yield _bids(train, quick)
    yield _market(train, quick)
    yield from _predrawn(quick)


def plain_programme(m: list[float], theta: float, requests: int, budget: int) -> list[list[float]]:
    """Solve the programme state by state and price by price."""
    rows_ = [[0.0] * (budget + 1)]
    for _ in range(requests):
        v = rows_[-1]
        new = v.copy()
        for b in range(budget + 1):
            total, own = v[b], v[b]
            for d in range(min(b, len(m) - 1) + 1):
                g = theta + v[b - d] - own
                if g < 0.0:
                    break
                total += m[d] * g
            new[b] = total
        rows_.append(new)
    return rows_


def _programme_against_plain(train: Any, quick: bool) -> Row:
    requests = 40 if quick else 1000
    plan = training(train, length=1000, budget_fraction=1 / 32, expected=True)
    m = plan.prices.tolist()
    start = time.process_time()
    peer = plain_programme(m, plan.theta_mean, requests, plan.budget)
    theirs = time.process_time() - start
    times = medians({"ours": lambda: solve(plan.prices, plan.theta_mean, requests, plan.budget)}, budget=0.1)
    ours = solve(plan.prices, plan.theta_mean, requests, plan.budget)
    gap = float(np.abs(ours.values - np.array(peer)).max())
    return Row(
        case=f"value programme T={requests} B={plan.budget}",
        ours=times["ours"],
        peer=theirs,
        peer_name="plain Python loop",
        unit="s",
        ratio=theirs / times["ours"],
        target=300,
        note=f"largest difference {gap:.1e}; the loop ran once",
    )


def _multiply_adds_per_second(quick: bool) -> float:
    n = 300 if quick else 1000
    a = np.random.default_rng(1).random((n, n))
    times = medians({"product": lambda: a @ a}, budget=0.05)
    return n**3 / times["product"]


def _programmes(train: Any, quick: bool) -> Iterator[Row]:
    peak = _multiply_adds_per_second(quick)
    cases = [(1000, 0.5, 1, 0.8), (10_000, 1 / 8, 1, 10.0), (10_000, 1 / 8, 8, 2.0)]
    for requests, fraction, stride, target in [(200, 0.5, 1, None), (200, 0.5, 8, None)] if quick else cases:
        plan = training(train, length=requests, budget_fraction=fraction, expected=True)
        seconds = _once(plan) if requests > 5000 and stride == 1 else _median(plan, stride)
        table = solve(plan.prices, plan.theta_mean, min(requests, 400), plan.budget, memory_limit=_UNLIMITED)
        kernels_row = table.values[-1] if table.stride == 1 else table.values[-1, : table.fine]
        work = _work(kernels_row, plan) * requests / stride
        note = "exact"
        if stride > 1:
            error = stride_error(plan.prices, plan.theta_mean, requests, plan.budget, stride)
            note = f"stride {stride} from budget 4096 on, relative error about {error:.0e}"
        yield Row(
            case=f"value programme T={requests} B={plan.budget} stride {stride}",
            ours=seconds,
            unit="s",
            target=target,
            limit_fraction=work / seconds / peak if stride == 1 else None,
            note=note,
        )
    plan = training(train, length=200 if quick else 1000, budget_fraction=1 / 16, expected=True)
    times = medians(
        {"spread": lambda: solve_spread(plan.prices, plan.requests.theta, plan.length, plan.budget)},
        rounds=3,
        budget=0.0,
    )
    yield Row(case=f"request-aware programme T={plan.length} B={plan.budget}", ours=times["spread"], unit="s")


def _work(values: FloatArray, plan: Training) -> float:
    """Return the multiply-adds of one row, from the bids at a late row."""
    remainders = np.searchsorted(values, values - plan.theta_mean)
    bids = np.minimum(np.arange(values.size) - remainders, MAX_PRICE)
    return float((bids + 1).mean() * (plan.budget + 1))


def _solve(plan: Training, stride: int) -> Any:
    return solve(plan.prices, plan.theta_mean, plan.length, plan.budget, budget_stride=stride, memory_limit=_UNLIMITED)


def _median(plan: Training, stride: int) -> float:
    return medians({"ours": lambda: _solve(plan, stride)}, rounds=5, budget=0.0)["ours"]


def _once(plan: Training) -> float:
    """Return the CPU seconds of one exact value: the whole table would fill 6 GB, the value needs two rows."""
    start = time.process_time()
    final_values(plan.prices, plan.theta_mean, plan.length, plan.budget)
    return time.process_time() - start


def _replays(train: Any, quick: bool) -> Iterator[Row]:
    n = 100_000 if quick else 10_000_000
    r = Source("2997", "burst", _TREE).test(min(n, 1_000_000))
    copies = n // r.count
    columns = [np.tile(c, copies) for c in (r.theta, r.price, r.click, r.truth)]
    theta, price, click, truth = columns
    plan = training(train, length=1000, budget_fraction=1 / 32, expected=True)
    out = np.zeros((n // 1000, 5))
    lin = Lin().prepare(plan, _TREE)
    rlb = RLB().prepare(plan, _TREE)
    p = pack((rlb,))
    times = medians(
        {
            "lin": lambda: kernels.replay_linear(
                theta, price, click, truth, 1000, plan.budget, lin.scale, MAX_PRICE, out
            ),
            "rlb": lambda: kernels.replay_table(
                theta, price, click, truth, 1000, plan.budget, p.integers[0], p.reals[0], p.tables, out
            ),
            "sum": lambda: [c.sum() for c in columns],
        },
        budget=0.02 if quick else 0.2,
    )
    peer = _plain_replay(r, plan.budget, lin.scale, 20_000)
    for name, target in (("lin", 200e6), ("rlb", 40e6)):
        speed = n / times[name]
        yield Row(
            case=f"replay {name}, {n} requests",
            ours=speed / 1e6,
            peer=peer / 1e6 if name == "lin" else None,
            peer_name="plain Python loop" if name == "lin" else "",
            unit="million requests/s",
            ratio=speed / peer if name == "lin" else None,
            target=target / 1e6 if name == "rlb" else target / 1e6 / (peer / 1e6),
            limit_fraction=times["sum"] / times[name],
            note="target 200 million/s, written as a ratio" if name == "lin" else "second-price win test",
        )


def _plain_replay(r: Any, budget: int, scale: float, n: int) -> float:
    """Return requests per second of a linear replay in Python."""
    theta, price, click = r.theta[:n].tolist(), r.price[:n].tolist(), r.click[:n].tolist()
    start = time.process_time()
    b = wins = clicks = 0
    for i in range(n):
        if i % 1000 == 0:
            b = budget
        a = min(int(theta[i] * scale), MAX_PRICE, b)
        if a >= price[i]:
            b -= price[i]
            wins += 1
            clicks += click[i]
    return n / (time.process_time() - start)


def _bids(train: Any, quick: bool) -> Row:
    n = 20_000 if quick else 1_000_000
    r = Source("2997", "burst", _TREE).test(n)
    plan = training(train, length=1000, budget_fraction=1 / 32, expected=True)
    p = pack((RLB().prepare(plan, _TREE),))
    bids = np.zeros(n, np.int64)
    times = medians(
        {
            "bids": lambda: kernels.explicit_bids(
                r.theta, 1000, plan.budget, p.integers, p.reals, p.tables, r.price, bids
            )
        },
        budget=0.05,
    )
    return Row(case="explicit bids of rlb", ours=n / times["bids"] / 1e6, unit="million bids/s", target=10)


def _market(train: Any, quick: bool) -> Row:
    n = 20_000 if quick else 500_000
    r = Source("2997", "burst", _TREE).test(n)
    plan = training(train, length=1000, budget_fraction=1 / 16, expected=True)
    bidders = (RLB(), RLBTheta(), Lin(), Lin(), PIDPacing(), PIDPacing(), AdaptivePacing(), AdaptivePacing())
    p = pack(tuple(b.prepare(plan, _TREE) for b in bidders), by="time")
    control = np.zeros((8, 4))
    control[:, 0] = 1.0
    out = np.zeros((n // 1000, 8, 5))
    budgets, seen = np.full(8, plan.budget, np.int64), np.zeros((8, 0, 3))

    def play() -> None:
        kernels.play(
            r.theta, r.price, r.click, r.truth, 1000, budgets, p.integers, p.reals, p.parameters, p.tables, control,
            0, True, 0, 0.5, np.uint64(1), seen, out, 0, n,
        )  # fmt: skip

    speed = n / medians({"play": play}, budget=0.05)["play"]
    return Row(
        case="market of 8: rlb, rlb_theta, 2 lin, 2 pid, 2 adaptive",
        ours=speed / 1e6,
        unit="million auctions/s",
        target=5,
    )


def _sell(bids: FloatArray, money: FloatArray, winner: Any, price: FloatArray, wins: Any) -> None:
    run_sales(bids, money.copy(), 0.0, winner, price, wins)


def _predrawn(quick: bool) -> Iterator[Row]:
    for bidders, target in ((2, 70), (8, 20), (48, 10)):
        n = (100_000 if quick else 4_000_000) // bidders
        bids = np.random.default_rng(1).random((n, bidders))
        money = np.full(bidders, 0.3 * n / bidders)
        winner, price, wins = np.empty(n, np.int32), np.empty(n), np.zeros(bidders, np.int64)
        times = medians({"ours": partial(_sell, bids, money, winner, price, wins), "sum": bids.sum}, budget=0.05)
        yield Row(
            case=f"pre-drawn second price with budgets, {bidders} bidders",
            ours=n / times["ours"] / 1e6,
            unit="million auctions/s",
            target=target,
            limit_fraction=times["sum"] / times["ours"],
        )
