"""ONNX files that insightface takes for SCRFD and ArcFace, so that its real code runs without any download.

The detector finds one face, in the middle of the picture's 640-pixel square, wherever that square is not dark (a mean
of 64 and more surely does, of 24 and less surely does not). The recogniser gives a random projection of the aligned
face's 8 x 8 mean colours. They measure nothing.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DETECTOR, RECOGNISER = "det_10g.onnx", "w600k_r50.onnx"
FACE = np.array([64, 64, 576, 576])  # left, top, right, bottom of the face in the 640-pixel square
POINTS = np.array([[239, 276], [401, 276], [320, 369], [254, 464], [388, 464]], np.float32)
WIDTH = 512
_SIDE, _STRIDES, _ANCHORS = 640, (8, 16, 32), 2


def write_face_weights(folder: Path) -> tuple[Path, Path]:
    """Write both files into `folder` and return their paths, the detector's first."""
    folder.mkdir(parents=True, exist_ok=True)
    detector, recogniser = folder / DETECTOR, folder / RECOGNISER
    onnx.save(_model(*_scrfd()), str(detector))
    onnx.save(_model(*_arcface()), str(recogniser))
    return detector, recogniser


def write_face_manifest(folder: Path) -> Path:
    """Write both files and a manifest for TOONBENCH_WEIGHTS_MANIFEST; `folder` is then what TOONBENCH_WEIGHTS is to be."""
    lines = []
    for name, path in zip(("scrfd-10g", "arcface-r50"), write_face_weights(folder), strict=True):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines += [f"[{name}]", f'file = "{path.name}"', f'sha256 = "{digest}"', 'licence = "made for tests"', ""]
    manifest = folder / "manifest.toml"
    manifest.write_text("\n".join(lines))
    return manifest


def csim_arcface():
    """`csim_arcface` on the synthetic networks; their files are gone once they are loaded."""
    from toonbench.metrics.csim_arcface import CSIMArcFace
    from toonbench.networks.arcface import from_files

    with tempfile.TemporaryDirectory() as folder:
        return CSIMArcFace(network=from_files(*write_face_weights(Path(folder)), device="cpu"))


def _model(nodes, constants, value_in, values_out) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "synthetic", [value_in], values_out, initializer=tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _scrfd():
    """Nine outputs, as `det_10g.onnx` has: scores, box distances and points at strides 8, 16 and 32."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["picture"], ["colour"]),
        helper.make_node("ReduceMean", ["colour"], ["grey"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Add", ["grey", "threshold"], ["over"]),
        helper.make_node("Mul", ["over", "slope"], ["steep"]),
        helper.make_node("Sigmoid", ["steep"], ["sure"]),
    ]
    constants = {"threshold": np.float32(0.6).reshape(1), "slope": np.float32(20).reshape(1)}
    middle = np.array([_SIDE / 2] * 2, np.float32)
    outputs = []
    for kind, values in (
        ("score", np.ones(1, np.float32)),
        ("box", np.concatenate([middle - FACE[:2], FACE[2:] - middle])),
        ("points", (POINTS - middle).ravel()),
    ):
        for stride in _STRIDES:
            cells = _SIDE // stride
            table = np.zeros((cells, cells, _ANCHORS, len(values)), np.float32)
            if stride == _STRIDES[-1]:
                table[cells // 2, cells // 2, 0] = values if kind == "score" else values / stride
            name, constant = f"{kind}{stride}", f"{kind}{stride}_table"
            constants[constant] = table.reshape(-1, len(values))
            inputs = [constant, "sure"] if kind == "score" else [constant]
            nodes.append(helper.make_node("Mul" if kind == "score" else "Identity", inputs, [name]))
            outputs.append(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [cells * cells * _ANCHORS, len(values)])
            )
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, "height", "width"])
    return nodes, constants, picture, outputs


def _arcface():
    weight = np.random.default_rng(0).standard_normal((3 * 8 * 8, WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["face"], ["small"], kernel_shape=[14, 14], strides=[14, 14]),
        helper.make_node("Flatten", ["small"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["embedding"]),
    ]
    face = helper.make_tensor_value_info("face", TensorProto.FLOAT, ["batch", 3, 112, 112])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])
    return nodes, {"weight": weight}, face, [embedding]
