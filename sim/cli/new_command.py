"""``equilibria new``: a scenario or a plugin package to start from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(new)


def new(
    name: Annotated[str, typer.Argument(help="Name of the scenario (file NAME.yaml) or of the plugin (folder NAME).")],
    plugin: Annotated[
        bool, typer.Option("--plugin", help="Make an installable package with a world and a metric.")
    ] = False,
    template: Annotated[
        str | None, typer.Option("--from", metavar="SCENARIO", help="Shipped scenario to start from; see `list`.")
    ] = None,
    game: Annotated[str | None, typer.Option("--game", help="Start from a shipped scenario with this game.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into; the current one if left out.")
    ] = None,
) -> None:
    """Write a scenario file, or the skeleton of a plugin, to start from."""
    folder = out if out is not None else Path()
    if plugin:
        if template is not None or game is not None:
            raise typer.BadParameter("--plugin goes with neither --from nor --game")
        _write_plugin(name, folder)
    else:
        _write_scenario(name, folder, template, game)


def _write_scenario(name: str, folder: Path, template: str | None, game: str | None) -> None:
    from equilibria.sim.scenario import load_plan

    stem = name.removesuffix(".yaml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", stem):
        raise typer.BadParameter(f"{stem!r} must consist of letters, digits, '.', '_' and '-'")
    if template is not None and game is not None:
        raise typer.BadParameter("give --from or --game, not both")
    text = _renamed(_template(template, game), stem)
    path = folder / f"{stem}.yaml"
    _write({path: text})
    load_plan(path)
    typer.echo(f"{path}: written; next: equilibria run {path}")


def _template(template: str | None, game: str | None) -> str:
    """Return the text of a shipped scenario, or a minimal one for a game that none uses."""
    from equilibria.sim.scenario import shipped

    if template is None and game is None:
        known = shipped.names()
        template = "quickstart" if "quickstart" in known or not known else known[0]
    if template is not None:
        return shipped.locate(template).read_text(encoding="utf-8")
    assert game is not None
    found = _shipped_with(game)
    return found if found is not None else _minimal(game)


def _shipped_with(game: str) -> str | None:
    """Return the first shipped scenario with the game, the quick ones before the others."""
    from equilibria.sim.scenario import shipped

    for name in sorted(shipped.names(), key=lambda n: (not n.startswith("quick/"), n)):
        text = (shipped.folder() / f"{name}.yaml").read_text(encoding="utf-8")
        if re.search(rf"^game:\s*(\{{\s*)?use:\s*{re.escape(game)}\b", text, re.MULTILINE):
            return text
    return None


def _minimal(game: str) -> str:
    from equilibria.sim import registry
    from equilibria.sim.cli.describe_command import snippet

    plugin = registry.find("game", game)
    engine = plugin.engines[0] if plugin.engines else ""
    metrics = [] if not engine else [n for n in registry.names("metric") if engine in _engines("metric", n)]
    hint = f"# Metrics of this engine: {', '.join(metrics[:12])}\n" if metrics else ""
    return (
        f"# What: {plugin.summary}.\nversion: 1\nname: x\n{snippet(plugin)}\nagents: []\n{hint}metrics: []\n"
        "run: {budget: 100, seed: 7}\n"
    )


def _engines(kind: str, name: str) -> tuple[str, ...]:
    from typing import cast

    from equilibria.sim import registry
    from equilibria.sim.errors import PluginError
    from equilibria.sim.plugin import Kind

    try:
        return registry.find(cast(Kind, kind), name).engines
    except PluginError:
        return ()


def _renamed(text: str, name: str) -> str:
    plain = name[0].isalpha() and name.lower() not in ("true", "false", "null")
    return re.sub(r"^name:.*$", f"name: {name}" if plain else f'name: "{name}"', text, count=1, flags=re.MULTILINE)


def _write_plugin(name: str, folder: Path) -> None:
    import equilibria
    from equilibria.sim import registry
    from equilibria.sim.cli.scaffold import plugin_files

    package = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", package):
        raise typer.BadParameter(
            f"{name!r} must start with a lower-case letter and hold only these, digits, '_' and '-'"
        )
    if package in registry.names("game") or package == "equilibria":
        raise typer.BadParameter(f"{package!r} is the name of an installed game; choose another one")
    root = folder / name
    if root.exists():
        raise typer.BadParameter(f"{root} exists already; choose another name or remove it")
    _write({root / path: text for path, text in plugin_files(package, equilibria.__version__).items()})
    typer.echo(f'{root}: written; next: pip install -e "{root}[dev]" && equilibria run {root}/scenario.yaml')


def _write(files: dict[Path, str]) -> None:
    """Write new files; an existing one is never touched."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except FileExistsError:
            raise typer.BadParameter(f"{path} exists already; choose another name or remove it") from None
