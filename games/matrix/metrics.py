"""The metric of solvers that report their own headline numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equilibria.games.matrix.metric_settings import SolverNumbersSettings
from equilibria.sim.errors import Unsupported


@dataclass(frozen=True, slots=True)
class SolverNumbers:
    """Numbers that a solver's ``metrics()`` returns, by key.

    Attributes:
        keys: Keys to record, empty for all.
    """

    keys: tuple[str, ...] = ()
    name: str = "solver_numbers"
    unit: str = "as the solver says"
    direction: Literal["lower", "higher", "none"] = "none"

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the numbers of the present iteration."""
        source = getattr(view.solver, "metrics", None)
        if source is None:
            raise Unsupported(f"solver {type(view.solver).__name__} reports no numbers of its own")
        numbers: dict[str, float] = source()
        absent = [k for k in self.keys if k not in numbers]
        if absent:
            raise Unsupported(f"solver_numbers: no number {', '.join(absent)}; there are {', '.join(sorted(numbers))}")
        return {k: numbers[k] for k in self.keys} if self.keys else numbers


def build(settings: SolverNumbersSettings) -> SolverNumbers:
    """Build the metric."""
    return SolverNumbers(tuple(settings.keys))
