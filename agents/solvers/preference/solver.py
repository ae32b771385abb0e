"""Preference solvers as one class with three update rules; one step is one update.

By symmetry a single learner that plays itself finds the minimax winner.  For SPPO and SPO the *average*
policy converges (gap O(1/sqrt T)), the last one circles; INPO's last policy converges to the
regularised winner, whose gap tends to 0 with tau.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from equilibria.agents.solvers.preference import updates
from equilibria.agents.solvers.preference.settings import INPOSettings, SPOSettings, SPPOSettings
from equilibria.games.analysis.checks import distribution
from equilibria.games.matrix.preference import PreferenceGame
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray


class PreferenceSolver:
    """SPPO, SPO or INPO on a preference game, chosen by the type of its settings.

    Args:
        game: A preference game.
        settings: ``SPPOSettings``, ``SPOSettings`` or ``INPOSettings``.
        budget: Planned number of steps T; sets SPPO's default step size sqrt(8 ln n / T).
        seeds: Source of SPO's samples.

    Attributes:
        reference: [n] reference policy of INPO (uniform for the others).
    """

    table_names = ("policy",)

    def __init__(
        self,
        game: PreferenceGame,
        settings: SPPOSettings | SPOSettings | INPOSettings,
        *,
        budget: int = 1000,
        seeds: SeedTree | None = None,
    ) -> None:
        self.game, self.settings = game, settings
        self.name = {SPPOSettings: "sppo", SPOSettings: "spo", INPOSettings: "inpo"}[type(settings)]
        n = game.items
        self.reference = _reference(settings, n)
        self._logits = np.log(self.reference)
        updates.normalise_(self._logits)
        self._total = np.zeros(n)
        self._iteration = 0
        self._key = (seeds or SeedTree(0)).child("responses").key()
        self._eta = self._step_size(budget)

    def _step_size(self, budget: int) -> float:
        if isinstance(self.settings, INPOSettings):
            return self.settings.step or 0.0
        if self.settings.step is not None:
            return self.settings.step
        if budget < 1:
            raise InvalidValue(f"the default step size needs a budget of at least 1 step, got {budget!r}")
        return float(np.sqrt(8 * np.log(max(self.game.items, 2)) / budget))

    @property
    def iteration(self) -> int:
        """Updates done."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Do ``n`` updates."""
        p, first = self.game.preference, self._iteration
        if isinstance(self.settings, SPPOSettings):
            updates.sppo_(p, self._logits, self._total, self._eta, n)
        elif isinstance(self.settings, SPOSettings):
            updates.spo_(p, self._logits, self._total, self._eta, self.settings.samples, first, n, self._key)
        else:
            updates.inpo_(p, np.log(self.reference), self._logits, self.settings.tau, self._eta, first, n)
        self._iteration += n

    def current_policy(self) -> FloatArray:
        """Return the last policy [n]."""
        pi = np.exp(self._logits - self._logits.max())
        return np.asarray(pi / pi.sum())

    def average_policy(self) -> FloatArray:
        """Return the average [n] of the policies before each update (the start before the first one)."""
        return self._total / self._total.sum() if self._iteration and self._total.any() else self.current_policy()

    def policy(self) -> FloatArray:
        """Return the output policy [n]: the average or the last one, as the settings say; the last one for INPO."""
        output = "last" if isinstance(self.settings, INPOSettings) else self.settings.output
        return self.average_policy() if output == "average" else self.current_policy()

    def exploitability(self) -> float:
        """Return max_y P(y beats pi) - 1/2 of the output policy, half the duality gap."""
        return self.game.gap(self.policy()) / 2

    def metrics(self) -> dict[str, float]:
        """Return the duality gaps of the output and of the last policy."""
        return {"gap": self.game.gap(self.policy()), "last_gap": self.game.gap(self.current_policy())}

    def certificate(self) -> Certificate:
        """Return the exact duality gap of the output policy."""
        pi = self.policy()
        details: dict[str, Any] = {"policy": [float(x) for x in pi] if len(pi) <= 20 else None}
        warning = ""
        if isinstance(self.settings, INPOSettings):
            warning = f"the limit is the winner regularised with tau = {self.settings.tau:g}, whose gap is not 0"
        return Certificate(
            measure="duality gap",
            value=self.game.gap(pi),
            unit="probability",
            method="enumeration of all items against the output policy",
            details=details,
            warning=warning,
        )

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return one row per item: output and last probability, and the probability of beating the output."""
        pi = self.policy()
        labels = self.game.labels or tuple(str(y) for y in range(self.game.items))
        return {
            "item": np.array(labels),
            "probability": pi,
            "last": self.current_policy(),
            "beats_output": self.game.against(pi),
        }

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        return State(
            {"logits": self._logits.copy(), "total": self._total.copy()},
            {"iteration": self._iteration, "solver": self.name},
        )

    def load(self, state: State) -> None:
        """Restore a state made by ``save``."""
        if state.meta.get("solver") != self.name:
            raise InvalidValue(f"the state belongs to {state.meta.get('solver')!r}, not to {self.name!r}")
        self._logits = np.array(state.arrays["logits"], dtype=np.float64)
        self._total = np.array(state.arrays["total"], dtype=np.float64)
        self._iteration = int(state.meta["iteration"])  # type: ignore[arg-type]


def _reference(settings: SPPOSettings | SPOSettings | INPOSettings, n: int) -> FloatArray:
    if not isinstance(settings, INPOSettings) or settings.reference is None:
        return np.full(n, 1.0 / n)
    reference = distribution(settings.reference, n, "reference")
    if reference.min() <= 0:
        raise InvalidValue("reference must be positive everywhere: an item it excludes can never be chosen")
    return reference


def build(
    settings: SPPOSettings | SPOSettings | INPOSettings,
    *,
    game: Any,
    roles: Sequence[str],
    seeds: SeedTree,
    budget: int,
) -> PreferenceSolver:
    """Build a preference solver from a scenario."""
    if not isinstance(game, PreferenceGame):
        raise UnsupportedGame(f"preference solvers play preference games (preference), got {type(game).__name__}")
    return PreferenceSolver(game, settings, budget=max(budget, 1), seeds=seeds)
