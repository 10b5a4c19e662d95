"""Writes networks as OpenCV Zoo stores them: constants in blocks of int8, listed as inputs."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

BLOCK = 64


def write_sface(path: Path, *, side: int = 112) -> np.ndarray:
    """A network of SFace's shapes: a projection of mean colours. Returns the projection, (128, 192)."""
    rng = np.random.default_rng(0)
    stored = rng.integers(-127, 128, (128, 192)).astype(np.int8)
    scales = rng.uniform(0.001, 0.01, (128, 3)).astype(np.float32)
    zeros = rng.integers(-3, 4, (128, 3)).astype(np.int8)
    constants = {"w_quantized": stored, "w_scales": scales, "w_zero_point": zeros, "w_shape": np.array([128, 192])}
    cell = side // 8
    nodes = [
        helper.make_node("DequantizeLinear", ["w_quantized", "w_scales", "w_zero_point"], ["w_floats"], axis=1, block_size=BLOCK),
        helper.make_node("Reshape", ["w_floats", "w_shape"], ["w"]),
        helper.make_node("AveragePool", ["data"], ["means"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["fc1"], transB=1),
    ]  # fmt: skip
    kinds = {
        np.dtype(np.int8): TensorProto.INT8,
        np.dtype(np.float32): TensorProto.FLOAT,
        np.dtype(np.int64): TensorProto.INT64,
    }
    inputs = [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, side, side])]
    inputs += [helper.make_tensor_value_info(name, kinds[one.dtype], one.shape) for name, one in constants.items()]
    inputs.append(helper.make_tensor_value_info("w_floats", TensorProto.FLOAT, [128, 192]))
    outputs = [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 128])]
    graph = helper.make_graph(
        nodes, "sface", inputs, outputs, [numpy_helper.from_array(one, name) for name, one in constants.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    shift, scale = zeros.repeat(BLOCK, axis=1), scales.repeat(BLOCK, axis=1)
    return (stored.astype(np.float32) - shift) * scale
