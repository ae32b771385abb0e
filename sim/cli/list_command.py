"""``equilibria list``: what is installed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class What(StrEnum):
    """Groups that can be listed."""

    games = "games"
    agents = "agents"
    mechanisms = "mechanisms"
    metrics = "metrics"
    engines = "engines"
    pages = "pages"
    scenarios = "scenarios"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list")(list_)


def list_(
    what: Annotated[What | None, typer.Argument(help="What to list; everything if left out.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List games, agents, mechanisms, metrics, engines, pages and shipped scenarios."""
    from equilibria.sim.cli.output import print_json, print_table

    chosen = [what] if what is not None else list(What)
    found = {group.value: _rows(group) for group in chosen}
    if json_output:
        print_json(found)
        return
    for title, rows in found.items():
        if rows or what is not None:
            print_table(title, ("name", "what it is"), [(r["name"], _sentence(r)) for r in rows])


def _rows(what: What) -> list[dict[str, str]]:
    if what is What.scenarios:
        from equilibria.sim.scenario import shipped

        return [{"name": n, "summary": _first_comment(shipped.folder() / f"{n}.yaml")} for n in shipped.names()]
    from typing import cast

    from equilibria.sim import registry
    from equilibria.sim.plugin import Kind, Plugin

    rows = []
    kind = cast(Kind, what.value.removesuffix("s"))
    for plugin in registry.all_plugins(kind):
        if isinstance(plugin, Plugin):
            owner, version = registry.distribution(kind, plugin.name)
            row = {"name": plugin.name, "summary": plugin.summary, "requires": plugin.requires}
            rows.append({**row, "distribution": owner, "version": version})
        else:
            rows.append({"name": plugin.name, "error": plugin.error, "distribution": plugin.distribution})
    return rows


def _sentence(row: dict[str, str]) -> str:
    if "error" in row:
        return f"BROKEN: {row['error']}"
    extra = f" (needs the extra {row['requires']!r})" if row.get("requires") else ""
    owner = row.get("distribution", "equilibria")
    origin = f" (from {owner} {row['version']})" if owner != "equilibria" else ""
    return f"{row['summary']}{extra}{origin}"


def _first_comment(path: Path) -> str:
    """Return what the scenario's first line says about it."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            line = file.readline(400).strip()
    except OSError as error:
        return f"cannot be read: {error}"
    return line.lstrip("# ").removeprefix("What: ") if line.startswith("#") else ""
