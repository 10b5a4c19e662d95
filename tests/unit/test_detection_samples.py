"""Detectors on the drawings, films and photographs of the samples, which no network was trained on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toonbench.prepare.detection import Box, overlap
from toonbench.prepare.detectors import detector, missing_detectors
from toonbench.types import Frame
from toonbench.video import iter_frames

LONGER_SIDE = 640
COVERS = 0.35  # overlap (IoU) of a box with the face, whose box was drawn by hand
DRAWN: dict[str, Box] = {  # in pixels of the frame with its longer side at most 640 pixels
    "cartoon_videos/gnr_r0c0_000-056.mp4": (50, 45, 212, 235),
    "cartoon_videos/gnr_r1c0_000-056.mp4": (35, 40, 190, 228),
    "cartoon_videos/gnr_r2c1_000-056.mp4": (42, 45, 207, 228),
    "cartoon_videos/ad_toonyou_01.mp4": (88, 60, 156, 162),
    "cartoon_videos/ad_genshin_01.mp4": (235, 128, 375, 290),
    "cartoon_images/th_lambda_00.png": (210, 100, 310, 195),
    "cartoon_images/th_crypko_00.png": (230, 105, 315, 203),
    "cartoon_images/th_crypko_01.png": (210, 95, 290, 190),
    "cartoon_images/th_crypko_06.png": (215, 95, 300, 200),
    "cartoon_images/dsg_anime_16031200.jpg": (140, 170, 530, 520),
}


def frames_of(path: Path, *, count: int = 8) -> list[Frame]:
    """Frames at even distances; a transparent picture on white."""
    if path.suffix != ".mp4":
        with Image.open(path) as opened:
            image = opened.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        white.alpha_composite(image)
        frames = [np.asarray(white.convert("RGB"))]
    else:
        every = list(iter_frames(path))
        frames = [every[int(k)] for k in np.linspace(0, len(every) - 1, count).round()]
    return [reduced(frame) for frame in frames]


def reduced(frame: Frame) -> Frame:
    scale = min(1.0, LONGER_SIDE / max(frame.shape[:2]))
    size = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
    return frame if scale == 1 else np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))


def found(name: str, folder: Path) -> tuple[int, int]:
    """Drawn frames whose face is found, and boxes elsewhere."""
    detect, hits, elsewhere = detector(name), 0, 0
    for file, box in DRAWN.items():
        for frame in frames_of(folder / file):
            own = [overlap(one.box, box) >= COVERS for one in detect(frame)]
            hits += any(own)
            elsewhere += own.count(False)
    return hits, elsewhere


@pytest.fixture(scope="module")
def visible(shared: Path) -> Path:
    return shared / "samples" / "visible"


def test_the_detector_of_drawn_faces_finds_most_of_the_45_drawn_frames(visible):
    hits, elsewhere = found("drawn", visible)
    assert hits >= 40
    assert elsewhere <= 1


@pytest.mark.slow
def test_all_detectors_together_find_nearly_all_drawn_frames(visible):
    if missing := missing_detectors():
        pytest.skip("; ".join(missing.values()))
    hits, elsewhere = found("fused", visible)
    assert hits >= 43
    assert elsewhere <= 1


def test_no_face_is_found_in_a_film_without_one(visible):
    frames = frames_of(visible / "bad" / "no_face.mp4", count=12)
    assert [detector("drawn")(frame) for frame in frames] == [[]] * 12
