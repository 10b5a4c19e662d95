"""The ground truth of a film: shots, transitions, held frames, tracks, boxes; collected while its frames are drawn.

`docs/puppets.md`, section Films, describes the fields. All ranges of frames are [start, end), all boxes are
[left, top, right, bottom] in pixels of the whole frame, bars included, and may extend beyond it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toonbench.puppets.films.play import Take, boundaries, picture_box
from toonbench.puppets.films.script import OVERLAPS, Part, Script, Shot
from toonbench.puppets.films.shots import Face
from toonbench.store import write_bytes
from toonbench.types import LANDMARKS, Frame

TRUTH_VERSION = 1
FACELESS = frozenset({"landscape", "clouds", "pattern", "lightning", "card", "title", "credits"})
TEXTS = frozenset({"card", "title", "credits"})


@dataclass(slots=True, kw_only=True)
class _Track:
    """A face through a shot, frame by frame from `first` on."""

    shot: int
    part: int
    first: int
    faces: list[Face | None] = field(default_factory=list[Face | None])


class Recorder:
    """Collects the ground truth of a film while its frames pass, and writes it."""

    def __init__(self, script: Script, *, width: int, height: int) -> None:
        self._script, self._width, self._height = script, width, height
        self._tracks = dict[tuple[int, int], _Track]()
        self._same = list[bool]()  # whether each frame equals the one before
        self._last: Frame | None = None

    def watch(self, takes: Iterable[Take]) -> Iterator[Frame]:
        """Yield the frames and record their faces."""
        for t, take in enumerate(takes):
            self._same.append(self._last is not None and np.array_equal(self._last, take.frame))
            self._last = take.frame
            for shot, faces in take.faces.items():
                for part, face in enumerate(faces):
                    track = self._tracks.setdefault((shot, part), _Track(shot=shot, part=part, first=t))
                    track.faces.append(face)
            yield take.frame

    def write(self, truth: Path, landmarks: Path, *, file: str) -> None:
        """Write the ground truth as JSON and the landmarks as NPZ, for the video `file`."""
        tracks = self._visible_tracks()
        _write_landmarks(landmarks, tracks)
        write_bytes(truth, _compact(self._document(tracks, file=file)).encode())

    def _document(self, tracks: Sequence[_Track], *, file: str) -> dict[str, Any]:
        script = self._script
        doubles = {character.look_seed: character.id for character in script.cast}
        return {
            "version": TRUTH_VERSION, "id": script.id, "file": file, "fps": script.fps, "frames": script.frames,
            "width": self._width, "height": self._height, "domain": script.domain, "style": script.style,
            "title": script.title, "seed": script.seed,
            "identities": [
                {"id": character.id, "lookalike_of": None if character.double_of is None else doubles[character.double_of]}
                for character in script.cast
            ],
            "ending": {"kind": "fade_black", "start": script.frames - script.fade_out, "end": script.frames},
            "shots": [self._shot(i) for i in range(len(script.shots))],
            "tracks": [self._track(name, track) for name, track in zip(_names(tracks), tracks, strict=True)],
        }  # fmt: skip

    def _shot(self, index: int) -> dict[str, Any]:
        script, shot = self._script, self._script.shots[index]
        edges, begin = [*boundaries(script), script.frames], script.starts[index]
        start, end = edges[index], edges[index + 1]
        window = picture_box(script, width=self._width, height=self._height)
        return {
            "index": index, "kind": shot.kind, "start": start, "end": end, "seen": [begin, begin + shot.frames],
            "transition_in": _transition(shot, begin, first=index == 0), "relation": shot.relation,
            "faceless": shot.kind in FACELESS, "text": shot.kind in TEXTS, "camera": _camera(shot),
            "held": self._held(start, end), "flashes": _runs([t + begin for t in shot.flashes]),
            "lightning": _runs([t + begin for t in shot.lightning]),
            "letterbox": None if script.bars == (0.0, 0.0) else list(window),
        }  # fmt: skip

    def _held(self, start: int, end: int) -> list[list[int]]:
        """Runs of two or more identical frames of a shot."""
        repeats = _runs([t for t in range(start + 1, end) if self._same[t]])
        return [[first - 1, last] for first, last in repeats]

    def _track(self, name: str, track: _Track) -> dict[str, Any]:
        script = self._script
        part: Part = script.shots[track.shot].parts[track.part]
        shares = [_share(face) for face in track.faces]
        return {
            "id": name, "shot": track.shot, "identity": script.cast[part.character].id, "style": script.style,
            "domain": script.domain, "still": part.still, "start": track.first, "end": track.first + len(shares),
            "share": round(float(np.mean(shares)), 3), "visible": shares,
            "boxes": [_box(face.box) if face and _share(face) else None for face in track.faces],
            "heads": [_box(face.head) if face and _share(face) else None for face in track.faces],
        }  # fmt: skip

    def _visible_tracks(self) -> list[_Track]:
        """Every face that is ever visible, from its first to its last visible frame."""
        kept = list[_Track]()
        for _, track in sorted(self._tracks.items()):
            visible = [i for i, face in enumerate(track.faces) if _share(face)]
            if visible:
                cut = track.faces[visible[0] : visible[-1] + 1]
                kept.append(_Track(shot=track.shot, part=track.part, first=track.first + visible[0], faces=cut))
        return kept


def _share(face: Face | None) -> float:
    return round(face.share, 3) if face else 0.0


def _names(tracks: Sequence[_Track]) -> list[str]:
    return [f"t{i:03d}" for i in range(len(tracks))]


def _transition(shot: Shot, begin: int, *, first: bool) -> dict[str, Any]:
    """The frames of a transition: those with both shots of an overlap, or those of both halves of a fade."""
    start = begin if shot.transition in OVERLAPS or first else begin - shot.overlap // 2
    return {"kind": shot.transition, "start": start, "end": start + shot.overlap}


def _camera(shot: Shot) -> str:
    """The camera's movement in a shot; no movement is a cut."""
    camera = shot.camera
    if camera.start == camera.end:
        return "static"
    if camera.whip:
        return "whip"
    return "pan" if camera.start[2] == camera.end[2] else "zoom"


def _runs(times: Sequence[int]) -> list[list[int]]:
    """Ascending frame numbers as ranges."""
    found = list[list[int]]()
    for t in times:
        if found and found[-1][1] == t:
            found[-1][1] = t + 1
        else:
            found.append([t, t + 1])
    return found


def _box(box: Sequence[float]) -> list[float]:
    return [round(edge, 2) for edge in box]


def _compact(document: dict[str, Any]) -> str:
    """JSON with a line for each shot and each field of a track, so that people can read it."""

    def block(rows: Sequence[Any], indent: str) -> str:
        return (
            "[\n" + ",\n".join(indent + json.dumps(row, separators=(", ", ": ")) for row in rows) + f"\n{indent[1:]}]"
        )

    lines = [
        f' "{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in document.items() if key not in _ROWS
    ]
    lines += [f' "{key}": {block(document[key], "  ")}' for key in _ROWS]
    return "{\n" + ",\n".join(lines) + "\n}\n"


_ROWS = ("shots", "tracks")


def _write_landmarks(path: Path, tracks: Sequence[_Track]) -> None:
    """A row for each face in each frame in which it is visible."""
    rows = [
        (index, track.first + i, face)
        for index, track in enumerate(tracks)
        for i, face in enumerate(track.faces)
        if face and _share(face)
    ]
    points = [face.landmarks for _, _, face in rows]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        track=np.array([index for index, _, _ in rows], dtype=np.int32),
        frame=np.array([frame for _, frame, _ in rows], dtype=np.int32),
        landmarks=np.array(points, dtype=np.float32).reshape(-1, LANDMARKS, 2),
        visible=np.array([face.landmarks_visible for _, _, face in rows], dtype=bool).reshape(-1, LANDMARKS),
    )
    write_bytes(path, buffer.getvalue())
