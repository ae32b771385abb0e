"""Shapes of the JSON files of a run, so that a damaged one is named instead of misread.

Only what readers rely on is checked; further keys are allowed, so that later versions of format 1
may add some.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from equilibria.sim.errors import CorruptRun


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Resolved(_Shape):
    name: str = ""
    versions: dict[str, str] = Field(default_factory=dict)


class Manifest(_Shape):
    """``manifest.json``."""

    name: str
    plan_hash: str
    seed: int
    budget: int
    checkpoint_every: int
    threads: int
    unit: str = ""
    resolved: _Resolved
    versions: dict[str, str] = Field(default_factory=dict)


class Status(_Shape):
    """``status.json``."""

    status: str
    unit: int = Field(default=0, ge=0)
    heartbeat: float = 0.0


class _Certificate(_Shape):
    measure: str = ""
    value: float = 0.0
    unit: str = ""
    sentence: str = ""


class _Table(_Shape):
    rows: int = 0
    sha256: str = ""
    parts: dict[str, str] = Field(default_factory=dict)


class Summary(_Shape):
    """``summary.json``."""

    units: int = Field(default=0, ge=0)
    metrics: dict[str, float | dict[str, float]] = Field(default_factory=dict)
    certificate: _Certificate | None = None
    tables: dict[str, _Table] = Field(default_factory=dict)


class Error(_Shape):
    """``error.json``."""

    message: str = ""
    unit: int = 0


class _Member(_Shape):
    label: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._=+-]*$")
    overrides: dict[str, Any] = Field(default_factory=dict)
    resolved: _Resolved = Field(default_factory=_Resolved)


class SweepManifest(_Shape):
    """``sweep.json``."""

    name: str = ""
    members: list[_Member]


def check_shape(path: Path, value: dict[str, Any], shape: type[BaseModel]) -> dict[str, Any]:
    """Return ``value`` as it is when it has the shape.

    Raises:
        CorruptRun: Otherwise; names the first offending key.
    """
    try:
        shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CorruptRun(f"{path}: {key}: {first['msg'].lower()}, found {first['input']!r:.60}") from None
    return value
