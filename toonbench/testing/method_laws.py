"""Laws of methods."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from toonbench.testing.laws import only_if
from toonbench.types import DOMAINS, Domain, Frame, Frames, Method, Motion, TargetMethod

SIZES = ((64, 96), (33, 50), (16, 16))
ONE_LEVEL = 1  # of 255: a network's batches may round differently

COMBINATIONS: tuple[tuple[Motion, tuple[Domain, Domain]], ...] = (
    *(("relative", (own, driving)) for own in DOMAINS for driving in DOMAINS),
    ("absolute", ("cartoon", "real")),
)

AnyMethod = Method | TargetMethod


class MethodSubject:
    """A method under check, built by `build` for each object that is needed."""

    def __init__(self, build: Callable[[], AnyMethod], *, name: str) -> None:
        self.build = build
        self.name = name
        self.method = build()

    def animate(
        self,
        source: Frame,
        driving: Frames,
        *,
        method: AnyMethod | None = None,
        seed: int = 1,
        motion: Motion = "relative",
        domains: tuple[Domain, Domain] = ("cartoon", "real"),
    ) -> Any:
        """The frames that the method returns for a source and a driving video; a method that receives targets gets the moving source."""
        method = method or self.method
        if isinstance(method, TargetMethod):
            target = np.stack([np.roll(source, t, axis=1) for t in range(len(driving))])
            return method.animate_target(source, target, seed=seed)
        return method.animate(
            source, driving, motion=motion, seed=seed, source_domain=domains[0], driving_domain=domains[1]
        )


@functools.cache
def picture(seed: int, height: int = 64, width: int = 96) -> Frame:
    """A random picture."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@functools.cache
def clip(seed: int, *, frames: int = 3, height: int = 80, width: int = 64) -> Frames:
    """A random clip."""
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def declares_itself(subject: MethodSubject) -> str:
    """The method declares its name and revision, and its docstring says what it does."""
    method = subject.method
    faults = [
        (not isinstance(method, Method | TargetMethod), "it has no animate(...), or no name or revision"),  # pyright: ignore
        (
            getattr(method, "name", "") != subject.name,
            f"its name is not '{subject.name}', under which it is registered",
        ),
        (not getattr(method, "revision", ""), "its revision is empty; it must change with code and weights"),
        (not type(method).__doc__, "its class has no docstring"),
    ]
    return "; ".join(text for wrong, text in faults if wrong)


def gives_a_frame_for_every_driving_frame(subject: MethodSubject) -> str:
    """A method gives a uint8 RGB frame in the source's size for every driving frame, in every domain and kind of motion."""
    for motion, domains in COMBINATIONS:
        frames = subject.animate(picture(0), clip(1), motion=motion, domains=domains)
        if why := _wrong_shape(frames, (3, 64, 96, 3)):
            return f"{motion} motion from {domains[1]} to {domains[0]}: {why}"
    return ""


def any_size(subject: MethodSubject) -> str:
    """Source and driving video may have any size, and one driving frame is enough."""
    for height, width in SIZES:
        frames = subject.animate(picture(2, height, width), clip(3, frames=1, height=width, width=height))
        if why := _wrong_shape(frames, (1, height, width, 3)):
            return f"a source of {width}x{height} pixels and a driving frame of {height}x{width}: {why}"
    return ""


def repeats_itself(subject: MethodSubject) -> str:
    """The same arguments and seed give the same frames, after another pair and with a new object."""
    first = subject.animate(picture(0), clip(1))
    subject.animate(picture(4), clip(5), seed=2)
    if not np.array_equal(first, subject.animate(picture(0), clip(1))):
        return "the frames change after another pair was animated: draw random numbers from `seed` alone"
    again = subject.animate(picture(0), clip(1), method=subject.build())
    return "" if np.array_equal(first, again) else "a new object of the class gives other frames"


def keeps_its_inputs(subject: MethodSubject) -> str:
    """A method does not change its source and driving video, and accepts read-only ones."""
    source, driving = picture(0).copy(), clip(1).copy()
    subject.animate(source, driving)
    if not (np.array_equal(source, picture(0)) and np.array_equal(driving, clip(1))):
        return "it writes into the source or the driving video"
    source.flags.writeable = driving.flags.writeable = False
    subject.animate(source, driving)
    return ""


def chunks_give_the_same_frames(subject: MethodSubject) -> str:
    """Driving frames that arrive in chunks give the frames of the whole clip."""
    animate: Any = getattr(subject.method, "animate_chunks", None)
    only_if(animate, "it has no animate_chunks")
    driving = clip(6, frames=5)
    whole = subject.animate(picture(0), driving)
    for size in (1, 2):
        made = animate(
            picture(0),
            _chunks(driving, size),
            motion="relative",
            seed=1,
            source_domain="cartoon",
            driving_domain="real",
        )
        frames = np.concatenate(list(made))
        if why := _wrong_shape(frames, whole.shape):
            return f"in chunks of {size} frames {why}"
        if (apart := int(np.abs(frames.astype(int) - whole).max())) > ONE_LEVEL:
            return f"in chunks of {size} frames the result differs by up to {apart} grey levels"
    return ""


def _chunks(frames: Frames, size: int) -> Iterator[Frames]:
    return (frames[at : at + size] for at in range(0, len(frames), size))


def _wrong_shape(frames: Any, expected: tuple[int, ...]) -> str:
    if not isinstance(frames, np.ndarray):
        return f"the method returned {type(frames).__name__}; return uint8 {expected}"
    wrong = frames.dtype != np.uint8 or frames.shape != expected
    return f"the method returned {frames.dtype} {frames.shape}; return uint8 {expected}" if wrong else ""


METHOD_LAWS = (
    declares_itself,
    gives_a_frame_for_every_driving_frame,
    any_size,
    repeats_itself,
    keeps_its_inputs,
    chunks_give_the_same_frames,
)
