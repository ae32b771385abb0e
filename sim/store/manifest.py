"""The manifest: what was run, with which versions, on which machine. Holds no time: it lies in the log."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from equilibria.sim.errors import CorruptRun, FormatTooNew, NotARun
from equilibria.sim.store import layout
from equilibria.sim.store.files import read_json
from equilibria.sim.store.shapes import Manifest, check_shape
from equilibria.sim.types import JSON

_PACKAGES: Final = (
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "networkx",
    "polars",
    "open_spiel",
    "pettingzoo",
    "mesa",
    "torch",
)
_KEYS: Final = ("format", "name", "plan_hash", "seed", "budget", "checkpoint_every", "threads", "resolved")


class PlanLike(Protocol):
    """What the store and the loop need to know of a plan (see ``sim.scenario``)."""

    @property
    def name(self) -> str:
        """Name of the scenario."""
        ...

    @property
    def resolved(self) -> Any:
        """The resolved scenario, a JSON object."""
        ...

    @property
    def hash(self) -> str:
        """SHA-256 that names the experiment."""
        ...

    @property
    def source(self) -> bytes:
        """The scenario file as given."""
        ...

    @property
    def seed(self) -> int:
        """Root seed."""
        ...

    @property
    def budget(self) -> int:
        """Units to do."""
        ...

    @property
    def checkpoint_every(self) -> int:
        """Units between scheduled checkpoints; 0 for none but the last."""
        ...

    @property
    def threads(self) -> int:
        """Threads of compiled kernels."""
        ...

    def build(self) -> Any:
        """Build the engine."""
        ...


def make_manifest(plan: PlanLike, *, unit: str, argv: Sequence[str]) -> dict[str, JSON]:
    """Return the manifest of a new run.

    Args:
        plan: What is run.
        unit: Name of the engine's unit, for example ``"iteration"``.
        argv: Command line, or another description of who asked.
    """
    return {
        "format": layout.FORMAT,
        "name": plan.name,
        "plan_hash": plan.hash,
        "seed": plan.seed,
        "budget": plan.budget,
        "checkpoint_every": plan.checkpoint_every,
        "threads": plan.threads,
        "unit": unit,
        "resolved": plan.resolved,
        "versions": versions(),
        "commit": _commit(),
        "platform": {"system": platform.system(), "machine": platform.machine(), "cpu": _cpu()},
        "argv": list(argv),
    }


def read_manifest(run: Path) -> dict[str, Any]:
    """Read and check a manifest.

    Raises:
        NotARun: If the folder does not exist or has no manifest.
        FormatTooNew: If a newer version wrote it.
        CorruptRun: If it is damaged.
    """
    path = run / layout.MANIFEST
    if not run.is_dir():
        raise NotARun(f"{run}: not a run directory: {'not a folder' if run.exists() else 'does not exist'}")
    if not path.is_file():
        hint = "; it is a sweep" if (run / layout.SWEEP).is_file() else ""
        raise NotARun(f"{run}: not a run directory: it has no {layout.MANIFEST}{hint}")
    manifest = read_json(path)
    check_format(path, manifest)
    missing = [key for key in _KEYS if key not in manifest]
    if missing:
        raise CorruptRun(f"{path}: keys are missing: {', '.join(missing)}")
    return check_shape(path, manifest, Manifest)


def check_format(path: Path, value: dict[str, Any]) -> None:
    """Refuse formats that this version does not know.

    Raises:
        FormatTooNew: If the format is newer.
        CorruptRun: If it is no positive integer.
    """
    found = value.get("format")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise CorruptRun(f"{path}: format must be a positive integer, found {found!r}")
    if found > layout.FORMAT:
        written = value.get("versions")
        by = f" by equilibria {written['equilibria']}" if isinstance(written, dict) and "equilibria" in written else ""
        raise FormatTooNew(
            f"{path}: written{by} in format {found}, this version reads up to {layout.FORMAT}; upgrade equilibria"
        )


def versions() -> dict[str, JSON]:
    """Return the versions of the product, Python and the packages that numbers depend on."""
    from equilibria import __version__

    found: dict[str, JSON] = {"equilibria": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """Return the commit of the product's checkout, ``None`` for an installed copy."""
    folder = Path(__file__).resolve().parents[2] / ".git"
    try:
        if folder.is_file():  # a worktree: "gitdir: PATH"
            folder = (folder.parent / folder.read_text().partition(":")[2].strip()).resolve()
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head or None
        reference = head[5:]
        for base in (folder, folder.parent.parent):
            if (base / reference).is_file():
                return (base / reference).read_text().strip()
        for line in (folder / "packed-refs").read_text().splitlines():
            if line.endswith(f" {reference}"):
                return line.split()[0]
    except (OSError, UnicodeDecodeError):
        pass
    return None


def _cpu() -> dict[str, JSON]:
    """Return the processor's model, features and count; the last bits of ``exp`` may depend on them."""
    found: dict[str, JSON] = {"count": os.cpu_count(), "model": platform.processor()}
    if sys.platform == "linux":
        try:
            lines = Path("/proc/cpuinfo").read_text().splitlines()
        except OSError:
            return found
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                found["model"] = value.strip()
            elif key.strip() in ("flags", "Features"):
                found["features"] = value.strip()
                break
    return found
