"""Parallel worlds and the outer step: when a plateau is due to noise against step size.

An update of PPO is one step of an outer optimisation.  Its size is set by clip range, passes and learning rate,
its noise by the number of samples.  A step too large for its noise ends on a plateau below the optimum although
nothing is wrong with the networks; a smaller step or more worlds lead on.  ``base_worlds`` in the settings grows the
number of worlds by the recipe: same minibatch size and learning rate, more minibatches, all else unchanged.

Source: Beukman et al. (2026), Preventing Learning Stagnation in PPO by Scaling to 1 Million Parallel
Environments, arXiv 2603.06009; plateau detector and its thresholds are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.agents.learning.learner import Learner
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

LAST = 0.2
"""Share of the run that is looked at."""
GROWTH = 0.01
"""Least growth over that share, in units of the run's range."""
FORK = 0.1
"""Length of the learning-rate test in units of the run."""
DIVISOR = 5.0
"""How much smaller the fork's learning rate is."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What holds a run back.

    Attributes:
        plateau: Whether the return stopped growing.
        verdict: In words.
        gain: Return of the fork with a smaller step minus that of the equally long fork without; 0 untested.
        error: Standard error of the gain.
    """

    plateau: bool
    verdict: str
    gain: float = 0.0
    error: float = 0.0


def on_plateau(returns: ArrayLike) -> bool:
    """Say whether the smoothed return grew by less than 1 % of its range over the last 20 % of the run.

    Args:
        returns: [R] returns by update, R >= 20; not-a-number entries (no episode ended) are passed over.
    """
    found = np.asarray(returns, dtype=np.float64)
    found = found[np.isfinite(found)]
    if len(found) < 20:
        raise InvalidValue(f"a plateau needs at least 20 updates with returns to be seen, got {len(found)}")
    window = max(len(found) // 20, 1)
    smooth = np.convolve(found, np.full(window, 1 / window), mode="valid")
    before = smooth[max(len(smooth) - 1 - int(LAST * len(found)), 0)]
    return bool(smooth[-1] - before <= GROWTH * np.ptp(smooth))


def diagnose(learner: Learner, returns: ArrayLike) -> Diagnosis:
    """Tell whether a run is on a plateau and, by the learning-rate test, whether noise against step size is why.

    Two forks of the run go on for 10 % of its length, one with learning rates divided by 5.  If that one ends
    more than two standard errors higher, the step was too large for the noise.

    Args:
        learner: The run; it is not changed.
        returns: [R] its mean returns by update.

    Cost: 20 % of the run.
    """
    if not on_plateau(returns):
        return Diagnosis(False, "no plateau: the return still grows")
    updates = max(math.ceil(FORK * np.asarray(returns).size), 10)
    same, small = (_tail(learner, updates, divisor) for divisor in (1.0, DIVISOR))
    gain = float(small.mean() - same.mean())
    error = math.sqrt(float(small.var(ddof=1) / len(small) + same.var(ddof=1) / len(same)))
    if gain > 2 * error:
        return Diagnosis(True, "noise plateau: use more worlds or a smaller step", gain, error)
    return Diagnosis(True, "plateau of another cause: a smaller step does not help", gain, error)


def _tail(learner: Learner, updates: int, divisor: float) -> FloatArray:
    """Return the mean returns of the second half of a fork."""
    rates = {"actor_lr": learner.settings.actor_lr / divisor, "critic_lr": learner.settings.critic_lr / divisor}
    fork = learner.fork(learner.settings.model_copy(update={**rates, "lr_decay": "none"}))
    fork.step(updates)
    found = fork.history()["mean_return"][updates // 2 :]
    kept = found[np.isfinite(found)]
    if len(kept) < 2:
        raise InvalidValue("too few episodes ended in the fork to compare returns; use more worlds or steps")
    return kept
