"""``equilibria describe``: documentation of any part, from its descriptor and settings model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from equilibria.sim.cli.parameters import Parameter
    from equilibria.sim.plugin import Plugin


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(describe)


def describe(
    name: Annotated[str, typer.Argument(help="Name of a game, agent, mechanism, metric, engine or scenario.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print the description as JSON.")] = False,
) -> None:
    """Explain a part: what it is, its source, its parameters, and how a scenario names it."""
    from equilibria.sim.cli.output import print_json

    plugins = _matches(name)
    if not plugins and _describe_scenario(name, json_output=json_output):
        return
    if not plugins:
        raise _unknown(name)
    if json_output:
        print_json([_as_json(p) for p in plugins])
        return
    for plugin in plugins:
        _print(plugin)


def _matches(name: str) -> list[Plugin]:
    from equilibria.sim import registry
    from equilibria.sim.plugin import KINDS

    return [registry.find(kind, name) for kind in KINDS if name in registry.names(kind)]


def _unknown(name: str) -> Exception:
    from equilibria.sim import registry
    from equilibria.sim.errors import UnknownName, did_you_mean
    from equilibria.sim.plugin import KINDS
    from equilibria.sim.scenario import shipped

    known = {n for kind in KINDS for n in registry.names(kind)} | set(shipped.names())
    hint = did_you_mean(name, known)
    return UnknownName(f"nothing is called {name!r}; {hint if hint.startswith('did') else 'see `equilibria list`'}")


def _describe_scenario(name: str, *, json_output: bool) -> bool:
    from equilibria.sim.scenario import shipped

    if name not in shipped.names():
        return False
    text = (shipped.folder() / f"{name}.yaml").read_text(encoding="utf-8")
    if json_output:
        from equilibria.sim.cli.output import print_json

        print_json([{"kind": "scenario", "name": name, "text": text}])
    else:
        typer.echo(text.rstrip())
    return True


def _as_json(plugin: Plugin) -> dict[str, Any]:
    from dataclasses import asdict

    from equilibria.sim.cli.parameters import parameters

    return {
        "kind": plugin.kind,
        "name": plugin.name,
        "summary": plugin.summary,
        "reference": plugin.reference,
        "engines": list(plugin.engines),
        "forms": list(plugin.forms),
        "requires": plugin.requires,
        "unit": plugin.unit,
        "direction": plugin.direction,
        "parameters": [asdict(p) for p in parameters(plugin.settings)],
        "view": plugin.view,
        "view_parameters": [asdict(p) for p in _of_view(plugin)],
        "scenario": snippet(plugin),
    }


def _print(plugin: Plugin) -> None:
    from equilibria.sim import registry
    from equilibria.sim.cli.output import print_table
    from equilibria.sim.cli.parameters import parameters

    owner, version = registry.distribution(plugin.kind, plugin.name)
    typer.echo(f"{plugin.kind} {plugin.name}\n{plugin.summary}\n")
    facts = [("source", plugin.reference), ("engines", ", ".join(plugin.engines) or "every engine")]
    if plugin.kind == "engine":
        facts = facts[:1]
    facts += [("form of game", ", ".join(plugin.forms)), ("unit", plugin.unit), ("better", _better(plugin))]
    facts += [("needs the extra", plugin.requires), ("provided by", f"{owner} {version}"), ("builds", plugin.target)]
    for label, text in facts:
        if text:
            typer.echo(f"{label}: {text}")
    rows = [(p.name, p.type, p.default, p.range, p.description) for p in parameters(plugin.settings)]
    typer.echo("")
    if rows:
        print_table("parameters", ("name", "type", "default", "range", "description"), rows)
    else:
        typer.echo("no parameters")
    rows = [(p.name, p.type, p.default, p.range, p.description) for p in _of_view(plugin)]
    if rows:
        typer.echo("")
        print_table(
            "beside these, as a PettingZoo environment", ("name", "type", "default", "range", "description"), rows
        )
    typer.echo(f"\nin a scenario:\n\n{snippet(plugin)}")


def _of_view(plugin: Plugin) -> list[Parameter]:
    """Return the parameters that only the game's PettingZoo environment has, or that it has otherwise."""
    from equilibria.sim.cli.parameters import parameters

    if plugin.view_settings is None:
        return []
    known = parameters(plugin.settings)
    return [p for p in parameters(plugin.view_settings) if p not in known]


def _better(plugin: Plugin) -> str:
    return plugin.direction if plugin.direction in ("lower", "higher") else ""


def snippet(plugin: Plugin) -> str:
    """Return YAML lines that use the part; required parameters have example values."""
    from equilibria.sim.cli.parameters import example

    if plugin.kind == "page":
        return "(pages are no part of scenarios)"
    if plugin.kind == "engine":
        return f"game: {{use: ..., engine: {plugin.name}}}"
    params = flow(example(plugin.settings))
    if plugin.kind == "game":
        return f"game: {{use: {plugin.name}, params: {params}}}"
    before = {"agent": "role: all, ", "metric": ""}.get(plugin.kind, "")
    after = ", every: 1" if plugin.kind == "metric" else ""
    return f"{plugin.kind}s:\n  - {{{before}use: {plugin.name}, params: {params}{after}}}"


def flow(value: Any) -> str:
    """Write a JSON value as one line of YAML."""
    import json
    import re

    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", value)
    if plain and value.lower() not in ("true", "false", "null"):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
