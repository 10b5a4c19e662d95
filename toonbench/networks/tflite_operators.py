"""The operators of small float networks in TensorFlow Lite's format, in torch.

Tensors are (batch, height, width, channels), or (batch, ...), as in the file. The files are written for a batch of one; here
the first axis of every tensor that depends on the input is the batch, of any size. Codes are those of TensorFlow Lite's schema.

Each operator is prepared once: options are read and constants are turned into torch's order then, and a step of a network
costs little more than its arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from toonbench.networks.flatbuffer import Table
from toonbench.types import ToonbenchError

SAME = 0  # padding
RELU, RELU6 = 1, 3  # activations
HALVES = 6  # the operator that makes floats of halves


class UnreadableModel(ToonbenchError):
    """The bytes are not a network that this package can compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operator: its code, the tensors it reads and writes, its options."""

    code: int
    inputs: list[int]
    outputs: list[int]
    options: Table | None


Constants = Mapping[int, Tensor]
Shapes = Sequence[Sequence[int]]
Compute = Callable[..., Tensor]  # of the tensors that a step reads
Operator = Callable[[Step, Constants, Shapes], Compute]


def _activated(x: Tensor, kind: int) -> Tensor:
    if kind == RELU:
        return functional.relu(x)
    return x.clamp(0, 6) if kind == RELU6 else x


def _same(size: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> list[tuple[int, int]]:
    """TensorFlow's padding `SAME` before and after each of two sides: the odd pixel lies at the lower and right edge."""
    sides = [
        max((-(-length // step) - 1) * step + reach - length, 0)
        for length, reach, step in zip(size, kernel, stride, strict=True)
    ]
    return [(side // 2, side - side // 2) for side in sides]


def _padded(x: Tensor, edges: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    down, right = edges
    return functional.pad(x, (*right, *down), value=value)


def _options(step: Step) -> Table:
    if step.options is None:
        raise UnreadableModel("an operator has no options")
    return step.options


def _convolution(step: Step, constants: Constants, shapes: Shapes) -> Compute:
    options, depthwise = _options(step), step.code == 4
    weight = constants[step.inputs[1]].permute(*((3, 0, 1, 2) if depthwise else (0, 3, 1, 2)))
    weight = weight.contiguous(memory_format=torch.channels_last)
    bias = constants[step.inputs[2]] if len(step.inputs) > 2 else None
    stride, kind = (options.number(2, "i", 1), options.number(1, "i", 1)), options.number(4 if depthwise else 3, "b")
    edges, groups = [(0, 0), (0, 0)], weight.shape[0] if depthwise else 1
    if options.number(0, "b") == SAME:
        edges = _same(shapes[step.inputs[0]][1:3], weight.shape[2:], stride)
    odd = any(before != after for before, after in edges)
    padding = (0, 0) if odd else (edges[0][0], edges[1][0])

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        x = x.permute(0, 3, 1, 2)
        x = _padded(x, edges) if odd else x
        x = functional.conv2d(x, weight, bias, stride, padding, groups=groups)
        return _activated(x, kind).permute(0, 2, 3, 1)

    return compute


def _pooling(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
    options = _options(step)
    stride = options.number(2, "i", 1), options.number(1, "i", 1)
    kernel, kind = (options.number(4, "i", 1), options.number(3, "i", 1)), options.number(5, "b")
    edges = [(0, 0), (0, 0)]
    if options.number(0, "b") == SAME:
        edges = _same(shapes[step.inputs[0]][1:3], kernel, stride)

    def compute(x: Tensor) -> Tensor:
        x = _padded(x.permute(0, 3, 1, 2), edges, float("-inf"))
        return _activated(functional.max_pool2d(x, kernel, stride), kind).permute(0, 2, 3, 1)

    return compute


def _pad(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
    sides = [int(side) for side in constants[step.inputs[1]].flip(0).flatten()]

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        return functional.pad(x, sides)

    return compute


def _concatenation(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
    axis = _options(step).number(0, "i")

    def compute(*parts: Tensor) -> Tensor:
        batch = max(len(part) for part in parts)  # a constant among the parts has one row
        return torch.cat([part.expand(batch, *part.shape[1:]) for part in parts], dim=axis)

    return compute


def _reshape(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
    shape = list(shapes[step.outputs[0]][1:])

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        return x.reshape(len(x), *shape)

    return compute


def _transposition(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
    axes = [int(axis) for axis in constants[step.inputs[1]]]

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        return x.permute(*axes)

    return compute


def _slice(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
    """Parts along every axis but the batch, which stays whole. An axis of one that TensorFlow drops is dropped."""
    first, last, every = ([int(number) for number in constants[at]] for at in step.inputs[1:])
    open_start, open_end, dropped = (_options(step).number(field, "i") for field in (0, 1, 4))
    chosen: list[slice | int] = [slice(None)]
    for axis in range(1, len(first)):
        bit = 1 << axis
        start = None if open_start & bit else first[axis]
        end = None if open_end & bit else last[axis]
        chosen.append(first[axis] if dropped & bit else slice(start, end, every[axis]))
    part = tuple(chosen)

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        return x[part]

    return compute


def _prelu(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
    slope = constants[step.inputs[1]].flatten()

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        return functional.prelu(x.permute(0, 3, 1, 2), slope).permute(0, 2, 3, 1)

    return compute


def _over_axes(reduce: Callable[..., Tensor]) -> Operator:
    """The sum or mean over the axes of the second input, without or with an axis of one in their place."""

    def operator(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
        axes = [int(axis) for axis in constants[step.inputs[1]].flatten()]
        keep = bool(_options(step).number(0, "b"))

        def compute(x: Tensor, *_: Tensor) -> Tensor:
            return reduce(x, dim=axes, keepdim=keep)

        return compute

    return operator


def _each(compute: Compute) -> Operator:
    """An operator without options, of one or two tensors."""

    def operator(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
        return compute

    return operator


def _squared_difference(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square()


def _activating(arithmetic: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    """Arithmetic of two tensors, followed by an activation."""

    def operator(step: Step, constants: Constants, shapes: Shapes) -> Compute:  # noqa: ARG001
        kind = _options(step).number(0, "b")

        def compute(x: Tensor, y: Tensor) -> Tensor:
            return _activated(arithmetic(x, y), kind)

        return compute

    return operator


OPERATORS: dict[int, Operator] = {
    0: _activating(torch.add), 2: _concatenation, 3: _convolution, 4: _convolution, HALVES: _each(torch.Tensor.float),
    14: _each(torch.sigmoid), 17: _pooling, 18: _activating(torch.mul), 19: _each(functional.relu), 22: _reshape, 34: _pad,
    39: _transposition, 40: _over_axes(torch.mean), 41: _activating(torch.sub), 42: _activating(torch.div), 45: _slice,
    54: _prelu, 59: _each(torch.neg), 74: _over_axes(torch.sum), 75: _each(torch.sqrt), 76: _each(torch.rsqrt),
    99: _each(_squared_difference),
}  # fmt: skip
