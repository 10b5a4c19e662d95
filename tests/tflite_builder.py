"""Writes small networks in TensorFlow Lite's format."""

import struct
from typing import Any

import numpy as np

Fields = dict[int, Any]  # of a table: a number with its format, a list, bytes, or a table


def written(fields: Fields) -> bytes:
    """A FlatBuffer whose root is a table of these fields."""
    data = bytearray(b"\0\0\0\0TFL3")
    struct.pack_into("<I", data, 0, table(data, fields))
    return bytes(data)


def table(data: bytearray, fields: Fields) -> int:
    """Append a table: its list of offsets, its fields of four bytes each, then what they point to."""
    count = max(fields, default=-1) + 1
    start = len(data) + 4 + 2 * count
    data += struct.pack("<HH", 4 + 2 * count, 4 + 4 * len(fields))
    places = {number: 4 + 4 * at for at, number in enumerate(sorted(fields))}
    data += struct.pack(f"<{count}H", *(places.get(number, 0) for number in range(count)))
    data += struct.pack("<i", 4 + 2 * count) + bytes(4 * len(fields))
    for number, value in fields.items():
        place = start + places[number]
        if isinstance(value, tuple):
            kind, content = value
            struct.pack_into(f"<{kind}", data, place, content)
        else:
            struct.pack_into("<I", data, place, pointed(data, value) - place)
    return start


def pointed(data: bytearray, value: Any) -> int:
    if isinstance(value, dict):
        return table(data, value)
    start = len(data)
    if isinstance(value, bytes):
        data += struct.pack("<I", len(value)) + value
    elif value and isinstance(value[0], dict):
        data += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for number, one in enumerate(value):
            place = start + 4 + 4 * number
            struct.pack_into("<I", data, place, table(data, one) - place)
    else:
        data += struct.pack(f"<I{len(value)}i", len(value), *value)
    return start


class Builder:
    """Collects tensors and operators of a network."""

    def __init__(self, shape: list[int]) -> None:
        self.buffers: list[Fields] = [{0: b""}]
        self.tensors: list[Fields] = [{0: shape, 1: ("b", 0), 2: ("I", 0)}]
        self.codes: list[int] = []
        self.operators: list[Fields] = []

    def constant(self, values: np.ndarray) -> int:
        kinds = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.int32): 2}
        self.buffers.append({0: values.tobytes()})
        self.tensors.append({0: list(values.shape), 1: ("b", kinds[values.dtype]), 2: ("I", len(self.buffers) - 1)})
        return len(self.tensors) - 1

    def add(self, code: int, inputs: list[int], shape: list[int], options: Fields | None = None) -> int:
        self.tensors.append({0: shape, 1: ("b", 0), 2: ("I", 0)})
        self.codes.append(code)
        fields: Fields = {0: ("I", len(self.codes) - 1), 1: inputs, 2: [len(self.tensors) - 1]}
        self.operators.append(fields | ({4: options} if options else {}))
        return len(self.tensors) - 1

    def content(self, output: int) -> bytes:
        graph = {0: self.tensors, 1: [0], 2: [output], 3: self.operators}
        codes = [{0: ("b", code), 3: ("i", code)} for code in self.codes]
        return written({0: ("I", 3), 1: codes, 2: [graph], 4: self.buffers})


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)
