"""akd, aed and csim against the small cases that can be checked by hand."""

import json

import numpy as np
import pytest

from toonbench.metrics._faces import cosine_rows
from toonbench.metrics.aed_expression import AEDExpression, expression_distances
from toonbench.metrics.aed_identity import AEDIdentity
from toonbench.metrics.akd_fan68 import AKDFan68, distances
from toonbench.metrics.csim_arcface import CSIMArcFace


@pytest.fixture(scope="module")
def cases(shared):
    return json.loads((shared / "parity/metrics/small_goldens.json").read_text())


def rows_of(points, like):
    """(frames, 2 * points) with NaN for a frame without a face."""
    lost = np.full_like(np.array(like[0], float), np.nan)
    return np.array([lost if one is None else one for one in points], np.float32).reshape(len(points), -1)


@pytest.fixture(scope="module")
def akd(cases):
    case = cases["akd"]
    rows = [
        distances(rows_of(case["gen"][v], case["gt"][v]), rows_of(case["gt"][v], case["gt"][v])) for v in ("v1", "v2")
    ]
    return case, rows


def test_akd_over_found_faces_is_that_of_pose_evaluation(akd):
    case, rows = akd
    details = AKDFan68().details(rows)
    found = np.concatenate(rows)
    found = found[np.isfinite(found[:, 0])]
    np.testing.assert_allclose(found[:, 0], case["per_frame_mean_abs"], rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], case["per_frame_euclidean"], rtol=1e-6)
    assert details["over found faces only"] == pytest.approx(case["akd_pose_evaluation"], rel=1e-6)
    assert details["Euclidean over found faces"] == pytest.approx(case["akd_euclidean"], rel=1e-6)
    assert details["faces found"] == pytest.approx(1 - case["frames_skipped"] / case["frames_total"])


def test_akd_itself_counts_the_skipped_frame_as_its_worst_case(akd):
    case, rows = akd
    worst = (251 + 251 + 250 + 250 + 249 + 249) / 6  # from (5, 5), (6, 6), (7, 7) to the far corner of 256
    assert AKDFan68().reduce(rows) == pytest.approx((4 * case["akd_pose_evaluation"] + worst) / 5, rel=1e-6)


def test_akd_is_pooled_over_frames(cases):
    case = cases["akd_pooling"]
    rows = [np.array([[one, one, 99] for one in pair], np.float32) for pair in case["per_frame"]]
    assert AKDFan68().reduce(rows) == case["pooled"] != case["mean_of_video_means"]


class _Given:
    """Features as they are given, first those of the source or target, then the generated ones."""

    name = features = "given"

    def __init__(self, generated):
        self.generated = np.asarray(generated, np.float32)

    def extract_features(self, frames):
        return self.generated


def sample_of(metric, generated, *, need, real):
    from pathlib import Path

    from toonbench.types import Clip, Pair, Sample

    clip = Clip(id="golden", path=Path("golden"), domain="real")
    frames = np.zeros((len(generated), 4, 4, 3), np.uint8)
    features = {(need, metric.features): np.asarray(real, np.float32)}
    return Sample(pair=Pair(id="golden", source=clip, driving=clip, target=clip), generated=frames, features=features)


def test_aed_identity_is_the_squared_distance_and_its_root_stands_beside_it(cases):
    case = cases["aed"]
    metric = AEDIdentity()
    metric.extract_features = _Given(case["gen"]).extract_features
    rows = [metric.measure(sample_of(metric, case["gen"], need="target", real=case["gt"]))]
    assert metric.reduce(rows) == pytest.approx(case["aed_pose_evaluation_squared_l2"], rel=1e-6)
    assert metric.details(rows)["Euclidean"] == pytest.approx(case["aed_euclidean"], rel=1e-6)


def test_aed_expression_averages_over_frames_and_coefficients(cases):
    case = cases["aed"]
    rows = [expression_distances(np.array(case["gen"], np.float32), np.array(case["gt"], np.float32))]
    assert AEDExpression().reduce(rows) == pytest.approx(case["aed_3dmm_mean_l1"], rel=1e-6)


def test_csim_skips_a_lost_face_beside_the_value_that_counts_it_as_the_worst(cases):
    case = cases["csim"]
    unit = [[np.nan, np.nan] if one is None else np.array(one) / np.linalg.norm(one) for one in case["frames"]]
    given = _Given(unit)
    source = np.array([case["source"]]) / np.linalg.norm(case["source"])
    rows = [cosine_rows(given, sample_of(given, unit, need="source", real=source))]
    wanted = [np.nan if one is None else one for one in case["per_frame"]]
    np.testing.assert_allclose(rows[0][:, 0], wanted, rtol=1e-6, atol=1e-7)
    details = CSIMArcFace().details(rows)
    assert details["over found faces only"] == pytest.approx(case["skip"], rel=1e-6)
    assert details["faces found"] == case["face_rate"]
    zero = case["zero"] * len(unit)  # the sum where a lost face counts 0; ours counts it -1
    assert CSIMArcFace().reduce(rows) == pytest.approx((zero - 1) / len(unit), rel=1e-6)
