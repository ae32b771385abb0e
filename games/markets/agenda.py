"""A deterministic event queue: a binary heap by time, then by order of entry."""

from __future__ import annotations

from equilibria.sim.jit import kernel

TIME, ENTRY, WHAT, TRADER, SIDE, TICK, AMOUNT = range(7)
# cells of ``count``
WAITING, ENTRIES = 0, 1


@kernel(inline="always")
def _earlier(rows, a, b):  # type: ignore[no-untyped-def]
    return rows[a, 0] < rows[b, 0] or (rows[a, 0] == rows[b, 0] and rows[a, 1] < rows[b, 1])


@kernel
def push(agenda, count, time, what, trader, side, tick, amount):  # type: ignore[no-untyped-def]
    """Enter an event; return False if there is no room."""
    waiting = count[WAITING]
    if waiting == agenda.heap.shape[0]:
        return False
    row = agenda.free[agenda.heap.shape[0] - 1 - waiting]
    rows, heap = agenda.rows, agenda.heap
    rows[row, TIME], rows[row, ENTRY], rows[row, WHAT] = time, count[ENTRIES], what
    rows[row, TRADER], rows[row, SIDE], rows[row, TICK], rows[row, AMOUNT] = trader, side, tick, amount
    count[ENTRIES] += 1
    k = waiting
    while k > 0:
        parent = (k - 1) >> 1
        if not _earlier(rows, row, heap[parent]):
            break
        heap[k] = heap[parent]
        k = parent
    heap[k] = row
    count[WAITING] = waiting + 1
    return True


@kernel
def pop(agenda, count):  # type: ignore[no-untyped-def]
    """Remove the next event and return its row, which stays readable until the next ``push``."""
    rows, heap = agenda.rows, agenda.heap
    top = heap[0]
    size = count[WAITING] - 1
    count[WAITING] = size
    agenda.free[heap.shape[0] - 1 - size] = top
    last = heap[size]
    k = 0
    while True:
        child = 2 * k + 1
        if child >= size:
            break
        if child + 1 < size and _earlier(rows, heap[child + 1], heap[child]):
            child += 1
        if not _earlier(rows, heap[child], last):
            break
        heap[k] = heap[child]
        k = child
    heap[k] = last
    return top
