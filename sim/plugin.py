"""Plugin descriptors: what the registry knows about a game, agent, mechanism, metric or engine.

A descriptor is light: it names its settings model and, as a string, the function that builds the
real thing.  Importing a descriptor module must not import numba, polars, torch, streamlit or mesa;
the target is imported when a run is built.  Every entry point of the groups ``equilibria.games``,
``.agents``, ``.mechanisms``, ``.metrics``, ``.engines`` and ``.pages`` refers to one ``Plugin``.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

from pydantic import BaseModel, ConfigDict

from equilibria.sim.errors import MissingExtra, PluginError

Kind = Literal["game", "agent", "mechanism", "metric", "engine", "page"]
KINDS: tuple[Kind, ...] = ("game", "agent", "mechanism", "metric", "engine", "page")


def group(kind: Kind) -> str:
    """Return the entry-point group of a kind, for example ``"equilibria.games"``."""
    return f"equilibria.{kind}s"


class Settings(BaseModel):
    """Base of all settings: frozen, unknown keys refused, NaN and infinity refused.

    Every field carries ``Field(description=..., ge=..., ...)``: ``describe`` and the documentation
    are made from it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NoSettings(Settings):
    """Settings of a plugin without parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """Description of one part that scenarios name with ``use``.

    Attributes:
        kind: What it is.
        name: Registry name in snake_case, unique within its kind.
        summary: One sentence for ``list``.
        target: ``"package.module:attribute"`` of the build function.  Signatures by kind:
            game ``build(settings, *, seeds) -> game``;
            agent ``build(settings, *, game, roles, seeds, budget) -> Solver | Agent``;
            mechanism ``build(settings) -> Mechanism``; metric ``build(settings) -> Metric``;
            engine ``build(context: EngineContext) -> Engine``; page: see dashboards.
        settings: Model of ``params``.
        engines: Engine names this part works with.  A game lists the engines that can host it, the
            first one being its default; empty means every engine.
        forms: Forms of game, for parts of one engine that do not all fit together: a game says what
            it is (``"extensive"``, ``"team"``, ``"preference"``, ``"iterated"`` ...), an agent or metric
            which forms it works with; empty fits everything.
        requires: Extra that must be installed (``"learn"``, ``"mesa"``...), empty for the base.
        modules: Import names that prove that the extra is present.
        reference: Source (paper, equation) shown by ``describe``.
        produces: For agents: ``"solver"`` (owns roles and learns) or ``"agent"`` (acts).
        unit: For metrics: unit of the values, so that readers of runs need not import the target.
        direction: For metrics: ``"lower"``, ``"higher"`` or ``"none"`` is better; empty when not said.
        view: For games: ``"package.module:attribute"`` of ``build(settings, *, seeds)``, which returns the game as a
            PettingZoo parallel environment; empty for vector games, which all have the same view.
        view_settings: Model of that environment's parameters; that of the game if ``None``.
    """

    kind: Kind
    name: str
    summary: str
    target: str
    settings: type[Settings] = NoSettings
    engines: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    requires: str = ""
    modules: tuple[str, ...] = ()
    reference: str = ""
    produces: str = ""
    unit: str = ""
    direction: Literal["", "lower", "higher", "none"] = ""
    view: str = ""
    view_settings: type[Settings] | None = None

    def check_extra(self) -> None:
        """Raise ``MissingExtra`` when the optional dependency is absent; imports nothing."""
        for module in self.modules:
            if importlib.util.find_spec(module) is None:
                raise MissingExtra(f"{self.kind} {self.name!r}", self.requires)

    def load(self) -> Callable[..., Any]:
        """Import and return the build function.

        Raises:
            MissingExtra: If an optional dependency is absent.
            PluginError: If the module or attribute cannot be imported; the cause is chained.
        """
        return self._import(self.target)

    def load_view(self) -> Callable[..., Any]:
        """Import and return the function that builds the PettingZoo environment.

        Raises:
            MissingExtra: If an optional dependency is absent.
            PluginError: If there is no view of its own, or it cannot be imported.
        """
        return self._import(self.view)

    def _import(self, target: str) -> Callable[..., Any]:
        self.check_extra()
        module, _, attribute = target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]
        except (ImportError, AttributeError, ValueError) as error:
            raise PluginError(f"{self.kind} {self.name!r}: cannot import {target!r}: {error}") from error


class Own(TypedDict, total=False):
    """What a plugin may have of its own instead of its family's; see ``Plugin``."""

    engines: tuple[str, ...]
    forms: tuple[str, ...]
    requires: str
    modules: tuple[str, ...]
    reference: str
    produces: str
    view: str
    view_settings: type[Settings]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Makes descriptors of plugins that share a package, engines and forms of game.

    Keywords of the methods replace what is shared.  Targets are named within the package: ``"build:name"``.

    Attributes:
        package: Dotted name of the package that the targets lie in.
        engines: Engines that the parts work with.
        forms: Forms of game that they are or need.
        requires: Extra that must be installed, empty for the base.
        modules: Import names that prove that the extra is present.
        reference: Source shown by ``describe``.
    """

    package: str
    engines: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    requires: str = ""
    modules: tuple[str, ...] = ()
    reference: str = ""

    def game(self, name: str, summary: str, target: str, settings: type[Settings], **own: Unpack[Own]) -> Plugin:
        """Describe a game."""
        return self._plugin(kind="game", name=name, summary=summary, target=target, settings=settings, **own)

    def agent(self, name: str, summary: str, target: str, settings: type[Settings], **own: Unpack[Own]) -> Plugin:
        """Describe an agent; ``produces`` is ``"solver"`` unless said otherwise."""
        made: dict[str, Any] = {"produces": "solver", **own}
        return self._plugin(kind="agent", name=name, summary=summary, target=target, settings=settings, **made)

    def metric(
        self, name: str, summary: str, target: str, unit: str, direction: Literal["lower", "higher", "none"],
        settings: type[Settings] = NoSettings, **own: Unpack[Own],
    ) -> Plugin:  # fmt: skip
        """Describe a metric: a number with a unit, of which more or less is better."""
        return self._plugin(
            kind="metric", name=name, summary=summary, target=target, unit=unit, direction=direction,
            settings=settings, **own,
        )  # fmt: skip

    def _plugin(self, *, target: str, **own: Any) -> Plugin:
        shared: dict[str, Any] = {
            "engines": self.engines,
            "forms": self.forms,
            "requires": self.requires,
            "modules": self.modules,
            "reference": self.reference,
        }
        if own.get("view"):
            own["view"] = f"{self.package}.{own['view']}"
        return Plugin(target=f"{self.package}.{target}", **{**shared, **own})
