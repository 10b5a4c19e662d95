"""Small float networks in TensorFlow Lite's format, read and computed without TensorFlow.

The format is a FlatBuffer: tables whose fields are found through a list of offsets. Field numbers are those of TensorFlow
Lite's schema (version 3). Only what MediaPipe's face networks use is understood: convolutions, poolings, sums, paddings,
concatenations and reshapes of float tensors, with constants in halves or floats.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from toonbench.types import ToonbenchError

TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 9: np.int8}
SAME = 0  # padding
RELU, RELU6 = 1, 3  # activations


class UnreadableModel(ToonbenchError):
    """The bytes are not a network that this module can compute."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the FlatBuffer at a place in the bytes."""

    data: bytes
    at: int

    def _field(self, number: int) -> int:
        """The place of a field's value, 0 if it is absent."""
        listing = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        size = struct.unpack_from("<H", self.data, listing)[0]
        offset = struct.unpack_from("<H", self.data, listing + 4 + 2 * number)[0] if 4 + 2 * number < size else 0
        return self.at + offset if offset else 0

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A whole number of the `struct` format `kind`."""
        place = self._field(field)
        return struct.unpack_from(f"<{kind}", self.data, place)[0] if place else default

    def table(self, field: int) -> _Table | None:
        """A table in a field."""
        place = self._field(field)
        return _Table(self.data, place + struct.unpack_from("<I", self.data, place)[0]) if place else None

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._field(field)
        if not place:
            return 0, 0
        start = place + struct.unpack_from("<I", self.data, place)[0]
        return start + 4, struct.unpack_from("<I", self.data, start)[0]

    def tables(self, field: int) -> list[_Table]:
        """A list of tables."""
        start, count = self._vector(field)
        places = range(start, start + 4 * count, 4)
        return [_Table(self.data, place + struct.unpack_from("<I", self.data, place)[0]) for place in places]

    def numbers(self, field: int) -> list[int]:
        """A list of 32-bit whole numbers."""
        start, count = self._vector(field)
        return list(struct.unpack_from(f"<{count}i", self.data, start)) if count else []

    def content(self, field: int) -> bytes:
        """A list of bytes."""
        start, count = self._vector(field)
        return self.data[start : start + count]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One operator: its code, the tensors it reads and writes, its options."""

    code: int
    inputs: list[int]
    outputs: list[int]
    options: _Table | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network ready to be computed. Tensors are (batch, height, width, channels), as in the file."""

    shapes: list[list[int]]
    constants: Mapping[int, Tensor]
    steps: list[_Step]
    inputs: list[int]
    outputs: list[int]

    def __call__(self, x: Tensor) -> list[Tensor]:
        """The outputs for one input, a float tensor of `shapes[inputs[0]]`."""
        values = dict(self.constants) | {self.inputs[0]: x}
        for step in self.steps:
            values[step.outputs[0]] = OPERATORS[step.code](step, values, self.shapes)
        return [values[number] for number in self.outputs]


def read_network(data: bytes) -> Network:
    """The first graph of a file's bytes. Raises UnreadableModel for bytes that hold no network of the known operators."""
    try:
        return _read(data)
    except (struct.error, ValueError, IndexError, KeyError, OverflowError) as error:
        raise UnreadableModel(f"not a TensorFlow Lite network ({error})") from error


def _read(data: bytes) -> Network:
    if data[4:8] != b"TFL3":
        raise UnreadableModel("not a TensorFlow Lite network (no TFL3 mark)")
    model = _Table(data, struct.unpack_from("<I", data, 0)[0])
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    graph, buffers = model.tables(2)[0], model.tables(4)
    tensors = graph.tables(0)
    steps = [
        _Step(code=codes[one.number(0, "I")], inputs=one.numbers(1), outputs=one.numbers(2), options=one.table(4))
        for one in graph.tables(3)
    ]
    unknown = sorted({step.code for step in steps} - set(OPERATORS))
    if unknown:
        raise UnreadableModel(f"the network has operators that cannot be computed here: {unknown}")
    constants = {
        number: torch.from_numpy(_constant(tensor, buffers[tensor.number(2, "I")]))
        for number, tensor in enumerate(tensors)
        if buffers[tensor.number(2, "I")].content(0)
    }
    return Network(
        shapes=[tensor.numbers(0) for tensor in tensors],
        constants=constants,
        steps=steps,
        inputs=graph.numbers(1),
        outputs=graph.numbers(2),
    )


def _constant(tensor: _Table, buffer: _Table) -> NDArray[Any]:
    values = np.frombuffer(buffer.content(0), TYPES[tensor.number(1, "b")]).reshape(tensor.numbers(0))
    return values.astype(np.float32) if values.dtype == np.float16 else values.copy()


Values = Mapping[int, Tensor]
Shapes = Sequence[Sequence[int]]
Operator = Callable[[_Step, Values, Shapes], Tensor]


def _activated(x: Tensor, kind: int) -> Tensor:
    if kind == RELU:
        return functional.relu(x)
    return x.clamp(0, 6) if kind == RELU6 else x


def _same(x: Tensor, kernel: Sequence[int], stride: Sequence[int], value: float = 0.0) -> Tensor:
    """TensorFlow's padding `SAME` of (batch, channels, h, w): the odd pixel lies at the lower and right edge."""
    sides = [
        max((-(-size // step) - 1) * step + reach - size, 0)
        for size, reach, step in zip(x.shape[2:], kernel, stride, strict=True)
    ]
    down, right = sides
    return functional.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2), value=value)


def _options(step: _Step) -> _Table:
    if step.options is None:
        raise UnreadableModel("an operator has no options")
    return step.options


def _convolution(step: _Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    x, weight = values[step.inputs[0]].permute(0, 3, 1, 2), values[step.inputs[1]]
    bias = values[step.inputs[2]] if len(step.inputs) > 2 else None
    options, depthwise = _options(step), step.code == 4
    weight = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
    stride = options.number(2, "i", 1), options.number(1, "i", 1)
    if options.number(0, "b") == SAME:
        x = _same(x, weight.shape[2:], stride)
    x = functional.conv2d(x, weight, bias, stride, groups=x.shape[1] if depthwise else 1)
    return _activated(x, options.number(4 if depthwise else 3, "b")).permute(0, 2, 3, 1)


def _pooling(step: _Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    x, options = values[step.inputs[0]].permute(0, 3, 1, 2), _options(step)
    stride = options.number(2, "i", 1), options.number(1, "i", 1)
    kernel = options.number(4, "i", 1), options.number(3, "i", 1)
    if options.number(0, "b") == SAME:
        x = _same(x, kernel, stride, float("-inf"))
    return _activated(functional.max_pool2d(x, kernel, stride), options.number(5, "b")).permute(0, 2, 3, 1)


def _sum(step: _Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    return _activated(values[step.inputs[0]] + values[step.inputs[1]], _options(step).number(0, "b"))


def _pad(step: _Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    sides = values[step.inputs[1]].flip(0).flatten().tolist()
    return functional.pad(values[step.inputs[0]], [int(side) for side in sides])


def _concatenation(step: _Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    return torch.cat([values[number] for number in step.inputs], dim=_options(step).number(0, "i"))


def _reshape(step: _Step, values: Values, shapes: Shapes) -> Tensor:
    return values[step.inputs[0]].reshape(list(shapes[step.outputs[0]]))


def _halves(step: _Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    """A constant in halves, which is stored as floats here already."""
    return values[step.inputs[0]]


def _relu(step: _Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    return functional.relu(values[step.inputs[0]])


OPERATORS: dict[int, Operator] = {
    0: _sum, 2: _concatenation, 3: _convolution, 4: _convolution, 6: _halves, 17: _pooling, 19: _relu, 22: _reshape, 34: _pad,
}  # fmt: skip
