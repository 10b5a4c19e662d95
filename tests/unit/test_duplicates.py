"""Near-duplicates are found, shots of one scene are not taken for them, and groups do not chain."""

import io
from collections.abc import Callable
from itertools import permutations

import av
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from toonbench.prepare.duplicates import (
    Fingerprint,
    candidates,
    complete_linkage,
    find_duplicates,
    fingerprint,
    perceptual_hashes,
)
from toonbench.types import Frames, ToonbenchError

SIDE = 96


def scene(seed: int) -> Frames:
    """A backdrop of colour, larger than a clip."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(160, 160, 3)), (7, 7, 0))
    return np.clip(noise / noise.std() * 50 + 128, 0, 255).astype(np.uint8)


def clip(seed: int, *, backdrop: int, frames: int = 40) -> Frames:
    """A disc of its own path in front of a backdrop: clips of one backdrop are shots of one scene."""
    path = gaussian_filter(np.random.default_rng(seed).normal(size=(frames, 2)), (6, 0))
    path = SIDE / 2 + path / np.abs(path).max() * 25
    rows, columns = np.mgrid[:SIDE, :SIDE]
    made = np.repeat(scene(backdrop)[None, 30 : 30 + SIDE, 30 : 30 + SIDE], frames, axis=0)
    for frame, (x, y) in zip(made, path, strict=True):
        frame[np.hypot(rows - y, columns - x) < 20] = (240, 200, 170)
    return made


def resized(frames: Frames, side: int) -> Frames:
    return np.stack([np.asarray(Image.fromarray(frame).resize((side, side))) for frame in frames])


def encoded(frames: Frames, *, crf: int) -> Frames:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": str(crf), "threads": "1"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        file.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer, "r") as read:
        return np.stack([frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in read.decode(video=0)])


def other_hue(frames: Frames) -> Frames:
    """Colour turned by 90 degrees at equal luminance (YIQ)."""
    to_yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    turned = np.linalg.inv(to_yiq) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) @ to_yiq
    return np.clip(frames @ turned.T, 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[Frames], Frames]] = {
    "encoded at crf 30": lambda frames: encoded(frames, crf=30),
    "scaled to 90 % and encoded": lambda frames: encoded(resized(frames, 86), crf=30),
    "cropped": lambda frames: resized(frames[:, 4:-2, 1:-5], SIDE),
    "mirrored": lambda frames: frames[:, :, ::-1],
    "faster": lambda frames: frames[(np.arange(32) * 1.25).astype(int)],
    "of another hue": other_hue,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_clip_is_a_duplicate_of_itself(change: str) -> None:
    own, others = clip(1, backdrop=1), {f"other {seed}": fingerprint(clip(seed, backdrop=1)) for seed in range(2, 6)}
    prints = {"own": fingerprint(own), "copy": fingerprint(CHANGES[change](own))} | others
    assert find_duplicates(prints) == [("copy", "own")]


def test_shots_of_one_scene_are_no_duplicates_and_neither_are_clips_of_one_motion() -> None:
    scenes = {f"motion {seed}": fingerprint(clip(seed, backdrop=9)) for seed in range(8)}
    motions = {f"backdrop {seed}": fingerprint(clip(20, backdrop=seed)) for seed in range(8)}
    assert find_duplicates(scenes | motions) == []


def test_a_still_clip_is_a_duplicate_of_its_copy_and_not_of_another_drawing_on_the_same_backdrop() -> None:
    still = {seed: clip(seed, backdrop=3)[:1].repeat(20, axis=0) for seed in range(4)}
    prints = {str(seed): fingerprint(frames) for seed, frames in still.items()}
    prints["copy"] = fingerprint(encoded(still[2], crf=30))
    assert find_duplicates(prints) == [("2", "copy")]


def test_clips_of_equal_content_are_one_group_whatever_they_show() -> None:
    black = np.zeros((5, 16, 16, 3), np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    prints = {name: fingerprint(frames) for name, frames in (("a", noise), ("b", black), ("c", noise), ("d", noise))}
    assert find_duplicates(prints) == [("a", "c", "d")]


def test_the_groups_do_not_depend_on_the_order_of_the_clips() -> None:
    prints = {str(seed): fingerprint(clip(seed, backdrop=1, frames=20)) for seed in range(3)}
    prints["copy"] = fingerprint(clip(1, backdrop=1, frames=20)[:, 2:-2, 2:-2])
    groups = {tuple(find_duplicates(dict(order))) for order in permutations(prints.items())}
    assert groups == {(("1", "copy"),)}


def test_groups_hold_only_names_that_are_all_linked() -> None:
    chain = [(0.1, "a", "b"), (0.2, "b", "c"), (0.3, "c", "d"), (0.4, "d", "e")]
    assert complete_linkage("abcdef", chain) == [("a", "b"), ("c", "d"), ("e",), ("f",)]
    assert complete_linkage("abcde", [*chain[:2], *chain[3:], (0.5, "a", "c")]) == [("a", "b", "c"), ("d", "e")]
    assert complete_linkage("abc", [(0.2, "a", "b"), (0.2, "b", "c")]) == [("a", "b"), ("c",)]


def test_complete_linkage_merges_as_scipy_does() -> None:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    points = np.random.default_rng(4).random((40, 3))
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    names = [f"{number:02}" for number in range(40)]
    edges = [(float(apart[i, j]), names[i], names[j]) for i in range(40) for j in range(i) if apart[i, j] <= 0.5]
    labels = fcluster(linkage(squareform(apart), "complete"), 0.5, "distance")
    expected = sorted(tuple(np.array(names)[labels == label].tolist()) for label in np.unique(labels))
    assert complete_linkage(names, edges) == expected


def test_the_candidates_are_those_of_a_plain_comparison_of_bits() -> None:
    random = np.random.default_rng(1)
    hashes, mirrored = random.integers(0, 2**63, (2, 60, 3), np.uint64)
    hashes[7], mirrored[30] = hashes[50] ^ np.uint64(1), hashes[12]
    expected: list[tuple[int, int, bool]] = []
    for one in range(60):
        for other in range(one + 1, 60):
            apart = [int(np.bitwise_count(hashes[one] ^ form[other]).sum()) for form in (hashes, mirrored)]
            if min(apart) <= int(0.4 * 192):
                expected.append((one, other, apart[1] < apart[0]))
    assert {(7, 50, False), (12, 30, True)} <= set(expected)
    assert list(candidates(hashes, mirrored, near=0.4)) == expected


def test_a_fingerprint_is_the_same_after_it_was_written_and_read() -> None:
    one = fingerprint(clip(1, backdrop=1, frames=7))
    read = Fingerprint.from_json(one.to_json())
    assert (read.content, read.frames) == (one.content, 7)
    np.testing.assert_array_equal(read.pictures, one.pictures)
    np.testing.assert_array_equal(perceptual_hashes(read.pictures), one.hashes)
    with pytest.raises(ToonbenchError, match="cannot be read"):
        Fingerprint.from_json(one.to_json() | {"pictures": "AAAA"})


def test_a_long_clip_is_sampled_at_the_same_shares_of_its_length() -> None:
    grey = np.zeros((1000, 8, 8, 3), np.uint8) + (np.arange(1000) // 5).astype(np.uint8)[:, None, None, None]
    levels = fingerprint(grey).pictures.mean(axis=(1, 2))
    np.testing.assert_allclose(levels, (np.arange(12) + 0.5) / 12 * 200, atol=1.5)
    with pytest.raises(ToonbenchError, match="without frames"):
        fingerprint([])
