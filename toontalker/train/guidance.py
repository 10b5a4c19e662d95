"""Terms of training that need labels, which only puppets have. The paper has none of them; the metadata of the weights states them.

With few steps, a motion encoder learns head pose long before the face, and the flows follow it. These terms tell encoders and flows
directly what moved. They act within a domain: nothing is said about pairs across the domains, which stay with the analogy constraint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from toonbench.networks.flow_heads import sampling_grid

from ..generator import Trace
from .config import TrainConfig

EYES, MOUTH = (slice(36, 42), slice(42, 48)), (slice(48, 68),)  # their landmarks
FACE = 36  # landmarks from here on are those of eyes, mouth and pupils
FACE_WEIGHT = 3.0  # of these in the flows' term
LIDS_AND_LIPS = (
    ((36, 39), ((37, 41), (38, 40))),
    ((42, 45), ((43, 47), (44, 46))),
    ((60, 64), ((61, 67), (62, 66), (63, 65))),
)  # of eyes and mouth: the landmarks of the two corners, and pairs of an upper and a lower one
ASIDE = 1.5 / 64  # of the image's side: how far outside a lid or lip its flow is looked at
PAD = 1.5 / 64  # of the image's side, around the landmarks of a part
LEVELS = 2  # the finest levels of flow that the term of the landmarks sees


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known of both frames of each pair.

    Motion descriptors are (B, width), scaled rigs (B, channels), and landmarks (B, 70, 2), in parts of the image's sides.
    """

    descriptors: tuple[Tensor, Tensor]
    rigs: tuple[Tensor, Tensor]
    landmarks: tuple[Tensor, Tensor]


def guidance_terms(
    generated: Tensor, target: Tensor, labels: Labels, *, trace: Trace, config: TrainConfig
) -> dict[str, Tensor]:
    """The weighted terms of one domain's pairs; images are (B, 3, size, size) in [-1, 1], `trace` is of the generated ones."""
    terms: dict[str, Tensor] = {}
    fields = [value for name, value in trace.items() if name.endswith(".flow_skip")]
    if config.readout:
        terms["readout"] = config.readout * readout(torch.cat(labels.descriptors), torch.cat(labels.rigs))
    if config.rest:
        terms["rest"] = config.rest * torch.cat(labels.descriptors)[:, labels.rigs[0].shape[1] :].square().mean()
    if config.regions:
        terms["regions"] = config.regions * region_l1(generated, target, labels.landmarks[1])
    if config.landmarks:
        terms["landmarks"] = config.landmarks * landmark_flow(fields[-LEVELS:], *labels.landmarks)
    if config.openings:
        terms["openings"] = config.openings * opening_flow(fields[-1], *labels.landmarks)
    return terms


def readout(descriptors: Tensor, rigs: Tensor) -> Tensor:
    """Mean squared difference between the first channels of descriptors (B, width) and scaled rigs (B, channels)."""
    return (descriptors[:, : rigs.shape[1]] - rigs).square().mean()


def region_l1(generated: Tensor, target: Tensor, landmarks: Tensor) -> Tensor:
    """Mean absolute difference within boxes around eyes and mouth at the target's landmarks (B, 70, 2)."""
    mask = part_boxes(landmarks, (*EYES, *MOUTH), size=target.shape[-1])
    return ((generated - target).abs() * mask).sum() / (target.shape[1] * mask.sum()).clamp_min(1.0)


def part_boxes(landmarks: Tensor, parts: Sequence[slice], *, size: int) -> Tensor:
    """(B, 1, size, size): 1 within a box around each part's landmarks (B, 70, 2), PAD wider than these, and 0 elsewhere."""
    centres = (torch.arange(size, device=landmarks.device) + 0.5) / size
    mask = landmarks.new_zeros((len(landmarks), size, size), dtype=torch.bool)
    for part in parts:
        low, high = landmarks[:, part].amin(1) - PAD, landmarks[:, part].amax(1) + PAD
        inside = [(centres >= low[:, axis, None]) & (centres <= high[:, axis, None]) for axis in (0, 1)]
        mask |= inside[1][:, :, None] & inside[0][:, None, :]
    return mask[:, None].float()


def landmark_flow(fields: list[Tensor], source: Tensor, target: Tensor) -> Tensor:
    """Mean distance (L1, parts of half the image's side) between where flows look at the target's landmarks and the source's landmarks.

    `fields` are raw outputs of flow heads (B, 3, H, W); landmarks are (B, 70, 2). Eyes, mouth and pupils count FACE_WEIGHT times.
    """
    weights = source.new_ones(source.shape[1])
    weights[FACE:] = FACE_WEIGHT
    loss = source.new_zeros(())
    for field in fields:
        distance = (looks_at(field, target) - (2.0 * source - 1.0)).abs().mean(-1)
        loss = loss + (distance * weights).mean() / weights.mean()
    return loss / len(fields)


def opening_flow(field: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Mean error (L1, parts of half the image's side) of the source's openings of eyes and mouth, as the flow at the target shows them.

    An opening is from just outside the lower lid or lip to just outside the upper one: the lids of a closed eye share a pixel, where a
    flow has one value only. How far the whole face moved has no part in it. `field` is the raw output of a flow head (B, 3, H, W);
    landmarks are (B, 70, 2).
    """
    (from_low, from_high), (to_low, to_high) = lid_points(source), lid_points(target)
    shown = looks_at(field, to_high) - looks_at(field, to_low)
    return (shown - 2.0 * (from_high - from_low)).abs().mean()


def looks_at(field: Tensor, points: Tensor) -> Tensor:
    """Where the flow of `field` (B, 3, H, W) looks in the source, in [-1, 1], at `points` (B, n, 2) in parts of the sides: (B, n, 2)."""
    flow = torch.tanh(field[:, :2]) + sampling_grid(field.shape[-1], field.device)
    found = F.grid_sample(flow, 2.0 * points[:, None] - 1.0, align_corners=False, padding_mode="border")
    return found[:, :, 0].transpose(1, 2)


def lid_points(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Of landmarks (B, 70, 2), two pairs of lids of each eye and three of lips: points (B, 7, 2)
    just below the lower ones, and just above the upper ones, across the line of the corners."""
    low: list[Tensor] = []
    high: list[Tensor] = []
    for (left, right), pairs in LIDS_AND_LIPS:
        along = F.normalize(landmarks[:, right] - landmarks[:, left], dim=1)
        up = ASIDE * torch.stack((along[:, 1], -along[:, 0]), 1)  # y points down
        for upper, lower in pairs:
            high.append(landmarks[:, upper] + up)
            low.append(landmarks[:, lower] - up)
    return torch.stack(low, 1), torch.stack(high, 1)
