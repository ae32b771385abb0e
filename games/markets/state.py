"""Arrays of a market, grouped for the kernels."""

from __future__ import annotations

from typing import NamedTuple

from equilibria.sim.types import FloatArray, IntArray


class Book(NamedTuple):
    """Resting orders; C orders at once, P ticks, N traders.  See ``mechanisms.book_kernels``."""

    price: IntArray  # [C] tick
    side: IntArray  # [C]
    owner: IntArray  # [C]
    left: IntArray  # [C] quantity, 0 for a free slot
    after: IntArray  # [C] next in the queue of the tick
    before: IntArray  # [C]
    head: IntArray  # [P]
    tail: IntArray  # [P]
    top: IntArray  # [4] best bid, best ask, -, trades of the last order
    following: IntArray  # [C] next order of the same trader
    preceding: IntArray  # [C]
    first: IntArray  # [N] first order of a trader
    free: IntArray  # [C] stack of free slots
    number: IntArray  # [C] event that placed the order
    trades: IntArray  # [C + 1, 6] workspace


class Crowd(NamedTuple):
    """Traders; N of them."""

    kind: IntArray  # [N]
    cash: IntArray  # [N] cents
    shares: IntArray  # [N]
    orders: IntArray  # [N] resting orders
    drawn: IntArray  # [N] decisions drawn, the step of their random numbers
    latency: IntArray  # [N] nanoseconds
    seen: IntArray  # [N] time of the last observation (value), volume at the last quotes (makers)
    belief: FloatArray  # [N, 2] estimate and its variance (value); average spread (makers)
    mids: FloatArray  # [M, 50] last mid prices of momentum traders
    watched: IntArray  # [M] how many they have seen


class Agenda(NamedTuple):
    """Events to come: a heap of rows by time, then by order of entry."""

    heap: IntArray  # [H] rows
    rows: IntArray  # [H, 7] time, entry, what, trader, side, tick, amount
    free: IntArray  # [H] stack of free rows
