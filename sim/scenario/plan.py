"""Plans: a scenario, checked, with defaults filled in, ready to build.

A plan holds JSON only, so it travels to worker processes and into manifests as it is.

Hashes.  ``Plan.hash`` names the experiment: SHA-256 over the canonical JSON (sorted keys, no
spaces, UTF-8) of the resolved scenario without ``name``, ``description``, ``run.seed``,
``run.threads`` and ``sweep``.  Versions are part of it.  Two plans with equal hash and seed record
equal bytes.  ``Plan.sweep_hash`` adds seed and sweep and names a sweep.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from equilibria.sim import registry
from equilibria.sim.contract import AgentSpec, Engine, EngineContext, MetricSpec, TableSpec
from equilibria.sim.errors import InvalidValue, PluginError, Problem, ScenarioError, UnknownName
from equilibria.sim.plugin import Kind, Plugin, Settings
from equilibria.sim.scenario import shipped
from equilibria.sim.scenario.blame import blaming
from equilibria.sim.scenario.grid import axes, check_sweep, combinations, graft, label, without_sweep
from equilibria.sim.scenario.nodes import from_plain
from equilibria.sim.scenario.overrides import apply_option, set_path
from equilibria.sim.scenario.reader import compose
from equilibria.sim.scenario.resolve import resolve
from equilibria.sim.scenario.source import read_bytes, read_text
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON

MAX_SHOWN: Final = 100
_NOT_HASHED: Final = ("name", "description", "sweep")
_NOT_HASHED_IN_RUN: Final = ("seed", "threads")


def canonical(value: JSON) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Sweep:
    """The sweep section of a plan.

    Attributes:
        grid: Dotted path to its values, in file order.
        start: First seed number.
        count: Number of seeds, 0 when the sweep names none (each point runs with the plan's seed).
    """

    grid: Mapping[str, Sequence[JSON]]
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked scenario; see the module for the hashes.

    Attributes:
        resolved: The scenario with every default filled in, and ``versions``; JSON.
        source: The file as given, byte for byte; empty when unknown.
        origin: Where the scenario came from, as shown in messages.
    """

    resolved: dict[str, Any]
    source: bytes = b""
    origin: str = ""

    @classmethod
    def from_resolved(cls, resolved: Mapping[str, Any], *, source: bytes = b"", origin: str = "manifest") -> Plan:
        """Rebuild a plan from its JSON, for resume and replay; checks it again with today's plugins.

        The versions stay those of the manifest, so the hash stays the same; see ``version_differences``.

        Raises:
            ScenarioError: If today's plugins refuse it.
        """
        given = {k: v for k, v in resolved.items() if k != "versions"}
        sweep = given.get("sweep")
        if isinstance(sweep, dict):
            given["sweep"] = {k: v for k, v in sweep.items() if k != "base" and v is not None}
        problems: list[Problem] = []
        checked = resolve(from_plain(cast(JSON, _pruned(given)), (origin, 0, 0)), problems)
        if checked is None or problems:
            raise ScenarioError(problems)
        checked["versions"] = resolved.get("versions", checked["versions"])
        checked["sweep"] = sweep
        return cls(checked, source, origin)

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return str(self.resolved["name"])

    @property
    def seed(self) -> int:
        """Root seed."""
        return int(self.resolved["run"]["seed"])

    @property
    def budget(self) -> int:
        """Units to run."""
        return int(self.resolved["run"]["budget"])

    @property
    def checkpoint_every(self) -> int:
        """Units between checkpoints."""
        return int(self.resolved["run"]["checkpoint_every"])

    @property
    def threads(self) -> int:
        """Threads of compiled kernels."""
        return int(self.resolved["run"]["threads"])

    @property
    def hash(self) -> str:
        """SHA-256 that names the experiment, hexadecimal."""
        kept = {k: v for k, v in self.resolved.items() if k not in _NOT_HASHED}
        kept["run"] = {k: v for k, v in kept["run"].items() if k not in _NOT_HASHED_IN_RUN}
        return hashlib.sha256(canonical(kept)).hexdigest()

    @property
    def sweep_hash(self) -> str:
        """SHA-256 that names the sweep: experiment, seed, grid and seeds."""
        return hashlib.sha256(canonical([self.hash, self.seed, self.resolved["sweep"]])).hexdigest()

    @property
    def directory_name(self) -> str:
        """Default name of the run directory, ``<name>-<hash8>-s<seed>``."""
        return f"{self.name}-{self.hash[:8]}-s{self.seed}"

    @property
    def sweep(self) -> Sweep | None:
        """The sweep section, ``None`` without one."""
        section = self.resolved["sweep"]
        if section is None:
            return None
        seeds = section.get("seeds")
        return Sweep(section["grid"], seeds["start"] if seeds else 0, seeds["count"] if seeds else 0)

    def version_differences(self) -> list[str]:
        """Say which distributions have another version today than in the plan, for example on resume."""
        differences = []
        for name, version in self.resolved["versions"].items():
            today = _version_today(self, name)
            if today != version:
                differences.append(f"{name} {version} (now {today or 'not installed'})")
        return differences

    def build(self) -> Engine:
        """Import the parts and put them together; the engine is not started.

        The context's ``seeds`` is the run's seed tree: the game got its child ``game``; engines
        hand ``child("agent", index)`` to agents and take ``child("engine")`` for themselves.

        Raises:
            MissingExtra: If an optional dependency is absent.
            PluginError: If a part cannot be imported.
            ScenarioError: If a part refuses its settings or its company.
            EquilibriaError: Whatever else the parts refuse, for example ``GameTooLarge``.
        """
        seeds = SeedTree(self.seed)
        entry = self.resolved["game"]
        plugin, settings = _part("game", entry)
        with blaming(self.resolved, self.source, self.origin, "game"):
            game = plugin.load()(settings, seeds=seeds.child("game"))
        mechanisms = []
        for index, mechanism in enumerate(self.resolved["mechanisms"]):
            rule, rule_settings = _part("mechanism", mechanism)
            with blaming(self.resolved, self.source, self.origin, f"mechanisms.{index}"):
                mechanisms.append(rule.load()(rule_settings))
        context = EngineContext(
            game=game,
            game_plugin=plugin,
            game_settings=settings,
            agents=[_agent(e) for e in self.resolved["agents"]],
            mechanisms=mechanisms,
            metrics=[_metric(e) for e in self.resolved["metrics"]],
            tables=[TableSpec(**e) for e in self.resolved["tables"]],
            budget=self.budget,
            seeds=seeds,
            threads=self.threads,
        )
        with blaming(self.resolved, self.source, self.origin):
            return cast(Engine, registry.find("engine", entry["engine"]).load()(context))

    def members(self, *, start: int | None = None, count: int | None = None) -> list[Member]:
        """Return the members of the sweep: grid points in file order, each with every seed.

        Args:
            start: First seed number, overriding the scenario's.
            count: Number of seeds, overriding the scenario's; without a sweep section the plan
                itself is the only grid point.

        Raises:
            InvalidValue: If there is neither a sweep section nor ``count``, or a number is negative.
        """
        sweep = self.sweep
        if sweep is None and count is None:
            raise InvalidValue(f"{self.origin or self.name} has no sweep section; add one, or give seeds such as 0:10")
        first = start if start is not None else (sweep.start if sweep else 0)
        seeds = count if count is not None else (sweep.count if sweep else 0)
        if first < 0 or seeds < 0 or (count is not None and count < 1):
            raise InvalidValue(f"seeds must start at 0 or above and count at least 1, got start {first}, count {seeds}")
        points = _points(sweep)
        numbers = range(first, first + seeds) if seeds else [None]
        tree = SeedTree(self.seed)
        listed: list[Member] = []
        for overrides in points:
            for number in numbers:
                seed = tree.member(number).seed if number is not None else self.seed
                text = ", ".join(t for t in (label(overrides), "" if number is None else f"seed {number}") if t)
                listed.append(Member(len(listed), overrides, number, seed, text or "base", self))
        return listed


@dataclass(frozen=True, slots=True)
class Member:
    """One run of a sweep.

    Attributes:
        index: Position in the sweep, 0-based.
        overrides: Dotted path to value: the grid point.
        seed_number: Number of the seed (equal numbers are equal seeds at every grid point, so runs
            can be paired), ``None`` when the sweep names no seeds.
        seed: Root seed of the run, derived from the plan's seed and the number; never ``seed + number``.
        label: Grid point and seed in words.
        base: The plan of the sweep.
    """

    index: int
    overrides: dict[str, JSON]
    seed_number: int | None
    seed: int
    label: str
    base: Plan

    def plan(self) -> Plan:
        """Return the member's own plan, without a sweep section.

        Raises:
            ScenarioError: If the grid point is not a valid scenario (large grids are checked late).
        """
        origin = f"{self.base.origin or self.base.name} (member {self.index}: {self.label})"
        section = self.base.resolved["sweep"]
        if section is not None:
            given = from_plain(cast(JSON, section["base"]), (origin, 0, 0))
        else:
            bare = {k: v for k, v in self.base.resolved.items() if k not in ("versions", "sweep")}
            given = from_plain(cast(JSON, _pruned(bare)), (origin, 0, 0))
        root = graft(given, {p: from_plain(v, (origin, 0, 0)) for p, v in self.overrides.items()})
        set_path(root, "run.seed", from_plain(self.seed, (origin, 0, 0)))
        set_path(root, "run.threads", from_plain(self.base.threads, (origin, 0, 0)))
        problems: list[Problem] = []
        resolved = resolve(root, problems)
        if resolved is None:
            raise ScenarioError(problems)
        return Plan(resolved, self.base.source, origin)


def load_plan(
    path_or_name: str | Path,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    threads: int | None = None,
) -> Plan:
    """Read, check and resolve a scenario.  Imports descriptors only, no game and no solver.

    Args:
        path_or_name: Path of a YAML file, or the name of a shipped scenario such as ``quickstart``.
        overrides: ``"dotted.key=value"`` texts, applied in order before checking.
        seed: Root seed, overriding ``run.seed``.
        threads: Threads, overriding ``run.threads``.

    Raises:
        ScenarioError: With every mistake and its position.
    """
    path = shipped.locate(path_or_name)
    source = read_bytes(path, str(path))
    return plan_from_bytes(source, str(path), overrides=overrides, seed=seed, threads=threads)


def plan_from_bytes(
    source: bytes,
    shown: str,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    threads: int | None = None,
) -> Plan:
    """Check and resolve a scenario given as bytes; see ``load_plan``.

    Args:
        source: The file's content.
        shown: Name for messages.
        overrides: ``"dotted.key=value"`` texts.
        seed: Root seed, overriding ``run.seed``.
        threads: Threads, overriding ``run.threads``.

    Raises:
        ScenarioError: With every mistake and its position.
    """
    root, problems = compose(read_text(source, shown), shown)
    if isinstance(root.value, dict):
        root = root.copy()  # an override must not reach the other uses of an alias
        for text in overrides:
            apply_option(root, text, problems)
        for key, number in (("seed", seed), ("threads", threads)):
            if number is not None:
                set_path(root, f"run.{key}", from_plain(number, (f"--{key}", 0, 0)))
    resolved = resolve(root, problems)
    if resolved is not None:
        check_sweep(root, problems)
    if problems or resolved is None:
        raise ScenarioError(_first(problems))
    if resolved["sweep"] is not None:
        cast(dict[str, JSON], resolved["sweep"])["base"] = without_sweep(root).plain()
    return Plan(cast(dict[str, Any], resolved), source, shown)


def _first(problems: list[Problem]) -> list[Problem]:
    """Keep the first mistakes of a file that is wrong throughout."""
    ordered = sorted(problems)
    if len(ordered) <= MAX_SHOWN:
        return ordered
    after = ordered[MAX_SHOWN]
    rest = f"{len(ordered) - MAX_SHOWN} more mistakes from here on; correct the ones above first"
    return [*ordered[:MAX_SHOWN], Problem(after.file, after.line, after.column, "", rest)]


def _pruned(resolved: dict[str, Any]) -> dict[str, Any]:
    """Return a resolved scenario without its empty optional keys, as a file would state it."""
    return {k: v for k, v in resolved.items() if v is not None}


def _points(sweep: Sweep | None) -> list[dict[str, JSON]]:
    grid = sweep.grid if sweep is not None else {}
    section = {"sweep": {"grid": {k: list(v) for k, v in grid.items()}}}
    found = axes(from_plain(cast(JSON, section), ("", 0, 0)))
    return [{path: node.plain() for path, node in point.items()} for point in combinations(found)]


def _part(kind: Kind, entry: Mapping[str, Any]) -> tuple[Plugin, Settings]:
    plugin = registry.find(kind, entry["use"])
    return plugin, plugin.settings.model_validate_json(json.dumps(entry["params"]), strict=True)


def _agent(entry: Mapping[str, Any]) -> AgentSpec:
    plugin, settings = _part("agent", entry)
    return AgentSpec(role=entry["role"], plugin=plugin, settings=settings)


def _metric(entry: Mapping[str, Any]) -> MetricSpec:
    plugin, settings = _part("metric", entry)
    return MetricSpec(plugin=plugin, settings=settings, every=entry["every"])


def _version_today(plan: Plan, name: str) -> str:
    used = [("game", plan.resolved["game"]["use"]), ("engine", plan.resolved["game"]["engine"])]
    for section, kind in (("agents", "agent"), ("mechanisms", "mechanism"), ("metrics", "metric")):
        used += [(kind, e["use"]) for e in plan.resolved[section]]
    if name == registry.PRODUCT:
        import equilibria

        return equilibria.__version__
    for kind, use in used:
        try:
            owner, version = registry.distribution(cast(Kind, kind), use)
        except (UnknownName, PluginError):
            continue
        if owner == name:
            return version
    return ""
