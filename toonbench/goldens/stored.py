"""Golden values of the metrics: what reference implementations gave for stored inputs, checked on this machine.

The folder holds `cpbd_goldens_*.json`, `lpips_goldens.json` and `inception_goldens.json` with the images in the `.npz` of
the same name, `frechet_goldens.json`, whose features are computed, and `small_goldens.json` with cases that can be checked
by hand. Networks have deterministic test weights, so that nothing is downloaded. Goldens of metrics that this version does not have
are listed as skipped.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics.aed_expression import AEDExpression, expression_distances
from toonbench.metrics.aed_identity import AEDIdentity, squared_distances
from toonbench.metrics.akd_fan68 import AKDFan68, distances
from toonbench.metrics.cpbd import cpbd
from toonbench.metrics.csim_arcface import CSIMArcFace
from toonbench.metrics.fid import FID
from toonbench.metrics.l1 import L1
from toonbench.metrics.lpips_alex import LPIPSAlex
from toonbench.metrics.lpips_vgg import LPIPSVGG
from toonbench.metrics.psnr import PSNR
from toonbench.metrics.shared import cosines
from toonbench.networks.deterministic import deterministic_features
from toonbench.stats.frechet import frechet
from toonbench.stats.pooled import pool
from toonbench.types import Clip, Frames, GoldenCheck, Pair, Sample, ToonbenchError

CPBD_TOLERANCE = 1e-12
ROWS_TOLERANCE = 1e-6  # relative, for what is stored as float32
LPIPS_TOLERANCE = 2e-5, 1e-7  # of the float64 value, and absolute
INCEPTION_TOLERANCE = 2e-4  # of the largest feature

Images = Mapping[str, NDArray[np.uint8]]


def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
    """Check every metric golden in `folder`; none, if it holds only goldens of methods (`doctor` gives each folder to all).

    `device` is where the networks run; metrics without a network run on the CPU. Raises ToonbenchError if a file is damaged.
    """
    return [check for path in sorted(folder.glob("*_goldens*.json")) for check in _checks(path, device=device)]


def _checks(path: Path, *, device: str) -> Iterator[GoldenCheck]:
    if path.name.startswith("cpbd_goldens"):
        yield from _with_images(path, _cpbd_checks)
    elif path.name.startswith("lpips_goldens"):
        yield from _with_images(path, functools.partial(_lpips_checks, device=device))
    elif path.name.startswith("inception_goldens"):
        yield from _with_images(path, functools.partial(_inception_checks, device=device))
    elif path.name.startswith("frechet_goldens"):
        yield from _frechet_checks(path)
    elif path.name == "small_goldens.json":
        yield from _small_checks(path)
    else:
        yield _skip(path.stem, "no metric of this version uses it")


def _skip(case: str, reason: str) -> GoldenCheck:
    return GoldenCheck(case, float("nan"), float("nan"), skipped=reason)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ToonbenchError(f"golden file '{path}' cannot be read ({error}); fetch the folder again") from error


def _with_images(
    path: Path, checks: Callable[[dict[str, Any], Images], Iterator[GoldenCheck]]
) -> Iterator[GoldenCheck]:
    """The checks of a golden file and the arrays of the `.npz` beside it."""
    golden, stored = _read(path), path.with_suffix(".npz")
    if not stored.is_file():
        yield _skip(path.stem, f"its images, {stored.name}, are not in the folder")
        return
    with np.load(stored, allow_pickle=False) as arrays:
        yield from checks(golden, arrays)


def _cpbd_checks(golden: dict[str, Any], arrays: Images) -> Iterator[GoldenCheck]:
    for name, one in golden["images"].items():
        if name not in arrays:
            yield _skip(f"cpbd/{name}", "its image is not in the folder")
            continue
        image = _checked(arrays, name, sha256=one["sha256"])
        yield GoldenCheck(f"cpbd/{name}", abs(cpbd(_gray(image)) - one["cpbd"]), CPBD_TOLERANCE)


def _lpips_checks(golden: dict[str, Any], arrays: Images, *, device: str) -> Iterator[GoldenCheck]:
    relative, absolute = LPIPS_TOLERANCE
    for metric in (LPIPSAlex.with_test_weights(), LPIPSVGG.with_test_weights()):
        metric.device = device
        for name, one in golden["nets"][metric.net]["pairs"].items():
            sums = (golden["input_sha256"][f"{name}/{part}"] for part in (0, 1))
            first, second = (
                _checked(arrays, f"{name}__{part}", sha256=sha256)[None] for part, sha256 in enumerate(sums)
            )
            error = abs(float(metric.distances(second, first)[0, 0]) - one["value_f64"])
            yield GoldenCheck(f"{metric.name}/{name}", error, relative * one["value_f64"] + absolute)


def _inception_checks(golden: dict[str, Any], arrays: Images, *, device: str) -> Iterator[GoldenCheck]:
    metric = FID.with_test_weights()
    metric.device = device
    for size in golden["sizes"]:
        images = _checked(arrays, f"images_{size}", sha256=golden["input_sha256"][size])
        expected = arrays[f"pool3_f64_{size}"]
        error = float(np.abs(metric.extract_features(images) - expected).max())
        yield GoldenCheck(f"inception/{size}", error, INCEPTION_TOLERANCE * float(expected.max()))


def _frechet_checks(path: Path) -> Iterator[GoldenCheck]:
    for name, case in _read(path)["cases"].items():
        counts = (case["n1"], case["n2"])
        first, second = deterministic_features(name, counts=counts, width=case["d"], kind=case["kind"])
        error = abs(frechet(pool([first]), pool([second])) - case["reference"])
        yield GoldenCheck(f"frechet/{name}", error, case["atol"])


def _checked(arrays: Images, name: str, *, sha256: str) -> NDArray[np.uint8]:
    """The image called `name`; ToonbenchError if it is not the one that the golden was made of."""
    image = arrays[name]
    if _sha256(image) != sha256:
        raise ToonbenchError(f"image '{name}' of the goldens is not the one checked; fetch the folder again")
    return image


def _sha256(array: NDArray[np.uint8]) -> str:
    """The goldens' checksum: type, shape and bytes of the array, separated by bars."""
    head = f"{array.dtype.str}|{','.join(map(str, array.shape))}|"
    return hashlib.sha256(head.encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


def _gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image

    return image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert("L"))


def _small_checks(path: Path) -> Iterator[GoldenCheck]:
    small = {"l1": _small_l1, "psnr": _small_psnr, "akd": _small_akd, "akd_pooling": _small_pooling, "aed": _small_aed}
    small["csim"] = _small_csim
    for name, case in _read(path).items():
        if name in small:
            yield from small[name](case)
        elif name != "what":
            yield _skip(f"small/{name}", "no metric of this version uses it")


def _small_akd(case: dict[str, Any]) -> Iterator[GoldenCheck]:
    """Landmarks of two videos; publications skip the frame whose face was lost."""
    points = [[_features(case[side][video], like=case["gt"][video]) for side in ("gen", "gt")] for video in case["gt"]]
    details = AKDFan68().details([distances(generated, target) for generated, target in points])
    for name, expected in (
        ("over found faces only", "akd_pose_evaluation"),
        ("Euclidean over found faces", "akd_euclidean"),
    ):
        yield GoldenCheck(f"small/akd {name}", abs(details[name] - case[expected]), ROWS_TOLERANCE)


def _small_pooling(case: dict[str, Any]) -> Iterator[GoldenCheck]:
    rows = [np.array([[value, value, 99.0] for value in video], np.float32) for video in case["per_frame"]]
    yield GoldenCheck("small/akd pooled", abs(AKDFan68().reduce(rows) - case["pooled"]), ROWS_TOLERANCE)


def _small_aed(case: dict[str, Any]) -> Iterator[GoldenCheck]:
    generated, target = (np.array(case[side], np.float32) for side in ("gen", "gt"))
    squared = AEDIdentity().reduce([squared_distances(generated, target)])
    yield GoldenCheck("small/aed identity", abs(squared - case["aed_pose_evaluation_squared_l2"]), ROWS_TOLERANCE)
    expression = AEDExpression().reduce([expression_distances(generated, target)])
    yield GoldenCheck("small/aed expression", abs(expression - case["aed_3dmm_mean_l1"]), ROWS_TOLERANCE)


def _small_csim(case: dict[str, Any]) -> Iterator[GoldenCheck]:
    """Cosines of one video to its source; publications skip the frame without a face."""
    frames = _features(case["frames"], like=[case["source"]])
    rows = cosines(_unit(frames), _unit(np.array(case["source"], np.float64)[None])[0])
    skipped = CSIMArcFace().details([rows])["over found faces only"]
    yield GoldenCheck("small/csim over found faces only", abs(skipped - case["skip"]), ROWS_TOLERANCE)


def _features(frames: list[Any], *, like: list[Any]) -> NDArray[np.float32]:
    """(frames, values) with a NaN row for a frame of which nothing is known."""
    lost = np.full(np.shape(like[0]), np.nan)
    return np.array([lost if one is None else one for one in frames], np.float32).reshape(len(frames), -1)


def _unit(features: NDArray[Any]) -> NDArray[np.float64]:
    return features.astype(np.float64) / np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)


def _small_l1(case: dict[str, Any]) -> Iterator[GoldenCheck]:
    """Two videos of flat 2 x 2 frames, given as one level a frame."""
    metric = L1()
    rows = [
        metric.measure(_sample(_flat(case[f"gen_{video}"]), target=_flat(case[f"video_{video}"])))
        for video in ("A", "B")
    ]
    per_frame = np.concatenate(rows)[:, 0] - np.asarray(case["per_frame"])
    yield GoldenCheck("small/l1 per frame", float(np.abs(per_frame).max()), ROWS_TOLERANCE)
    error = abs(metric.reduce(rows) - case["lia_mean_of_video_means"])
    yield GoldenCheck("small/l1 mean of video means", error, ROWS_TOLERANCE)


def _small_psnr(case: dict[str, Any]) -> Iterator[GoldenCheck]:
    """Gray 2 x 2 frames, against one reference."""
    generated = _rgb(np.asarray(case["gen"], np.uint8))
    target = _rgb(np.asarray([case["ref"]] * len(generated), np.uint8))
    metric = PSNR()
    rows = metric.measure(_sample(generated, target=target))
    expected = np.asarray(case["per_frame_db"])
    scale = float(expected.max())
    yield GoldenCheck("small/psnr per frame", float(np.abs(rows[:, 0] - expected).max()), ROWS_TOLERANCE * scale)
    error = abs(metric.reduce([rows]) - case["mean_of_frames_db"])
    yield GoldenCheck("small/psnr mean of frames", error, ROWS_TOLERANCE * scale)


def _flat(levels: list[int]) -> Frames:
    return _rgb(np.broadcast_to(np.asarray(levels, np.uint8)[:, None, None], (len(levels), 2, 2)))


def _rgb(gray: NDArray[np.uint8]) -> Frames:
    return np.repeat(gray[..., None], 3, axis=-1)


def _sample(generated: Frames, *, target: Frames) -> Sample:
    clip = Clip(id="golden", path=Path("golden"), domain="real")
    return Sample(pair=Pair(id="golden", source=clip, driving=clip, target=clip), generated=generated, target=target)
