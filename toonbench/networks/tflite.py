"""Small float networks in TensorFlow Lite's format, read and computed without TensorFlow.

The format is a FlatBuffer. Field numbers are those of TensorFlow Lite's schema (version 3). Only what MediaPipe's face
networks use is understood (`tflite_operators`), with constants in halves or floats.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toonbench.networks.flatbuffer import Table
from toonbench.networks.tflite_operators import HALVES, OPERATORS, Compute, Step, UnreadableModel

__all__ = ["Network", "UnreadableModel", "read_network"]

TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 9: np.int8}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A step of a network: the tensors it reads, the one it writes, and those that no later step reads."""

    compute: Compute
    inputs: list[int]
    output: int
    last: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network ready to be computed. Tensors are (batch, height, width, channels), as in the file."""

    shapes: list[list[int]]
    constants: Mapping[int, Tensor]
    steps: list[_Prepared]
    inputs: list[int]
    outputs: list[int]

    def __call__(self, x: Tensor) -> list[Tensor]:
        """The outputs for one input, a float tensor of `shapes[inputs[0]]` with any number of rows."""
        values = dict(self.constants) | {self.inputs[0]: x}
        for step in self.steps:
            values[step.output] = step.compute(*(values[number] for number in step.inputs))
            for number in step.last:
                del values[number]
        return [values[number] for number in self.outputs]


def read_network(data: bytes) -> Network:
    """The first graph of a file's bytes. Raises UnreadableModel for bytes that hold no network of the known operators."""
    try:
        return _read(data)
    except (struct.error, ValueError, IndexError, KeyError, OverflowError, RuntimeError) as error:
        raise UnreadableModel(f"not a TensorFlow Lite network ({error})") from error


def _read(data: bytes) -> Network:
    if data[4:8] != b"TFL3":
        raise UnreadableModel("not a TensorFlow Lite network (no TFL3 mark)")
    model = Table(data, struct.unpack_from("<I", data, 0)[0])
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    graph, buffers = model.tables(2)[0], model.tables(4)
    tensors = graph.tables(0)
    steps = [
        Step(code=codes[one.number(0, "I")], inputs=one.numbers(1), outputs=one.numbers(2), options=one.table(4))
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
    for step in steps:
        if step.code == HALVES and step.inputs[0] in constants:  # read as floats already
            constants[step.outputs[0]] = constants[step.inputs[0]]
    steps = [step for step in steps if step.outputs[0] not in constants]
    shapes = [tensor.numbers(0) for tensor in tensors]
    return Network(
        shapes=shapes,
        constants=constants,
        steps=_prepared(steps, constants, shapes, outputs=graph.numbers(2)),
        inputs=graph.numbers(1),
        outputs=graph.numbers(2),
    )


def _prepared(
    steps: list[Step], constants: Mapping[int, Tensor], shapes: list[list[int]], *, outputs: list[int]
) -> list[_Prepared]:
    last = {number: at for at, step in enumerate(steps) for number in step.inputs if number not in outputs}
    return [
        _Prepared(
            compute=OPERATORS[step.code](step, constants, shapes),
            inputs=step.inputs,
            output=step.outputs[0],
            last=[number for number in dict.fromkeys(step.inputs) if last.get(number) == at],
        )
        for at, step in enumerate(steps)
    ]


def _constant(tensor: Table, buffer: Table) -> NDArray[Any]:
    values = np.frombuffer(buffer.content(0), TYPES[tensor.number(1, "b")]).reshape(tensor.numbers(0))
    return values.astype(np.float32) if values.dtype == np.float16 else values.copy()
