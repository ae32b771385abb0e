"""JSON schema of scenario files, for editors: the schema of each part's ``params`` depends on ``use``."""

from __future__ import annotations

from typing import Any

from equilibria.sim import registry
from equilibria.sim.plugin import Kind, Plugin
from equilibria.sim.scenario.models import SCHEMA_VERSION, Scenario
from equilibria.sim.types import JSON

_ENTRIES: tuple[tuple[str, Kind], ...] = (
    ("GameEntry", "game"),
    ("AgentEntry", "agent"),
    ("MechanismEntry", "mechanism"),
    ("MetricEntry", "metric"),
)


def json_schema() -> dict[str, JSON]:
    """Return the JSON schema (draft 2020-12) of scenarios with every installed plugin.

    Each entry model becomes a choice over the plugins of its kind: ``use`` selects the schema of
    ``params``.  Plugins that cannot be imported are left out.
    """
    schema = Scenario.model_json_schema()
    definitions = schema["$defs"]
    for entry, kind in _ENTRIES:
        plugins = [p for p in registry.all_plugins(kind) if isinstance(p, Plugin)]
        definitions[entry]["properties"]["use"]["enum"] = [p.name for p in plugins]
        definitions[entry]["allOf"] = [_choice(p, definitions) for p in plugins]
    engines = [p.name for p in registry.all_plugins("engine") if isinstance(p, Plugin)]
    definitions["GameEntry"]["properties"]["engine"] = {"enum": [*engines, None], "default": None}
    schema["properties"]["version"] = {"const": SCHEMA_VERSION, "description": "Version of the scenario schema."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _choice(plugin: Plugin, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return "if use is this plugin then params follow its settings model", definitions moved to the top."""
    prefix = f"{plugin.kind}-{plugin.name}"
    params = plugin.settings.model_json_schema(ref_template=f"#/$defs/{prefix}-{{model}}")
    for name, definition in params.pop("$defs", {}).items():
        definitions[f"{prefix}-{name}"] = definition
    definitions[prefix] = params
    wanted: dict[str, Any] = {"properties": {"params": {"$ref": f"#/$defs/{prefix}"}}}
    if params.get("required"):
        wanted["required"] = ["params"]
    return {"if": {"properties": {"use": {"const": plugin.name}}, "required": ["use"]}, "then": wanted}
