"""csim_arcface, csim_dinov2, csim_sface, akd_fan68, aed_identity and aed_expression: their rules, with networks that say what they are told."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toonbench import registry
from toonbench.metrics._faces import cosine_rows, in_square
from toonbench.metrics.aed_expression import SHAPES, AEDExpression, expression_distances
from toonbench.metrics.aed_identity import AEDIdentity
from toonbench.metrics.akd_fan68 import AKDFan68, distances
from toonbench.metrics.csim_arcface import CSIMArcFace
from toonbench.metrics.csim_dinov2 import CSIMDINOv2
from toonbench.metrics.csim_sface import CSIMSFace
from toonbench.metrics.shared import with_worst
from toonbench.networks.arcface import FaceEmbedder, from_files
from toonbench.types import Clip, Metric, Pair, Sample, ToonbenchError
from toonbench.weights import WeightsMissing

NAMES = ("csim_arcface", "csim_dinov2", "csim_sface", "akd_fan68", "aed_identity", "aed_expression")
CLIP = Clip(id="clip", path=Path("clip"), domain="real")


def frames_of(*levels, size=16):
    return np.stack([np.full((size, size, 3), level, np.uint8) for level in levels])


def sample(generated, *, target=None, source=None):
    return Sample(
        pair=Pair(id="pair7", source=CLIP, driving=CLIP, target=CLIP), generated=generated, target=target, source=source
    )


@dataclass
class Landmarks:
    """Every frame's landmarks stand at its grey level; a black frame has no face."""

    calls: int = 0

    def landmarks(self, frames, device):
        self.calls += len(frames)
        level = frames[:, 128, 128, 0].astype(np.float32)
        return np.where(level > 0, level, np.nan)[:, None, None].repeat(68, 1).repeat(2, 2).astype(np.float32)


@dataclass
class Shapes:
    """Every blendshape is the frame's grey level / 255; a black frame has no face."""

    calls: int = 0

    def __call__(self, frames):
        self.calls += len(frames)
        level = frames[:, 0, 0, :1].astype(np.float32) / 255
        return np.where(level > 0, level, np.nan).repeat(SHAPES, axis=1)


@dataclass
class Faces:
    """The embedding turns with the grey level; a black frame has no face."""

    calls: int = 0

    def extract_features(self, frames):
        self.calls += len(frames)
        angle = frames[:, 0, 0, :1].astype(np.float64) / 255 * np.pi
        return np.where(angle > 0, np.concatenate([np.cos(angle), np.sin(angle)], 1), np.nan).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_the_registered_metric_says_what_it_needs(name):
    metric = registry.load_metric(name)
    assert isinstance(metric, Metric)
    assert (metric.name, metric.version) == (name, 1)
    assert metric.weights
    assert metric.features_of == metric.needs
    assert "@" in metric.features


@pytest.mark.parametrize("name", NAMES)
def test_without_its_weights_a_metric_names_the_command_that_gets_them(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TOONBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.delenv("TOONBENCH_WEIGHTS_MANIFEST", raising=False)
    metric = registry.load_metric(name)
    with pytest.raises(WeightsMissing, match=rf"toonbench weights fetch {metric.weights[0]}"):
        metric.measure(sample(frames_of(9), target=frames_of(9), source=frames_of(9)[0]))


@pytest.mark.parametrize(
    ("make", "stub"), [(AKDFan68, Landmarks), (AEDExpression, Shapes)], ids=["akd_fan68", "aed_expression"]
)
def test_features_of_a_target_that_were_stored_are_not_measured_again(make, stub):
    target, generated = frames_of(100, 50, 0), frames_of(110, 0, 50)
    fresh, network = make(network=stub()), stub()
    rows = fresh.measure(sample(generated, target=target))
    known = {("target", fresh.features): fresh.extract_features(target)}
    again = make(network=network).measure(replace(sample(generated, target=target), features=known))
    assert network.calls == len(generated)
    assert again.tobytes() == rows.tobytes()


def test_features_of_a_source_that_were_stored_are_not_measured_again():
    source, generated = frames_of(100), frames_of(110, 0, 50)
    fresh, network = CSIMArcFace(network=Faces()), Faces()
    rows = fresh.measure(sample(generated, source=source[0]))
    known = {("source", fresh.features): fresh.extract_features(source)}
    again = CSIMArcFace(network=network).measure(replace(sample(generated), features=known))
    assert network.calls == len(generated)
    assert again.tobytes() == rows.tobytes()


def test_stored_features_of_another_length_are_told_in_one_line():
    metric = AKDFan68(network=Landmarks())
    known = {("target", metric.features): metric.extract_features(frames_of(1, 2))}
    with pytest.raises(ToonbenchError, match=r"pair 'pair7': 3 frames were generated and the target has 2"):
        metric.measure(replace(sample(frames_of(1, 2, 3)), features=known))


def test_akd_of_a_lost_face_is_as_far_as_the_frame_allows():
    rows = AKDFan68(network=Landmarks()).measure(sample(frames_of(110, 0, 90, 0), target=frames_of(100, 100, 0, 0)))
    nan = np.nan
    wanted = [[10, 10 * 2**0.5, 156], [nan, nan, 156], [nan] * 3, [nan] * 3]
    np.testing.assert_allclose(rows, wanted, rtol=1e-6)


def test_akd_leaves_out_frames_whose_target_has_no_face():
    metric = AKDFan68(network=Landmarks())
    rows = [metric.measure(sample(frames_of(110, 0, 90), target=frames_of(100, 100, 0)))]
    assert metric.reduce(rows) == (10 + 156) / 2
    assert metric.details(rows)["over found faces only"] == 10
    assert metric.details(rows)["faces found"] == 0.5


def test_akd_is_in_pixels_of_256_whatever_the_size():
    small = in_square(frames_of(100, size=64), 256)
    assert small.shape == (1, 256, 256, 3)
    assert (small == 100).all()
    wide = in_square(np.full((1, 50, 100, 3), 100, np.uint8), 256)
    assert (wide[0, 64:192] == 100).all()
    assert not wide[0, :64].any()
    assert not wide[0, 192:].any()
    line = in_square(np.full((1, 2000, 3, 3), 100, np.uint8), 256)
    assert line.shape == (1, 256, 256, 3)
    assert line.any()


def test_frames_of_256_are_measured_as_they_are():
    frames = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8)
    assert in_square(frames, 256) is frames


def test_csim_of_a_source_without_a_face_is_unknown():
    metric = CSIMArcFace(network=Faces())
    rows = metric.measure(sample(frames_of(100, 0), source=frames_of(0)[0]))
    assert np.isnan(rows).all()
    assert rows.shape == (2, 2)
    assert np.isnan(metric.reduce([rows]))
    other = metric.measure(sample(frames_of(100, 100), source=frames_of(100)[0]))
    assert metric.reduce([rows, other]) == pytest.approx(1)


def test_csim_is_the_mean_over_pairs_of_the_mean_over_frames():
    metric = CSIMArcFace(network=Faces())
    half = 255 // 2  # nearly a right angle from 255 / 1
    rows = [
        metric.measure(sample(frames_of(100, 100, 100), source=frames_of(100)[0])),
        metric.measure(sample(frames_of(100 + half), source=frames_of(100)[0])),
    ]
    assert metric.reduce(rows) == pytest.approx((1 + np.cos(half / 255 * np.pi)) / 2, abs=1e-6)


def test_aed_expression_is_the_mean_difference_and_a_lost_face_is_wrong_in_every_score():
    metric = AEDExpression(network=Shapes())
    rows = metric.measure(sample(frames_of(102, 0, 51), target=frames_of(51, 51, 0)))
    np.testing.assert_allclose(rows, [[0.2, 0.8], [np.nan, 0.8], [np.nan, np.nan]], rtol=1e-6)
    assert metric.reduce([rows]) == pytest.approx(0.5)
    assert metric.details([rows]) == {"over found faces only": pytest.approx(0.2), "faces found": 0.5}


class _Vectors(Metric):
    name = features = "given"

    def __init__(self, vectors):
        self.vectors = vectors

    def extract_features(self, frames):
        return self.vectors


def _lost(rows, mask):
    rows = rows.copy()
    rows[mask] = np.nan
    return rows


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1), deleted=st.lists(st.booleans(), min_size=6, max_size=6), spread=st.floats(0, 400)
)
def test_deleting_any_detections_never_improves_a_score(seed, deleted, spread):
    rng = np.random.default_rng(seed)
    mask = np.array(deleted)
    truth = rng.uniform(-20, 276, (6, 136)).astype(np.float32)
    truth[rng.random(6) < 0.2] = np.nan
    generated = (truth + rng.normal(size=truth.shape) * spread).astype(np.float32)
    akd = [AKDFan68().reduce([distances(rows, truth)]) for rows in (generated, _lost(generated, mask))]
    shapes, wanted = rng.random((2, 6, SHAPES)).astype(np.float32)
    aed = [AEDExpression().reduce([expression_distances(rows, wanted)]) for rows in (shapes, _lost(shapes, mask))]
    units = rng.normal(size=(7, 3))
    units = (units / np.linalg.norm(units, axis=1, keepdims=True)).astype(np.float32)
    one = replace(sample(frames_of(*[1] * 6)), features={("source", "given"): units[6:]})
    csim = [CSIMArcFace().reduce([cosine_rows(_Vectors(v), one)]) for v in (units[:6], _lost(units[:6], mask))]
    assert not akd[1] < akd[0] - 1e-9
    assert not aed[1] < aed[0] - 1e-9
    assert not csim[1] > csim[0] + 1e-9


def test_no_face_however_wrong_counts_as_worse_than_a_lost_one():
    truth = np.full((1, 136), 128, np.float32)
    assert distances(truth + 1000, truth)[0, 0] == distances(truth * np.nan, truth)[0, 2] == 128


def test_rows_without_a_known_worst_value_are_unknown_altogether():
    rows = with_worst(np.array([1.0, 2.0]), np.array([3.0, np.nan]))
    np.testing.assert_array_equal(rows, [[1, 3], [np.nan, np.nan]])


@pytest.mark.parametrize(
    "metric", [CSIMArcFace(), CSIMDINOv2(), CSIMSFace(), AKDFan68(), AEDIdentity(), AEDExpression()]
)
def test_nothing_measured_is_nan_and_so_are_its_details(metric):
    for nothing in ([], [np.full((2, 1), np.nan, np.float32)], [np.empty((0, 3), np.float32)]):
        assert np.isnan(metric.reduce(nothing))
        if hasattr(metric, "details"):
            assert all(np.isnan(value) for value in metric.details(nothing).values())


class _Detector:
    """Boxes and points as they are given, for any picture."""

    def __init__(self, boxes, points):
        self.boxes, self.points = (
            np.array(boxes, np.float32).reshape(-1, 5),
            np.array(points, np.float32).reshape(-1, 5, 2),
        )

    def detect(self, picture):
        return self.boxes, self.points


def _embedder(boxes, points, embedding=(3.0, 4.0)):
    """The recogniser sees the crop's mean, so that tests can tell which face it got."""

    def get_feat(crop):
        return np.array([embedding], np.float32) * max(float(crop.mean()), 1e-3)

    return FaceEmbedder(
        detector=_Detector(boxes, points), recogniser=SimpleNamespace(output_shape=[1, 2], get_feat=get_feat)
    )


def _points(left, top, side):
    return np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]) * side + (left, top)


def test_the_largest_of_many_faces_is_taken_and_not_the_surest():
    embedder = _embedder(
        [[0, 0, 10, 10, 0.99], [20, 20, 60, 60, 0.6], [50, 0, 60, 10, 0.7]],
        [_points(0, 0, 10), _points(20, 20, 40), _points(50, 0, 10)],
    )
    np.testing.assert_array_equal(embedder._largest(frames_of(9, size=64)[0]), _points(20, 20, 40).astype(np.float32))


def test_a_face_cut_off_by_the_frame_is_measured():
    rows = _embedder([[-30, -30, 40, 40, 0.9]], [_points(-30, -30, 70)]).extract_features(frames_of(200, size=64))
    np.testing.assert_allclose(rows, [[0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    ("boxes", "points", "embedding"),
    [
        ([], [], (3, 4)),
        ([[0, 0, 9, 9, 0.9]], [np.full((5, 2), 7.0)], (3, 4)),
        ([[0, 0, 9, 9, 0.9]], [np.full((5, 2), np.nan)], (3, 4)),
        ([[0, 0, 60, 60, 0.9]], [_points(0, 0, 60)], (0, 0)),
        ([[0, 0, 60, 60, 0.9]], [_points(0, 0, 60)], (np.nan, 1)),
    ],
    ids=["no face", "points in one place", "points nowhere", "embedding of zeros", "embedding of nothing"],
)
def test_what_has_no_embedding_has_no_face(boxes, points, embedding):
    rows = _embedder(boxes, points, embedding).extract_features(frames_of(200, 100, size=64))
    assert rows.shape == (2, 2)
    assert np.isnan(rows).all()


@pytest.mark.parametrize(("height", "width"), [(1, 641), (700, 1), (32_001, 60)])
def test_a_frame_that_is_a_line_has_no_face(height, width):
    rows = _embedder([[0, 0, 9, 9, 0.9]], [_points(0, 0, 9)]).extract_features(
        np.zeros((1, height, width, 3), np.uint8)
    )
    assert np.isnan(rows).all()


@pytest.mark.parametrize("sources", [{"real"}, {"cartoon"}])
def test_methods_are_never_ranked_by_aed_expression(sources):
    assert "repeated source" in AEDExpression().unranked(sources)


def test_methods_are_ranked_by_csim_sface_on_photographs_only():
    assert not CSIMSFace().unranked({"real"})
    assert CSIMSFace().unranked({"real", "cartoon"})
    assert CSIMSFace().unranked({"cartoon"})


def test_a_damaged_onnx_file_is_told_in_one_line(tmp_path):
    bad = tmp_path / "det_10g.onnx"
    bad.write_bytes(b"no network")
    with pytest.raises(ToonbenchError, match=r"det_10g\.onnx' cannot be used") as error:
        from_files(bad, bad, device="cpu")
    assert "\n" not in str(error.value)
