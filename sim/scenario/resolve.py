"""A node tree to a resolved scenario: schema, plugin names, parameters, engines, extras.

All checks run to the end, so a user sees every mistake at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import equilibria
from equilibria.sim import registry
from equilibria.sim.errors import MissingExtra, PluginError, Problem, UnknownName
from equilibria.sim.plugin import Kind, Plugin, Settings
from equilibria.sim.scenario.models import SCHEMA_VERSION, Scenario
from equilibria.sim.scenario.nodes import Node, problem_at
from equilibria.sim.scenario.validate import check, dotted, show
from equilibria.sim.types import JSON

SECTIONS: tuple[tuple[str, Kind], ...] = (("agents", "agent"), ("mechanisms", "mechanism"), ("metrics", "metric"))


@dataclass(frozen=True, slots=True)
class Part:
    """An entry with ``use``: where it stands, what it is, its checked parameters."""

    path: str
    node: Node
    plugin: Plugin
    settings: Settings | None


def resolve(root: Node, problems: list[Problem]) -> dict[str, JSON] | None:
    """Check a scenario and fill in its defaults.

    Args:
        root: Top-level node.
        problems: Receives every mistake.

    Returns:
        The resolved scenario, or ``None`` when it has mistakes.
    """
    before = len(problems)
    if not isinstance(root.value, dict):
        text = f"the top level must be a mapping, got {show(root.plain())}; start with `version: {SCHEMA_VERSION}`"
        problems.append(problem_at(root.place, "", text))
        return None
    if not _version_is_known(root, problems):
        return None
    scenario = check(Scenario, root, "", problems)
    parts = list(_parts(root, problems))
    engine = _engine(root, parts, problems)
    _compatible(engine, parts, problems)
    _no_repeats(root, parts, problems)
    if len(problems) > before or scenario is None or engine is None:
        return None
    return _fill(scenario, parts, engine)


def _version_is_known(root: Node, problems: list[Problem]) -> bool:
    """Say whether the rest can be read by this schema; only a newer version stops everything."""
    node = root.value.get("version")
    if node is None or not isinstance(node.value, int) or isinstance(node.value, bool):
        return True  # the schema check reports a missing version or a wrong type
    if node.value == SCHEMA_VERSION:
        return True
    newer = node.value > SCHEMA_VERSION
    what = "newer than" if newer else "not known to"
    todo = 'pip install --upgrade "equilibria"' if newer else f"write version: {SCHEMA_VERSION}"
    text = f"schema version {node.value} is {what} this product, which reads version {SCHEMA_VERSION}; {todo}"
    problems.append(problem_at(node.place, "version", text))
    return not newer


def entries(root: Node) -> Iterator[tuple[str, Kind, Node]]:
    """Yield path, kind and node of each entry with ``use``, as far as the types allow."""
    game = root.value.get("game")
    if game is not None and isinstance(game.value, dict):
        yield "game", "game", game
    for section, kind in SECTIONS:
        listed = root.value.get(section)
        if listed is not None and isinstance(listed.value, list):
            for index, node in enumerate(listed.value):
                if isinstance(node.value, dict):
                    yield f"{section}.{index}", kind, node


def _parts(root: Node, problems: list[Problem]) -> Iterator[Part]:
    for path, kind, node in entries(root):
        use = node.value.get("use")
        if use is None or not isinstance(use.value, str):
            continue  # reported by the schema check
        plugin = _find(kind, use, dotted(path, "use"), problems)
        if plugin is not None:
            yield Part(path, node, plugin, _settings(plugin, node, path, problems))


def _find(kind: Kind, use: Node, path: str, problems: list[Problem]) -> Plugin | None:
    try:
        plugin = registry.find(kind, str(use.value))
    except (UnknownName, PluginError) as error:
        problems.append(problem_at(use.place, path, str(error)))
        return None
    try:
        plugin.check_extra()
    except MissingExtra as error:
        problems.append(problem_at(use.place, path, str(error)))
    return plugin


def _settings(plugin: Plugin, node: Node, path: str, problems: list[Problem]) -> Settings | None:
    params = node.value.get("params")
    if params is None:
        params = Node({}, node.value["use"].place)
    if not isinstance(params.value, dict):
        return None  # reported by the schema check
    found: list[Problem] = []
    try:
        settings = check(plugin.settings, params, dotted(path, "params"), found)
    except Exception as error:  # noqa: BLE001 - a foreign validator failed; that is the plugin's mistake
        text = f"the settings model of {plugin.kind} {plugin.name!r} failed: {type(error).__name__}: {error}"
        problems.append(problem_at(params.place, dotted(path, "params"), f"{text}; report it to the plugin's author"))
        return None
    problems += found
    return settings


def _engine(root: Node, parts: list[Part], problems: list[Problem]) -> Plugin | None:
    """Choose the engine: the one named, else the game's first."""
    game = next((p for p in parts if p.path == "game"), None)
    if game is None:
        return None
    named = game.node.value.get("engine")
    use = game.node.value["use"]
    offered = game.plugin.engines
    if named is None or named.value is None:
        if not offered:
            known = ", ".join(registry.names("engine"))
            text = f"game {game.plugin.name!r} has no default engine; add `engine:` with one of: {known}"
            problems.append(problem_at(use.place, "game.engine", text))
            return None
        return _find("engine", Node(offered[0], use.place), "game.use", problems)
    if not isinstance(named.value, str):
        return None
    engine = _find("engine", named, "game.engine", problems)
    if engine is not None and offered and engine.name not in offered:
        text = f"engine {engine.name!r} cannot host game {game.plugin.name!r}; use one of: {', '.join(offered)}"
        problems.append(problem_at(named.place, "game.engine", text))
        return None
    return engine


def _compatible(engine: Plugin | None, parts: list[Part], problems: list[Problem]) -> None:
    """Refuse parts that do not work with the engine, or not with the form of the game."""
    game = next((p.plugin for p in parts if p.path == "game"), None)
    if engine is None or game is None:
        return
    for part in parts:
        if part.path == "game" or _fits(part.plugin, engine.name, game.forms):
            continue
        here = part.plugin
        fit = not here.engines or engine.name in here.engines
        partner = f"game {game.name!r} ({' or '.join(game.forms)})" if fit else f"engine {engine.name!r} of this game"
        same = [n for n in registry.names(here.kind) if _named_fits(here.kind, n, engine.name, game.forms)]
        listed = f"{', '.join(same[:12])}{', ...' if len(same) > 12 else ''}"
        todo = f"ones that do: {listed}" if same else "remove the entry"
        text = f"{here.kind} {here.name!r} does not work with {partner}; {todo}"
        problems.append(problem_at(part.node.value["use"].place, dotted(part.path, "use"), text))


def _fits(plugin: Plugin, engine: str, forms: tuple[str, ...]) -> bool:
    hosted = not plugin.engines or engine in plugin.engines
    return hosted and (not plugin.forms or not forms or bool(set(plugin.forms) & set(forms)))


def _named_fits(kind: Kind, name: str, engine: str, forms: tuple[str, ...]) -> bool:
    """Say whether a part that names the engine itself would fit; parts for every engine are no suggestion."""
    try:
        plugin = registry.find(kind, name)
    except PluginError:
        return False
    return engine in plugin.engines and _fits(plugin, engine, forms)


def _no_repeats(root: Node, parts: list[Part], problems: list[Problem]) -> None:
    """Refuse the same metric or table twice: their rows could not be told apart."""
    seen: dict[Any, str] = {}
    for part in parts:
        if part.plugin.kind != "metric" or part.settings is None:
            continue
        key = (part.plugin.name, part.settings.model_dump_json())
        if key in seen:
            text = f"metric {part.plugin.name!r} with equal params stands already in {seen[key]}; remove one of them"
            problems.append(problem_at(part.node.value["use"].place, dotted(part.path, "use"), text))
        seen.setdefault(key, part.path)
    tables = root.value.get("tables")
    names: dict[Any, int] = {}
    for index, node in enumerate(tables.value if tables is not None and isinstance(tables.value, list) else []):
        name = node.value.get("name") if isinstance(node.value, dict) else None
        if name is None or not isinstance(name.value, str):
            continue
        if name.value in names:
            text = f"table {name.value!r} stands already in tables.{names[name.value]}; remove one of them"
            problems.append(problem_at(name.place, f"tables.{index}.name", text))
        names.setdefault(name.value, index)


def _fill(scenario: Scenario, parts: list[Part], engine: Plugin) -> dict[str, JSON]:
    """Return the scenario with every default written out and the versions of what it uses."""
    resolved = scenario.model_dump(mode="json")
    for part in parts:
        section, _, index = part.path.partition(".")
        target = resolved[section][int(index)] if index else resolved[section]
        target["params"] = part.settings.model_dump(mode="json", by_alias=True) if part.settings is not None else {}
    resolved["game"]["engine"] = engine.name
    run = resolved["run"]
    run["checkpoint_every"] = run["checkpoint_every"] or max(1, run["budget"] // 10)
    versions = {registry.PRODUCT: equilibria.__version__}
    for plugin in [engine, *(p.plugin for p in parts)]:
        name, version = registry.distribution(plugin.kind, plugin.name)
        versions[name] = version
    resolved["versions"] = dict(sorted(versions.items()))
    return resolved
