"""Laws of methods."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import numpy as np

from toonbench.generate import Options
from toonbench.testing.inputs import face
from toonbench.testing.laws import only_if
from toonbench.types import DOMAINS, ChunkMethod, Domain, Frame, Frames, Method, Motion, TargetMethod, ToonbenchError

WRITES = "it writes into the source or the driving video; change a copy of them"
SIZES = ((64, 96), (33, 50), (16, 16))
ONE_LEVEL = 1  # of 255: a network's batches may round differently

COMBINATIONS: tuple[tuple[Motion, tuple[Domain, Domain]], ...] = (
    *(("relative", (own, driving)) for own in DOMAINS for driving in DOMAINS),
    ("absolute", ("cartoon", "real")),
)

AnyMethod = Method | ChunkMethod | TargetMethod


class MethodSubject:
    """A method under check, built by `build` for each object that is needed.

    A method with `faces_only` (a program) is run on puppets only, and a few times only.
    """

    def __init__(self, build: Callable[[], AnyMethod], *, name: str) -> None:
        self.build = build
        self.name = name
        self.method = build()
        self.faces_only = bool(getattr(self.method, "faces_only", False))

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
        method, source, driving = method or self.method, source.copy(), driving.copy()
        return self.animate_in_place(source, driving, method=method, seed=seed, motion=motion, domains=domains)

    def animate_in_place(
        self,
        source: Frame,
        driving: Frames,
        *,
        method: AnyMethod,
        seed: int = 1,
        motion: Motion = "relative",
        domains: tuple[Domain, Domain] = ("cartoon", "real"),
    ) -> Any:
        """As `animate`, with these arrays themselves."""
        if isinstance(method, TargetMethod):
            target = np.stack([np.roll(source, t, axis=1) for t in range(len(driving))])
            return method.animate_target(source, target, seed=seed)
        options = Options(motion=motion, seed=seed, source_domain=domains[0], driving_domain=domains[1])
        if isinstance(method, Method):
            return method.animate(source, driving, **options)
        return _joined(method.animate_chunks(source, iter([driving]), **options))


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
        (method.name != subject.name, f"its name is '{method.name}' and it is registered as '{subject.name}'"),
        (not isinstance(method.revision, str), f"its revision is {method.revision!r}; use a text"),  # pyright: ignore
        (not method.revision, "its revision is empty; it must change with code and weights"),
        (not type(method).__doc__, "its class has no docstring"),
    ]
    return "; ".join(text for wrong, text in faults if wrong)


def accepts_the_arguments(subject: MethodSubject) -> str:
    """The method accepts the arguments with which it is called."""
    method: Any = subject.method
    options = dict.fromkeys(("motion", "seed", "source_domain", "driving_domain"))
    calls = {"animate": options, "animate_chunks": options, "animate_target": {"seed": None}}
    for name, arguments in calls.items():
        if hasattr(method, name):
            try:
                inspect.signature(getattr(method, name)).bind(None, None, **arguments)
            except TypeError as error:
                given = ", ".join(arguments)
                return f"{name} must accept two positional arguments and the keywords {given}: {error}"
    return ""


def gives_a_frame_for_every_driving_frame(subject: MethodSubject) -> str:
    """A method gives a uint8 RGB frame in the source's size for every driving frame, in every domain and kind of motion."""
    for motion, domains in COMBINATIONS:
        frames = subject.animate(picture(0), clip(1), motion=motion, domains=domains)
        if why := _wrong_shape(frames, (3, 64, 96, 3)):
            return f"{motion} motion from {domains[1]} to {domains[0]}: {why}"
    return ""


def animates_a_face(subject: MethodSubject) -> str:
    """A method gives a uint8 RGB frame in the source's size for every frame of a driving face, of another size."""
    source, driving = _faces()
    return _wrong_shape(subject.animate(source, driving), (len(driving), *source.shape))


def repeats_itself_on_faces(subject: MethodSubject) -> str:
    """The same source, driving face and seed give the same frames."""
    source, driving = _faces()
    first, again = (subject.animate(source, driving) for _ in range(2))
    apart = _levels(first, again) if first.shape == again.shape else 255
    return (
        f"the frames differ by up to {apart} grey levels the second time; draw random numbers from {{seed}}"
        if apart
        else ""
    )


@functools.cache
def _faces() -> tuple[Frame, Frames]:
    """A puppet as the source, enlarged to twice its size, and another one as the driving video."""
    return np.repeat(np.repeat(face(0).frames[0], 2, axis=0), 2, axis=1), face(1).frames


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
    if apart := _levels(first, subject.animate(picture(0), clip(1))):
        return f"the frames differ by up to {apart} grey levels the second time; draw random numbers from `seed` alone, and keep no state"
    subject.animate(picture(4), clip(5), seed=2)
    if apart := _levels(first, subject.animate(picture(0), clip(1))):
        return f"the frames differ by up to {apart} grey levels after another pair was animated; keep no state between pairs"
    again = subject.animate(picture(0), clip(1), method=subject.build())
    apart = _levels(first, again)
    return f"a new object of the class gives frames that differ by up to {apart} grey levels" if apart else ""


def keeps_its_inputs(subject: MethodSubject) -> str:
    """A method does not change its source and driving video, and accepts read-only ones."""
    source, driving = picture(0).copy(), clip(1).copy()
    subject.animate_in_place(source, driving, method=subject.method)
    if not (np.array_equal(source, picture(0)) and np.array_equal(driving, clip(1))):
        return WRITES
    source.flags.writeable = driving.flags.writeable = False
    try:
        subject.animate_in_place(source, driving, method=subject.method)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        return WRITES
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
        frames = _joined(made)
        if why := _wrong_shape(frames, whole.shape):
            return f"in {size}-frame chunks {why}"
        if (apart := int(np.abs(frames.astype(int) - whole).max())) > ONE_LEVEL:
            return (
                f"in {size}-frame chunks the result differs from the whole clip's by up to {apart} grey levels; "
                f"at most {ONE_LEVEL} is allowed"
            )
    return ""


def _joined(chunks: Any) -> Any:
    """The chunks of animate_chunks as one clip."""
    if not isinstance(chunks, Iterable):
        raise ToonbenchError(f"animate_chunks returned {type(chunks).__name__}; yield chunks of uint8 frames")
    parts = list(cast("Iterable[Any]", chunks))
    wrong = [one for one in parts if not isinstance(one, np.ndarray)]
    if wrong or not parts:
        found = type(wrong[0]).__name__ if wrong else "no chunk"
        raise ToonbenchError(f"animate_chunks yielded {found}; yield chunks of uint8 frames")
    return np.concatenate(parts)


def _levels(frames: Frames, others: Frames) -> int:
    """The largest difference of two clips of one shape, in grey levels."""
    return int(np.abs(frames.astype(int) - others).max())


def _chunks(frames: Frames, size: int) -> Iterator[Frames]:
    return (frames[at : at + size] for at in range(0, len(frames), size))


def _wrong_shape(frames: Any, expected: tuple[int, ...]) -> str:
    if not isinstance(frames, np.ndarray):
        return f"the method returned {type(frames).__name__}; return uint8 {expected}"
    wrong = frames.dtype != np.uint8 or frames.shape != expected
    return f"the method returned {frames.dtype} {frames.shape}; return uint8 {expected}" if wrong else ""


METHOD_BASICS = (
    declares_itself,
    accepts_the_arguments,
    gives_a_frame_for_every_driving_frame,
    keeps_its_inputs,
    repeats_itself,
)
METHOD_LAWS = (
    *METHOD_BASICS,
    any_size,
    chunks_give_the_same_frames,
)
FACE_BASICS = (declares_itself, accepts_the_arguments, animates_a_face)
FACE_LAWS = (*FACE_BASICS, repeats_itself_on_faces)
