"""Videos and pictures as people have them: HDR, interlaced, untagged, without a rate, held frames, photos, playlists, pointers."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, VideoReformatter
from PIL import Image

from toonbench import video
from toonbench.data.folder import load
from toonbench.prepare.folder import prepare_folder
from toonbench.prepare.options import Options
from toonbench.types import Frame, Frames, ToonbenchError
from toonbench.video import hdr

TO_2020 = np.linalg.inv(hdr.TO_709.astype(np.float64))


def picture(height: int = 64, width: int = 96) -> Frame:
    """A smooth picture with all hues that BT.709 shows, below the highlights that HDR compresses."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.rint(30 + 190 * np.stack([x, y, (1 - x) * (1 - y)], axis=-1)).astype(np.uint8)


def encode(path: Path, frames: list[av.VideoFrame], codec: str, pixels: str, *, times: list[int] | None = None,
           base: Fraction = Fraction(1, 25), options: dict[str, str] | None = None, **tags: int) -> Path:  # fmt: skip
    """Write frames with these colour tags and timestamps (in units of `base`)."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=Fraction(25), options=options or {})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, pixels
        stream.codec_context.time_base = base
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = (times or list(range(len(frames))))[index], base
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def rgb(array: np.ndarray, form: str = "rgb24") -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=form)


# --- HDR -------------------------------------------------------------------------------------------------------------


def hdr_signal(shown: Frame, transfer: int) -> np.ndarray:
    """The 16-bit BT.2020 signal of what an SDR screen shows, by the standards' own formulas."""
    value = shown / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) @ TO_2020.T
    light = np.maximum(light, 0) * 203
    if transfer == hdr.PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = (light / 10_000) ** m1
        signal = ((c1 + c2 * root) / (1 + c3 * root)) ** m2
    else:
        luma = np.maximum(light @ hdr.LUMA / 1000, 1e-9)[..., None]
        scene = light / 1000 * luma ** (1 / 1.2 - 1)
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)
    return np.rint(signal * 65535).astype(np.uint16)


@pytest.mark.parametrize("transfer", [hdr.PQ, hdr.HLG], ids=["PQ", "HLG"])
def test_hdr_video_is_shown_as_on_an_sdr_screen(transfer, tmp_path):
    shown = picture()
    frame = VideoReformatter().reformat(
        rgb(hdr_signal(shown, transfer), "rgb48le"),
        format="yuv420p10le",
        dst_colorspace=9,
        dst_color_range=int(ColorRange.MPEG),
    )
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": int(ColorRange.MPEG)}
    path = encode(tmp_path / "hdr.mkv", [frame] * 2, "ffv1", "yuv420p10le", **tags)
    read = video.read_video(path).frames[0]
    assert np.abs(read.astype(int) - shown).mean() < 2
    assert told(path) == [f"HDR ({hdr.TRANSFERS[transfer]}): tone-mapped to BT.709"]
    untagged = video.read_video(encode(tmp_path / "sdr.mkv", [frame] * 2, "ffv1", "yuv420p10le")).frames[0]
    assert np.abs(untagged.astype(int) - shown).mean() > 8, "without the conversion it is washed out"


@pytest.mark.parametrize("transfer", [hdr.PQ, hdr.HLG])
def test_highlights_of_hdr_keep_their_order_and_their_hue(transfer):
    ramp = np.repeat(np.linspace(0, 65535, 512).astype(np.uint16)[None, :, None], 3, axis=2)
    shown = hdr.to_sdr(ramp, transfer)[0].astype(int)
    assert (np.diff(shown[:, 0]) >= 0).all()
    assert np.ptp(shown, axis=1).max() <= 1, "grey stays grey"
    assert shown[-1, 0] > 245


# --- fields ----------------------------------------------------------------------------------------------------------


def moving(count: int, size: int = 64) -> Frames:
    """A bright bar that moves 3 pixels a frame."""
    frames = np.full((count, size, size, 3), 40, np.uint8)
    for index in range(count):
        frames[index, 8:56, 3 * index : 3 * index + 10] = 210
    return frames


def woven(fields: Frames) -> Frames:
    """Two moments in each frame: even lines of the first, odd lines of the second."""
    frames = fields[::2].copy()
    frames[:, 1::2] = fields[1::2, 1::2]
    return frames


def combing(frames: Frames) -> float:
    """How much neighbouring lines differ beyond lines two apart."""
    grey = frames[..., 1].astype(float)
    return float(np.abs(np.diff(grey, axis=1)).mean() - np.abs(grey[:, 2:] - grey[:, :-2]).mean())


def told(path: Path) -> list[str]:
    done = video.Conversions()
    assert list(video.iter_frames(path, conversions=done))
    return done.lines()


def test_a_prepared_folder_tells_what_was_done_to_the_frames_of_a_clip(tmp_path):
    folder = tmp_path / "own" / "cartoon_videos"
    folder.mkdir(parents=True)
    timed(folder / "uneven.mp4", [0, 40, 80, 240, 280, 320, 480, 520])
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    fields = [rgb(f).reformat(format="yuv420p") for f in woven(moving(16))]
    encode(folder / "tv.mp4", fields, "libx264", "yuv420p", options=options)
    made = load(
        prepare_folder(tmp_path / "own", tmp_path / "cache", options=Options(size=64, crop="none", keep=True)).files
    )
    notes = "\n".join(made.notes)
    assert "interlaced: 8 of 8 frames were deinterlaced" in notes
    assert "uneven timing: 2 gaps between frames differ from the usual one" in notes


def test_interlaced_video_is_deinterlaced(tmp_path):
    fields = moving(16)
    combed = woven(fields)
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1", "crf": "4"}
    path = encode(
        tmp_path / "tv.mp4", [rgb(f).reformat(format="yuv420p") for f in combed], "libx264", "yuv420p", options=options
    )
    read = video.read_video(path)
    assert len(read.frames) == len(combed)
    assert combing(combed) > 5
    assert combing(read.frames[:-1]) < 0.2 * combing(combed)
    moments = [np.abs(read.frames[1:-1].astype(int) - fields[start::2][1:-1]).mean() for start in (0, 1)]
    assert min(moments) < 3, "each frame shows one of its two moments"
    assert np.array_equal(video.FrameReader(path).get([3, 0]), read.frames[[3, 0]])
    progressive = encode(tmp_path / "p.mkv", [rgb(f).reformat(format="bgr0") for f in combed], "ffv1", "bgr0")
    assert np.array_equal(video.read_video(progressive).frames, combed), "what is not flagged stays as it is"
    assert told(path) == [f"interlaced: {len(combed)} of {len(combed)} frames were deinterlaced"]
    assert told(progressive) == []


# --- the matrix ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "matrix"), [(240, 5), (480, 5), (720, 1), (1080, 1)])
def test_an_unstated_matrix_is_taken_from_the_size_as_players_do(height, matrix, tmp_path):
    width = height * 16 // 9 // 2 * 2
    shown = picture(height, width)
    frame = VideoReformatter().reformat(
        rgb(shown), format="yuv444p", dst_colorspace=matrix, dst_color_range=int(ColorRange.MPEG)
    )
    path = encode(tmp_path / "untagged.mkv", [frame], "ffv1", "yuv444p", colorspace=2)
    assert np.abs(video.read_video(path).frames[0].astype(int) - shown).mean() < 1.5


# --- time ------------------------------------------------------------------------------------------------------------


def timed(path: Path, times: list[int], base: Fraction = Fraction(1, 1000)) -> Path:
    frames = [rgb(f).reformat(format="yuv420p") for f in moving(len(times))]
    codec = "libx264" if path.suffix == ".mp4" else "libvpx-vp9"
    return encode(path, frames, codec, "yuv420p", times=times, base=base)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_a_rate_comes_from_the_timestamps_where_the_header_has_none(suffix, tmp_path):
    times = [0, 34, 66, 101, 133, 168, 200, 233]
    info = video.probe(timed(tmp_path / f"recorded{suffix}", times))
    assert info.fps == pytest.approx(7 / 0.233, rel=0.02)
    assert info.uneven == 0


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_uneven_timing_is_kept_and_counted(suffix, tmp_path):
    times = [0, 40, 80, 240, 280, 320, 480, 520]
    path = timed(tmp_path / f"uneven{suffix}", times)
    read, info = video.read_video(path), video.probe(path)
    assert len(read.frames) == 8
    assert info.uneven == 2
    assert info.fps == pytest.approx(7 / 0.52, rel=0.02)


def held_gif(path: Path) -> Path:
    pictures = [Image.fromarray(frame) for frame in moving(6)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[40] * 5 + [2000], loop=0)
    return path


def held_mp4(path: Path) -> Path:
    """The last frame's own duration is two seconds, as editors write a freeze at the end."""
    timed(path.with_suffix(".part.mp4"), [40 * index for index in range(6)])
    with av.open(str(path.with_suffix(".part.mp4"))) as one, av.open(str(path), "w") as other:
        stream = one.streams.video[0]
        copy = other.add_stream_from_template(stream)
        packets = [packet for packet in one.demux(stream) if packet.dts is not None]
        last = max(packets, key=lambda packet: packet.pts)
        for packet in packets:
            packet.stream = copy
            if packet is last:
                packet.duration = round(2 / packet.time_base)
            other.mux(packet)
    return path


@pytest.mark.parametrize(("name", "make"), [("held.gif", held_gif), ("held.mp4", held_mp4)])
def test_a_last_frame_that_is_held_is_sound_and_does_not_change_the_rate(name, make, tmp_path):
    path = make(tmp_path / name)
    assert len(video.read_video(path).frames) == 6
    assert video.probe(path).fps == pytest.approx(25, rel=0.02)


def test_a_file_that_is_cut_off_is_still_noticed(tmp_path):
    whole = timed(tmp_path / "whole.mkv", [40 * index for index in range(20)])
    content = whole.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ToonbenchError, match="is damaged or truncated"):
        video.read_video(tmp_path / "cut.mkv")


# --- what is no video ------------------------------------------------------------------------------------------------

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
TEXTS = {
    "pointer.mp4": (POINTER, "Git LFS pointer"),
    "page.mp4": (b"\n<!DOCTYPE html><html>login</html>", "web page"),
    "list.m3u8": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "playlist"),
    "list.mp4": (b"\xef\xbb\xbf#EXTM3U\nhttp://127.0.0.1:9/a.ts\n", "playlist"),
    "concat.mp4": (b"ffconcat version 1.0\nfile other.mp4\n", "list of files"),
    "dash.mp4": (b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash"></MPD>', "DASH"),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("read", [video.read_video, video.read_image, video.probe])
def test_pointers_pages_and_playlists_are_named(name, read, tmp_path):
    content, told = TEXTS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ToonbenchError, match=told) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["list.ffconcat", "list.m3u8", "session.sdp", "list.txt"])
def test_no_file_makes_the_reader_open_another_file(name, tmp_path):
    """Lists that begin in an unusual way are not opened by FFmpeg's other formats either."""
    timed(tmp_path / "other.mp4", [0, 40, 80])
    text = {
        "list.ffconcat": "file other.mp4\n",
        "list.m3u8": "\n\n  #EXTM3U\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n",
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "list.txt": "file 'other.mp4'\n",
    }[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ToonbenchError):
        video.read_video(tmp_path / name)


@pytest.mark.parametrize(("brand", "kind"), [(b"heic", "HEIC"), (b"mif1", "HEIF")])
@pytest.mark.parametrize("read", [video.read_video, video.read_image])
def test_a_photo_that_is_not_read_is_named_as_its_kind(brand, kind, read, tmp_path, monkeypatch):
    monkeypatch.setattr("toonbench.video.image.find_spec", lambda name: None)
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0" + b"heic" + bytes(64))
    with pytest.raises(ToonbenchError, match=f"is a {kind} photo"):
        read(path)
