"""Behavioural policies of an extensive-form game, for all players at once.

Axes: S sequences of all players, I infosets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from equilibria.games.extensive import kernels
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class BehaviouralPolicy:
    """Probabilities of every action at every infoset of every player.

    Attributes:
        game: The game.
        probs: float64 [S], read-only; entry s is the probability of action sequence s at its infoset,
            1 for empty sequences.

    Raises:
        InvalidValue: If the shape is wrong or an infoset's entries are not a distribution (1e-9).
    """

    game: ExtensiveGame
    probs: FloatArray

    def __post_init__(self) -> None:
        probs = np.array(self.probs, dtype=np.float64)
        expected = (self.game.arrays.sequences,)
        if probs.shape != expected:
            raise InvalidValue(f"policy of {self.game.name!r} needs shape {expected}, got {probs.shape}")
        probs[self.game.arrays.seq_off[:-1]] = 1.0
        _check_distributions(self.game, probs)
        probs.flags.writeable = False
        object.__setattr__(self, "probs", probs)

    @classmethod
    def trusted(cls, game: ExtensiveGame, probs: FloatArray) -> BehaviouralPolicy:
        """Wrap probabilities [S] that are known to be valid; takes the array over without a check or copy."""
        policy = object.__new__(cls)
        probs.flags.writeable = False
        object.__setattr__(policy, "game", game)
        object.__setattr__(policy, "probs", probs)
        return policy

    @classmethod
    def from_table(cls, game: ExtensiveGame, table: Mapping[tuple[int, str], Sequence[float]]) -> BehaviouralPolicy:
        """Build a policy from probabilities by (player, infostate); infosets left out are uniform.

        Raises:
            InvalidValue: If a key is no infoset of the game or a list has the wrong length.
        """
        probs = uniform_probabilities(game)
        a = game.arrays
        for (player, text), values in table.items():
            i = _infoset(game, player, text)
            if len(values) != int(a.nact[i]):
                raise InvalidValue(f"infoset {text!r} of player {player} has {a.nact[i]} actions, got {len(values)}")
            probs[a.first[i] : a.first[i] + a.nact[i]] = values
        return cls(game, probs)

    @classmethod
    def from_openspiel(cls, game: ExtensiveGame, policy: Any) -> BehaviouralPolicy:
        """Build a policy from ``pyspiel.TabularPolicy`` or OpenSpiel's Python ``TabularPolicy``.

        OpenSpiel keys by information state string alone; infosets it does not know are uniform.
        """
        if hasattr(policy, "policy_table"):
            table = {text: dict(entries) for text, entries in policy.policy_table().items()}
        elif hasattr(policy, "state_lookup"):
            rows = policy.action_probability_array
            table = {text: dict(enumerate(rows[i].tolist())) for text, i in policy.state_lookup.items()}
        else:
            raise InvalidValue(f"expected an OpenSpiel tabular policy, got {type(policy).__name__}")
        probs = uniform_probabilities(game)
        a = game.arrays
        for i, text in enumerate(game.infostates):
            if text in table:
                start = int(a.first[i])
                for k, action in enumerate(game.actions[i]):
                    probs[start + k] = table[text].get(action, 0.0)
        return cls(game, probs)

    def to_openspiel(self) -> Any:
        """Return a ``pyspiel.TabularPolicy``.

        Raises:
            InvalidValue: If two players share an information state string, which OpenSpiel's class
                cannot keep apart.
        """
        import pyspiel

        if len(set(self.game.infostates)) != len(self.game.infostates):
            raise InvalidValue(
                f"players of {self.game.name!r} share information state strings; OpenSpiel keys by string"
            )
        a = self.game.arrays
        table = {}
        for i, text in enumerate(self.game.infostates):
            start = int(a.first[i])
            table[text] = [(action, float(self.probs[start + k])) for k, action in enumerate(self.game.actions[i])]
        return pyspiel.TabularPolicy(table)

    def to_openspiel_python(self, pyspiel_game: Any) -> Any:
        """Return OpenSpiel's Python ``TabularPolicy`` over ``pyspiel_game``; walks that game once."""
        from open_spiel.python.policy import TabularPolicy

        table = TabularPolicy(pyspiel_game)
        own = {text: i for i, text in enumerate(self.game.infostates)}
        a = self.game.arrays
        for text, row in table.state_lookup.items():
            if text not in own:
                raise InvalidValue(f"infoset {text!r} of OpenSpiel is unknown to {self.game.name!r}")
            i = own[text]
            table.action_probability_array[row] = 0.0
            for k, action in enumerate(self.game.actions[i]):
                table.action_probability_array[row, action] = self.probs[int(a.first[i]) + k]
        return table

    def prob(self, player: int, infostate: str) -> dict[int, float]:
        """Return action id -> probability at one infoset.

        Raises:
            InvalidValue: If the player has no such infoset.
        """
        i = _infoset(self.game, player, infostate)
        start = int(self.game.arrays.first[i])
        return {action: float(self.probs[start + k]) for k, action in enumerate(self.game.actions[i])}

    def plan(self) -> FloatArray:
        """Return the realisation plans [S] of all players (read-only)."""
        view = self.reach[:]
        view.flags.writeable = False
        return view

    @cached_property
    def reach(self) -> FloatArray:
        """The array behind ``plan``, for kernels only: not to be written.

        It is writable because numba compiles another version of a kernel for read-only arguments.
        """
        return realisation_plan(self.game, self.probs)


def uniform_probabilities(game: ExtensiveGame) -> FloatArray:
    """Return the probabilities [S] of the uniform policy."""
    a = game.arrays
    probs = np.ones(a.sequences)
    kernels.normalise_sums(a.first, a.nact, np.zeros(a.sequences), probs, 0, a.infosets)
    return probs


def uniform_policy(game: ExtensiveGame) -> BehaviouralPolicy:
    """Return the policy that plays all actions with equal probability."""
    return BehaviouralPolicy(game, uniform_probabilities(game))


def random_policy(game: ExtensiveGame, rng: np.random.Generator) -> BehaviouralPolicy:
    """Return a policy drawn from Dirichlet(1) at each infoset, in infoset order."""
    a = game.arrays
    probs = np.ones(a.sequences)
    kernels.normalise_sums(a.first, a.nact, rng.standard_exponential(a.sequences), probs, 0, a.infosets)
    return BehaviouralPolicy(game, probs)


def realisation_plan(game: ExtensiveGame, probs: FloatArray) -> FloatArray:
    """Return x [S]: the product of own action probabilities along each sequence.

    Args:
        game: The game.
        probs: float64 [S] behavioural probabilities.
    """
    a = game.arrays
    if probs.shape != (a.sequences,):
        raise InvalidValue(f"probabilities need shape {(a.sequences,)}, got {probs.shape}")
    x = np.zeros(a.sequences)
    # a writable copy: solvers call the kernel with one, and numba compiles another version for read-only arrays
    kernels.full_reach(a.seq_off, a.iset_off, a.parent, a.first, a.nact, np.array(probs), x)
    return x


def behavioural(game: ExtensiveGame, x: FloatArray) -> BehaviouralPolicy:
    """Return the behavioural policy of realisation plans x [S]; unreached infosets are uniform."""
    a = game.arrays
    if x.shape != (a.sequences,):
        raise InvalidValue(f"realisation plans need shape {(a.sequences,)}, got {x.shape}")
    probs = np.ones(a.sequences)
    kernels.normalise_sums(a.first, a.nact, np.ascontiguousarray(x, dtype=np.float64), probs, 0, a.infosets)
    return BehaviouralPolicy(game, probs)


def _infoset(game: ExtensiveGame, player: int, text: str) -> int:
    try:
        return game.index[player, text]
    except KeyError:
        raise InvalidValue(f"player {player} of {game.name!r} has no infoset {text!r}") from None


def _check_distributions(game: ExtensiveGame, probs: FloatArray) -> None:
    a = game.arrays
    if not a.infosets:
        return
    order = np.argsort(a.first, kind="stable")
    owned = np.delete(probs, a.seq_off[:-1].astype(np.int64))  # action sequences, grouped by infoset
    starts = np.concatenate(([0], np.cumsum(a.nact[order].astype(np.int64))[:-1]))
    sums = np.add.reduceat(owned, starts)
    bad = np.flatnonzero(~(np.abs(sums - 1.0) <= _SUM_TOLERANCE))
    if bad.size:
        text = game.infostates[int(order[bad[0]])]
        raise InvalidValue(f"probabilities at infoset {text!r} sum to {float(sums[bad[0]])!r}; they must sum to 1")
    if not bool((owned >= 0.0).all()):
        raise InvalidValue(f"policy of {game.name!r} has a negative probability {float(owned.min())!r}")
