"""The face metrics' networks: their arithmetic against other implementations, their weights' files, real frames end to end."""

import importlib.resources
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from synthetic_faces import POINTS, csim_arcface, write_face_manifest, write_face_weights
from toonbench import video
from toonbench.metrics.aed_identity import AEDIdentity
from toonbench.metrics.akd_fan68 import AKDFan68
from toonbench.metrics.csim_arcface import CSIMArcFace
from toonbench.metrics.csim_dinov2 import CSIMDINOv2
from toonbench.networks import fan as fan_module
from toonbench.networks.arcface import from_files
from toonbench.networks.deterministic import deterministic_state
from toonbench.networks.dinov2 import DINOv2
from toonbench.networks.dinov2 import from_state as dinov2_from_state
from toonbench.networks.openface import OpenFace
from toonbench.networks.openface import from_state as openface_from_state
from toonbench.networks.running import built, measuring, read_state
from toonbench.types import Clip, Pair, Sample, ToonbenchError

FROZEN = importlib.resources.files("toonbench") / "puppets/frozen/puppets@2/clips"


@pytest.fixture(scope="module")
def frames():
    """Three frames of a face, 256 x 256, the middle one changed."""
    clip = video.read_video(Path(str(FROZEN / "test-s31-real-v0000.mkv")), max_frames=3).frames
    clip = clip.repeat(2, axis=1).repeat(2, axis=2)
    clip[1] = clip[1][::-1]
    clip.flags.writeable = False
    return clip


@pytest.fixture(scope="module")
def arcface():
    return csim_arcface()


@pytest.fixture(scope="module")
def dinov2():
    return CSIMDINOv2.with_test_weights()


@pytest.fixture(scope="module")
def openface():
    return AEDIdentity.with_test_weights()


@pytest.fixture(scope="module")
def fan():
    return AKDFan68.with_test_weights()


@pytest.fixture(params=["arcface", "dinov2", "openface", "fan"])
def metric(request):
    return request.getfixturevalue(request.param)


def sample(generated, real):
    clip = Clip(id="clip", path=Path("clip"), domain="real")
    pair = Pair(id="pair", source=clip, driving=clip, target=clip)
    return Sample(pair=pair, generated=generated, target=real, source=real[0])


def spare_fan(metric, *, unless):
    if metric.name == "akd_fan68" and not unless:
        pytest.skip("a second a frame, and every frame is brought to one size before it")


def test_real_frames_have_features_one_row_each_and_the_same_bytes_again(metric, frames):
    rows = metric.extract_features(frames)
    assert rows.dtype == np.float32
    assert rows.shape[0] == len(frames)
    assert np.isfinite(rows).all()
    assert metric.extract_features(frames).tobytes() == rows.tobytes()
    assert not np.array_equal(rows[0], rows[1])


def test_a_frames_features_do_not_depend_on_the_frames_beside_it(metric, frames):
    assert metric.extract_features(frames[2:]).tobytes() == metric.extract_features(frames)[2:].tobytes()


def test_the_number_of_threads_changes_no_byte_and_stays_as_it_was(openface, frames):
    threads, rows = torch.get_num_threads(), openface.extract_features(frames)
    try:
        torch.set_num_threads(2)
        assert openface.extract_features(frames).tobytes() == rows.tobytes()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_equal_frames_have_the_best_value_and_others_a_worse_one(metric, frames):
    real, changed = frames[:1], frames[1:2]
    same, other = (metric.reduce([metric.measure(sample(one, real))]) for one in (real, changed))
    if "source" in metric.needs:
        assert same == pytest.approx(1, abs=1e-6)
        assert other < same
    else:
        assert same == 0
        assert other > 0


@pytest.mark.parametrize(
    "shape", [(1, 1), (9, 7), (300, 3), (3, 300), (700, 1100)], ids=lambda shape: f"{shape[0]}x{shape[1]}"
)
def test_tiny_long_and_large_frames_give_rows(metric, shape):
    spare_fan(metric, unless=shape in ((1, 1), (300, 3)))
    one = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), np.uint8)
    rows = metric.measure(sample(one, one))
    assert rows.shape[0] == 1
    assert not np.isinf(rows).any()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_frames_give_rows(metric, level):
    spare_fan(metric, unless=level == 0)
    flat = np.full((1, 64, 64, 3), level, np.uint8)
    rows = metric.measure(sample(flat, flat))
    assert rows.shape[0] == 1
    assert not np.isinf(rows).any()


def test_no_frames_give_no_rows(metric, frames):
    assert metric.extract_features(frames[:0]).shape[0] == 0


@pytest.fixture
def coarse():
    """What a method may have set: products of fewer bits, and TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("name", ["dinov2", "openface", "fan"])
def test_every_network_runs_in_full_precision_and_leaves_the_setting_alone(name, request, frames, coarse):
    metric, seen = request.getfixturevalue(name), []
    network = getattr(metric._network, "network", metric._network)
    hook = network.register_forward_pre_hook(lambda *_: seen.append(torch.get_float32_matmul_precision()))
    try:
        metric.extract_features(frames[:1])
    finally:
        hook.remove()
    assert seen == ["highest"]
    assert torch.get_float32_matmul_precision() == "medium"


def test_a_gpu_measures_without_tf32_and_repeats_itself(coarse):
    before = (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic)
    with measuring("cuda"):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cudnn.deterministic
        assert torch.is_inference_mode_enabled()
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic) == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("make", [CSIMDINOv2, AEDIdentity, AKDFan68], ids=lambda make: make.name)
def test_a_gpu_gives_the_features_of_the_cpu_within_tolerance(make, frames):
    on_cpu, on_gpu = make.with_test_weights(), make.with_test_weights()
    on_gpu.device = "cuda"
    wanted, found = on_cpu.extract_features(frames), on_gpu.extract_features(frames)
    if make is AKDFan68:  # a landmark is the highest cell of a map: nearly all are the same
        assert np.mean(np.abs(wanted - found) <= 1) > 0.95
    else:
        np.testing.assert_allclose(found, wanted, atol=1e-4)


# csim_arcface, through insightface's own code


def test_the_points_of_the_face_come_back_in_pixels_of_the_frame(arcface):
    frame = np.full((100, 80, 3), 200, np.uint8)  # 640 / 100 times enlarged
    np.testing.assert_allclose(arcface._network._largest(frame), POINTS * 100 / 640, rtol=1e-4)


def test_arcface_sees_the_face_in_red_green_blue_moved_to_its_template(arcface, frames):
    from insightface.utils import face_align

    seen = []

    class Recogniser:
        output_shape = (1, 2)

        def get_feat(self, crop):
            seen.append(crop)
            return np.ones((1, 2))

    type(arcface._network)(detector=arcface._network.detector, recogniser=Recogniser()).extract_features(frames[:1])
    import cv2

    target = face_align.arcface_dst.astype(np.float64)
    points = POINTS.astype(np.float64) * 256 / 640
    p, q = points - points.mean(0), target - target.mean(0)  # the similarity of least squares, as complex numbers
    turn = (q[:, 0] + 1j * q[:, 1]) @ (p[:, 0] - 1j * p[:, 1]) / (p**2).sum()
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    matrix = np.column_stack([linear, target.mean(0) - linear @ points.mean(0)])
    wanted = cv2.warpAffine(np.ascontiguousarray(frames[0][..., ::-1]), matrix, (112, 112))
    assert np.abs(seen[0].astype(int) - wanted).max() <= 2  # OpenCV's fixed-point weights


def test_a_dark_frame_has_no_face_and_a_dark_source_leaves_the_pair_unknown(arcface, frames):
    mixed = np.stack([frames[0], np.zeros_like(frames[0])])
    rows = arcface.measure(sample(mixed, frames))
    np.testing.assert_allclose(rows, [[1, -1], [np.nan, -1]], atol=1e-6)
    assert arcface.reduce([rows]) == pytest.approx(0, abs=1e-6)
    assert np.isnan(arcface.measure(sample(mixed, mixed[1:]))).all()


def test_a_network_of_the_wrong_kind_is_told_in_one_line(tmp_path):
    detector, recogniser = write_face_weights(tmp_path)
    with pytest.raises(ToonbenchError, match=r"w600k_r50\.onnx' cannot be used \(it is no network for detection\)"):
        from_files(recogniser, detector, device="cpu")


def test_csim_arcface_loads_the_verified_files_and_writes_nothing_to_the_terminal(tmp_path):
    manifest = write_face_manifest(tmp_path)
    code = (
        "import numpy as np; from toonbench.metrics.csim_arcface import CSIMArcFace;"
        "rows = CSIMArcFace().extract_features(np.full((1, 64, 64, 3), 200, np.uint8)); assert np.isfinite(rows).all()"
    )
    environment = {**os.environ, "TOONBENCH_WEIGHTS": str(tmp_path), "TOONBENCH_WEIGHTS_MANIFEST": str(manifest)}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    assert [line for line in run.stderr.splitlines() if "GPU device discovery failed" not in line] == []


def test_the_wrong_file_in_the_weights_folder_is_not_loaded(tmp_path, monkeypatch):
    manifest = write_face_manifest(tmp_path)
    (tmp_path / "det_10g.onnx").write_bytes(b"something else")
    monkeypatch.setenv("TOONBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TOONBENCH_WEIGHTS_MANIFEST", str(manifest))
    with pytest.raises(ToonbenchError, match="weights 'scrfd-10g' are damaged"):
        CSIMArcFace().extract_features(np.zeros((1, 64, 64, 3), np.uint8))


# csim_dinov2


def test_dinov2_is_that_of_transformers():
    """Every 48th value of the class token that transformers 5.23 gives for the same weights and input."""
    state = deterministic_state(DINOv2().state_dict(), "dinov2-small")
    state["embeddings.position_embeddings"] *= 700  # else too small to be seen
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32))
    with measuring("cpu"):
        token = dinov2_from_state(state)(x)[0, ::48]
    wanted = [-1.19771, -0.30283, 0.30299, -1.0811, -0.8216, 0.17017, 0.66713, -1.98529]
    np.testing.assert_allclose(token, wanted, atol=1e-4)


def test_dinov2_loads_the_names_of_its_published_file_and_no_others(dinov2, tmp_path):
    from safetensors.torch import save_file

    state = {name: value.clone() for name, value in dinov2._network.state_dict().items()}
    assert len(state) == 223
    assert state["embeddings.position_embeddings"].shape == (1, 1370, 384)
    assert "encoder.layer.11.attention.attention.query.weight" in state
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    again = dinov2_from_state(read_state(path))
    assert torch.equal(again.layernorm.weight, state["layernorm.weight"])
    del state["layernorm.weight"]
    with pytest.raises(ToonbenchError, match=r"model\.safetensors' cannot be read"):
        built(lambda: dinov2_from_state(state), path)


# aed_identity


def test_openface_has_the_published_number_of_parameters(openface):
    assert sum(value.numel() for value in openface._network.parameters()) == 3_733_968  # nn4.small2


def test_openface_normalises_across_five_channels_as_torch7_does(openface):
    x = torch.randn((1, 12, 3, 3), generator=torch.Generator().manual_seed(0)) * 50
    padded = torch.nn.functional.pad(x.square(), (0, 0, 0, 0, 2, 2))
    sums = sum(padded[:, at : at + 12] for at in range(5))
    np.testing.assert_allclose(openface._network.stem[2](x), x / (1 + 1e-4 / 5 * sums) ** 0.75, rtol=1e-5)


def test_openface_pools_by_the_root_of_squares_and_puts_smaller_maps_in_the_middle(openface):
    third = openface._network.inceptions[1]  # 3b: L2 pooling, 12 x 12 to 4 x 4
    x = torch.randn((1, 256, 12, 12), generator=torch.Generator().manual_seed(0))
    pool, project = third.branches[2]
    with torch.inference_mode():
        blocks = x.unfold(2, 3, 3).unfold(3, 3, 3).square().sum((4, 5)).sqrt()
        np.testing.assert_allclose(pool(x), blocks, rtol=1e-5)
        out = third(x)[:, 192:256]
        np.testing.assert_allclose(out[..., 4:8, 4:8], project(blocks), rtol=1e-4, atol=1e-5)
        out[..., 4:8, 4:8] = 0
        assert not out.any()


def test_openface_embeddings_have_length_one(openface, frames):
    np.testing.assert_allclose(np.linalg.norm(openface.extract_features(frames), axis=1), 1, atol=1e-3)


def test_openface_sees_the_whole_frame_in_blue_green_red_between_two_pixels(frames):
    from toonbench.metrics.aed_identity import _pictures

    place = (np.arange(96) + 0.5) * 256 / 96 - 0.5
    low = np.floor(place).astype(int)
    share = (place - low)[:, None]
    rows = frames[0][low] * (1 - share[..., None]) + frames[0][low + 1] * share[..., None]
    wanted = rows[:, low] * (1 - share) + rows[:, low + 1] * share
    np.testing.assert_allclose(_pictures(frames[:1])[0].permute(1, 2, 0), wanted[..., ::-1] / 255, atol=1e-6)


def foreign(state):
    """The tensors under the names of somebody else's file, of a time before batches were counted."""
    kept = [(name, value) for name, value in state.items() if not name.endswith("num_batches_tracked")]
    return {f"layer{at}.{name.rsplit('.', 1)[-1]}": value for at, (name, value) in enumerate(kept)}


def test_openface_takes_a_files_tensors_in_their_order_whatever_their_names(openface, tmp_path, frames):
    path = tmp_path / "openface.pth"
    torch.save(foreign(openface._network.state_dict()), path)
    again = AEDIdentity(network=openface_from_state(read_state(path)))
    assert again.extract_features(frames).tobytes() == openface.extract_features(frames).tobytes()


@pytest.mark.parametrize("damage", ["one less", "two exchanged", "another shape", "another kind"])
def test_openface_refuses_a_file_that_does_not_fit(damage):
    items = list(foreign(OpenFace().state_dict()).items())
    if damage == "one less":
        items.pop()
    elif damage == "two exchanged":
        items[0], items[6] = items[6], items[0]
    elif damage == "another shape":
        items[0] = (items[0][0], torch.zeros(64, 3, 5, 5))
    else:
        items[4] = ("layer4.weight", items[4][1])  # where a running mean should be
    with pytest.raises(ToonbenchError, match="this is not nn4"):
        openface_from_state(dict(items))


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("was-executed"),))


@pytest.mark.parametrize("content", [{"weight": Malicious()}, [1, 2], {"weight": 3}], ids=["code", "list", "number"])
def test_a_file_of_anything_but_tensors_is_refused_and_not_executed(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ToonbenchError, match=r"weights\.pth' cannot be read") as error:
        read_state(tmp_path / "weights.pth")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "was-executed").exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"half a file"])
def test_a_half_file_is_told_in_one_line(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ToonbenchError, match="cannot be read") as error:
        read_state(tmp_path / name)
    assert "\n" not in str(error.value)


# akd_fan68


@pytest.fixture(scope="module")
def s3fd_file(tmp_path_factory):
    """An S3FD of random weights: it is sure of many things."""
    from face_alignment.detection.sfd.net_s3fd import s3fd

    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = s3fd().state_dict()
    path = tmp_path_factory.mktemp("s3fd") / "s3fd.pth"
    torch.save(state, path)
    return path


def test_s3fd_finds_the_surest_face_as_face_alignment_does(s3fd_file, frames):
    from face_alignment.detection.sfd import FaceDetector
    from face_alignment.detection.sfd.net_s3fd import s3fd

    network = fan_module._inference(s3fd(), read_state(s3fd_file))
    with measuring("cpu"):
        wanted = FaceDetector("cpu", path_to_detector=str(s3fd_file)).detect_from_image(frames[1])
        (found, again) = fan_module.first_faces(network, frames[1:], "cpu")
    assert len(wanted) > 1
    np.testing.assert_allclose(found, wanted[0][:4], atol=0.01)
    assert again is not None


def test_s3fd_is_sure_of_nothing_where_scores_are_low(s3fd_file, frames):
    from face_alignment.detection.sfd.net_s3fd import s3fd

    state = read_state(s3fd_file)
    for name in [name for name in state if name.endswith("conf.bias")]:
        state[name][-1] = -20
    with measuring("cpu"):
        assert fan_module.first_faces(fan_module._inference(s3fd(), state), frames[:1], "cpu") == [None]


BOXES = [(60, 50, 190, 200), (-40, -30, 120, 140), (150.3, 160.7, 300, 290)]


def test_fan_reads_the_landmarks_that_face_alignment_reads(fan, frames, monkeypatch):
    from face_alignment import FaceAlignment, utils

    for name in ("_get_preds_fromhm", "transform_np"):  # as Python: numba would compile them for eight seconds
        monkeypatch.setattr(utils, name, getattr(utils, name).py_func)
    theirs = object.__new__(FaceAlignment)  # as its constructor leaves it, which wants a download
    theirs.face_alignment_net, theirs.face_detector = fan._network.network, type("D", (), {"reference_scale": 195})
    theirs.device, theirs.dtype, theirs.flip_input, theirs.max_batch_size = "cpu", torch.float32, False, 1
    theirs.landmarks_type = 1
    for box in BOXES:
        ours = fan_module.LandmarkFinder(
            network=fan._network.network, detect=lambda f, _, box=box: [np.array(box)] * len(f)
        )
        with measuring("cpu"):
            found = ours.landmarks(frames[:1], "cpu")
            # contiguous pictures on their side, channels last on ours: sums in another order
            wanted = theirs.get_landmarks_from_image(frames[0], detected_faces=[np.array([*box, 0.9])])[0]
        assert np.mean(found[0] == wanted) > 0.98


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 0), (300, 300, 400, 400), (-900, -900, -800, -800), (np.nan,) * 4, (50, 90, 40, 80)]
)
def test_a_box_that_is_no_place_in_the_frame_is_no_face(fan, frames, box):
    finder = fan_module.LandmarkFinder(
        network=fan._network.network, detect=lambda f, _: [np.array(box, float)] * len(f)
    )
    assert np.isnan(finder.landmarks(frames[:1], "cpu")).all()


def test_frames_with_and_without_a_face_keep_their_places(fan, frames):
    def every_other(batch, device):
        every_other.seen += 1
        return [np.array([60.0, 50, 190, 200]) if every_other.seen % 2 else None]

    every_other.seen = 0
    with measuring("cpu"):
        found = fan_module.LandmarkFinder(network=fan._network.network, detect=every_other).landmarks(frames, "cpu")
    assert np.isfinite(found).all(axis=(1, 2)).tolist() == [True, False, True]


def test_the_published_files_layout_loads(fan, s3fd_file, frames, tmp_path):
    path = tmp_path / "2DFAN4.pth.tar"
    torch.save(fan._network.network.state_dict(), path)
    rows = AKDFan68(network=fan_module.from_files(path, s3fd_file)).extract_features(frames[:1])
    assert rows.shape == (1, 136)
    with pytest.raises(ToonbenchError, match=r"s3fd\.pth' cannot be read"):
        fan_module.from_files(s3fd_file, path)


def test_heat_maps_of_a_mirrored_picture_are_put_back_with_left_and_right_exchanged():
    import torch

    from toonbench.networks.fan import _mirrored

    heat = torch.rand(2, 68, 4, 6)
    found = _mirrored(heat)
    torch.testing.assert_close(_mirrored(found), heat)
    for left, right in (
        (0, 16),
        (8, 8),
        (36, 45),
        (48, 54),
    ):  # ends of the jaw, chin, outer corners of eyes, of the mouth
        torch.testing.assert_close(found[:, left], heat[:, right].flip(-1))
