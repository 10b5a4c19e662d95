"""The operators of small float networks in TensorFlow Lite's format, in torch.

Tensors are (batch, height, width, channels), or (batch, ...), as in the file. The files are written for a batch of one; here
the first axis of every tensor that depends on the input is the batch, of any size. Codes are those of TensorFlow Lite's schema.
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


Values = Mapping[int, Tensor]
Shapes = Sequence[Sequence[int]]
Operator = Callable[[Step, Values, Shapes], Tensor]


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


def _convolution(step: Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    x, weight = values[step.inputs[0]].permute(0, 3, 1, 2), values[step.inputs[1]]
    bias = values[step.inputs[2]] if len(step.inputs) > 2 else None
    options, depthwise = _options(step), step.code == 4
    weight = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
    stride = options.number(2, "i", 1), options.number(1, "i", 1)
    edges = [(0, 0), (0, 0)]
    if options.number(0, "b") == SAME:
        edges = _same(x.shape[2:], weight.shape[2:], stride)
    if any(before != after for before, after in edges):
        x, edges = _padded(x, edges), [(0, 0), (0, 0)]
    padding = edges[0][0], edges[1][0]
    x = functional.conv2d(x, weight, bias, stride, padding, groups=x.shape[1] if depthwise else 1)
    return _activated(x, options.number(4 if depthwise else 3, "b")).permute(0, 2, 3, 1)


def _pooling(step: Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    x, options = values[step.inputs[0]].permute(0, 3, 1, 2), _options(step)
    stride = options.number(2, "i", 1), options.number(1, "i", 1)
    kernel = options.number(4, "i", 1), options.number(3, "i", 1)
    if options.number(0, "b") == SAME:
        x = _padded(x, _same(x.shape[2:], kernel, stride), float("-inf"))
    return _activated(functional.max_pool2d(x, kernel, stride), options.number(5, "b")).permute(0, 2, 3, 1)


def _pad(step: Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    sides = values[step.inputs[1]].flip(0).flatten().tolist()
    return functional.pad(values[step.inputs[0]], [int(side) for side in sides])


def _concatenation(step: Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    parts = [values[number] for number in step.inputs]
    batch = max(len(part) for part in parts)  # a constant among the parts has one row
    axis = _options(step).number(0, "i")
    return torch.cat([part.expand(batch, *part.shape[1:]) for part in parts], dim=axis)


def _reshape(step: Step, values: Values, shapes: Shapes) -> Tensor:
    x = values[step.inputs[0]]
    return x.reshape(len(x), *shapes[step.outputs[0]][1:])


def _transposition(step: Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    return values[step.inputs[0]].permute(*(int(axis) for axis in values[step.inputs[1]]))


def _slice(step: Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    """Parts along every axis but the batch, which stays whole. An axis of one that TensorFlow drops is dropped."""
    first, last, every = (values[number].tolist() for number in step.inputs[1:])
    x, options = values[step.inputs[0]], _options(step)
    open_start, open_end, dropped = (options.number(field, "i") for field in (0, 1, 4))
    chosen: list[slice | int] = [slice(None)]
    for axis in range(1, len(first)):
        bit = 1 << axis
        start = None if open_start & bit else int(first[axis])
        end = None if open_end & bit else int(last[axis])
        chosen.append(int(first[axis]) if dropped & bit else slice(start, end, int(every[axis])))
    return x[tuple(chosen)]


def _prelu(step: Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
    x, slope = (values[number] for number in step.inputs)
    return functional.prelu(x.permute(0, 3, 1, 2), slope.flatten()).permute(0, 2, 3, 1)


def _over_axes(reduce: Callable[..., Tensor]) -> Operator:
    """The sum or mean over the axes of the second input, without or with an axis of one in their place."""

    def reduced(step: Step, values: Values, shapes: Shapes) -> Tensor:  # noqa: ARG001
        axes = [int(axis) for axis in values[step.inputs[1]].flatten()]
        return reduce(values[step.inputs[0]], dim=axes, keepdim=bool(_options(step).number(0, "b")))

    return reduced


def _each(compute: Callable[..., Tensor]) -> Operator:
    """An operator without options, of one or two tensors."""
    return lambda step, values, _: compute(*(values[number] for number in step.inputs))


def _squared_difference(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square()


def _activating(compute: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    """Arithmetic of two tensors, followed by an activation."""
    return lambda step, values, _: _activated(
        compute(values[step.inputs[0]], values[step.inputs[1]]), _options(step).number(0, "b")
    )


OPERATORS: dict[int, Operator] = {
    0: _activating(torch.add), 2: _concatenation, 3: _convolution, 4: _convolution, HALVES: _each(torch.Tensor.float),
    14: _each(torch.sigmoid), 17: _pooling, 18: _activating(torch.mul), 19: _each(functional.relu), 22: _reshape, 34: _pad,
    39: _transposition, 40: _over_axes(torch.mean), 41: _activating(torch.sub), 42: _activating(torch.div), 45: _slice,
    54: _prelu, 59: _each(torch.neg), 74: _over_axes(torch.sum), 75: _each(torch.sqrt), 76: _each(torch.rsqrt),
    99: _each(_squared_difference),
}  # fmt: skip
