"""The command line: frame, error handling, exit codes.

Exit codes: 0 done; 2 bad usage or invalid scenario; 3 the run failed; 4 run directory in use or not
a run; 5 disk full or not writable; 130/143 interrupted, state saved.  Results go to stdout,
everything else to stderr.  This module and the command modules import nothing heavy at the top.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from equilibria.sim.errors import EquilibriaError, StorageFailed

COMMANDS: Final[tuple[str, ...]] = (
    "run_command",
    "validate_command",
    "schema_command",
    "list_command",
    "describe_command",
    "resume_command",
    "sweep_command",
    "verify_command",
    "replay_command",
    "show_command",
    "compare_command",
    "export_command",
    "dashboard_command",
    "bench_command",
    "new_command",
)
"""Modules of this package, in the order of ``--help``; each has ``register(app)``."""

_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
_DEBUG_OPTION = "--traceback"


def build_app() -> typer.Typer:
    """Return the application with every command registered."""
    app = typer.Typer(
        name="equilibria",
        help="Multi-agent and economic simulation with certified equilibria.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    for name in COMMANDS:
        importlib.import_module(f"equilibria.sim.cli.{name}").register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = _DEBUG_OPTION in given or bool(os.environ.get("EQUILIBRIA_DEBUG"))
    given = [a for a in given if a != _DEBUG_OPTION]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without UTF-8 must not end a run
            stream.reconfigure(errors="replace")
    code = _guarded(given, debug=debug)
    sys.exit(_flushed(code))


def _guarded(arguments: list[str], *, debug: bool) -> int:
    """Run a command; every way to end becomes an exit code."""
    try:
        build_app()(arguments, prog_name="equilibria")
    except SystemExit as end:
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":
            return 0  # the reader closed the pipe; what it wanted it has
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except EquilibriaError as error:
        return _report(str(error), error.exit_code, debug=debug)
    except OSError as error:
        code = StorageFailed.exit_code if error.errno in _STORAGE else EquilibriaError.exit_code
        return _report(f"{type(error).__name__}: {error}", code, debug=debug)
    except MemoryError:
        return _report("out of memory; make the scenario smaller", EquilibriaError.exit_code, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last line of defence, reported and never carried on
        what = " ".join(f"{type(error).__name__}: {error}".split())
        text = f"internal error ({what}); please report it with the output of the same command and {_DEBUG_OPTION}"
        return _report(text, EquilibriaError.exit_code, debug=debug)
    return 0


def _report(text: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    typer.echo(text, err=True)
    return code


def _flushed(code: int) -> int:
    """Flush stdout; a reader that has gone away is no error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _print_version(wanted: bool) -> None:
    if wanted:
        import equilibria

        typer.echo(f"equilibria {equilibria.__version__}")
        raise typer.Exit


def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option(_DEBUG_OPTION, help="Print the traceback of errors (also: EQUILIBRIA_DEBUG=1).")
    ] = False,
) -> None:
    """Multi-agent and economic simulation with certified equilibria."""


if __name__ == "__main__":
    main()
