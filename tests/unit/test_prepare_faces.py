"""One face, throughout: what is cut, kept, refused and noted, on clips made of one photograph and drawn shapes."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from toonbench import video
from toonbench.data.folder import Dataset, load, load_data
from toonbench.data.motion import read_motion
from toonbench.prepare.beginning import best_start, first_frame_remarks
from toonbench.prepare.choose import choose
from toonbench.prepare.detectors import Detection, detector
from toonbench.prepare.face import LONGER_SIDE, Found, cut_frames, find_face
from toonbench.prepare.folder import prepare_folder
from toonbench.prepare.options import Options
from toonbench.prepare.watch import watch
from toonbench.types import CHANNELS, Frame, Frames, ToonbenchError

FACE = pictures.astronaut()[0:256, 96:352]  # the face fills a third of it
SIZE = (256, 150)
WIDE = np.asarray(Image.fromarray(pictures.astronaut()[0:300]).resize(SIZE))
SCENE = np.asarray(Image.fromarray(pictures.coffee()[:300, :512]).resize(SIZE))
OTHER = np.asarray(Image.fromarray(pictures.chelsea()).resize(SIZE))


def still(frame: Frame, count: int) -> Frames:
    """The same frame, each time with a little other noise."""
    noise = np.random.default_rng(0).integers(-2, 3, (count, *frame.shape))
    return np.clip(frame[None].astype(int) + noise, 0, 255).astype(np.uint8)


def found(frames: Frames, **options: object):
    drawn = bool(options.pop("drawn", False))
    return find_face(lambda: iter(frames), Options(**options), fps=25, drawn=drawn)


def plain(root: Path, clips: dict[str, Frames]) -> Path:
    for name, frames in clips.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.fromarray(frames[0]).save(path)
        else:
            video.write_lossless(path, frames, fps=25)
    return root


def prepared(root: Path, clips: dict[str, Frames], **options: object) -> Dataset:
    return load(prepare_folder(plain(root / "set", clips), root / "cache", options=Options(size=64, **options)).files)


# --- the run ---------------------------------------------------------------------------------------------------------


def test_a_sound_clip_is_used_whole_and_without_a_remark():
    choice = found(still(WIDE, 30)).choice
    assert (choice.first, choice.last, choice.faces, choice.remarks, choice.problem) == (0, 30, 30, (), "")


def test_a_face_that_leaves_ends_the_clip():
    padded = np.pad(WIDE, ((0, 0), (300, 0), (0, 0)), mode="edge")
    frames = np.stack([padded[:, 300 - shift : 556 - shift] for shift in [0] * 20 + [30 * n for n in range(1, 10)]])
    choice = found(frames).choice
    assert not choice.problem
    assert choice.first == 0
    assert 20 <= choice.last <= 26, "to the last frame that shows the face"
    assert f"face in {choice.faces} of {len(frames)} frames" in choice.remarks


@pytest.mark.parametrize("second", [SCENE, OTHER], ids=["coffee", "cat"])
@pytest.mark.parametrize("first", [10, 20, 37])
def test_another_scene_is_cut_off_at_its_frame(first, second):
    frames = np.concatenate([still(second, first), still(WIDE, 22)])
    choice = found(frames).choice
    assert (choice.first, choice.last, choice.problem) == (first, first + 22, "")
    assert f"jump at frame {first}" in choice.remarks
    assert f"frames {first} to {first + 21} of 0 to {first + 21} are used" in choice.remarks


def test_motion_that_grows_fast_is_no_jump():
    """The head turns away ever faster, as when somebody looks up; each change is larger than all before it."""
    steps = np.cumsum([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 6, 10, 14])
    frames = np.stack([np.roll(pictures.astronaut()[:256, :512], int(step), axis=1)[:, 96:352] for step in steps])
    assert watch(iter(frames), lambda frame: [], fps=25).cuts == []
    assert watch(
        iter([*frames, np.asarray(Image.fromarray(SCENE).resize((256, 256)))]), lambda frame: [], fps=25
    ).cuts == [len(frames)]


def test_two_frames_of_another_shot_are_noticed():
    frames = np.concatenate([still(WIDE, 20), still(SCENE, 2), still(WIDE, 31)])
    choice = found(frames).choice
    assert (choice.first, choice.last) == (22, 53)
    assert "jump at frame 20, 22" in choice.remarks
    assert "face in 51 of 53 frames" in choice.remarks


def test_a_fade_from_black_begins_with_the_face():
    light = np.concatenate([np.zeros(4), np.linspace(0.05, 1, 12), np.ones(14)])
    frames = (still(WIDE, 30) * light[:, None, None, None]).astype(np.uint8)
    choice = found(frames).choice
    assert 4 <= choice.first <= 12
    assert choice.last == 30
    assert f"frames 0 to {choice.first - 1} are empty" in choice.remarks


def test_a_face_that_crosses_the_picture_is_in_every_frame_of_the_crop():
    cut = FACE[20:180, 50:210][::2, ::2]
    frames = np.full((25, 90, 320, 3), 90, np.uint8)
    for index in range(25):
        frames[index, 5:85, 9 * index : 9 * index + 80] = cut
    one = found(frames)
    assert (one.choice.first, one.choice.last, one.choice.problem) == (0, 25, "")
    assert any(remark.startswith("the face moves far") for remark in one.choice.remarks)
    shown = list(cut_frames(frames, one, size=256))
    detect = detector("mtcnn", low=True)
    assert all(detect(shown[index]) for index in (0, 12, 24))


def test_a_clip_without_a_long_enough_run_fails_with_the_frames_that_show_the_face():
    choice = found(np.concatenate([still(WIDE, 5), still(SCENE, 19)])).choice
    assert choice.problem.startswith("face in 5 of 24 frames; jump at frame 5: no 8 frames in a row")
    kept = found(np.concatenate([still(WIDE, 5), still(SCENE, 19)]), keep=True).choice
    assert (kept.first, kept.last, kept.problem) == (0, 24, "")
    assert "all frames are kept" in kept.remarks


def test_a_missed_detection_between_two_others_does_not_cut_the_clip():
    """The pixels of the face are still there."""
    calls = []

    def flickering(frame: Frame) -> list[Detection]:
        calls.append(1)
        return [] if len(calls) in (3, 4) else [Detection((50, 20, 100, 80), 0.9)]

    watched = watch(still(WIDE, 40), flickering, fps=25)
    choice = choose(watched, size=SIZE, scale=1, crop="auto")
    assert (choice.first, choice.last, choice.remarks) == (0, 40, ())


def test_the_lasting_face_wins_over_a_larger_one_seen_briefly():
    def two(frame: Frame) -> list[Detection]:
        two.calls += 1
        small = Detection((10, 10, 40, 45), 0.9)
        return [small, Detection((100, 0, 210, 130), 0.99)] if two.calls == 2 else [small]

    two.calls = 0
    choice = choose(watch(still(WIDE, 60), two, fps=25), size=SIZE, scale=1, crop="auto")
    assert choice.square is not None
    assert choice.square[0] < 40


@pytest.mark.parametrize("count", [1, 2, 7])
def test_short_clips_are_used_whole_or_not_at_all(count):
    assert found(still(WIDE, count)).choice.last == count
    assert found(still(SCENE, count)).choice.problem


def test_watching_needs_the_memory_of_a_few_frames(monkeypatch):
    alive: list[int] = []

    def frames(count: int):
        for index in range(count):
            yield WIDE.copy()
            alive.append(index)

    watched = watch(frames(200), lambda frame: [Detection((50, 20, 100, 80), 0.9)], fps=25)
    assert watched.frames == 200
    assert len(watched.searched) < 40, "about three times a second"


# --- crops -----------------------------------------------------------------------------------------------------------


def test_a_square_crop_of_a_face_stays_as_it_is_and_a_wide_picture_is_cropped():
    assert found(still(FACE, 10)).choice.square is None
    assert found(still(WIDE, 10)).choice.square is not None
    assert found(still(FACE, 10), crop="face").choice.square is not None
    far = np.pad(FACE, ((300, 300), (300, 300), (0, 0)), mode="edge")
    assert found(still(far, 8)).choice.square is not None, "a square picture in which the face is small"


def test_no_crop_takes_square_pictures_only():
    assert found(still(FACE, 10), crop="none").choice.square is None
    assert "--crop none needs square pictures" in found(still(WIDE, 10), crop="none").choice.problem


def drawn_face(size: int = 128) -> Frame:
    y, x = np.mgrid[:size, :size] / size - 0.5
    picture = np.full((size, size, 3), (250, 220, 160), np.uint8)
    picture[x**2 + y**2 < 0.16] = (255, 240, 120)
    picture[(abs(abs(x) - 0.15) < 0.05) & (abs(y + 0.1) < 0.08)] = (20, 20, 60)
    return picture


def test_drawings_cropped_by_hand_are_never_refused(tmp_path):
    data = prepared(
        tmp_path, {"cartoon_images/a.png": drawn_face()[None], "cartoon_videos/b.mkv": still(drawn_face(), 12)}
    )
    assert [clip.problem for clip in data.clips] == ["", ""]
    image = next(clip for clip in data.clips if clip.kind == "image")
    assert np.array_equal(
        video.read_image(image.path),
        np.asarray(Image.fromarray(drawn_face()).resize((64, 64), Image.Resampling.BICUBIC)),
    )
    assert sum("the picture is used as it is" in note for note in data.notes) == 2


def test_an_empty_picture_is_refused_everywhere(tmp_path):
    blank = np.full((12, 64, 64, 3), 7, np.uint8)
    data = prepared(tmp_path, {"cartoon_images/a.png": blank, "real_videos/b.mkv": blank}, crop="none")
    assert all("it is empty" in clip.problem for clip in data.clips)


def test_the_folder_states_how_each_clip_was_cut(tmp_path):
    import pandas as pd

    clips = {
        "real_videos/cut.mkv": np.concatenate([still(SCENE, 10), still(WIDE, 20)]),
        "real_videos/face.mkv": still(FACE, 8),
    }
    data = prepared(tmp_path, clips)
    table = pd.read_parquet(data.root / "metadata.parquet").set_index("original")
    row = table.loc["real_videos/cut.mkv"]
    assert (row["first"], row["frames"], row["detected"], row["picture"]) == (10, 20, round(20 / 30, 4), "256,150")
    left, top, side = map(int, row["box"].split(","))
    face = table.loc["real_videos/face.mkv"]
    assert (face["first"], face["frames"], face["detected"], face["box"], face["remarks"]) == (0, 8, 1.0, "0,0,256", "")
    assert "real_videos: 1 cropped to the face, 1 used as they are" in data.notes
    assert any("jump at frame 10" in note for note in data.notes)
    frames = video.read_video(next(clip.path for clip in data.clips if clip.frames == 20)).frames
    source = clips["real_videos/cut.mkv"][10]
    rows, columns = (np.clip(np.arange(a, a + side), 0, n - 1) for a, n in ((top, 150), (left, 256)))
    cut = Image.fromarray(source[rows[:, None], columns]).resize((64, 64), Image.Resampling.BICUBIC)
    assert np.array_equal(frames[0], np.asarray(cut))


def test_unknown_options_are_refused():
    for options in ({"crop": "tight"}, {"detector": "haar"}, {"fps": -1}, {"size": 2}):
        with pytest.raises(ToonbenchError):
            Options(**options)


def test_large_frames_are_searched_small_and_cropped_large():
    large = np.asarray(Image.fromarray(WIDE).resize((1024, 600)))
    small = found(still(WIDE, 8)).choice.square
    one = found(np.repeat(large[None], 8, axis=0)).choice.square
    assert small is not None
    assert one is not None
    assert np.allclose(np.array(one) / 4, small, atol=5)
    assert max(large.shape) > LONGER_SIDE


def turning(frontal_from: int):
    """A detector whose face turns to the camera at its call number `frontal_from`."""
    frontal, turned = (np.array([[50, 50], [80, 50], [x, 65], [55, 80], [75, 80]], float) for x in (65, 82.5))
    calls = iter(range(1000))

    def detect(frame: Frame) -> list[Detection]:
        return [Detection((40, 25, 90, 95), 0.9, turned if next(calls) < frontal_from else frontal)]

    return detect


def noted(detect, frames: Frames) -> Found:
    watched = watch(frames, detect, fps=25)
    return Found(size=SIZE, choice=choose(watched, size=SIZE, scale=1, crop="auto"), watched=watched)


def test_a_turned_head_in_the_first_frame_is_noted_and_the_best_start_avoids_it():
    frames = still(WIDE, 30)
    turned, frontal = noted(turning(2), frames), noted(turning(0), frames)
    assert first_frame_remarks(frontal, FACE) == []
    (remark,) = first_frame_remarks(turned, FACE)
    assert remark.startswith("the head is turned by about 44° in the first frame")
    best = best_start(turned, lambda: iter(frames), size=128).choice
    assert (best.first, best.last) == (8, 30)
    assert best.remarks[-1] == "begins at its best reference, frame 8 instead of 0"
    late = noted(turning(6), frames)
    assert best_start(late, lambda: iter(frames), size=128).choice.first == 0, "half of the clip remains"


def puppet_frames() -> Iterator[tuple[Frame, dict[str, float]]]:
    """Frames of the shipped driving videos with their ground-truth motion."""
    for clip in load_data("puppets@2").clips:
        if clip.kind == "video" and clip.motion is not None and clip.domain == "real":
            rig = read_motion(clip.motion, fps=clip.fps).rig
            at = {
                0,
                int(rig[:, CHANNELS.index("jaw_open")].argmax()),
                int(rig[:, CHANNELS.index("blink_left")].argmax()),
            }
            for index, frame in enumerate(video.iter_frames(clip.path)):
                if index in at:
                    yield frame, dict(zip(CHANNELS, rig[index].tolist(), strict=True))


def test_an_open_mouth_and_closed_eyes_in_the_first_frame_are_noted():
    seen = noted(turning(0), still(WIDE, 9))
    counts = Counter()
    for frame, rig in puppet_frames():
        remarks = " ".join(first_frame_remarks(seen, frame))
        eyes = min(rig["blink_left"], rig["blink_right"])
        if rig["jaw_open"] > 0.5 or rig["jaw_open"] < 0.2:
            counts["mouth", rig["jaw_open"] > 0.5, "the mouth is open" in remarks] += 1
        if eyes > 0.99 or eyes < 0.5:
            counts["eyes", eyes > 0.99, "the eyes are closed" in remarks] += 1
    assert counts["mouth", True, False] == 0
    assert counts["eyes", True, True] >= 2 * counts["eyes", True, False], "the network sees some closed eyes as narrow"
    for part in ("mouth", "eyes"):
        assert counts[part, True, True] >= 3
        assert counts[part, False, True] == 0
        assert counts[part, False, False] >= 10


def test_the_start_of_a_folder_can_be_its_best_reference(tmp_path):
    """A puppet that opens its mouth, backwards: the best reference is where the mouth is closed."""
    clip = next(one for one in load_data("puppets@2").clips if one.id.endswith("real-v0000"))
    rig = read_motion(clip.motion, fps=clip.fps).rig[:, CHANNELS.index("jaw_open")]
    frames = video.read_video(clip.path).frames[: int(rig.argmax()) + 1][::-1]
    clips = {"real_videos/a.mkv": np.concatenate([frames[:12], np.repeat(frames[-1:], 20, axis=0)])}
    first, best = (prepared(tmp_path / start, clips, crop="none", start=start) for start in ("first", "best"))
    assert any("the mouth is open in the first frame" in note for note in first.notes)
    assert any("begins at its best reference, frame" in note for note in best.notes)
    assert not any("the mouth is open" in note for note in best.notes)
    assert first.clips[0].frames / 2 <= best.clips[0].frames < first.clips[0].frames


def test_large_videos_are_reduced_as_they_are_decoded_for_the_search(tmp_path, monkeypatch):
    """The crop comes from the full frames, and its square is that of a search in frames that were reduced later."""
    large = np.asarray(Image.fromarray(WIDE).resize((1280, 750), Image.Resampling.BICUBIC))
    frames = np.repeat(large[None], 9, axis=0)
    sizes: set[tuple[int, ...]] = set()
    read = video.iter_frames

    def counted(*arguments: object, **options: object) -> Iterator[Frame]:
        for frame in read(*arguments, **options):
            sizes.add(frame.shape[:2])
            yield frame

    monkeypatch.setattr(video, "iter_frames", counted)
    data = prepared(tmp_path, {"real_videos/large.mkv": frames})
    (clip,) = data.clips
    assert sizes == {(375, 640), (750, 1280)}
    square = found(frames).choice.square
    assert clip.picture == "1280,750"
    assert np.abs(np.subtract([int(part) for part in clip.box.split(",")], square)).max() <= 8
