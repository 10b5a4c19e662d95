"""Writes networks as OpenCV Zoo stores them, of YuNet's and SFace's shapes: constants in blocks of int8, listed as inputs.

They measure nothing. The YuNet finds one face in the upper left 64 pixels of every frame that is not dark there.
"""

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


def write_yunet(path: Path) -> None:
    """A network of YuNet's shapes with one face, if the mean of the upper left 32 pixels is above 44 of 255."""
    middle, half = np.array([32.0, 32.0]), 24.0
    points = np.array([[23, 26], [41, 26], [32, 34], [25, 44], [39, 44]], np.float64)
    constants = {"from": np.zeros(4, np.int64), "to": np.array([1, 3, 32, 32]), "axes": np.arange(1, 4),
                 "threshold": np.float32(44).reshape(1), "steep": np.float32(0.5).reshape(1)}  # fmt: skip
    nodes = [
        helper.make_node("Slice", ["input", "from", "to"], ["corner"]),
        helper.make_node("ReduceMean", ["corner", "axes"], ["grey"], keepdims=0),
        helper.make_node("Sub", ["grey", "threshold"], ["over"]),
        helper.make_node("Mul", ["over", "steep"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["sure"]),
    ]
    outputs = []
    for stride in (8, 16, 32):
        count = 640 // stride
        at = int(middle[1] // stride) * count + int(middle[0] // stride)
        for kind, row in (("cls", [1.0]), ("obj", [1.0]),
                          ("bbox", [*(middle / stride % 1), *np.log([2 * half / stride] * 2)]),
                          ("kps", ((points - middle // stride * stride) / stride).ravel())):  # fmt: skip
            table, name = np.zeros((1, count**2, len(row)), np.float32), f"{kind}_{stride}"
            if stride == 32:
                table[0, at] = row
            constants[f"{name}_table"] = table
            inputs = [f"{name}_table", "sure"] if kind == "cls" else [f"{name}_table"]
            nodes.append(helper.make_node("Mul" if kind == "cls" else "Identity", inputs, [name]))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, table.shape))
    graph = helper.make_graph(
        nodes,
        "yunet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])],
        outputs,
        [numpy_helper.from_array(one, name) for name, one in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=9)
    path.write_bytes(model.SerializeToString())
