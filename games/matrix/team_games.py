"""The three team games on which self-play, fictitious play and population methods are compared.

Source: Xu, Liang, Yu, Wang and Wu (2023), Fictitious Cross-Play, arXiv 2310.03354.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.matrix.team import TeamGame
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray


def climb(members: int = 3, *, bonus: float = 1.5, margin: float = 0.1) -> TeamGame:
    """Return the game in which every single member prefers 1 and the team should play 0.

    With x ones in my team and y in the other: u = x - y + [x=0](1+margin) y - [y=0](1+margin) x
    + [x=0][y=N](bonus - N margin) - [y=0][x=N](bonus - N margin).  All-zeros is the only global
    equilibrium; all-ones is a strict local one with exploitability ``bonus``.

    Args:
        members: N >= 2.
        bonus: Payoff C > 0 of all-zeros against all-ones.
        margin: eps > 0.
    """
    if members < 2:
        raise InvalidValue(f"members must be at least 2, got {members!r}")
    if not (bonus > 0 and margin > 0):
        raise InvalidValue(f"bonus and margin must be > 0, got {bonus!r} and {margin!r}")
    n, x = members, _joint(members, 2).sum(axis=0)
    count = np.arange(n + 1, dtype=np.float64)
    none, all_ = count == 0, count == n
    half = count[:, None] + np.outer(none, (1 + margin) * count) + np.outer(none, all_) * (bonus - n * margin)
    features = np.eye(n + 1)[:, x]
    return TeamGame("climb", n, 2, features, half - half.T, ("0", "1"))


def seek_attack_defend(
    members: int = 4, *, levels: int = 10, attack_force: int = 2, attack_cost: float = 0.0
) -> TeamGame:
    """Return Seek-Attack-Defend.

    Actions 0..levels seek at that level, then attack, then defend.  Seekers whose levels differ by at
    most 1 have their lowest level as base, otherwise base 0; seekers up to base + 1 earn
    1 + level^2 / levels^2 (nothing at level 0).  A team is attacked when at least ``attack_force``
    opponents attack and nobody of it defends; its gain is then 0.

    Args:
        members: N >= 1.
        levels: Highest seek level >= 1.
        attack_force: Attackers needed, >= 1.
        attack_cost: Cost of each attacker, >= 0.
    """
    if members < 1 or levels < 1 or attack_force < 1 or not 0 <= attack_cost < np.inf:
        raise InvalidValue(
            "members, levels and attack_force must be at least 1 and attack_cost finite and >= 0, got "
            f"{members!r}, {levels!r}, {attack_force!r}, {attack_cost!r}"
        )
    joint = _joint(members, levels + 3)
    gain = _gain(joint, levels)
    attackers = (joint == levels + 1).sum(axis=0)
    undefended = ~(joint == levels + 2).any(axis=0)
    features = np.stack(
        [np.ones(joint.shape[1]), gain - attack_cost * attackers, gain * undefended, attackers >= attack_force]
    ).astype(np.float64)
    # u = s_a - s_b - (exposed gain)_a (attack)_b + (attack)_a (exposed gain)_b
    coupling = np.zeros((4, 4))
    coupling[1, 0], coupling[0, 1] = 1, -1
    coupling[2, 3], coupling[3, 2] = -1, 1
    labels = (*(f"seek {i}" for i in range(levels + 1)), "attack", "defend")
    return TeamGame("seek_attack_defend", members, levels + 3, features, coupling, labels)


def team_rock_paper_scissors() -> TeamGame:
    """Return rock-paper-scissors of two-member teams: both 0 is rock, both 1 scissors, unequal paper.

    Product policies cannot play (1/3, 1/3, 1/3); mixtures of team policies can.
    """
    joint = _joint(2, 2)
    hand = np.where(joint[0] != joint[1], 1, 2 * joint[0])  # 0 rock, 1 paper, 2 scissors
    beats = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=np.float64)
    return TeamGame("team_rock_paper_scissors", 2, 2, np.eye(3)[:, hand], beats, ("0", "1"))


def _joint(members: int, actions: int) -> IntArray:
    """Return [N, A^N] all joint actions in C order."""
    return np.indices([actions] * members, dtype=np.int64).reshape(members, -1)


def _gain(joint: IntArray, levels: int) -> FloatArray:
    """Return [A^N] what the seekers of each pure team earn when not attacked."""
    seeking = joint <= levels
    reward = np.append(0.0, 1 + (np.arange(1, levels + 1) / levels) ** 2)
    low = np.where(seeking, joint, levels + 1).min(axis=0)
    high = np.where(seeking, joint, -1).max(axis=0)
    base = np.where(high - low <= 1, low, 0)
    earned = np.where(seeking & (joint <= base + 1), reward[np.minimum(joint, levels)], 0.0)
    return np.asarray(earned.sum(axis=0))
