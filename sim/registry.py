"""The registry: names in scenarios to plugin descriptors, over entry points.

Every installed distribution may declare entry points of the groups ``equilibria.games``,
``.agents``, ``.mechanisms``, ``.metrics``, ``.engines`` and ``.pages``; each refers to a
``sim.plugin.Plugin``.  The product's own parts use the same door.  Descriptors are imported on
use, one by one, so a broken plugin is an error of its own and never of its neighbours.
"""

from __future__ import annotations

import functools
import importlib.metadata
from dataclasses import dataclass

from equilibria.sim.errors import PluginError, UnknownName, did_you_mean
from equilibria.sim.plugin import KINDS, Kind, Plugin, group

PRODUCT = "equilibria"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry point, not yet imported.

    Attributes:
        kind: Kind of part.
        name: Registry name.
        value: ``"module:attribute"`` of the descriptor.
        distribution: Name of the distribution that declares it.
        version: Version of that distribution.
    """

    kind: Kind
    name: str
    value: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that cannot be used, with the reason."""

    kind: Kind
    name: str
    distribution: str
    error: str


def find(kind: Kind, name: str) -> Plugin:
    """Return the descriptor of a part.

    Raises:
        UnknownName: If no distribution declares the name; near names and other kinds are suggested.
        PluginError: If the descriptor cannot be imported, or two distributions declare the name.
    """
    return _load(_entry(kind, name))


def all_plugins(kind: Kind) -> list[Plugin | BrokenPlugin]:
    """Return every part of a kind by name; those that cannot be used carry their error."""
    found: list[Plugin | BrokenPlugin] = []
    for name in names(kind):
        try:
            found.append(find(kind, name))
        except PluginError as error:
            owners = ", ".join(sorted({e.distribution for e in _entries()[kind] if e.name == name}))
            found.append(BrokenPlugin(kind, name, owners, str(error)))
    return found


def names(kind: Kind) -> list[str]:
    """Return the declared names of a kind in alphabetical order; imports nothing."""
    return sorted({e.name for e in _entries()[kind]})


def distribution(kind: Kind, name: str) -> tuple[str, str]:
    """Return name and version of the distribution that provides a part."""
    entry = _entry(kind, name)
    return entry.distribution, entry.version


def refresh() -> None:
    """Forget what was found, so that newly installed distributions are seen."""
    _entries.cache_clear()
    _load.cache_clear()


@functools.cache
def _entries() -> dict[Kind, tuple[Entry, ...]]:
    """Collect the entry points of all groups; imports none of them."""
    import equilibria

    found: dict[Kind, list[Entry]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        for point in importlib.metadata.entry_points(group=group(kind)):
            owner = point.dist.name if point.dist is not None else "(unknown distribution)"
            version = point.dist.version if point.dist is not None else ""
            if owner == PRODUCT:  # an editable install's metadata may be older than the code
                version = equilibria.__version__
            found[kind].append(Entry(kind, point.name, point.value, owner, version))
    return {
        kind: tuple(sorted(set(entries), key=lambda e: (e.name, e.distribution))) for kind, entries in found.items()
    }


def _entry(kind: Kind, name: str) -> Entry:
    matches = [e for e in _entries()[kind] if e.name == name]
    if not matches:
        raise _unknown(kind, name)
    if len({(e.distribution, e.value) for e in matches}) > 1:
        owners = " and ".join(f"{e.distribution} {e.version} ({e.value})" for e in matches)
        raise PluginError(f"{kind} {name!r} is provided twice, by {owners}; uninstall one of them")
    return matches[0]


def _unknown(kind: Kind, name: str) -> UnknownName:
    others = [other for other in KINDS if other != kind and any(e.name == name for e in _entries()[other])]
    if others:
        return UnknownName(f"unknown {kind} {name!r}; it is the name of {_a(others[0])}, not of {_a(kind)}")
    hint = did_you_mean(name, names(kind), kind)
    if "did you mean" not in hint:
        hint += f"; a plugin provides more by entry points of the group {group(kind)!r}"
    return UnknownName(f"unknown {kind} {name!r}; {hint}")


def _a(kind: Kind) -> str:
    return f"{'an' if kind[0] in 'ae' else 'a'} {kind}"


@functools.cache
def _load(entry: Entry) -> Plugin:
    place = f"{entry.kind} {entry.name!r} of {entry.distribution} {entry.version} (entry point {entry.value!r})"
    point = importlib.metadata.EntryPoint(entry.name, entry.value, group(entry.kind))
    try:
        plugin = point.load()
    except (Exception, SystemExit) as error:  # whatever a foreign module raises while it is imported
        raise PluginError(
            f"{place} cannot be imported: {type(error).__name__}: {error}; reinstall that distribution"
        ) from error
    if not isinstance(plugin, Plugin):
        raise PluginError(f"{place} must refer to a sim.plugin.Plugin, found {type(plugin).__name__}")
    if plugin.kind != entry.kind or plugin.name != entry.name:
        raise PluginError(f"{place} describes {plugin.kind} {plugin.name!r}; entry point and descriptor must agree")
    return plugin
