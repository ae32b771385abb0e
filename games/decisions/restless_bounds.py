"""Relaxed bound, Whittle's index and choices of shared controls for coupled restless bandits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array, hstack, kron, vstack

from equilibria.sim.errors import NumericalError
from equilibria.sim.types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from equilibria.games.decisions.restless import RestlessGame


def relaxed_bound(game: RestlessGame) -> tuple[float, FloatArray]:
    """Solve the occupation program; see ``RestlessGame.relaxed``.

    Variables are the probabilities mu(t, j, s, w) of state and mode, and per step the coupling's own variables (controls
    and further ones) without integrality.  Each arm's use of a control equals the control.
    """
    horizon, arms, states = game.horizon, game.arms, game.reward.shape[1]
    moves, pay = game.moves(), game.step_reward()
    modes = game.up.shape[0]
    occupied = horizon * arms * states * modes
    program = game.coupling.program()
    width = program.matrix.shape[1]
    size = occupied + horizon * width

    def mu(t: IntArray, j: IntArray, s: IntArray, w: IntArray) -> IntArray:
        return np.asarray(((t * arms + j) * states + s) * modes + w, np.int64)

    t, j, s, w = (x.ravel() for x in np.indices((horizon, arms, states, modes)))
    gain = pay[w, j, s]
    rows, cols, data = [(t * arms + j) * states + s], [mu(t, j, s, w)], [np.ones(occupied)]
    t, j, s, w, z = (x.ravel() for x in np.indices((horizon - 1, arms, states, modes, states)))
    chance = moves[w, j, s, z]
    some = chance > 0.0
    t, j, s, w, z, chance = (x[some] for x in (t, j, s, w, z, chance))
    rows.append(((t + 1) * arms + j) * states + z)
    cols.append(mu(t, j, s, w))
    data.append(-chance)
    start = np.zeros((horizon, arms, states))
    start[0] = [0.8, 0.2, 0.0, 0.0]
    flow = coo_array(
        (np.concatenate(data), (np.concatenate(rows), np.concatenate(cols))), shape=(horizon * arms * states, size)
    )
    linked = game.links >= 0
    number = np.cumsum(linked.ravel()).reshape(linked.shape) - 1  # of each pair of arm and control
    pairs = int(linked.sum())
    t, j, s, w, d = (x.ravel() for x in np.indices((horizon, arms, states, modes, game.links.shape[1])))
    some = linked[j, d] & (w >> d & 1 == 1)
    t, j, s, w, d = (x[some] for x in (t, j, s, w, d))
    step, pair = (x.ravel() for x in np.indices((horizon, pairs)))
    owner = game.links[linked]
    use = coo_array(
        (
            np.concatenate([np.ones(t.size), -np.ones(step.size)]),
            (
                np.concatenate([t * pairs + number[j, d], step * pairs + pair]),
                np.concatenate([mu(t, j, s, w), occupied + step * width + owner[pair]]),
            ),
        ),
        shape=(horizon * pairs, size),
    )
    upper, matrix, limit = _one_sided(program.matrix, program.low, program.high)
    free = np.zeros(game.controls, np.bool_)
    free[owner] = True
    most = np.concatenate([np.where(free, 1.0, 0.0), program.upper])
    blank = csr_array((horizon * matrix.shape[0], occupied))
    held = hstack([blank, kron(csr_array(np.eye(horizon)), matrix)])
    fixed = hstack([csr_array((horizon * upper[0].shape[0], occupied)), kron(csr_array(np.eye(horizon)), upper[0])])
    found = linprog(
        -np.concatenate([gain, np.zeros(horizon * width)]),
        A_eq=vstack([flow, use, fixed]).tocsr(),
        b_eq=np.concatenate([start.ravel(), np.zeros(horizon * pairs), np.tile(upper[1], horizon)]),
        A_ub=held.tocsr(), b_ub=np.tile(limit, horizon),
        bounds=np.stack([np.zeros(size), np.concatenate([np.full(occupied, np.inf), np.tile(most, horizon)])], axis=1),
        method="highs",
    )  # fmt: skip
    if found.x is None:
        raise NumericalError("relaxed bound", float("nan"), where=str(found.message))
    first = horizon * arms * states
    made = -np.asarray(found.eqlin.marginals[first : first + horizon * pairs], np.float64).reshape(horizon, pairs)
    price = np.zeros((horizon, *game.links.shape))
    price[:, linked] = made
    return -float(found.fun), price


def whittle_index(game: RestlessGame, tolerance: float) -> FloatArray:
    """Find Whittle's index [H, J, 4]; see ``RestlessGame.whittle``."""
    states = game.reward.shape[1]
    top = float(np.abs(game.reward).max()) * game.horizon + 1.0
    low = np.full((game.horizon, game.arms, states), -top)
    high = np.full_like(low, top)
    while float((high - low).max()) > tolerance:
        middle = 0.5 * (low + high)
        for t in range(game.horizon):
            for s in range(states):
                gain = _gain_at(game, middle[t, :, s], t)[:, s]
                worth = gain > middle[t, :, s]
                low[t, :, s] = np.where(worth, middle[t, :, s], low[t, :, s])
                high[t, :, s] = np.where(worth, high[t, :, s], middle[t, :, s])
    return 0.5 * (low + high)


def best_shared(game: RestlessGame, values: FloatArray) -> BoolArray:
    """Return the set of shared controls bool [C] with the largest sum of mode values [W, J], by an integer program.

    Binary variables are the coupling's and one per arm and mode; a mode uses exactly the controls that are on.

    Raises:
        NumericalError: If the program cannot be solved.
    """
    program, modes = game.coupling.program(), game.up.shape[0]
    width, count = program.matrix.shape[1], game.arms * modes
    rows, cols, data, row = list[int](), list[int](), list[float](), 0
    right: list[float] = []
    for j in range(game.arms):
        rows += [row] * modes
        cols += [width + j * modes + w for w in range(modes)]
        data += [1.0] * modes
        right.append(1.0)
        row += 1
        for d, control in enumerate(game.links[j]):
            on = [w for w in range(modes) if w >> d & 1]
            rows += [row] * (len(on) + (control >= 0))
            cols += [width + j * modes + w for w in on] + ([int(control)] if control >= 0 else [])
            data += [1.0] * len(on) + ([-1.0] if control >= 0 else [])
            right.append(0.0)
            row += 1
    shared = coo_array((data, (rows, cols)), shape=(row, width + count)).tocsr()
    own = hstack([program.matrix, csr_array((program.matrix.shape[0], count))]).tocsr()
    found = milp(
        -np.concatenate([np.zeros(width), values.T.ravel()]),
        integrality=np.concatenate([np.ones(width), np.zeros(count)]),
        bounds=Bounds(0.0, np.concatenate([np.ones(game.controls), program.upper, np.ones(count)])),
        constraints=[LinearConstraint(own, program.low, program.high), LinearConstraint(shared, right, right)],
    )
    if found.x is None:
        raise NumericalError("choice of controls", float("nan"), where=str(found.message))
    return np.asarray(found.x[: game.controls] > 0.5)


def _one_sided(
    matrix: csr_array, low: FloatArray, high: FloatArray
) -> tuple[tuple[csr_array, FloatArray], csr_array, FloatArray]:
    """Split rows into equalities and rows with an upper bound."""
    same = low == high
    above, below = ~same & np.isfinite(high), ~same & np.isfinite(low)
    held = vstack([matrix[above], -matrix[below]]).tocsr()
    return (matrix[same], low[same]), held, np.concatenate([high[above], -low[below]])


def _gain_at(game: RestlessGame, charge: FloatArray, t: int) -> FloatArray:
    """Return the gain [J, 4] of pulling at step t when every later pull costs ``charge`` [J]."""
    moves, pay = game.moves(), game.step_reward()
    value = np.zeros((game.arms, game.reward.shape[1]))
    for _ in range(game.horizon - 1 - t):
        q = pay + np.einsum("ajst,jt->ajs", moves, value)
        value = np.maximum(q[0], q[1] - charge[:, None])
    q = pay + np.einsum("ajst,jt->ajs", moves, value)
    return np.asarray(q[1] - q[0])
