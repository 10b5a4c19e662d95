"""Reading and writing pixels: what is read is what ffplay shows, damage is never silent, lossless is lossless."""

import errno
import gc
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from toonbench import video
from toonbench.types import CannotWrite, Frames, ToonbenchError
from toonbench.video.coding import coding

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "visible"
BAD = SAMPLES / "bad"
needs_samples = pytest.mark.skipif(not BAD.is_dir(), reason="needs ../shared/samples beside the checkout")
UNREADABLE_VIDEOS = {
    "a_directory.mp4": "folder",
    "audio_only.mp4": "no video stream",
    "corrupt_middle.mp4": "damaged",
    "html_page_saved_as.avi": "web page",
    "text_renamed.mp4": "not a video",
    "truncated_faststart.mp4": "truncated",
    "truncated_moov_missing.mp4": "truncated",
    "zero_byte.mp4": "0 bytes",
}
UNREADABLE_IMAGES = {
    "bomb_30000x30000.png": "megapixels",
    "bomb_16000x16000.png": "megapixels",
    "huge_20000x50.png": "20000x50",
    "truncated.jpg": "truncated",
    "truncated.png": "truncated",
    "zero_byte.png": "0 bytes",
}


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """A reader that hangs in native code fails here instead of stopping the suite."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(signum: int, frame: object) -> None:
        raise TimeoutError("hung for 60 seconds")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


def moving_picture(frames: int = 12, height: int = 48, width: int = 64) -> Frames:
    """Smooth, colourful, different in every frame and asymmetric, so that every flip and shift shows."""
    t, y, x = np.meshgrid(np.arange(frames) / 10, np.arange(height) / height, np.arange(width) / width, indexing="ij")
    channels = [127 + 120 * np.sin(3 * x + 2 * y + t), 250 * x * (1 - y / 2), 40 + 200 * y * np.cos(t / 3) ** 2]
    return np.stack(channels, axis=-1).astype(np.uint8)


def encode(
    path: Path, frames: Frames, codec: str = "libx264", pixels: str = "yuv420p", **stream_fields: object
) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        for name, value in stream_fields.items():
            setattr(stream.codec_context, name, value)
        for array in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        output.mux(stream.encode())
    return path


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def far(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


# -------------------------------------------------------------------------------------------------------------- lossless


@pytest.mark.parametrize("codec", ["ffv1", "ffv1-fast", "h264"])
@pytest.mark.parametrize("size", [(48, 64), (33, 35), (1, 1), (2, 256)])
def test_lossless_files_return_every_pixel(tmp_path: Path, codec: video.write.Codec, size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, *size, 3), dtype=np.uint8)
    video.write_lossless(tmp_path / "a.mkv", frames, fps=25, codec=codec)
    np.testing.assert_array_equal(video.read_video(tmp_path / "a.mkv").frames, frames)
    assert names(tmp_path) == ["a.mkv"]


def test_a_file_that_another_program_encoded_again_is_not_ours_though_it_has_our_tags(tmp_path: Path) -> None:
    own, other = tmp_path / "own.mkv", tmp_path / "other.mkv"
    video.write_lossless(own, np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), dtype=np.uint8), fps=10)
    with av.open(str(own)) as source, av.open(str(other), "w") as target:
        assert any(name.startswith("TOONBENCH") for name in source.metadata)
        target.metadata.update(source.metadata)
        stream = target.add_stream("libx264", rate=10, options={"crf": "30"})
        stream.width = stream.height = 16
        for index, frame in enumerate(source.decode(video=0)):
            if index < 4:
                target.mux(stream.encode(frame.reformat(16, 16, "yuv420p")))
        target.mux(stream.encode())
    assert coding(own).loss == "lossless"
    assert coding(other).loss == "lossy"
    assert len(video.read_video(other).frames) == 4
    assert video.probe(other).frames in (0, 4)


@pytest.mark.parametrize("codec", ["ffv1", "ffv1-fast", "h264"])
def test_the_same_frames_give_the_same_bytes_in_another_process(tmp_path: Path, codec: video.write.Codec) -> None:
    video.write_lossless(tmp_path / "here.mkv", moving_picture(), fps=29.97, codec=codec)
    np.save(tmp_path / "frames.npy", moving_picture())
    code = (
        "import sys, pathlib, numpy; from toonbench import video; folder = pathlib.Path(sys.argv[1]);"
        "video.write_lossless(folder / 'there.mkv', numpy.load(folder / 'frames.npy'), fps=29.97, codec=sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path), codec], check=True, timeout=60)
    assert (tmp_path / "here.mkv").read_bytes() == (tmp_path / "there.mkv").read_bytes()


@pytest.mark.parametrize("fps", [7.5, 24000 / 1001, 25, 29.97, 30, 60])
def test_the_rate_and_the_count_survive_the_round_trip(tmp_path: Path, fps: float) -> None:
    video.write_lossless(tmp_path / "a.mkv", moving_picture(), fps=fps)
    info = video.probe(tmp_path / "a.mkv")
    assert info.fps == pytest.approx(fps, rel=1e-4)
    assert (info.frames, info.width, info.height, info.codec) == (12, 64, 48, "ffv1")


@pytest.mark.parametrize("codec", ["ffv1", "ffv1-fast", "h264"])
def test_a_changed_byte_in_a_lossless_file_is_noticed(tmp_path: Path, codec: video.write.Codec) -> None:
    path = tmp_path / "a.mkv"
    video.write_lossless(path, moving_picture(), fps=25, codec=codec)
    data = bytearray(path.read_bytes())
    middle = len(data) * 2 // 3
    data[middle : middle + 8] = bytes(255 - byte for byte in data[middle : middle + 8])
    path.write_bytes(data)
    with pytest.raises(ToonbenchError, match=r"a\.mkv"):
        video.read_video(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "ffv1"), ("a.mp4", "libx264"), ("a.webm", "libvpx-vp9"), ("a.gif", "gif")]
)
def test_a_file_that_is_cut_off_raises_instead_of_returning_fewer_frames(
    tmp_path: Path, name: str, codec: str, share: float
) -> None:
    path = tmp_path / name
    frames = moving_picture(30)
    if codec == "ffv1":
        video.write_lossless(path, frames, fps=25)
    else:
        encode(path, frames, codec, "rgb8" if codec == "gif" else "yuv420p")
    assert len(video.read_video(path).frames) == 30
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ToonbenchError, match=name):
        video.read_video(path)


@pytest.mark.parametrize(
    ("frames", "fps"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), 25),
        (np.zeros((2, 8, 8, 3), np.float32), 25),
        (np.zeros((2, 8, 8), np.uint8), 25),
        (np.zeros((2, 8, 8, 4), np.uint8), 25),
        (np.zeros((2, 8, 8, 3), np.uint8), 0),
        (np.zeros((2, 8, 8, 3), np.uint8), float("nan")),
    ],
)
def test_frames_that_are_no_video_are_refused(tmp_path: Path, frames: Frames, fps: float) -> None:
    with pytest.raises(ToonbenchError, match="must"):
        video.write_lossless(tmp_path / "a.mkv", frames, fps=fps)
    assert not names(tmp_path)


def test_a_full_disk_is_told_and_leaves_the_old_file_and_no_partial_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(b"old")

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    for write in (
        lambda: video.write_lossless(path, moving_picture(), fps=25),
        lambda: video.write_for_viewing(path, moving_picture(), fps=25),
        lambda: video.write_png(path, moving_picture()[0]),
    ):
        with pytest.raises(CannotWrite, match=r"a\.mkv: the disk is full"):
            write()
    assert names(tmp_path) == ["a.mkv"]
    assert path.read_bytes() == b"old"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ToonbenchError, match=r"cannot write .*a part of the path is a file"):
        video.write_png(tmp_path / "file" / "a.png", moving_picture()[0])


def test_a_png_returns_every_pixel(tmp_path: Path) -> None:
    frame = moving_picture()[3]
    video.write_png(tmp_path / "deep" / "a.png", frame)
    np.testing.assert_array_equal(video.read_image(tmp_path / "deep" / "a.png"), frame)


def test_viewing_copies_keep_the_colours_and_pad_odd_sizes(tmp_path: Path) -> None:
    frames = moving_picture(6, 129, 131)
    video.write_for_viewing(tmp_path / "a.mp4", frames, fps=25)
    seen = video.read_video(tmp_path / "a.mp4").frames
    assert seen.shape == (6, 130, 132, 3)
    assert far(seen[:, :129, :131], frames) < 3


# --------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv444p"),
        ("a.mkv", "libx264", "yuv420p10le"),
        ("a.mkv", "libx264", "gray"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj444p"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.mkv", "libx265", "yuv420p"),
    ],
)
def test_every_pixel_format_comes_back_as_rgb(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    frames = moving_picture()
    path = encode(tmp_path / name, frames, codec, pixels)
    seen = video.read_video(path)
    assert seen.frames.shape == frames.shape
    assert seen.fps == 25
    wanted = frames if pixels != "gray" else frames @ np.array([0.299, 0.587, 0.114])[:, None] * np.ones(3)
    assert far(seen.frames, wanted) < 6


def test_transparent_video_lies_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((3, 16, 16, 4), np.uint8)
    rgba[..., 3] = np.linspace(0, 255, 16).astype(np.uint8)
    with av.open(str(tmp_path / "a.mov"), "w") as output:
        stream = output.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "rgba"
        for array in rgba:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgba")))
        output.mux(stream.encode())
    seen = video.read_video(tmp_path / "a.mov").frames
    np.testing.assert_array_equal(seen[0, 0, :, 0], 255 - rgba[0, 0, :, 3])


def test_non_square_pixels_become_square_in_width(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", moving_picture(), sample_aspect_ratio=Fraction(3, 2))
    assert video.read_video(path).frames.shape == (12, 48, 96, 3)
    assert (video.probe(path).width, video.probe(path).height) == (96, 48)


def test_max_frames_reads_the_first_ones_even_of_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    video.write_lossless(path, moving_picture(), fps=25)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    np.testing.assert_array_equal(video.read_video(path, max_frames=3).frames, moving_picture()[:3])
    with pytest.raises(ToonbenchError, match="max_frames"):
        video.read_video(path, max_frames=0)


def test_a_video_whose_size_changes_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.avi"), "w") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for size in ((48, 64), (32, 32)):
            jpeg = io.BytesIO()
            Image.fromarray(np.zeros((*size, 3), np.uint8)).save(jpeg, format="JPEG")
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.pts, packet.dts = stream, 0 if size[0] == 48 else 1, 0 if size[0] == 48 else 1
            output.mux(packet)
    with pytest.raises(ToonbenchError, match="another size"):
        video.read_video(tmp_path / "a.avi")


@pytest.mark.parametrize("read", [video.read_video, video.read_image, video.probe, video.FrameReader])
@pytest.mark.parametrize(
    "content", [None, b"", b"hello", b"<html></html>", b"#EXTM3U\n#EXTINF:1\nhttp://192.0.2.1/a.ts\n"]
)
def test_what_is_no_video_or_image_is_named_in_one_line(tmp_path: Path, read: object, content: bytes | None) -> None:
    path = tmp_path / "thing.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ToonbenchError, match=r"thing\.mp4") as caught:
        read(path)  # pyright: ignore[reportCallIssue]
    assert "\n" not in str(caught.value)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(ToonbenchError, match="regular file"):
        video.read_video(tmp_path / "pipe.mp4")


def test_sound_with_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.rate = 8000
        output.mux(stream.encode(sound))
    with pytest.raises(ToonbenchError, match="no video stream"):
        video.read_video(tmp_path / "a.wav")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "a.png", "a.jpg"])
def test_random_damage_gives_frames_or_our_error_and_nothing_else(tmp_path: Path, name: str, seed: int) -> None:
    path = tmp_path / name
    if path.suffix in (".png", ".jpg"):
        Image.fromarray(moving_picture()[0]).save(path)
    else:
        codec = {".mp4": "libx264", ".webm": "libvpx-vp9", ".gif": "gif"}[path.suffix]
        encode(path, moving_picture(), codec, "rgb8" if codec == "gif" else "yuv420p")
    random = np.random.default_rng(seed)
    data = bytearray(path.read_bytes())
    for _ in range(6):
        data[random.integers(len(data))] = random.integers(256)
    path.write_bytes(data)
    for read in (lambda: video.read_video(path).frames, lambda: video.read_image(path)):
        with suppress(ToonbenchError):
            assert read().dtype == np.uint8


# ---------------------------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    frame = moving_picture()[0]
    stored = {
        1: frame,
        2: frame[:, ::-1],
        3: frame[::-1, ::-1],
        4: frame[::-1],
        5: frame.transpose(1, 0, 2),
        6: np.rot90(frame, 1),
        7: frame.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(frame, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(video.read_image(tmp_path / "a.png"), frame)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    np.testing.assert_array_equal(video.read_image(tmp_path / "a.png")[..., 1], np.arange(256).reshape(16, 16))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB"])
def test_image_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(moving_picture()[0])
    path = tmp_path / "a.tif"
    picture.convert(mode) if mode != "LAB" else picture
    picture.convert("L" if mode == "LAB" else mode).save(path)
    frame = video.read_image(path)
    assert (frame.shape, frame.dtype) == ((48, 64, 3), np.uint8)


def test_transparent_images_lie_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    frame = video.read_image(tmp_path / "a.png")
    assert (frame[:2] == 0).all()
    assert (frame[2:] == 255).all()


def test_animated_webp_is_a_video_and_its_first_frame_an_image(tmp_path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in moving_picture(5)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=50, lossless=True)
    seen = video.read_video(tmp_path / "a.webp")
    np.testing.assert_array_equal(seen.frames, moving_picture(5))
    assert seen.fps == pytest.approx(20)
    np.testing.assert_array_equal(video.read_image(tmp_path / "a.webp"), moving_picture(5)[0])


# --------------------------------------------------------------------------------------------------------- random access


@pytest.mark.parametrize("decord", [True, False])
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("a.mkv", "ffv1", {}), ("b.mkv", "h264", {}), ("a.mp4", "libx264", {"gop_size": 7}), ("a.webm", "libvpx-vp9", {})],
)
def test_random_access_returns_the_frames_of_a_full_read(
    tmp_path: Path, name: str, codec: str, options: dict[str, int], decord: bool
) -> None:
    path, frames = tmp_path / name, moving_picture(30)
    if name.endswith(".mkv"):
        video.write_lossless(path, frames, fps=25, codec="ffv1" if codec == "ffv1" else "h264")
    else:
        encode(path, frames, codec, **options)
    whole = video.read_video(path).frames
    reader = video.FrameReader(path, decord=decord)
    assert len(reader) == 30
    for indices in ([0], [29], [5, 4, 5, 28, 0], list(range(30)), [20, 21, 3]):
        np.testing.assert_array_equal(reader.get(indices), whole[indices])
    with pytest.raises(ToonbenchError, match="frame 30"):
        reader.get([30])


def test_decord_is_used_where_it_agrees(tmp_path: Path) -> None:
    pytest.importorskip("decord")
    video.write_lossless(tmp_path / "a.mkv", moving_picture(), fps=25)
    assert video.FrameReader(tmp_path / "a.mkv").backend == "decord"


# --------------------------------------------------------------------------------------------------------------- samples


@needs_samples
@pytest.mark.parametrize("path", sorted(BAD.glob("*")), ids=lambda path: path.name)
def test_every_bad_sample_gives_frames_or_a_line_that_says_why(path: Path) -> None:
    is_image = path.suffix in (".png", ".jpg")
    unreadable = UNREADABLE_IMAGES if is_image else UNREADABLE_VIDEOS
    if path.name in unreadable:
        with pytest.raises(ToonbenchError, match=unreadable[path.name]) as caught:
            video.read_image(path) if is_image else video.read_video(path)
        assert path.name in str(caught.value)
    else:
        frames = video.read_image(path)[None] if is_image else video.read_video(path).frames
        assert frames.dtype == np.uint8
        info = video.probe(path)
        assert frames.shape[1:3] == (info.height, info.width)


@needs_samples
@pytest.mark.parametrize(
    ("name", "count"),
    [("vfr.mp4", 30), ("one_frame.mp4", 1), ("two_frames.mp4", 2), ("nonzero_start.mp4", 30), ("av1.mp4", 15)],
)
def test_no_frame_is_lost_or_repeated(name: str, count: int) -> None:
    assert len(video.read_video(BAD / name).frames) == count


@needs_samples
def test_turned_videos_are_read_upright() -> None:
    upright = video.read_video(BAD / "static.mp4").frames[0]
    phone = video.read_video(BAD / "rotation_phone_style.mp4").frames[0]
    assert phone.shape == (224, 256, 3)
    assert far(phone, upright[16:240]) < 12
    turned = video.read_video(BAD / "rotation_90_metadata.mp4").frames[0]
    assert far(np.rot90(turned, 1), upright) < 12


@needs_samples
def test_squeezed_pixels_are_read_unsqueezed() -> None:
    assert far(video.read_video(BAD / "sar_2to1.mp4").frames[0], video.read_video(BAD / "static.mp4").frames[0]) < 12


@needs_samples
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*_videos/*.mp4")), ids=lambda path: path.name)
def test_decord_and_pyav_agree_on_real_files(path: Path) -> None:
    count = len(video.FrameReader(path))
    indices = [0, count // 2, count - 1]
    fast, plain = video.FrameReader(path).get(indices), video.FrameReader(path, decord=False).get(indices)
    np.testing.assert_array_equal(fast, plain)


def test_frames_are_reduced_as_they_are_decoded(tmp_path):
    y, x = np.mgrid[:120, :240]
    frames = np.stack([np.stack([x, y, x // 2 + y // 2 + step], axis=-1) for step in range(3)]).astype(np.uint8)
    video.write_lossless(tmp_path / "a.mkv", frames, fps=25)
    reduced = np.stack(list(video.iter_frames(tmp_path / "a.mkv", longest=60)))
    assert reduced.shape == (3, 30, 60, 3)
    means = frames.reshape(3, 30, 4, 60, 4, 3).mean(axis=(2, 4))
    assert np.abs(reduced - means).max() <= 2
    assert np.array_equal(np.stack(list(video.iter_frames(tmp_path / "a.mkv", longest=240))), frames)


def test_decoded_frames_are_freed_without_the_garbage_collector(tmp_path):
    frames = np.zeros((40, 32, 32, 3), np.uint8)
    video.write_lossless(tmp_path / "clip.mkv", frames, fps=25)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        assert sum(1 for _ in video.iter_frames(tmp_path / "clip.mkv")) == 40
        gc.collect()
        kept = [one for one in gc.garbage if type(one).__name__ == "VideoFrame"]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert len(kept) <= 1  # the first, whose side data is read
