"""ToonTalker as a method of the benchmark: a source image and a driving clip to a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, get_args

import numpy as np

from toonbench.networks.animation import (
    ChunkedMethod,
    batch_size,
    batches,
    check_pixels,
    frames_of,
    planes,
    resized,
    shrunk,
)
from toonbench.training.trained_on import KEY, TrainedOn
from toonbench.types import DOMAINS, Domain, Frame, Frames, GoldenCheck, Motion, ToonbenchError
from toonbench.weights.checkpoints import file_digest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from toonbench.training.clips import ClipNeeds, TrainingClips

    from .config import Paired

CODE_VERSION = "1"  # raised whenever the same weights come to mean other pixels
CPU_PIXELS = 256**2  # per forward pass: larger maps exceed the caches, and each needs new memory from the system
Direction = Literal[
    "real2cartoon", "cartoon2real", "real", "cartoon"
]  # the domain of the driving video to that of the source, or one for both


class ToonTalker(ChunkedMethod):
    """The paper's model. Without a checkpoint, the mini weights that come with this package (see weights/README.md).

    checkpoint: an official .pt/.pth, in-domain or cross-domain, or a .safetensors that `toonbench train` exported.
    batch: most driving frames per forward pass; a CPU takes fewer large ones.
    direction: fixes the domains, and those of a call are ignored.
    Raises ToonbenchError for a missing, damaged or foreign checkpoint.
    """

    name: ClassVar[str] = "toontalker"
    paired: ClassVar[Paired] = ""  # the kind of paired training that its weights have; see `toontalker.paired`

    def __init__(
        self,
        *,
        checkpoint: Path | None = None,
        device: str = "cpu",
        batch: int = 8,
        direction: Direction | None = None,
    ) -> None:
        from toonbench.networks.stylegan2 import prepared

        from .weights_io import check_paired, load_network, notes_of

        if direction is not None and direction not in get_args(Direction):
            raise ToonbenchError(f"direction {direction!r} is unknown; choose one of {', '.join(get_args(Direction))}")
        path = Path(checkpoint) if checkpoint else self.included()
        self._network = prepared(load_network(path)).to(device)
        self._batch = batch_size(batch, device=device, on_cpu=CPU_PIXELS // self._network.pixels)
        digest = file_digest(path)
        self.revision = f"{CODE_VERSION}-{digest[:10]}"
        notes = notes_of(path)
        check_paired(notes, path=path, expected=self.paired)
        size = self._network.domain("real").config.size
        self.checkpoint = {
            "file": path.name,
            "sha256": digest,
            "variant": f"paired training, {self.paired}, {size} px" if self.paired else self._network.variant,
            **training_facts(notes),
        }
        self.trained_on = TrainedOn.from_dict(notes.get(KEY))
        self._device = device
        self._direction: Direction | None = direction
        self._size = size

    @classmethod
    def included(cls) -> Path:
        """The weights that come with this package."""
        from .weights_io import MINI

        return MINI

    def animate_chunks(
        self,
        source: Frame,
        driving: Iterator[Frames],
        *,
        motion: Motion,
        seed: int,  # noqa: ARG002 - nothing here is drawn
        source_domain: Domain = "cartoon",
        driving_domain: Domain = "real",
    ) -> Iterator[Frames]:
        """Yield as many frames as the chunks of `driving` have, RGB uint8, in the source's size.

        `source` is (h, w, 3), a chunk (t, h, w, 3), both RGB uint8 of any size; their aspect is ignored, as the
        published demo does. "relative" moves the pose of the source as the driving video moved since its first frame
        (Eq. 5, 6), "absolute" takes the pose of the driving video (Eq. 3). A batch is filled across chunks, so the frames do not
        depend on how a clip is cut.
        """
        import torch

        of, by = self._domains(source_domain, driving_domain)
        encoded = start = None
        for batch in batches(driving, self._batch):
            check_pixels(source, batch)
            with torch.inference_mode():
                if encoded is None:
                    encoded = self._network.source(self._tensor(resized(source, self._size)[None]), of)
                codes = self._network.motion(self._tensor(shrunk(batch, self._size)), by)
                start = codes[:1] if start is None else start
                if motion == "relative":
                    images = self._network.relative(encoded, codes, start=start, domain=of)
                else:
                    images = self._network.absolute(encoded, codes, domain=of)
                made = frames_of((images.float().clamp(-1.0, 1.0) + 1.0) * 127.5, like=source)
            yield made

    def motion_codes(self, frames: Frames, *, domain: Domain) -> NDArray[np.float32]:
        """The code w_{r->d} (Eq. 7) of each picture, (frames, K * width): its place in the canonical motion space. Their differences
        are the relative motions of Eq. 9, which are comparable between the domains.
        """
        import torch

        of, _ = self._domains(domain, domain)
        parts: list[NDArray[np.float32]] = []
        for batch in batches(iter([frames]), self._batch):
            with torch.inference_mode():
                codes = self._network.motion(self._tensor(shrunk(batch, self._size)), of)
            parts.append(codes.float().flatten(1).cpu().numpy())
        return np.concatenate(parts)

    def _domains(self, source: Domain, driving: Domain) -> tuple[Domain, Domain]:
        match self._direction:
            case "real2cartoon":
                return "cartoon", "real"
            case "cartoon2real":
                return "real", "cartoon"
            case "real" | "cartoon":
                return self._direction, self._direction
            case None:
                for domain in (source, driving):
                    if domain not in DOMAINS:
                        raise ToonbenchError(f"domain {domain!r} is unknown; choose one of {', '.join(DOMAINS)}")
                return source, driving

    def _tensor(self, frames: Frames) -> Tensor:
        """uint8 (b, h, w, 3) to float32 (b, 3, h, w): (byte / 255 - 0.5) * 2."""
        return (planes(frames, self._device) / 255.0 - 0.5) * 2.0

    @classmethod
    def clip_needs(cls, config: str = "mini", *, ablation: str = "", overrides: Sequence[str] = ()) -> ClipNeeds:
        """The clips that `train` needs with these arguments."""
        from toonbench.training.clips import ClipNeeds

        from .train.config import find_config

        chosen = find_config(config, ablation=ablation, overrides=overrides, paired=cls.paired)
        return ClipNeeds(
            size=chosen.network.size,
            domains=DOMAINS if chosen.steps2 else ("real",),
            labels=chosen.paired == "labels" or chosen.guided,
            targets=chosen.paired == "pairs" and chosen.steps2 > 0,
        )

    @classmethod
    def train(
        cls,
        clips: TrainingClips,
        out: Path,
        *,
        config: str = "mini",
        device: str = "cpu",
        resume: bool = True,
        ablation: str = "",
        overrides: Sequence[str] = (),
        checkpoint: Path | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Path:
        """See `toontalker.train.train.train`."""
        from .train.train import train

        return train(
            clips, out, config=config, device=device, resume=resume, ablation=ablation, overrides=overrides, paired=cls.paired,
            checkpoint=checkpoint, on_progress=on_progress,
        )  # fmt: skip

    @staticmethod
    def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
        """See `toontalker.goldens.run_goldens`."""
        from .goldens import run_goldens

        return run_goldens(folder, device)


def training_facts(notes: Mapping[str, Any]) -> dict[str, str]:
    """The configuration of weights that `toonbench train` exported, as facts of a run; empty for others, also of earlier versions."""
    training: object = notes.get("training")
    if not isinstance(training, Mapping) or "ablation" not in training:
        return {}
    values = cast("Mapping[str, Any]", training)
    overrides = values.get("overrides")
    found = {
        "config": str(values.get("name", "")),
        "ablation": str(values["ablation"]),
        "overrides": " ".join(map(str, overrides)) if isinstance(overrides, list) else "",
    }
    return {key: value for key, value in found.items() if value}
