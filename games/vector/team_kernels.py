"""Compiled steps of the two-team worlds.

Axes: B worlds, N members of a team, A actions; agents 0..N-1 are red, N..2N-1 are blue.  Shared
arguments are those of ``kernels``.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.vector.kernels import RESET
from equilibria.sim.jit import kernel
from equilibria.sim.philox import integer

MOVES = 5
"""Actions 0..4 stay or step left, right, down, up; 5..12 attack one of the eight neighbouring cells."""
ATTACKS = 8

_DX = np.array([0, -1, 1, 0, 0, -1, 0, 1, -1, 1, -1, 0, 1], dtype=np.int64)
_DY = np.array([0, 0, 0, -1, 1, -1, -1, -1, 0, 0, 1, 1, 1], dtype=np.int64)


@kernel
def team_game_advance(horizon, features, coupling, elapsed, actions, reward, ended):  # type: ignore[no-untyped-def]
    """Pay red F(a)^T M F(b) and blue its negative; ``features`` [A^N, K], ``coupling`` [K, K]."""
    batch, agents = actions.shape
    members, teams = agents // 2, features.shape[0]
    count = np.int64(round(teams ** (1.0 / members)))
    k = features.shape[1]
    for b in range(batch):
        own, other = 0, 0
        for i in range(members):
            own = own * count + actions[b, i]
            other = other * count + actions[b, members + i]
        value = 0.0
        for i in range(k):
            for j in range(k):
                value += features[own, i] * coupling[i, j] * features[other, j]
        for i in range(members):
            reward[b, i] = value
            reward[b, members + i] = -value
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            elapsed[b] = 0


@kernel(inline="always")
def battle_place(key, clock, b, size, low, high, health, x, y, hp):  # type: ignore[no-untyped-def]
    """Place red in distinct cells of columns low .. high - 1, drawn uniformly, and blue at the mirror points."""
    members = x.shape[1] // 2
    cells = (high - low) * size
    for i in range(members):
        skip = integer(key, clock, b, RESET + i, cells - i)
        cell = 0
        while True:
            taken = False
            for j in range(i):
                if (x[b, j] - low) * size + y[b, j] == cell:
                    taken = True
            if not taken:
                if skip == 0:
                    break
                skip -= 1
            cell += 1
        x[b, i], y[b, i] = low + cell // size, cell % size
        x[b, members + i], y[b, members + i] = size - 1 - x[b, i], size - 1 - y[b, i]
        hp[b, i] = health
        hp[b, members + i] = health


@kernel(inline="always")
def battle_look(b, size, health, horizon, elapsed, x, y, hp, observation):  # type: ignore[no-untyped-def]
    """Write what everybody sees in the frame of the own team; the dead see only the time."""
    agents = x.shape[1]
    members = agents // 2
    for i in range(agents):
        for d in range(observation.shape[2]):
            observation[b, i, d] = 0.0
        observation[b, i, 6 * members] = 1.0 - elapsed / horizon
        if hp[b, i] <= 0:
            continue
        blue = i >= members
        side = -1.0 if blue else 1.0
        own_x = size - 1 - x[b, i] if blue else x[b, i]
        own_y = size - 1 - y[b, i] if blue else y[b, i]
        observation[b, i, 0] = own_x / (size - 1)
        observation[b, i, 1] = own_y / (size - 1)
        observation[b, i, 2] = hp[b, i] / health
        base = members if blue else 0
        for k in range(1, 2 * members):
            if k < members:
                j = base + (i - base + k) % members
            else:
                j = (members - base) + k - members
            if hp[b, j] > 0:
                observation[b, i, 3 * k] = side * (x[b, j] - x[b, i]) / (size - 1)
                observation[b, i, 3 * k + 1] = side * (y[b, j] - y[b, i]) / (size - 1)
                observation[b, i, 3 * k + 2] = hp[b, j] / health


@kernel(inline="always")
def battle_mask(b, size, x, y, hp, legal):  # type: ignore[no-untyped-def]
    """Write legal actions: stay; steps to free cells of the field; attacks on cells with a living opponent."""
    agents = x.shape[1]
    members = agents // 2
    for i in range(agents):
        for a in range(MOVES + ATTACKS):
            legal[b, i, a] = a == 0
        if hp[b, i] <= 0:
            continue
        side = -1 if i >= members else 1
        for a in range(1, MOVES + ATTACKS):
            tx, ty = x[b, i] + side * _DX[a], y[b, i] + side * _DY[a]
            ok = a < MOVES and 0 <= tx < size and 0 <= ty < size
            for j in range(agents):
                if hp[b, j] > 0 and x[b, j] == tx and y[b, j] == ty:
                    ok = a >= MOVES and (j >= members) != (i >= members)
            legal[b, i, a] = ok


@kernel
def battle_begin(key, clock, size, low, high, health, horizon, x, y, hp, legal, observation):  # type: ignore[no-untyped-def]
    """Begin an episode in all worlds."""
    for b in range(x.shape[0]):
        battle_place(key, clock, b, size, low, high, health, x, y, hp)
        battle_look(b, size, health, horizon, 0, x, y, hp, observation)
        battle_mask(b, size, x, y, hp, legal)


@kernel
def battle_advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, size, low, high, health, hit, kill, win, elapsed, x, y, hp, damage, target, legal, won, actions, reward,
    observation, final, ended
):  # fmt: skip
    """One step: all attacks at once, deaths, then all steps at once.

    ``damage`` [2N], ``target`` [2N, 2] are scratch space; ``won`` [B] is the sign of red's lead in
    survivors when an episode ends.
    """
    batch, agents = x.shape
    members = agents // 2
    for b in range(batch):
        pay = 0.0
        for i in range(agents):
            damage[i] = 0
        for i in range(agents):
            a = actions[b, i]
            if hp[b, i] > 0 and a >= MOVES:
                side = -1 if i >= members else 1
                tx, ty = x[b, i] + side * _DX[a], y[b, i] + side * _DY[a]
                for j in range(agents):
                    if hp[b, j] > 0 and (j >= members) != (i >= members) and x[b, j] == tx and y[b, j] == ty:
                        damage[j] += 1
                        pay += side * hit
        for i in range(agents):
            if hp[b, i] > 0 and damage[i] > 0:
                hp[b, i] -= damage[i]
                if hp[b, i] <= 0:
                    hp[b, i] = 0
                    pay += kill if i >= members else -kill
        for i in range(agents):
            a = actions[b, i] if hp[b, i] > 0 and actions[b, i] < MOVES else 0
            side = -1 if i >= members else 1
            target[i, 0], target[i, 1] = x[b, i] + side * _DX[a], y[b, i] + side * _DY[a]
        for i in range(agents):
            damage[i] = target[i, 0] != x[b, i] or target[i, 1] != y[b, i]  # now: whether i steps
            if damage[i] and not (0 <= target[i, 0] < size and 0 <= target[i, 1] < size):
                damage[i] = 0
            for j in range(agents):
                # a cell that somebody holds or another one steps to stays as it is
                if j != i and hp[b, j] > 0:
                    if x[b, j] == target[i, 0] and y[b, j] == target[i, 1]:
                        damage[i] = 0
                    if target[j, 0] == target[i, 0] and target[j, 1] == target[i, 1]:
                        damage[i] = 0
        red, blue = 0, 0
        for i in range(agents):
            if damage[i]:
                x[b, i], y[b, i] = target[i, 0], target[i, 1]
            if hp[b, i] > 0:
                if i < members:
                    red += 1
                else:
                    blue += 1
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon or red == 0 or blue == 0
        if ended[b]:
            won[b] = (red > blue) - (red < blue)
            pay += win * won[b]
        for i in range(members):
            reward[b, i] = pay
            reward[b, members + i] = -pay
        if ended[b]:
            battle_look(b, size, health, horizon, elapsed[b], x, y, hp, final)
            elapsed[b] = 0
            battle_place(key, clock, b, size, low, high, health, x, y, hp)
        battle_look(b, size, health, horizon, elapsed[b], x, y, hp, observation)
        battle_mask(b, size, x, y, hp, legal)
