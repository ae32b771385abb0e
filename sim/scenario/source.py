"""Scenario files as bytes and text: size, access rights, encoding."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from equilibria.sim.errors import Problem, ScenarioError

MAX_BYTES: Final = 1_000_000


def read_bytes(path: Path, shown: str) -> bytes:
    """Read a scenario file.

    Raises:
        ScenarioError: If the file is missing, a folder, unreadable or larger than ``MAX_BYTES``.
    """
    try:
        if path.is_dir():
            raise whole_file(shown, "is a folder, not a scenario file; name the .yaml file inside it")
        if path.exists() and not path.is_file():
            raise whole_file(shown, "is not a regular file; name a .yaml file")
        size = os.stat(path).st_size
        if size > MAX_BYTES:
            raise whole_file(shown, f"has {size} bytes, the limit is {MAX_BYTES}; keep data in files of their own")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise whole_file(shown, "file not found; check the path, or see `equilibria list scenarios`") from None
    except PermissionError:
        raise whole_file(shown, "no permission to read the file; check its access rights") from None
    except (OSError, ValueError) as error:
        raise whole_file(shown, f"cannot be read ({error}); check the path") from None


def read_text(data: bytes, shown: str) -> str:
    """Decode UTF-8, with or without byte order mark.

    Raises:
        ScenarioError: If the bytes are too many or not UTF-8; the position is that of the first bad byte.
    """
    if len(data) > MAX_BYTES:
        raise whole_file(shown, f"has more than {MAX_BYTES} bytes; keep data in files of their own")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ScenarioError([Problem(shown, line, column, "", message)]) from None


def whole_file(shown: str, message: str) -> ScenarioError:
    """Return the error for a file as a whole."""
    return ScenarioError([Problem(shown, 0, 0, "", message)])
