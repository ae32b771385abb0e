"""A deterministic event queue: a heap with four children per node, by time, then by order of entry.

An item below 0 is the waking of trader ``-1 - item``; others are rows of ``later``.  Keys lie in the heap itself, and
the first event stays on top while it is processed: what it causes comes later, so its place can be filled at once by
the same trader's next waking, which saves half of the work.
"""

from __future__ import annotations

from equilibria.games.markets.state import (
    AMOUNT,
    ENTRIES,
    FULL,
    HELD,
    SIDE,
    SPARE,
    TICK,
    TRADER,
    WAITING,
    WHAT,
)
from equilibria.sim.jit import kernel

# columns of ``heap``
TIME, ENTRY, ITEM = range(3)


@kernel(counted=False)
def push(heap, count, time, item):  # type: ignore[no-untyped-def]
    """Enter an item; without room set the flag FULL."""
    k = count[WAITING]
    if k == heap.shape[0]:
        count[FULL] = 1
        return
    count[WAITING] = k + 1
    while k > 0:  # the entry is the latest, so equal times stay above it
        parent = (k - 1) >> 2
        if heap[parent, TIME] <= time:
            break
        heap[k, TIME], heap[k, ENTRY], heap[k, ITEM] = heap[parent, TIME], heap[parent, ENTRY], heap[parent, ITEM]
        k = parent
    heap[k, TIME], heap[k, ENTRY], heap[k, ITEM] = time, count[ENTRIES], item
    count[ENTRIES] += 1


@kernel(counted=False)
def hold(heap, later, count, time, what, trader, side, tick, amount):  # type: ignore[no-untyped-def]
    """Enter an order or cancellation that is under way."""
    if count[HELD] == later.shape[0]:
        count[FULL] = 1
        return
    row = later[count[HELD], SPARE]
    count[HELD] += 1
    later[row, WHAT], later[row, TRADER], later[row, SIDE] = what, trader, side
    later[row, TICK], later[row, AMOUNT] = tick, amount
    push(heap, count, time, row)


@kernel(counted=False, forceinline=True)
def replace_first(heap, later, count, time):  # type: ignore[no-untyped-def]
    """Put the first item to a new time, or remove it if ``time`` is negative."""
    item = heap[0, ITEM]
    size = count[WAITING]
    if time >= 0:
        entry = count[ENTRIES]
        count[ENTRIES] += 1
    else:
        size -= 1
        count[WAITING] = size
        count[HELD] -= 1
        later[count[HELD], SPARE] = item
        time, entry, item = heap[size, TIME], heap[size, ENTRY], heap[size, ITEM]
    k = 0
    while True:
        child = 4 * k + 1
        if child >= size:
            break
        best, at, number = child, heap[child, TIME], heap[child, ENTRY]
        for c in range(child + 1, min(child + 4, size)):
            if heap[c, TIME] < at or (heap[c, TIME] == at and heap[c, ENTRY] < number):
                best, at, number = c, heap[c, TIME], heap[c, ENTRY]
        if time < at or (time == at and entry < number):
            break
        heap[k, TIME], heap[k, ENTRY], heap[k, ITEM] = at, number, heap[best, ITEM]
        k = best
    heap[k, TIME], heap[k, ENTRY], heap[k, ITEM] = time, entry, item
