"""Networks of OpenCV Zoo whose weights are stored in blocks of int8, in onnxruntime.

onnxruntime does not read such blocks, and the files list their constants as inputs, which OpenCV refuses: they become
ordinary constants first.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.networks.running import FETCH
from toonbench.types import ToonbenchError
from toonbench.weights.tensors import file_reason, first_line


def session(path: Path) -> Any:
    """The network in onnxruntime, on one thread of the CPU, created once per process.

    Raises ToonbenchError for a damaged file.
    """
    return _session(str(path))


@cache
def _session(path: str) -> Any:
    import onnx
    import onnxruntime

    if reason := file_reason(Path(path)):
        raise ToonbenchError(f"weights '{path}' cannot be read ({reason}): {FETCH}")
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        model: Any = onnx.load(path, load_external_data=False)  # a file that names other files is not opened
        _dequantise(model.graph)
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime and protobuf have no common one
        raise ToonbenchError(f"weights '{path}' cannot be read ({first_line(error)}): {FETCH}") from error


def _dequantise(graph: Any) -> None:
    """Replace constants in blocks of int8 by their values, and list no constant as an input."""
    from onnx import numpy_helper

    constants = {one.name: one for one in graph.initializer}
    nodes = list(graph.node)
    for node in nodes:
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            parts = [numpy_helper.to_array(constants[name]) for name in node.input]
            stated = {one.name: one.i for one in node.attribute}
            value = _values(*parts, axis=stated.get("axis", 1), block=stated.get("block_size", 0))
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
            graph.node.remove(node)
    made = {*constants, *(name for node in graph.node for name in node.output)}
    read = {name for node in graph.node for name in node.input} - made
    inputs = [one for one in graph.input if one.name in read]
    del graph.input[:]
    graph.input.extend(inputs)


def _values(
    stored: NDArray[Any], scale: NDArray[Any], zero: NDArray[Any] | None = None, *, axis: int, block: int
) -> NDArray[np.float32]:
    """The numbers of a quantised constant (ONNX, DequantizeLinear): one scale for all, for each index of an axis, or for each block."""

    def spread(part: NDArray[Any]) -> NDArray[np.float32]:
        if part.size == 1:
            return part.reshape(()).astype(np.float32)
        if part.ndim == stored.ndim:
            part = np.repeat(part, block or 1, axis=axis) if block else part
            return part[tuple(slice(side) for side in stored.shape)].astype(np.float32)
        shape = [1] * stored.ndim
        shape[axis] = part.size
        return part.reshape(shape).astype(np.float32)

    shift = 0 if zero is None else spread(zero)
    return ((stored.astype(np.float32) - shift) * spread(scale)).astype(np.float32)
