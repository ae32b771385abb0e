"""Conformance of games: populations, vector games and finite extensive-form games."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from equilibria.sim.contract import Role
from equilibria.sim.errors import PluginError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.testing.states import check_certificate, demand, difference, frozen, same


def check_game(make: Callable[[], Any], *, seed: int = 1, steps: int = 6) -> None:
    """Check a game; the suite is chosen by what the game offers.

    Args:
        make: Builds a fresh game with the same settings.
        seed: Seed of resets.
        steps: Steps to play, at least 3.

    Raises:
        PluginError: If a promise of ``PopulationGame``, ``VectorGame`` or of the extensive-form arrays
            is broken, or the game is none of them.
    """
    demand(steps >= 3, f"check_game needs steps >= 3, got {steps}")
    game = make()
    if hasattr(game, "columns"):
        _check_population(make, seed, steps)
    elif hasattr(game, "roles"):
        _check_vector(make, seed, steps)
    elif hasattr(game, "arrays"):
        _check_extensive(game)
    else:
        raise PluginError(
            f"{type(game).__name__} is no game: a population has columns(), a vector game roles, an extensive game arrays"
        )


def _check_population(make: Callable[[], Any], seed: int, steps: int) -> None:
    tree = SeedTree(seed)
    whole = make()
    demand(isinstance(getattr(whole, "unit", None), str), "a population must name its unit")
    whole.reset(tree)
    _columns(whole)
    whole.run(1, steps)
    end = frozen(whole.save(), "game")
    _columns(whole)
    check_certificate(whole.certificate(), "game")
    text = difference(end, frozen(whole.save(), "game"))
    demand(not text, f"certificate() and columns() must not change the state: {text}")

    split = make()
    split.reset(tree)
    split.run(1, 1)
    split.run(2, 1)
    kept = frozen(split.save(), "game")
    split.run(3, steps - 2)
    text = difference(end, frozen(split.save(), "game"))
    demand(not text, f"run(1, {steps}) must equal runs of fewer steps: {text}")

    resumed = make()
    resumed.reset(SeedTree(seed))
    resumed.load(kept)
    resumed.run(3, steps - 2)
    text = difference(end, frozen(resumed.save(), "game"))
    demand(not text, f"a loaded world must go on as the saved one did: {text}")

    whole.reset(tree)
    whole.run(1, steps)
    text = difference(end, frozen(whole.save(), "game"))
    demand(not text, f"reset must forget the earlier run: {text}")


def _columns(game: Any) -> None:
    columns = game.columns()
    demand(isinstance(columns, Mapping), "columns() must return a mapping")
    for name, column in columns.items():
        array = np.asarray(column)
        demand(array.shape == (game.agents,), f"column {name!r} must have shape ({game.agents},), got {array.shape}")
        if array.dtype.kind == "f":
            demand(bool(np.isfinite(array).all()), f"column {name!r} must be finite")


def _numpy(value: Any) -> Any:
    """Return a numpy copy of an array of either backend."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.array(value, copy=True)


def _actions(game: Any, state: Any, batch: int, rng: np.random.Generator) -> dict[str, Any]:
    """Draw legal random actions of every role for the larger batch; smaller batches take the first rows."""
    chosen: dict[str, Any] = {}
    for name, role in game.roles.items():
        if role.actions:
            mask = game.action_mask(state, name)
            if mask is None:
                chosen[name] = rng.integers(0, role.actions, (batch, role.count))
                continue
            legal = _numpy(mask)
            demand(legal.shape == (batch, role.count, role.actions), f"action_mask of {name!r} has shape {legal.shape}")
            demand(bool(legal.any(axis=2).all()), f"role {name!r} has an agent without a legal action")
            chosen[name] = np.argmax(legal * rng.random(legal.shape), axis=2)
        elif role.choices:
            chosen[name] = _of_options(game, name, role, batch, rng)
        else:
            chosen[name] = rng.random((batch, role.count, *role.action_shape))
    return chosen


def _of_options(game: Any, name: str, role: Role, batch: int, rng: np.random.Generator) -> Any:
    """Draw actions int64 [B, N, parts] from the options of their parts, legal ones where a rule says more."""
    rule = game.action_rule(name) if hasattr(game, "action_rule") else None
    if rule is None:
        return rng.integers(0, role.choices, (batch, role.count, len(role.choices)))
    drawn = np.stack([rule.draw(rng) for _ in range(batch * role.count)])
    demand(bool(np.all(rule.legal(drawn))), f"the rule on actions of {name!r} must call legal what it draws")
    return drawn.reshape(batch, role.count, -1)


def _check_vector(make: Callable[[], Any], seed: int, steps: int) -> None:
    wide, narrow = 4, 2
    big, small, twin = make(), make(), make()
    demand(getattr(big, "backend", None) in ("numba", "torch"), "backend must be 'numba' or 'torch'")
    demand(isinstance(big.roles, Mapping) and len(big.roles) > 0, "roles must be a non-empty mapping")
    states = [g.reset(seed, b) for g, b in ((big, wide), (small, narrow), (twin, wide))]
    rng = np.random.default_rng(seed)
    for step in range(steps):
        actions = _actions(big, states[0], wide, rng)
        few = {name: a[:narrow] for name, a in actions.items()}
        for name, role in big.roles.items():
            seen = [_numpy(g.observe(s, name)) for g, s in zip((big, small, twin), states, strict=True)]
            shape = (wide, role.count, *role.observation)
            demand(seen[0].shape == shape, f"observe({name!r}) must have shape {shape}, got {seen[0].shape}")
            demand(bool(np.isfinite(seen[0]).all()), f"observations of {name!r} must be finite")
            demand(same(seen[0], seen[2]), f"two equal games must look the same to {name!r} at step {step}")
            demand(same(seen[0][:narrow], seen[1]), f"world b must depend on (key, b) only; {name!r}, step {step}")
        outcomes = [
            g.step(s, _backend(g, a))
            for g, s, a in zip((big, small, twin), states, (actions, few, actions), strict=True)
        ]
        states = [o[0] for o in outcomes]
        for name, role in big.roles.items():
            paid = [_numpy(o[1][name]) for o in outcomes]
            demand(paid[0].shape == (wide, role.count), f"rewards of {name!r} have shape {paid[0].shape}")
            demand(bool(np.isfinite(paid[0]).all()), f"rewards of {name!r} must be finite")
            demand(same(paid[0], paid[2]), f"two equal games must pay the same at step {step}")
            demand(same(paid[0][:narrow], paid[1]), f"rewards of a world must not depend on the batch, step {step}")


def _backend(game: Any, actions: Mapping[str, Any]) -> Mapping[str, Any]:
    if game.backend != "torch":
        return actions
    import importlib

    torch = importlib.import_module("torch")
    return {name: torch.as_tensor(a) for name, a in actions.items()}


def _check_extensive(game: Any) -> None:
    """Check the sequence-form arrays: order, ranges, and that chance and players play exactly once."""
    a = game.arrays
    n, sequences, infosets, merged = a.players, a.sequences, a.infosets, a.merged
    demand(n >= 1 and merged >= 1, "an extensive game needs a player and a terminal")
    for name in ("seq_off", "iset_off", "parent", "first", "nact", "rowptr", "col", "val", "cval"):
        demand(not getattr(a, name).flags.writeable, f"array {name!r} must be read-only")
    demand(a.rowptr.shape == (sequences + 1,), f"rowptr must have shape ({sequences + 1},), got {a.rowptr.shape}")
    demand(bool((np.diff(a.rowptr.astype(np.int64)) >= 0).all()), "rowptr must not decrease")
    demand(int(a.rowptr[-1]) == n * merged == a.val.size, "rowptr must end at n*M")
    demand(a.col.shape == (n - 1, n * merged), f"col must have shape ({n - 1}, {n * merged}), got {a.col.shape}")
    demand(bool((a.parent < a.first).all()), "a parent sequence must have a smaller number than its children")
    demand(bool((a.nact >= 1).all()), "every infoset needs an action")
    demand(bool((a.col < sequences).all()), "col must name sequences of the game")
    demand(bool(np.isfinite(a.val).all() and np.isfinite(a.cval).all()), "payoffs must be finite")
    demand(
        len(game.infostates) == infosets == len(game.actions), "infostates and actions must have one entry per infoset"
    )
    reach = _uniform_reach(a, sequences)
    rows = np.repeat(np.arange(sequences), np.diff(a.rowptr.astype(np.int64)))
    weight = a.cval * reach[rows]
    for other in range(n - 1):
        weight = weight * reach[a.col[other]]
    for player in range(n):
        low, high = (int(a.rowptr[int(a.seq_off[player + k])]) for k in (0, 1))
        total = float(weight[low:high].sum())
        demand(
            abs(total - 1.0) < 1e-9,
            f"terminals of player {player} have probability {total!r} under uniform play, not 1",
        )


def _uniform_reach(a: Any, sequences: int) -> Any:
    """Return the realisation plan [S] of uniform play."""
    reach = np.ones(sequences)
    for parent, first, nact in zip(a.parent.tolist(), a.first.tolist(), a.nact.tolist(), strict=True):
        reach[first : first + nact] = reach[parent] / nact
    return reach
