"""What trained methods share: clips, sampling, checkpoints, averages, processes, logs, losses."""

import copy
import errno
import hashlib
import io
import json
import os
import pickle
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from toonbench.networks.discriminator import Discriminator, minibatch_stddev
from toonbench.networks.vgg19 import VGG19, PerceptualLoss
from toonbench.store import safe_name
from toonbench.training.adversarial import discriminator_loss, generator_loss
from toonbench.training.checkpoint import (
    begin_run,
    load_checkpoint,
    newest_checkpoint,
    open_folder,
    save_checkpoint,
)
from toonbench.training.clips import few_lines, load_clips, load_sets, skipped_lines
from toonbench.training.ema import ema_decay, update_average
from toonbench.training.grids import evenly, grid
from toonbench.training.images import to_pixels, to_tensor
from toonbench.training.log import append_log, trim_log
from toonbench.training.overrides import with_overrides
from toonbench.training.processes import ProcessGroup, leading, one_thread, run_processes, shares
from toonbench.training.sampling import draw_gap, draw_pairs, step_rng
from toonbench.training.stability import NotFinite, differentiate, limit, saved_batch
from toonbench.training.trained_on import TrainedOn, trained_on
from toonbench.types import Clip, Pair, ToonbenchError
from toonbench.video import FrameReader, write_lossless

# clips


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Three videos of 80 x 72 px: a picture of noise that moves to the right."""
    folder, rng, clips = tmp_path_factory.mktemp("videos"), np.random.default_rng(0), []
    for index in range(3):
        ground = rng.integers(0, 255, (1, 80, 72, 3), dtype=np.uint8)
        frames = np.concatenate([np.roll(ground, 3 * t, axis=2) for t in range(4)])
        path = folder / f"{index}.mkv"
        write_lossless(path, frames, fps=10)
        clips.append(Clip(id=str(index), path=path, domain="real", split="train", identity=f"person {index}"))
    return clips


def test_clips_are_resized_and_an_identity_is_held_out(videos):
    found = load_clips(videos, size=64, domains=("real",))["real"]
    assert [clip.shape for clip in found.train] == [(4, 64, 64, 3)] * 2
    assert [clip.shape for clip in found.heldout] == [(4, 64, 64, 3)]


def test_clips_of_one_identity_are_never_split_between_training_and_samples(videos):
    alike = [replace(clip, identity="one" if clip.id != "1" else "two") for clip in videos]
    found = load_clips(alike, size=32, domains=("real",))["real"]
    assert (len(found.train), len(found.heldout)) == (1, 2)


def test_only_videos_of_the_split_train_are_loaded(videos):
    others = [replace(videos[0], id="t", split="test"), replace(videos[0], id="i", kind="image")]
    assert len(load_clips([*videos, *others], size=32, domains=("real",))["real"].train) == 2


def test_too_few_clips_and_identities_are_refused(videos):
    with pytest.raises(ToonbenchError, match="0 cartoon training clips: two or more are needed"):
        load_clips(videos, size=32)
    with pytest.raises(ToonbenchError, match=r"show 1 identities .*: two or more"):
        load_clips([replace(clip, identity="one") for clip in videos], size=32, domains=("real",))


def test_clips_that_cannot_be_used_are_skipped_counted_and_named(videos, tmp_path):
    (tmp_path / "cut.mkv").write_bytes(videos[2].path.read_bytes()[:3000])
    broken = [replace(videos[0], id=name, path=tmp_path / f"{name}.mkv") for name in ("cut", "gone")]
    broken += [replace(videos[0], id=name, problem="no face") for name in ("blank", "dark")]
    found = load_clips([*broken[:1], *videos, *broken[1:]], size=32, domains=("real",))
    assert (len(found["real"].train), len(found["real"].heldout)) == (2, 1)
    assert list(found["real"].skipped) == ["cut", "gone", "blank", "dark"]
    (line,) = skipped_lines(found)
    assert line.startswith("4 real training clips are skipped: cut, gone, blank and 1 more (")
    with pytest.raises(ToonbenchError, match=r"show 1 identities .* skipped: gone, blank, dark") as error:
        load_clips([videos[0], *broken[1:]], size=32, domains=("real",))
    assert "\n" not in str(error.value)


def test_training_clips_are_known_again_by_data_set_name_and_length_or_by_content(videos):
    marked = [replace(clip, sha256=f"{number:064x}") for number, clip in enumerate(videos, start=1)]
    origin = load_clips(marked, size=32, domains=("real",), data="faces@1")["real"].origin
    assert (origin.data, origin.clips, len(origin.marks)) == (
        ("faces@1",),
        2,
        4,
    )  # the clip that is held out is not among them
    source = replace(videos[0], id="other", sha256="")
    same_name, same_content = replace(videos[1], sha256=""), replace(marked[1], id="new")
    for clip, data, expected in (
        (same_name, "faces@1", ["p"]),
        (same_name, "faces@2", []),
        (same_content, "copy", ["p"]),
        (marked[0], "faces@1", []),
    ):
        pairs = [Pair(id="p", source=source, driving=clip), Pair(id="q", source=source, driving=source)]
        assert origin.pairs(pairs, data=data) == expected
    origin = load_clips(marked, size=32, domains=("real",), data="faces-0123abcd")["real"].origin
    for clip, data, expected in (
        (
            replace(videos[1], sha256="e" * 64),
            "faces-ffff0000",
            ["p"],
        ),  # encoded again: the id of the set is another one
        (replace(videos[1], sha256="e" * 64, frames=videos[1].frames + 1), "faces-ffff0000", []),
        (replace(videos[1], sha256="e" * 64), "people-ffff0000", []),
    ):
        assert origin.pairs([Pair(id="p", source=source, driving=clip)], data=data) == expected
    before = hashlib.sha256(f"faces@1|{videos[1].id}".encode()).digest()[:6]  # the mark of earlier versions
    assert TrainedOn(("faces@1",), 1, frozenset({before})).pairs(
        [Pair(id="p", source=source, driving=same_name)], data="faces@1"
    ) == ["p"]
    again = TrainedOn.from_dict(json.loads(json.dumps(origin.to_dict())))
    assert again == origin
    assert [TrainedOn.from_dict(one) for one in (None, {}, {"data": [], "clips": 1, "marks": "?"})] == [None] * 3


def same_clips(first, second):
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_stored_frames_are_those_in_memory_and_are_used_again_until_a_file_changes(videos, tmp_path, monkeypatch):
    (tmp_path / "cut.mkv").write_bytes(videos[2].path.read_bytes()[:3000])
    clips = [
        replace(videos[0], id="cut", path=tmp_path / "cut.mkv"),
        *videos,
        replace(videos[0], id="b", problem="no face"),
    ]
    kept, needs = tmp_path / "cache", {"size": 32, "domains": ("real",)}
    whole, stored = load_clips(clips, **needs)["real"], load_sets({"": clips}, cache=kept, **needs)["real"]
    for ours in (stored, copy.deepcopy(stored)):
        assert same_clips(whole.train, ours.train)
        assert same_clips(whole.heldout, ours.heldout)
        assert same_clips(whole.train[:1], ours.train[:1])
        assert (ours.origin, ours.skipped, ours.identities) == (whole.origin, whole.skipped, 2)
    assert len(pickle.dumps(stored)) < 3000 < whole.train[0].nbytes
    with monkeypatch.context() as patch:
        patch.setattr("toonbench.training.clips.iter_frames", None)  # nothing is decoded
        assert same_clips(whole.train, load_sets({"": clips}, cache=kept, **needs)["real"].train)
    (tmp_path / "cut.mkv").write_bytes(videos[2].path.read_bytes())
    assert [*load_sets({"": clips}, cache=kept, **needs)["real"].skipped] == ["b"]


@pytest.mark.parametrize("damage", ["{", "[]", '{"frames": "x", "skipped": {}}', "shorter", "gone"])
def test_stored_frames_that_are_not_whole_are_stored_again(videos, tmp_path, damage):
    needs = {"size": 32, "domains": ("real",)}
    before = [clip.copy() for clip in load_sets({"": videos}, cache=tmp_path, **needs)["real"].train]
    (frames,) = tmp_path.rglob("frames.bin")
    if damage == "shorter":
        frames.write_bytes(frames.read_bytes()[:-1])
    elif damage == "gone":
        frames.unlink()
    else:
        frames.with_name("clips.json").write_text(damage)
    assert same_clips(before, load_sets({"": videos}, cache=tmp_path, **needs)["real"].train)


def test_stored_frames_have_the_pixels_of_the_frame_reader(videos, tmp_path):
    size = 72
    found = load_sets({"": videos}, size=size, domains=("real",), cache=tmp_path)["real"]
    for clip, frames in zip(videos, [*found.heldout, *found.train], strict=True):
        reader = FrameReader(clip.path)
        pictures = [Image.fromarray(frame).resize((size, size), Image.Resampling.BOX) for frame in reader.get(range(4))]
        assert np.array_equal(frames, np.stack(pictures))


def test_a_disk_that_is_full_while_frames_are_stored_is_one_line_and_leaves_no_clips(videos, tmp_path, monkeypatch):
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda *_, **__: Full())
    with pytest.raises(ToonbenchError, match="the disk is full"):
        load_sets({"": videos}, size=32, domains=("real",), cache=tmp_path)
    assert not [*tmp_path.rglob("clips.json")]


def test_people_of_one_data_set_and_characters_of_another_can_be_trained_on_together(videos):
    drawn = [replace(clip, id=f"c{clip.id}", domain="cartoon") for clip in videos]
    found = load_sets({"people@1": videos, "films@2": drawn}, size=32)
    assert [(len(some.train), some.origin.data) for some in found.values()] == [(2, ("people@1",)), (2, ("films@2",))]
    with pytest.raises(ToonbenchError, match=r"0 cartoon training clips: .*or give a further data set"):
        load_sets({"people@1": videos}, size=32)


def test_few_identities_are_one_line_with_the_numbers(videos):
    (line,) = few_lines(load_clips(videos, size=32, domains=("real",)))
    assert line.startswith("few real identities: 2 in 2 training clips, and 1 clips for samples; ")
    many = [replace(videos[0], id=str(number), identity=str(number)) for number in range(11)]
    assert few_lines(load_clips(many, size=32, domains=("real",))) == []


def test_clips_of_two_trainings_add_up_and_those_of_a_resumed_one_do_not(videos):
    first, second = trained_on(videos[:1], data="a"), trained_on(videos[1:], data="b")
    both = first | second
    assert (both.data, both.clips, both.marks) == (("a", "b"), 3, first.marks | second.marks)
    assert first | first == first
    assert TrainedOn() | first == first == first | TrainedOn()


# sampling


def test_the_choices_of_a_step_depend_on_seed_step_and_rank():
    draws = [step_rng(*numbers).random() for numbers in ((0, 1, 0), (0, 1, 0), (0, 1, 1), (0, 2, 0), (1, 1, 0))]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 4


def test_the_frames_of_a_pair_come_from_one_clip_and_share_flip_and_colours():
    rng = np.random.default_rng(0)
    still = [np.repeat(rng.integers(0, 255, (1, 16, 16, 3), dtype=np.uint8), 4, axis=0) for _ in range(2)]
    first, second = draw_pairs(
        still, np.random.default_rng(0), batch=8, step=0, growth=0, flip=True, jitter=0.1, device="cpu"
    )
    assert first.shape == (8, 3, 16, 16)
    assert torch.equal(first, second)
    assert first.abs().max() <= 1
    assert len({image.mean().item() for image in first}) == 8


def test_without_flip_and_jitter_pairs_are_two_different_frames_of_the_clip():
    clip = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2).repeat(3, 3)
    first, second = draw_pairs([clip], step_rng(0, 0), batch=50, step=0, growth=0, flip=False, jitter=0.0, device="cpu")
    a, b = (to_pixels(images)[:, 0, 0, 0].astype(int) for images in (first, second))
    assert (a != b).all()
    assert set(a) == set(b) == set(range(5))


def test_gaps_are_small_first_and_grow_to_the_whole_clip():
    def gaps(step):
        rng = np.random.default_rng(0)
        return [draw_gap(rng, 40, growth=100, step=step) for _ in range(300)]

    assert set(gaps(0)) == {1, 2}
    assert max(gaps(1000)) == 39
    assert min(gaps(1000)) <= 3


# checkpoints


@dataclass(frozen=True)
class Config:
    rate: float = 0.5
    betas: tuple[float, float] = (0.5, 0.999)
    steps: int = 3


@dataclass(frozen=True)
class Nested:
    name: str = "a"
    kind: Literal["x", "y"] = "x"
    flip: bool = True
    rows: tuple[tuple[int, int], ...] = ((1, 2),)
    inner: Config = field(default_factory=Config)

    def __post_init__(self):
        if self.inner.steps < 0:
            raise ValueError(f"steps is {self.inner.steps}: 0 or more is needed")


def test_a_checkpoint_comes_back_with_equal_bytes_for_equal_content(tmp_path):
    for name in ("one.pt", "other.pt"):
        save_checkpoint(tmp_path / name, {"step": 2, "network": {"w": torch.ones(3)}}, config=Config())
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()
    found = load_checkpoint(tmp_path / "one.pt", config=Config())
    assert found["step"] == 2
    assert torch.equal(found["network"]["w"], torch.ones(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.pt", "other.pt"]


def test_only_the_named_fields_may_differ(tmp_path):
    path = tmp_path / "c.pt"
    save_checkpoint(path, {}, config=Config())
    load_checkpoint(path, config=Config(steps=9), may_change=("steps",))
    with pytest.raises(ToonbenchError, match=r"trained with rate = 0\.5, but rate is 0\.25 now"):
        load_checkpoint(path, config=Config(rate=0.25), may_change=("steps",))


def test_a_field_that_the_checkpoint_does_not_have_counts_as_its_default(tmp_path):
    path = tmp_path / "c.pt"
    torch.save({"config": json.dumps({"rate": 0.5, "steps": 3})}, path)
    load_checkpoint(path, config=Config())
    with pytest.raises(ToonbenchError, match="betas"):
        load_checkpoint(path, config=Config(betas=(0.0, 0.9)))


def test_a_field_that_this_version_does_not_have_is_refused(tmp_path):
    path = tmp_path / "c.pt"
    torch.save({"config": json.dumps({"momentum": 0.9})}, path)
    with pytest.raises(ToonbenchError, match="momentum"):
        load_checkpoint(path, config=Config())


def test_all_fields_that_differ_are_named_also_those_of_a_nested_configuration(tmp_path):
    path = tmp_path / "c.pt"
    save_checkpoint(path, {}, config=Nested())
    with pytest.raises(ToonbenchError) as error:
        load_checkpoint(path, config=Nested(inner=Config(rate=0.25, steps=4), name="b"), may_change=("inner.steps",))
    assert "inner.rate = 0.5, but inner.rate is 0.25 now; name = 'a', but name is 'b' now: choose" in str(error.value)


def test_the_newest_two_checkpoints_are_kept(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path / "checkpoint.pt", {"step": step}, config=Config())
    names = ["checkpoint-previous.pt", "checkpoint.pt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert [load_checkpoint(tmp_path / name, config=Config())["step"] for name in names] == [2, 3]
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(ToonbenchError, match=r"remove it, and training resumes from checkpoint-previous\.pt"):
        load_checkpoint(tmp_path / "checkpoint.pt", config=Config())
    assert newest_checkpoint(tmp_path).name == "checkpoint.pt"
    (tmp_path / "checkpoint.pt").unlink()
    assert newest_checkpoint(tmp_path).name == "checkpoint-previous.pt"
    begin_run(tmp_path, resumes=False, step=0)
    assert newest_checkpoint(tmp_path) is None


def test_where_no_second_link_can_be_made_the_previous_checkpoint_is_a_copy(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    for step in (1, 2):
        save_checkpoint(tmp_path / "checkpoint.pt", {"step": step}, config=Config())
    assert load_checkpoint(tmp_path / "checkpoint-previous.pt", config=Config())["step"] == 1


FILL = """
import resource, signal, sys
from pathlib import Path
import torch
from toonbench.training.checkpoint import save_checkpoint
from toonbench.types import ToonbenchError
from test_training import Config
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_checkpoint(Path(sys.argv[1]), {"network": torch.ones(100_000)}, config=Config())
except ToonbenchError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of file sizes is Linux's")
def test_a_disk_that_is_full_while_saving_leaves_the_old_checkpoints(tmp_path):
    path = tmp_path / "checkpoint.pt"
    for step in (1, 2):
        save_checkpoint(path, {"step": step}, config=Config())
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60
    )
    assert f"cannot write {path}: " in done.stdout, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == 1
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_or_harmful_checkpoint_is_refused_in_one_line(tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.pt"
    if content is None:
        torch.save({"config": Harmful()}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(ToonbenchError, match="cannot be read as a checkpoint") as error:
        load_checkpoint(path, config=Config())
    assert "\n" not in str(error.value)
    assert not (tmp_path / "harmed").exists()


def test_opening_a_folder_removes_what_a_killed_process_left(tmp_path):
    (tmp_path / f".part-{safe_name(platform.node())[:40]}~x.pt").write_bytes(b"cut off")
    open_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


# overrides


def test_fields_are_set_with_the_type_that_they_have():
    settings = [
        "name=7",
        "kind=y",
        "flip=false",
        "rows=[[4, 8], [8, 16]]",
        "inner.rate=1",
        "inner.betas=0,0.9",
        "inner.steps=5",
    ]
    rows = ((4, 8), (8, 16))
    inner = Config(rate=1.0, betas=(0.0, 0.9), steps=5)
    found = with_overrides(Nested(), settings)
    assert found == Nested(name="7", kind="y", flip=False, rows=rows, inner=inner)
    assert [type(value) for value in (found.inner.rate, found.inner.betas[0])] == [float, float]
    assert with_overrides(Nested(), []) == Nested()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("inner.step=5", r"--set inner\.step: unknown field \(did you mean inner\.steps"),
        ("zzz=5", r"--set zzz: unknown field; known are kind, flip, rows, inner\.rate"),
        ("inner=5", "--set inner: unknown field"),
        ("inner.steps", r"--set inner\.steps: give key=value"),
        ("inner.steps=1.5", r"inner\.steps=1\.5: a whole number is needed"),
        ("inner.steps=true", "a whole number is needed"),
        ("inner.rate=fast", "a number is needed"),
        ("inner.rate=NaN", "a number is needed"),
        ("inner.betas=0.5", "a list of 2 values is needed"),
        ("inner.betas=a,b", "a list of 2 values is needed"),
        ("rows=[[1, 2], [3]]", "a list of a list of 2 values is needed"),
        ("flip=1", "true or false is needed"),
        ("kind=z", "one of x, y is needed"),
        ("inner.steps=-1", "steps is -1: 0 or more is needed"),
        ("name=b", "--set name: it is fixed"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line(setting, message):
    with pytest.raises(ToonbenchError, match=message) as error:
        with_overrides(Nested(), [setting], fixed={"name": "it is fixed"})
    assert "\n" not in str(error.value)


def test_a_field_that_is_set_twice_is_refused():
    with pytest.raises(ToonbenchError, match="--set flip is given twice"):
        with_overrides(Nested(), ["flip=true", "flip=false"])


# stability


def layer(*gradient):
    weight = torch.nn.Parameter(torch.zeros(len(gradient)))
    weight.grad = torch.tensor(gradient)
    return weight


def test_gradients_are_limited_by_their_common_norm_and_small_ones_are_left():
    weights = [layer(3.0), layer(0.0, 4.0), torch.nn.Parameter(torch.zeros(1))]
    assert limit(weights, largest=0.0, of="network") == limit(weights, largest=6.0, of="network") == 5.0
    assert [one.grad.tolist() for one in weights[:2]] == [[3.0], [0.0, 4.0]]
    assert limit(weights, largest=1.0, of="network") == 5.0
    assert torch.allclose(torch.cat([one.grad for one in weights[:2]]), torch.tensor([0.6, 0.0, 0.8]))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_or_a_loss_that_is_not_finite_is_noticed(value):
    with pytest.raises(NotFinite, match="gradient of the network"):
        limit([layer(1.0, value)], largest=0.0, of="network")
    weight = layer(1.0)
    alone = {"group": ProcessGroup(), "largest": 0.0, "of": "network"}
    assert differentiate(weight.sum() * 2, [weight], **alone) == 3.0  # added to the gradient that it had
    with pytest.raises(NotFinite, match="the loss or the gradient of the network is not finite"):
        differentiate(weight.sum() + value, [weight], **alone)
    assert weight.grad.item() == 3.0  # nothing was differentiated


def test_the_batch_of_a_bad_step_is_saved_with_its_terms(tmp_path):
    numbers = {"l1": 0.5, "analogy": float("nan")}
    error = saved_batch(tmp_path, {"real": torch.ones(2)}, numbers, step=7, rank=1, why="the loss is not finite")
    assert isinstance(error, ToonbenchError)
    assert "step 7: the loss is not finite (terms that are not finite: analogy)" in str(error)
    saved = torch.load(tmp_path / "not-finite-0000007-1.pt", weights_only=True)
    assert torch.equal(saved["batch"]["real"], torch.ones(2))
    assert saved["terms"]["l1"] == 0.5


# averages, logs, images


def test_the_average_follows_weights_and_statistics_and_counts_a_shared_module_once():
    network = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.BatchNorm1d(1))
    network.append(network[0])
    average = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.BatchNorm1d(1))
    average.append(average[0])
    for tensor in (*network.parameters(), network[1].running_mean):
        torch.nn.init.constant_(tensor, 1.0)
    for tensor in (*average.parameters(), average[1].running_mean):
        torch.nn.init.constant_(tensor, 0.0)
    network[1].num_batches_tracked.fill_(7)
    update_average(average, network, decay=0.75)
    assert average[0].weight.item() == average[1].running_mean.item() == 0.25
    assert average[1].num_batches_tracked == 7


def test_the_decay_grows_to_its_largest_value():
    assert [ema_decay(0.9, step) for step in (0, 8, 1000)] == [0.1, 0.5, 0.9]


def test_the_log_of_a_killed_run_is_cut_back_to_its_checkpoint(tmp_path):
    for step in (1, 2, 3):
        append_log(tmp_path, {"step": step, "loss": 1 / 3})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')  # cut off
    trim_log(tmp_path, step=2)
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1, "loss": 0.333333}\n{"step": 2, "loss": 0.333333}\n'


def test_frames_become_tensors_and_the_same_frames_again():
    frames = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    images = to_tensor(frames, device="cpu")
    assert images.shape == (2, 3, 4, 5)
    assert images.abs().max() <= 1
    assert np.array_equal(to_pixels(images), frames)


def test_a_grid_has_rows_and_columns_and_frames_are_spread_evenly():
    frames = np.arange(8, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(3, 2).repeat(3, 3)
    picture = grid([[frames[0], frames[1]], [frames[2], frames[3]]])
    assert picture[[0, 0, 2, 2], [0, 3, 0, 3], 0].tolist() == [0, 1, 2, 3]
    assert evenly(frames, 3)[:, 0, 0, 0].tolist() == [2, 4, 7]


# processes


def test_one_process_averages_nothing_and_keeps_its_threads():
    threads, seen = torch.get_num_threads(), []
    run_processes(lambda group: seen.append((group.workers, torch.get_num_threads())), _sum, workers=1)
    assert seen == [(1, threads)]
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == threads


def _sum(group):
    weight = torch.nn.Parameter(torch.zeros(3))
    weight.grad = torch.full((3,), float(group.rank))
    group.all_reduce([weight, torch.nn.Parameter(torch.zeros(2))])
    assert torch.equal(weight.grad, torch.full((3,), (group.workers - 1) / 2))
    assert group.mean({"a": group.rank, "b": 2.0 * group.rank}) == {"a": 0.5, "b": 1.0}
    _not_finite(group)


def _not_finite(group):
    """A loss that is not finite in one process is noticed in all, also where parameters do not learn."""
    used, unused = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3))
    how = {"group": group, "largest": 0.0, "of": "network"}
    with pytest.raises(NotFinite):
        differentiate(used.sum() * (float("nan") if group.rank else 1.0), [used, unused], **how)
    assert differentiate(used.sum(), [used, unused], **how) == pytest.approx(2**0.5)
    group.barrier()


def _dies(group):
    os.kill(os.getpid(), signal.SIGKILL)


def _waits(group):
    group.barrier()


def _stops(group):
    time.sleep(1)  # the other process waits in its barrier, where it is ended
    raise KeyboardInterrupt


@pytest.mark.slow
def test_processes_average_and_the_end_of_one_ends_the_others_at_once():
    before, threads = dict(os.environ), torch.get_num_threads()
    run_processes(_sum, _sum, workers=2)
    with pytest.raises(ToonbenchError, match="process ended early"):
        run_processes(_waits, _dies, workers=2)
    with pytest.raises(KeyboardInterrupt):
        run_processes(_stops, _waits, workers=2)
    run_processes(_sum, _sum, workers=2)
    assert dict(os.environ) == before
    assert torch.get_num_threads() == threads


def test_without_accelerate_several_processes_are_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ToonbenchError, match="run `pip install accelerate`, or give --set workers=1"):
        run_processes(_sum, _sum, workers=1)


def test_a_launcher_decides_the_number_of_processes_and_who_writes(monkeypatch):
    shares(6, of="batch", workers=3)
    with pytest.raises(ToonbenchError, match="batch is 6, which 4 workers cannot share evenly"):
        shares(6, of="batch", workers=4)
    with pytest.raises(ToonbenchError, match="workers is 0: 1 or more"):
        shares(6, of="batch", workers=0)
    assert leading()
    for name, value in (("WORLD_SIZE", "4"), ("RANK", "1")):
        monkeypatch.setenv(name, value)
    with pytest.raises(ToonbenchError, match="batch is 6, which 4 workers"):
        shares(6, of="batch", workers=3)
    assert not leading()


@pytest.mark.parametrize("parts", [2, 3])
def test_the_parts_of_a_batch_are_together_the_batch_of_one_process(parts):
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 255, (3, 5, 8, 8, 3), dtype=np.uint8)

    def draw(part):
        return draw_pairs(
            clips, step_rng(1, 2), batch=6, step=0, growth=0, flip=True, jitter=0.1, device="cpu", part=part
        )

    whole, found = draw((0, 1)), [draw((index, parts)) for index in range(parts)]
    for frames, pieces in zip(whole, zip(*found, strict=True), strict=True):
        assert [len(piece) for piece in pieces] == [6 // parts] * parts
        assert torch.equal(frames, torch.cat(pieces))


# losses


def test_the_adversarial_losses_fall_when_their_side_wins():
    good, bad = torch.full((4,), 3.0), torch.full((4,), -3.0)
    assert generator_loss(good) < generator_loss(bad)
    assert discriminator_loss(good, bad) < discriminator_loss(bad, good)


def test_the_discriminator_notices_when_all_samples_are_alike():
    alike, varied = torch.ones(4, 2, 4, 4), torch.randn(4, 2, 4, 4)
    assert minibatch_stddev(alike)[:, 2].max() < 1e-3 < minibatch_stddev(varied)[:, 2].min()
    assert Discriminator(64, {4 << i: 8 for i in range(5)})(torch.randn(3, 3, 64, 64)).shape == (3,)


def test_vgg_has_five_features_that_differ_between_pictures():
    network = VGG19()
    image = torch.rand(1, 3, 64, 64)
    assert [features.shape[1] for features in network(image)] == [64, 128, 256, 512, 512]
    loss = PerceptualLoss(network)
    assert loss(image, image) == 0
    assert loss(image, image.flip(3)) > 0


def test_vgg_takes_the_weights_of_a_file_and_refuses_other_files(tmp_path):
    network = VGG19()
    state = {f"features.{key}": value + 1 for key, value in network.features.state_dict().items()}
    torch.save(state, tmp_path / "vgg.pth")
    loaded = VGG19(tmp_path / "vgg.pth").features.state_dict()
    assert all(torch.equal(loaded[key], value + 1) for key, value in network.features.state_dict().items())
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ToonbenchError, match=r"other\.pth"):
        VGG19(tmp_path / "other.pth")
