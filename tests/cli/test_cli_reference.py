"""The reference of the command line names every command and every option, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from equilibria.sim.cli.app import build_app

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
COMMANDS = typer.main.get_command(build_app()).commands  # type: ignore[attr-defined]


def sections() -> dict[str, str]:
    parts = re.split(r"^## (\w+)$", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options(name: str) -> set[str]:
    return {o for p in COMMANDS[name].params for o in p.opts if o.startswith("--")} - {"--help"}


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_is_in_the_reference_and_no_other(name: str) -> None:
    written = set(re.findall(r"--[a-z][a-z-]*", sections()[name]))
    assert written == options(name)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_argument_and_option_has_a_help_text(name: str) -> None:
    assert COMMANDS[name].help
    assert [p.name for p in COMMANDS[name].params if not getattr(p, "help", None)] == []
