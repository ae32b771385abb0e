"""Certificates: how far from equilibrium a run ended, by which method, with which interval."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import ClassVar

from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.types import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A statement about the distance of a run's final profile from equilibrium (or from its law).

    Attributes:
        measure: Name of the quantity, for example ``"exploitability"``.
        value: Its value, finite.
        unit: Unit of the value, for example ``"game payoff"``.
        method: How it was obtained, for example ``"exact best response by backward induction"``.
        kind: ``"exact"`` (up to rounding), ``"estimate"`` (the interval is statistical),
            ``"lower bound"`` (a trained best response gains at least this) or ``"closed form"``.
        target: The value at equilibrium, usually 0.
        low: Lower end of the interval; equals ``value`` for exact ones.
        high: Upper end of the interval; equals ``value`` for exact ones.
        confidence: Coverage of the interval in (0, 1), ``None`` when exact.
        sample_size: Number of samples behind the interval, ``None`` when exact.
        details: Further numbers by name (per-player gains, NashConv, ...), JSON values only.
        warning: A caveat the reader must know, empty if none.

    Raises:
        NumericalError: If the value or an end of the interval is not finite.
        InvalidValue: If ``kind`` is unknown or the interval does not contain the value.
    """

    measure: str
    value: float
    unit: str
    method: str
    kind: str = "exact"
    target: float = 0.0
    low: float = math.nan
    high: float = math.nan
    confidence: float | None = None
    sample_size: int | None = None
    details: dict[str, JSON] = field(default_factory=dict)
    warning: str = ""

    KINDS: ClassVar[tuple[str, ...]] = ("exact", "estimate", "lower bound", "closed form")

    def __post_init__(self) -> None:
        if math.isnan(self.low):
            object.__setattr__(self, "low", self.value)
        if math.isnan(self.high):
            object.__setattr__(self, "high", self.value)
        for name in ("value", "low", "high", "target"):
            if not math.isfinite(getattr(self, name)):
                raise NumericalError(f"certificate {self.measure}.{name}", getattr(self, name))
        if self.kind not in self.KINDS:
            raise InvalidValue(f"certificate kind must be one of {self.KINDS}, got {self.kind!r}")
        if not self.low <= self.value <= self.high:
            raise InvalidValue(f"certificate interval [{self.low!r}, {self.high!r}] does not contain {self.value!r}")

    def sentence(self) -> str:
        """Say the certificate in one sentence, as every page and summary prints it."""
        size = f" from {self.sample_size} samples" if self.sample_size is not None else ""
        if self.kind == "lower bound":
            body = f"{self.measure} is at least {self.value:.4g} {self.unit}"
        else:
            body = f"{self.measure} = {self.value:.4g} {self.unit}"
        if self.low != self.high:
            level = f"{100 * self.confidence:g} % interval " if self.confidence else "interval "
            body += f" ({level}[{self.low:.4g}, {self.high:.4g}]{size})"
        goal = f"; {self.target:g} at equilibrium" if self.kind != "closed form" else ""
        caveat = f". Note: {self.warning}" if self.warning else ""
        return f"{body}, {self.kind}, by {self.method}{goal}{caveat}"

    def to_json(self) -> dict[str, JSON]:
        """Return the certificate as a JSON object, its sentence included."""
        return {**asdict(self), "sentence": self.sentence()}
