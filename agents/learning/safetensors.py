"""Policies as safetensors files: a JSON header with names, types, shapes and offsets, then raw little-endian bytes.

Format: https://github.com/huggingface/safetensors, readable by every tool that knows it; no code is executed.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import AnyArray

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U8": "|u1",
          "BOOL": "|b1"}  # fmt: skip
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}
_MAX_HEADER = 100_000_000
_META = "__metadata__"


def write_tensors(path: str | Path, tensors: Mapping[str, AnyArray], *, notes: Mapping[str, str] | None = None) -> None:
    """Write arrays; the file is complete or absent.

    Args:
        path: File to write.
        tensors: Arrays by name.
        notes: Free text by name, kept in the header.

    Raises:
        InvalidValue: If an array has a type that the format lacks.
    """
    header: dict[str, object] = {_META: dict(notes)} if notes else {}
    parts, end = [], 0
    for name in sorted(tensors):
        array = np.asarray(tensors[name])
        little = array.dtype.newbyteorder("<") if array.dtype.byteorder == ">" else array.dtype
        if little not in _NAMES:
            raise InvalidValue(f"tensor {name!r} has type {array.dtype}, which the safetensors format lacks")
        data = array.astype(little, copy=False).tobytes()
        header[name] = {"dtype": _NAMES[little], "shape": list(array.shape), "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    with partial.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(parts)
    os.replace(partial, target)


def read_tensors(path: str | Path) -> tuple[dict[str, AnyArray], dict[str, str]]:
    """Return arrays and notes of a safetensors file.

    Raises:
        InvalidValue: If the file cannot be read or is damaged; says where.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InvalidValue(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        size = int.from_bytes(raw[:8], "little")
        if len(raw) < 8 or size > min(_MAX_HEADER, len(raw) - 8):
            raise ValueError(f"header of {size} bytes in a file of {len(raw)}")
        header = json.loads(raw[8 : 8 + size])
        notes = {str(k): str(v) for k, v in header.pop(_META, {}).items()}
        return {name: _array(name, entry, raw, 8 + size) for name, entry in header.items()}, notes
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidValue(f"{path}: damaged or no safetensors file: {error}") from None


def _array(name: str, entry: Mapping[str, object], raw: bytes, base: int) -> AnyArray:
    kind, shape, offsets = np.dtype(_TYPES[str(entry["dtype"])]), entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not isinstance(offsets, list):
        raise TypeError(f"tensor {name!r} has no shape or offsets")
    first, last = (int(x) for x in offsets)
    if not 0 <= first <= last <= len(raw) - base or last - first != kind.itemsize * math.prod(shape):
        raise ValueError(f"bytes {first}..{last} of tensor {name!r} do not hold {kind} {shape}")
    found: AnyArray = np.frombuffer(raw[base + first : base + last], kind).reshape(shape).copy()
    return found
