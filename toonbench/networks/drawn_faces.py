"""A detector of drawn faces: boxes and scores from one picture, of human figures and, apart from them, of animals.

A small convolutional network with a feature pyramid predicts, for each cell of 8 pixels, whether the middle of a face is
there, and the face's box (Zhou et al. 2019, "Objects as points"; Tian et al. 2019, FCOS). It is trained on drawings that
toonbench makes itself by `scripts/train_drawn_faces.py`; `weights/drawn_faces.md` tells how good it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from toonbench.types import Frame, ToonbenchError
from toonbench.weights.tensors import UnreadableTensors, first_line, named_tensors, read_content

WEIGHTS = Path(__file__).parent / "weights" / "drawn_faces.safetensors"
CELL = 8  # pixels a side
SIDE = 320  # pixels: the longer side of a frame is reduced to it
KINDS = ("human", "animal")
LEAST = 0.5  # score of a face
SAME = 0.4  # overlap (IoU) of two boxes of one face
_MULTIPLE = 64  # pixels: sides of the network's input
_FINE = 0.5  # side of the boxes is exp(output) * 64 pixels * this


@dataclass(frozen=True, slots=True)
class DrawnFace:
    """A box (left, top, right, bottom) in pixels of the frame, which it may leave, a score in [0, 1], and one of KINDS."""

    box: tuple[float, float, float, float]
    score: float
    kind: str = KINDS[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What the network says about a batch of pictures, for each cell."""

    heat: Tensor  # (batch, kinds, h, w) logits that a face's middle is in the cell
    boxes: Tensor  # (batch, 4, h, w) left, top, right, bottom in pixels


def _conv(inside: int, outside: int, *, stride: int = 1, kernel: int = 3, act: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outside, momentum=0.03),
    ]
    return nn.Sequential(*layers, nn.ReLU()) if act else nn.Sequential(*layers)


class _Residual(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width), _conv(width, width, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, h, w) to the same."""
        return functional.relu(x + self.second(self.first(x)))


class DrawnFaceNet(nn.Module):
    """About 1.2 million parameters, 0.3 billion multiply-adds for 256 x 256 pixels."""

    def __init__(self) -> None:
        super().__init__()
        widths, out = (56, 80, 112, 128), 56
        self.stem = nn.Sequential(_conv(3, 16, stride=2), _conv(16, 32, stride=2), _Residual(32))
        befores = (32, *widths[:-1])
        self.down = nn.ModuleList(
            nn.Sequential(
                _conv(before, width, stride=2), _Residual(width), *([_Residual(width)] if width < 112 else [])
            )
            for before, width in zip(befores, widths, strict=True)
        )
        self.side = nn.ModuleList(_conv(width, out, kernel=1, act=False) for width in widths)
        self.up = nn.ModuleList(_conv(out, out) for _ in widths[:-1])
        self.head = nn.Sequential(_conv(out, out), _conv(out, out))
        self.heat = nn.Conv2d(out, len(KINDS), 1)
        self.box = nn.Conv2d(out, 4, 1)
        nn.init.constant_(self.heat.bias, -4.0)  # pyright: ignore[reportArgumentType]

    def forward(self, pictures: Tensor) -> Output:
        """(batch, 3, height, width) RGB in [-1, 1], sides in multiples of 64; may run under autocast."""
        x, levels = self.stem(pictures), []
        for down in self.down:
            x = down(x)
            levels.append(x)
        x = self.side[-1](levels[-1])
        for level, side, up in list(zip(levels[:-1], self.side, self.up, strict=False))[::-1]:
            x = up(functional.relu(functional.interpolate(x, scale_factor=2) + side(level)))
        x = self.head(x)
        heat, box = self.heat(x), self.box(x)
        with torch.autocast(pictures.device.type, enabled=False):
            return Output(heat=heat.float(), boxes=_boxes(box.float()))


def _boxes(x: Tensor) -> Tensor:
    """Offsets of the middle in sides of the box, and logarithms of the sides, to boxes in pixels; all (batch, 4, h, w)."""
    height, width = x.shape[-2:]
    down, right = (torch.arange(n, device=x.device, dtype=x.dtype) * CELL + CELL / 2 for n in (height, width))
    middle = torch.stack(torch.meshgrid(right, down, indexing="xy"))
    sides = torch.exp(x[:, 2:].clamp(-4, 4)) * 64
    middle = middle + x[:, :2] * sides * _FINE
    return torch.cat([middle - sides / 2, middle + sides / 2], dim=1)


def find_faces(frame: Frame, *, least: float = LEAST, side: int = SIDE, animals: bool = False) -> list[DrawnFace]:
    """All faces in a frame, (h, w, 3) uint8 RGB, the surest first; if `animals`, followed by what looks like an animal's face.

    A face that may be both is listed twice, with both scores.

    The frame's longer side is reduced to `side` pixels; a larger `side` finds smaller faces. The network always runs on
    one thread of the CPU: sums in another order are other bytes.
    """
    picture, scale = _padded(frame, side)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            output = _network()(picture)
    finally:
        torch.set_num_threads(threads)
    scores, boxes = output.heat[0].sigmoid(), output.boxes[0] / scale
    kinds = KINDS if animals else KINDS[:1]
    return [replace(one, kind=kind) for n, kind in enumerate(kinds) for one in faces_of(scores[n], boxes, least=least)]


def faces_of(score: Tensor, boxes: Tensor, *, least: float) -> list[DrawnFace]:
    """The peaks of the scores (h, w) of one picture with their boxes (4, h, w), the surest first, each face once."""
    peak = score == functional.max_pool2d(score[None], 3, 1, 1)[0]
    chosen = torch.nonzero(peak & (score >= least))
    rows = [(float(score[y, x]), boxes[:, y, x].double().numpy()) for y, x in chosen.tolist()]
    return _distinct(rows)


def _padded(frame: Frame, side: int) -> tuple[Tensor, float]:
    """The frame as the network takes it, in the top left corner of a grey picture; and its scale."""
    from PIL import Image

    height, width = frame.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        frame = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
    down, right = (-(-n // _MULTIPLE) * _MULTIPLE for n in frame.shape[:2])
    picture = np.full((down, right, 3), 128, np.uint8)
    picture[: frame.shape[0], : frame.shape[1]] = frame
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last), scale


def _distinct(rows: Sequence[tuple[float, NDArray[np.float64]]]) -> list[DrawnFace]:
    """The faces by falling score, without those that overlap a surer one."""
    kept: list[DrawnFace] = []
    for score, box in sorted(rows, key=lambda row: -row[0]):
        if all(overlap(box, other.box) <= SAME for other in kept):
            left, top, right, bottom = (float(value) for value in box)
            kept.append(DrawnFace((left, top, right, bottom), score))
    return kept


def overlap(one: Sequence[float] | NDArray[np.float64], other: Sequence[float] | NDArray[np.float64]) -> float:
    """The intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = float(max(width, 0.0) * max(height, 0.0))
    areas = sum(float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other))
    return shared / max(areas - shared, 1e-9)


def fold(network: DrawnFaceNet) -> DrawnFaceNet:
    """A copy for inference with every batch normalisation multiplied into the convolution before it."""
    folded = DrawnFaceNet()
    folded.load_state_dict(network.state_dict())
    return _fold(folded.eval())


def _fold(network: DrawnFaceNet) -> DrawnFaceNet:
    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module) > 1:
            convolution, norm = module[0], module[1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[0] = torch.nn.utils.fuse_conv_bn_eval(convolution, norm)
                module[1] = nn.Identity()
    return network


def write_weights(network: DrawnFaceNet, path: Path) -> None:
    """Store a trained network, folded, as half floats in a safetensors file."""
    from safetensors.torch import save

    state = {name: value.half().contiguous() for name, value in fold(network).state_dict().items()}
    path.write_bytes(save(state))


def read_weights(path: Path = WEIGHTS) -> DrawnFaceNet:
    """Load a stored network, ready for inference in float32 on the CPU.

    Raises ToonbenchError if the file is absent or is not this network's.
    """
    network = _fold(DrawnFaceNet().eval())
    try:
        state = named_tensors(read_content(path))
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except (UnreadableTensors, RuntimeError) as error:
        raise ToonbenchError(
            f"the weights of the detector of drawn faces {path} cannot be read ({first_line(error)}): install toonbench "
            "again, or train them with scripts/train_drawn_faces.py"
        ) from error
    return network.to(memory_format=torch.channels_last)


@cache
def _network() -> DrawnFaceNet:
    return read_weights()
