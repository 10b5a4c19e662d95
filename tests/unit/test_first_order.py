"""What FOMM and DaGAN share (motion, chunks, options), on FOMM, and FOMM's checkpoints of every kind, good and bad."""

import pickle

import numpy as np
import pytest
import torch

from baselines.best_frame import PosedFrame
from baselines.first_order_weights import TINY, NetworkConfig, state_for_tests
from baselines.fomm.method import FOMM
from baselines.fomm.model import FOMMNetwork
from baselines.fomm.weights_io import load_weights, weights_for_tests
from toonbench.networks.first_order import KeyPoints, hull_area, inverse, relative_points
from toonbench.networks.hourglass import fold_norms
from toonbench.types import ToonbenchError

CONFIG = NetworkConfig(points=3, detector=(4, 4, 4), motion=(4, 4, 4), generator=(4, 4, 4), residuals=1)


def parts(config=CONFIG):
    """The two state dicts of a small network, as the training code saves them."""
    network = FOMMNetwork(config)
    state = state_for_tests(network, "fomm", points=config.points)
    return {
        name: {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        for name in ("kp_detector", "generator")
    }


@pytest.fixture(scope="module")
def method():
    return FOMM.with_test_weights()


@pytest.fixture(scope="module")
def clip():
    return np.random.default_rng(0).integers(0, 255, (5, 64, 64, 3), dtype=np.uint8)


def run(method, source, driving, *, motion="relative"):
    return method.animate(source, driving, motion=motion, seed=0).astype(int)


def test_output_has_the_length_of_the_driving_video_and_the_size_of_the_source(method, clip):
    assert run(method, clip[0, :50], clip).shape == (5, 50, 64, 3)


def test_relative_and_absolute_motion_differ_and_scale_matters_to_relative_only(method, clip):
    unscaled = FOMM(adapt_scale=False, weights=weights_for_tests())
    relative, absolute = (run(method, clip[0], clip[1:], motion=m) for m in ("relative", "absolute"))
    assert np.abs(relative - absolute).max() > 1
    assert np.abs(relative - run(unscaled, clip[0], clip[1:])).max() > 1
    assert np.array_equal(absolute, run(unscaled, clip[0], clip[1:], motion="absolute"))


def test_a_frame_of_relative_motion_without_motion_does_not_depend_on_the_driving_video(method, clip):
    frames = [run(method, clip[0], driving[None])[0] for driving in clip[1:3]]
    assert np.abs(frames[0] - frames[1]).max() <= 1


def test_motion_starts_from_the_best_frame_in_both_directions(clip):
    """Frame 2 as the best one gives the frames of the clip from frame 2 on, and those of the reversed clip before it."""
    best = FOMM(best_frame=2, weights=weights_for_tests())
    plain = FOMM(weights=weights_for_tests())
    made = run(best, clip[0], clip)
    assert np.abs(made[2:] - run(plain, clip[0], clip[2:])).max() <= 1
    assert np.abs(made[2::-1] - run(plain, clip[0], clip[2::-1])).max() <= 1
    assert np.abs(made - run(plain, clip[0], clip)).max() > 1


def test_a_best_frame_behind_the_end_of_the_clip_is_refused_in_one_line(clip):
    with pytest.raises(ToonbenchError, match="best_frame is 9, and the driving video has 5 frames"):
        run(FOMM(best_frame=9, weights=weights_for_tests()), clip[0], clip)


class Finder:
    """Landmarks that are a fixed star, widened by the mean grey level of the picture; none in a black one."""

    def landmarks(self, frames, device, *, flip):
        assert flip
        star = np.random.default_rng(0).normal(size=(68, 2)).astype(np.float32)
        found = [star * [1 + frame.mean() / 255, 1] * 20 + 100 for frame in frames]
        return np.stack(
            [np.full((68, 2), np.nan) if not frame.any() else f for f, frame in zip(found, frames, strict=True)]
        )


def test_the_best_frame_is_the_first_whose_landmarks_have_the_shape_of_the_sources(clip):
    levels = [10, 0, 250, 128, 128]
    driving = np.stack([np.full((64, 64, 3), level, np.uint8) for level in levels])
    chooser = PosedFrame(Finder(), np.full((32, 32, 3), 128, np.uint8), device="cpu")
    for frame in driving:
        chooser.add(frame[None])
    assert chooser.chosen() == 3
    with pytest.raises(ToonbenchError, match="no face is found in the source"):
        PosedFrame(Finder(), driving[1], device="cpu")
    faceless = PosedFrame(Finder(), driving[0], device="cpu")
    faceless.add(driving[1:2])
    with pytest.raises(ToonbenchError, match="no face is found in the driving video"):
        faceless.chosen()


def test_finding_the_best_frame_names_the_weights_that_it_needs():
    with pytest.raises(ToonbenchError, match=r"best_frame 'find' needs landmarks.*toonbench weights fetch fan68 s3fd"):
        FOMM(best_frame="find", weights=weights_for_tests())


def test_memory_holds_one_batch_and_no_clip(method, clip):
    """A driving video of any length streams: a frame is yielded before the second next chunk is read."""
    read = []

    def chunks():
        for index in range(50):
            read.append(index)
            yield clip[:2]

    made = method.animate_chunks(clip[0], chunks(), motion="relative", seed=0)
    next(made)
    assert len(read) <= 2


def test_every_setting_that_is_not_the_default_is_in_the_revision():
    settings = [{}, {"adapt_scale": False}, {"best_frame": 3}, {"best_frame": 4}, {"align_corners": True}]
    revisions = [FOMM(weights=weights_for_tests(), **one).revision for one in settings]
    assert len(set(revisions)) == len(settings)


@pytest.mark.parametrize("options", [{"batch": 0}, {"best_frame": -1}, {"best_frame": "first"}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ToonbenchError, match="must be"):
        FOMM(weights=weights_for_tests(), **options)


def test_hull_areas_inverses_and_relative_jacobians_are_those_of_their_definitions():
    square = torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 3.0], [0.0, 3.0], [1.0, 1.0]])
    assert hull_area(square) == pytest.approx(6.0)
    with pytest.raises(ToonbenchError, match="on one line"):
        hull_area(torch.zeros(5, 2))
    matrices = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0)) + 2 * torch.eye(2)
    torch.testing.assert_close(inverse(matrices), torch.linalg.inv(matrices), atol=1e-5, rtol=1e-5)
    own, start = (KeyPoints(torch.zeros(1, 3, 2), matrices[i : i + 1]) for i in (0, 1))
    moved = relative_points(start, source=own, start=start, scale=1.0)
    torch.testing.assert_close(moved.jacobian, own.jacobian, atol=1e-5, rtol=1e-5)


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_checkpoint_as_the_training_code_saves_it_loads_with_its_sha256_and_variant(tmp_path):
    trained = {
        **parts(),
        "discriminator": {"a": torch.zeros(2)},
        "optimizer_generator": {"state": {0: {"step": 3}}},
        "epoch": 99,
    }
    torch.save(trained, tmp_path / "vox-cpk.pth.tar", _use_new_zipfile_serialization=False)
    method = FOMM(checkpoint=tmp_path / "vox-cpk.pth.tar")
    assert method.checkpoint["file"] == "vox-cpk.pth.tar"
    assert method.checkpoint["sha256"][:10] in method.revision
    assert method.checkpoint["variant"] == "FOMM, 3 key points"


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda own: {name: {f"module.{key}": value for key, value in part.items()} for name, part in own.items()},
        lambda own: {f"{name}.{key}": value for name, part in own.items() for key, value in part.items()},
        lambda own: {"state_dict": own, "epoch": 3},
        lambda own: {**own, "loss": np.float64(0.5), "epoch": np.int64(7), "best": np.float32(1)},
    ],
    ids=["module", "one dict", "state_dict", "numpy scalars"],
)
def test_what_trainers_put_around_a_checkpoint_is_dropped(tmp_path, wrapped):
    own = parts()
    torch.save(wrapped(own), tmp_path / "own.pth.tar")
    torch.save(own, tmp_path / "plain.pth.tar")
    found, plain = (load_weights(tmp_path / f"{name}.pth.tar").network for name in ("own", "plain"))
    torch.testing.assert_close(found.state_dict(), plain.state_dict())


def test_folding_the_normalisations_changes_nothing_but_the_last_digits(tmp_path):
    torch.manual_seed(0)
    network = FOMMNetwork(CONFIG)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(part.running_mean, std=0.3)
            torch.nn.init.uniform_(part.running_var, 0.5, 2.0)
            torch.nn.init.normal_(part.weight, 1.0, 0.2)
            torch.nn.init.normal_(part.bias, 0.0, 0.2)
    network.eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = network.render(network.source(picture), network.key_points(picture.flip(-1)))
        fold_norms(network)
        after = network.render(network.source(picture), network.key_points(picture.flip(-1)))
    assert not [
        part
        for part in network.modules()
        if getattr(part, "num_batches_tracked", None) is not None and part is getattr(part, "norm", None)
    ]
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


class Payload:
    def __reduce__(self):
        return eval, ("1 + 1",)


class Scalar:
    """A pickle that calls NumPy's `scalar` with objects, which may hold anything."""

    def __reduce__(self):
        return np.float64(1).__reduce__()[0], (np.dtype("O"), pickle.dumps(Payload()))


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    own = parts()
    torch.save(own, folder / "whole.tar")
    (folder / "cut.tar").write_bytes((folder / "whole.tar").read_bytes()[:-5000])
    (folder / "empty.tar").write_bytes(b"")
    (folder / "text.tar").write_text("not a checkpoint")
    (folder / "unsafe.tar").write_bytes(pickle.dumps({"generator": Payload()}, protocol=4))
    torch.save({**own, "loss": Scalar()}, folder / "scalar.tar")
    (folder / "pointer.tar").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (folder / "page.tar").write_text("<!DOCTYPE html><html><body>Google Drive - Virus scan warning</body></html>")
    torch.save({"a": torch.zeros(1)}, folder / "foreign.tar")
    torch.save([1, 2], folder / "list.tar")
    torch.save({"generator": own["generator"]}, folder / "half.tar")
    torch.save({**own, "kp_detector": parts(TINY)["kp_detector"]}, folder / "mixed.tar")
    detector = own["kp_detector"]
    first = "predictor.encoder.down_blocks.0.conv.weight"
    torch.save({**own, "kp_detector": {**detector, first: torch.zeros(4, 4, 3, 3)}}, folder / "four.tar")
    bias = detector["kp.bias"]
    for name, changes in {
        "nan": {"kp.bias": bias * float("nan")},
        "whole": {"kp.bias": bias.long()},
        "extra": {"more": bias},
        "shape": {"kp.bias": torch.zeros(7)},
        "text": {"kp.bias": "none"},
    }.items():
        torch.save({**own, "kp_detector": {**detector, **changes}}, folder / f"state_{name}.tar")
    torch.save({**own, "kp_detector": {k: v for k, v in detector.items() if k != "kp.bias"}}, folder / "missing.tar")
    for name, key in {
        "lia": "enc.net_app.convs.0.0.weight",
        "toontalker": "dec.transformerlayer_0.norm1.bias",
    }.items():
        torch.save({"gen": {key: bias}}, folder / f"{name}.tar")
    for name, key in {"dagan": "src_first.conv.bias", "spade": "decoder.up_0.conv_0.bias"}.items():
        torch.save({**own, "generator": {**own["generator"], key: bias}}, folder / f"{name}.tar")
    return folder


BAD = [
    ("absent.tar", "no such checkpoint; give an official FOMM checkpoint"),
    ("cut.tar", "damaged|cut off"),
    ("empty.tar", "is empty"),
    ("text.tar", "damaged|more than plain tensors"),
    ("unsafe.tar", "more than plain tensors"),
    ("scalar.tar", "more than plain tensors"),
    ("pointer.tar", "is a Git LFS pointer"),
    ("page.tar", "is a web page"),
    ("foreign.tar", "no FOMM checkpoint .found a"),
    ("list.tar", "no FOMM checkpoint .found a list"),
    ("half.tar", "it has no kp_detector, only generator"),
    ("mixed.tar", "kp_detector has 4 key points, and generator has 3; its parts do not belong together"),
    ("four.tar", "kp_detector takes 4 channels, and the generator's takes 3; its parts do not belong together"),
    ("state_nan.tar", "1 tensors that are not finite"),
    ("state_whole.tar", "1 tensors that are not finite"),
    ("state_extra.tar", "1 unknown"),
    ("state_shape.tar", "1 of another shape"),
    ("state_text.tar", "1 of another shape"),
    ("missing.tar", "1 keys missing"),
    ("lia.tar", "a checkpoint of LIA, not of FOMM"),
    ("toontalker.tar", "a checkpoint of ToonTalker, not of FOMM"),
    ("dagan.tar", "a checkpoint of DaGAN, not of FOMM"),
    ("spade.tar", "a checkpoint of DaGAN's SPADE generator, not of FOMM"),
]


@pytest.mark.parametrize(("name", "message"), BAD, ids=[name for name, _ in BAD])
def test_a_bad_checkpoint_is_named_in_one_line(bad_files, name, message):
    with pytest.raises(ToonbenchError, match=message) as caught:
        FOMM(checkpoint=bad_files / name)
    assert str(bad_files / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [word for word in ("weights_only", "trust", "unpickl") if word in str(caught.value)]


def test_without_weights_one_line_says_where_they_come_from():
    with pytest.raises(
        ToonbenchError,
        match=r"--checkpoint vox-cpk.pth.tar \(from https://github.com/\S+\), or .* weights fetch fomm-vox",
    ) as caught:
        FOMM()
    assert "\n" not in str(caught.value)
