"""Compiled oracle, planning, evaluation and steps of cascading decision processes.

Axes: S states, N items, m longest list, H steps.  Item N is the virtual one that ends every list: it is
always attractive and pays nothing.  Learner and environment draw through the same functions: episode e of the learner
is episode e of world 0 with the same key.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import unit
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded, words


@kernel
def best_list(u, w, end, order, table, chosen):  # type: ignore[no-untyped-def]
    """Find the ordered list with the largest expected value.

    Items worth at most ``end`` are dropped, the rest is sorted by worth, and
    F[j][c] = max(F[j+1][c], u_j w_j + (1 - u_j) F[j+1][c-1]) chooses at most m of them.

    Args:
        u: float64 [N] attraction probabilities.
        w: float64 [N] worth of a click.
        end: Worth of the virtual item.
        order: int64 [N] scratch space.
        table: float64 [N + 1, m + 1] scratch space.
        chosen: int64 [m], overwritten with the list; -1 after its end.

    Returns:
        The value of the list.
    """
    m = chosen.shape[0]
    count = 0
    for a in range(u.shape[0]):
        if w[a] > end:
            k = count
            while k > 0 and w[order[k - 1]] < w[a]:
                order[k] = order[k - 1]
                k -= 1
            order[k] = a
            count += 1
    for c in range(m + 1):
        table[count, c] = end
    for j in range(count - 1, -1, -1):
        a = order[j]
        table[j, 0] = end
        for c in range(1, m + 1):
            table[j, c] = max(table[j + 1, c], u[a] * w[a] + (1.0 - u[a]) * table[j + 1, c - 1])
    c, length = m, 0
    chosen[:] = -1
    for j in range(count):
        if c > 0 and table[j, c] > table[j + 1, c]:
            chosen[length] = order[j]
            length += 1
            c -= 1
    return table[0, m]


@kernel
def list_value(u, w, end, chosen):  # type: ignore[no-untyped-def]
    """Return the expected value of a list (items until -1, then the virtual one)."""
    value = end
    for k in range(chosen.shape[0] - 1, -1, -1):
        a = chosen[k]
        if a >= 0:
            value = u[a] * w[a] + (1.0 - u[a]) * value
    return value


@kernel
def worth(reward, transition, later, out):  # type: ignore[no-untyped-def]
    """Write r(a) + p(a) . V for all items and the virtual one of a state, float64 [N + 1]."""
    items = reward.shape[0]
    for a in range(items + 1):
        total = reward[a] if a < items else 0.0
        for t in range(later.shape[0]):
            total += transition[a, t] * later[t]
        out[a] = total


@kernel
def plan(attraction, reward, transition, lists, values):  # type: ignore[no-untyped-def]
    """Solve the known process by backward induction.

    Args:
        attraction: float64 [S, N].
        reward: float64 [S, N].
        transition: float64 [S, N + 1, S].
        lists: int64 [H, S, m], overwritten with optimal lists.
        values: float64 [H + 1, S], overwritten with optimal values.
    """
    states, items = attraction.shape
    order, table = np.empty(items, np.int64), np.empty((items + 1, lists.shape[2] + 1))
    w = np.empty(items + 1)
    values[-1] = 0.0
    for h in range(lists.shape[0] - 1, -1, -1):
        for s in range(states):
            worth(reward[s], transition[s], values[h + 1], w)
            values[h, s] = best_list(attraction[s], w[:items], w[items], order, table, lists[h, s])


@kernel
def evaluate(attraction, reward, transition, lists, values):  # type: ignore[no-untyped-def]
    """Write the exact values [H + 1, S] of a policy; arguments as ``plan``."""
    items = attraction.shape[1]
    w = np.empty(items + 1)
    values[-1] = 0.0
    for h in range(lists.shape[0] - 1, -1, -1):
        for s in range(attraction.shape[0]):
            worth(reward[s], transition[s], values[h + 1], w)
            values[h, s] = list_value(attraction[s], w[:items], w[items], lists[h, s])


@kernel
def first_state(key, episode, world, states):  # type: ignore[no-untyped-def]
    """Draw the uniform first state of an episode."""
    return bounded(words(key, episode, world, 0)[0], states)


@kernel
def examine(u, shown, key, episode, world, step):  # type: ignore[no-untyped-def]
    """Let the user go through a list: the draws of a step depend on (key, episode, world, step) only.

    Args:
        u: float64 [N] attraction probabilities.
        shown: int64 [m] distinct items; anything outside 0..N-1 ends the list.
        key: uint64.
        episode: Number of the episode.
        world: Number of the world.
        step: Step of the episode, from 0.

    Returns:
        How many items were examined, and the clicked item; N if none was.
    """
    items, m = u.shape[0], shown.shape[0]
    examined = 0
    for k in range(m):
        a = shown[k]
        if a < 0 or a >= items:
            break
        examined += 1
        if unit(words(key, episode, world, 1 + step * (m + 1) + k)[1]) < u[a]:
            return examined, a
    return examined, np.int64(items)


@kernel
def follow(p, m, key, episode, world, step):  # type: ignore[no-untyped-def]
    """Draw the next state from float64 [S] probabilities; ``m`` is the length of the longest list."""
    u = unit(words(key, episode, world, 1 + step * (m + 1) + m)[2])
    t = 0
    while t < p.shape[0] - 1 and u >= p[t]:
        u -= p[t]
        t += 1
    return t


@kernel
def begin(key, b, episode, place, elapsed, observation):  # type: ignore[no-untyped-def]
    """Begin the present episode of world b: draw its state and write the observation float32 [B, 1, S + 1]."""
    place[b] = first_state(key, episode[b], b, observation.shape[2] - 1)
    elapsed[b] = 0
    observation[b, 0, :] = 0.0
    observation[b, 0, place[b]] = 1.0


@kernel
def begin_all(key, episode, place, elapsed, observation):  # type: ignore[no-untyped-def]
    """Begin an episode in every world."""
    for b in range(place.shape[0]):
        begin(key, b, episode, place, elapsed, observation)


@kernel
def advance(  # type: ignore[no-untyped-def]
    key, horizon, attraction, pays, transition, actions, episode, place, clicked, examined, elapsed, reward,
    observation, final, ended,
):  # fmt: skip
    """Show one list in every world; episodes end after ``horizon`` lists and begin anew.

    Args:
        key: uint64.
        horizon: H.
        attraction: float64 [S, N].
        pays: float64 [S, N] reward of a click.
        transition: float64 [S, N + 1, S].
        actions: int64 [B, 1, m]; N ends a list.
        episode: int64 [B] number of the episode of each world.
        place: int64 [B] state.
        clicked: int64 [B, 1] clicked item, N for none, overwritten.
        examined: int64 [B, 1] items examined, overwritten.
        elapsed: int64 [B].
        reward: float64 [B, 1], overwritten.
        observation: float32 [B, 1, S + 1].
        final: float32 [B, 1, S + 1].
        ended: bool [B], overwritten.
    """
    items, m = attraction.shape[1], actions.shape[2]
    for b in range(place.shape[0]):
        s, h = place[b], elapsed[b]
        examined[b, 0], clicked[b, 0] = examine(attraction[s], actions[b, 0], key, episode[b], b, h)
        a = clicked[b, 0]
        reward[b, 0] = pays[s, a] if a < items else 0.0
        place[b] = follow(transition[s, a], m, key, episode[b], b, h)
        elapsed[b] = h + 1
        observation[b, 0, s] = 0.0
        observation[b, 0, place[b]] = 1.0
        observation[b, 0, -1] = elapsed[b] / horizon
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            final[b] = observation[b]
            episode[b] += 1
            begin(key, b, episode, place, elapsed, observation)
