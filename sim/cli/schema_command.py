"""``equilibria schema``: the JSON schema of scenario files."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(schema)


def schema() -> None:
    """Print the JSON schema of scenario files, with the parameters of every installed part."""
    from equilibria.sim.cli.output import print_json
    from equilibria.sim.scenario import json_schema

    print_json(json_schema())
