"""The decoder of one domain: motion base, query and backward transformers, and the progressive image generator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from toonbench.networks.convolution import convolve, planar
from toonbench.networks.flow_heads import FlowHead, RGBHead
from toonbench.networks.stylegan2 import ConstantInput, EqualLinear, StyledConv

from .config import NetworkConfig
from .transformers import Memory, MLPQuery, TransformerLayer

Trace = dict[str, Tensor]  # intermediates by name, such as l64.flow_skip
REFINE_FROM = 64  # resolutions with an SFT block (the last three at 256 px)


@dataclass(frozen=True, slots=True)
class SourceFeatures:
    """What synthesis needs of a source, computed once: maps 8, 16, ..., size, and the memories of the backward blocks, if any."""

    pyramid: tuple[Tensor, ...]
    memories: tuple[Memory, ...]


class SFT(nn.Module):
    """Spatial feature transformation (paper Eq. 4), residual as released: fw + (fw * scale + shift)."""

    def __init__(self, channels: int, *, style: int) -> None:
        super().__init__()
        self.scale1 = StyledConv(channels, channels, style=style)
        self.scale2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shift1 = StyledConv(channels, channels, style=style)
        self.shift2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Refine the warped map `x` (B, C, H, W) under style `z` (B, width)."""
        # A second leaky ReLU follows the styled convs' own: together, slope 0.2 * 0.2.
        x = planar(x, self.scale2.weight)
        scale = convolve(self.scale1(x, z, slope=0.04), self.scale2.weight, self.scale2.bias)
        shift = convolve(self.shift1(x, z, slope=0.04), self.shift2.weight, self.shift2.bias)
        return shift.addcmul_(x, scale).add_(x)  # x + (x * scale + shift)


class Decoder(nn.Module):
    """Everything after the encoders. Attribute names are those of the published checkpoints."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width, table = config.style, config.table
        sides = config.sides[1:]  # 8, 16, ..., size

        def layer() -> TransformerLayer:
            return TransformerLayer(width, heads=config.heads, feedforward=config.feedforward, dropout=config.dropout)

        def query() -> TransformerLayer | MLPQuery:
            return layer() if config.queries == "transformer" else MLPQuery(width, hidden=config.feedforward)

        self.direction = nn.Embedding(config.motions, width)  # the motion base p
        self.input = ConstantInput(table[4])
        self.conv1 = StyledConv(table[4], table[4], style=width)
        self.convs = nn.ModuleList()
        for side in sides:
            self.convs.append(StyledConv(table[side // 2], table[side], style=width, upsample=True))
            self.convs.append(StyledConv(table[side], table[side], style=width))
        self.to_rgbs = nn.ModuleList(RGBHead(table[side]) for side in sides)
        self.to_flows = nn.ModuleList(FlowHead(table[side], style=width) for side in sides)
        refined = [side for side in sides if side >= REFINE_FROM and config.refine]
        self.sft = nn.ModuleList(SFT(table[side], style=width) for side in refined)
        self.transformerlayer_0 = query()  # source -> reference
        self.transformerlayer_1 = query()  # reference -> driving
        self.backward_blocks = config.backward
        if config.backward:
            self.transformerlayer = layer()
            self.transformerlayer_t = layer()
            self.transformerlayer_f = layer()
            self.latlayer1 = nn.Conv2d(table[64], width, 3, padding=1)
        self.mlp = EqualLinear(config.motions * width, width * config.latents)
        self.latents = config.latents

    def features(self, maps: list[Tensor]) -> SourceFeatures:
        """Features of the appearance encoder's maps (4, 8, ..., size), ready for any number of frames."""
        if not self.backward_blocks:
            return SourceFeatures(tuple(maps[1:]), ())
        inputs = (maps[0], maps[2], self.latlayer1(maps[4]))
        blocks = (self.transformerlayer, self.transformerlayer_t, self.transformerlayer_f)
        memories = (
            block.remember(m.flatten(2).transpose(1, 2).float()) for block, m in zip(blocks, inputs, strict=True)
        )
        return SourceFeatures(tuple(maps[1:]), tuple(memories))

    def backward_codes(self, w: Tensor, source: SourceFeatures) -> list[Tensor]:
        """The three blocks' outputs (B, K, width) for canonical motion `w`: back to the source's domain."""
        blocks = (self.transformerlayer, self.transformerlayer_t, self.transformerlayer_f)
        codes: list[Tensor] = []
        for block, memory in zip(blocks, source.memories, strict=True):
            w = block(w, memory)
            codes.append(w)
        return codes

    def styles(self, w: Tensor, source: SourceFeatures) -> Tensor:
        """(B, latents, width) styles of the generator for canonical motion `w` (B, K, width)."""
        q = self.backward_codes(w, source)[-1] if self.backward_blocks else w
        return self.mlp(q.flatten(1)).view(len(w), self.latents, -1)

    def synthesise(self, styles: Tensor, source: SourceFeatures, *, trace: Trace | None = None) -> Tensor:
        """Image (B, 3, size, size), nominal [-1, 1], not clamped; `trace` receives every level's intermediates."""
        batch = len(styles)
        x = self.input.input.expand(batch, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.conv1(x, styles[:, 0])
        if trace is not None:
            trace["conv1_out"] = x
        rgb = field = None
        for level, features in enumerate(source.pyramid):
            z = styles[:, 3 + 2 * level]
            x = self.convs[2 * level](x, styles[:, 1 + 2 * level])
            entered = x = self.convs[2 * level + 1](x, styles[:, 2 + 2 * level])
            warped, unmasked, field = self.to_flows[level](x, z, features, field)
            refine = level - int(math.log2(REFINE_FROM)) + 3 if len(self.sft) else -1
            shown = warped if refine < 0 else self.sft[refine](warped, z)
            rgb = self.to_rgbs[level](shown, rgb)
            if level + 1 == len(source.pyramid) and trace is None:
                break  # nothing reads the last level's state
            x = blend = torch.addcmul(warped, entered, unmasked)
            if refine >= 0:
                # The released decoder uses the blend where its mask was meant; the weights were trained that way.
                x = torch.addcmul(shown.contiguous(memory_format=torch.channels_last), entered, 1.0 - blend)
            if trace is not None:
                found = {"x": entered, "warp": warped, "blend": blend, "flow_skip": field, "rgb_skip": rgb}
                found |= {"sft": shown, "x_next": x}
                trace.update({f"l{features.shape[-1]}.{name}": value for name, value in found.items()})
        if rgb is None:
            raise ValueError("a source needs at least one feature map")
        return rgb
