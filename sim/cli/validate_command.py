"""``equilibria validate``: check scenarios without running them."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(validate)


def validate(
    scenarios: Annotated[list[str], typer.Argument(help="Scenario files, or names of shipped scenarios.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value, for example run.budget=10.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check scenarios: every mistake with file, line, column, key and what to do."""
    from equilibria.sim.cli.output import print_json
    from equilibria.sim.errors import ScenarioError
    from equilibria.sim.scenario import load_plan

    findings: list[dict[str, object]] = []
    broken = False
    for scenario in scenarios:
        try:
            plan = load_plan(scenario, overrides=set_ or ())
        except ScenarioError as error:
            broken = True
            problems = [
                {"file": p.file, "line": p.line, "column": p.column, "key": p.key, "message": p.message}
                for p in error.problems
            ]
            findings.append({"scenario": scenario, "valid": False, "problems": problems})
            if not json_output:
                typer.echo(str(error), err=True)
            continue
        members = len(plan.members()) if plan.sweep else 1
        found = {"scenario": scenario, "valid": True, "name": plan.name, "hash": plan.hash, "members": members}
        findings.append({**found, "problems": []})
        if not json_output:
            sweep = f", sweep of {members} runs" if plan.sweep else ""
            engine = plan.resolved["game"]["engine"]
            typer.echo(f"{scenario}: valid ({plan.name}, plan {plan.hash[:8]}, engine {engine}{sweep})")
    if json_output:
        print_json(findings)
    if broken:
        raise typer.Exit(ScenarioError.exit_code)
