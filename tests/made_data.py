"""A data set of moving blobs, small enough to make anew, with exact targets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

SIZE, LENGTH = 64, 5


def blob(seed: int, *, frames: int = LENGTH, size: int = SIZE, still: bool = False) -> np.ndarray:
    """A textured disc that wanders over a textured ground, (frames, size, size, 3) uint8."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(60, 200, (size, size, 3))
    rows, columns = np.mgrid[:size, :size]
    colour = rng.integers(0, 255, 3)
    start, step = rng.uniform(20, 40, 2), rng.uniform(-3, 3, 2)
    clip = np.empty((frames, size, size, 3), np.uint8)
    for t in range(frames):
        y, x = start + (0 if still else t) * step
        disc = (rows - y) ** 2 + (columns - x) ** 2 < 150
        clip[t] = np.where(disc[..., None], colour, ground)
    return clip


def write_data(
    root: Path, *, videos: int = 3, images: int = 4, targets: bool = True, length: int = LENGTH, size: int = SIZE
) -> Path:
    """A data set in the ordinary layout; every (image, other domain's video) pair has a relative target."""
    from toonbench import video
    from toonbench.data.folder import file_sha256
    from toonbench.data.table import CLIPS, TARGETS

    rows, answers = [], []
    for d, domain in enumerate(("real", "cartoon")):
        for kind, count in (("video", videos), ("image", images)):
            for i in range(count):
                identifier = f"{domain}-{kind}-{i}"
                path = (
                    root
                    / ("clips" if kind == "video" else "images")
                    / f"{identifier}.{'mkv' if kind == 'video' else 'png'}"
                )
                frames = blob(1000 * d + 10 * i + (kind == "image"), frames=length, size=size)
                if kind == "video":
                    video.write_lossless(path, frames, fps=25)
                else:
                    video.write_png(path, frames[0])
                rows.append(
                    {"id": identifier, "file": path.relative_to(root).as_posix(), "domain": domain, "kind": kind,
                     "identity": identifier, "title": "blobs", "split": "test", "fps": 25.0 if kind == "video" else 0.0,
                     "frames": length if kind == "video" else 1, "width": size, "height": size, "provenance": "test",
                     "licence": "Apache-2.0", "sha256": file_sha256(path)}
                )  # fmt: skip
    if targets:
        for source in (r for r in rows if r["kind"] == "image"):
            for driving in (r for r in rows if r["kind"] == "video" and r["domain"] != source["domain"]):
                seed = int(hashlib.sha256(f"{source['id']}{driving['id']}".encode()).hexdigest()[:6], 16)
                path = root / "targets" / f"{source['id']}~{driving['id']}.mkv"
                video.write_lossless(path, blob(seed, frames=length, size=size), fps=25)
                answers.append(
                    {"source": source["id"], "driving": driving["id"], "motion": "relative", "frames": length,
                     "file": path.relative_to(root).as_posix(), "sha256": file_sha256(path)}
                )  # fmt: skip
        TARGETS.write(root, answers)
    CLIPS.write(root, rows)
    return root
