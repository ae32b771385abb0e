"""Payment optimisation: transactions, feasible actions and batched, late feedback; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "PaymentsEnv": "environment",
    "PaymentsWorld": "world",
    "Transactions": "world",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.payments", _PUBLIC)
