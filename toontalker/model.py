"""ToonTalker: one network per domain, motion transferred by adding codes in the canonical space they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from toonbench.networks.image_encoder import ImageEncoder
from toonbench.networks.stylegan2 import EqualLinear
from toonbench.types import CHANNEL_LIMITS

from .config import NetworkConfig
from .generator import Decoder, SourceFeatures, Trace

LARGEST_STEP = 8  # of the generator: images of 2048 x 2048


class DomainNetwork(nn.Module):
    """Encoders, motion base, backward transformer and generator of one domain. Images are (B, 3, size, size) in [-1, 1].

    The checkpoint of a domain carries its own pair of query transformers; `ToonTalkerNetwork` chooses the pair,
    because both domains of the paper share one (section 3.1).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.enc = ImageEncoder(config.size, config.table)
        self.enc2 = ImageEncoder(config.size, config.table, vector=config.style)
        self.dec = Decoder(config)
        if config.rig:
            self.rig_read = EqualLinear(config.style, config.rig)  # from the encoder's motion descriptor
            self.rig_code = EqualLinear(config.rig, config.style)  # to a descriptor for the query transformers

    def features(self, image: Tensor) -> SourceFeatures:
        """Appearance of a source (Eq. 1), with all that the backward transformer keeps of it."""
        return self.dec.features(self.enc.maps(image))

    def render(self, w: Tensor, source: SourceFeatures, *, trace: Trace | None = None) -> Tensor:
        """Image of canonical motion `w` (B, K, width); `source` holds B samples, or one for all."""
        return self.dec.synthesise(self.dec.styles(w.float(), source), source, trace=trace)


@dataclass(frozen=True, slots=True)
class Source:
    """A source image, encoded once: its features and its motion to and from the reference, added (Eq. 5)."""

    features: SourceFeatures
    to_reference: Tensor
    from_reference: Tensor


class ToonTalkerNetwork(nn.Module):
    """Both domains. `real` may be the same module as `cartoon`: an in-domain checkpoint that serves both.

    The query transformers of `real` serve both domains, as in the published cross-domain demo.
    """

    def __init__(self, cartoon: DomainNetwork, real: DomainNetwork) -> None:
        super().__init__()
        self.domains = nn.ModuleDict({"cartoon": cartoon, "real": real})

    def domain(self, name: str) -> DomainNetwork:
        """The network of "cartoon" or "real"."""
        network = self.domains[name]
        if not isinstance(network, DomainNetwork):
            raise TypeError(f"domain {name} holds a {type(network).__name__}")
        return network

    @property
    def variant(self) -> str:
        """Whether both domains share one network, and the size of pictures."""
        kind = "in-domain" if self.domain("cartoon") is self.domain("real") else "cross-domain"
        config = self.domain("real").config
        without = [
            what
            for what, changed in (
                ("mlp", config.queries == "mlp"),
                ("without backward transformer", not config.backward),
                ("without SFT", not config.refine),
            )
            if changed
        ]
        return ", ".join(("ToonTalker", kind, f"{config.size} px", *without))

    @property
    def pixels(self) -> int:
        """Pixels of an image."""
        return self.domain("real").config.size ** 2

    def share_queries(self) -> None:
        """Make the two domains hold the same pair of query transformers, for training."""
        cartoon, real = self.domain("cartoon").dec, self.domain("real").dec
        cartoon.transformerlayer_0 = real.transformerlayer_0
        cartoon.transformerlayer_1 = real.transformerlayer_1

    def to_reference(self, descriptor: Tensor, domain: str) -> Tensor:
        """w_{s->r} (B, K, width) of motion descriptors of a domain (Eq. 7)."""
        base = self.domain(domain).dec.direction.weight
        return self.domain("real").dec.transformerlayer_0.query(base, descriptor.float())

    def from_reference(self, descriptor: Tensor, domain: str) -> Tensor:
        """w_{r->d} (B, K, width) of motion descriptors of a domain (Eq. 7)."""
        base = self.domain(domain).dec.direction.weight
        return self.domain("real").dec.transformerlayer_1.query(base, descriptor.float())

    def motion(self, image: Tensor, domain: str) -> Tensor:
        """w_{r->d} of driving frames (B, 3, size, size)."""
        return self.from_reference(self.domain(domain).enc2.vector(image), domain)

    def source(self, image: Tensor, domain: str) -> Source:
        """Encode sources."""
        return self.encoded(image, self.domain(domain).enc2.vector(image), domain)

    def encoded(self, image: Tensor, descriptor: Tensor, domain: str) -> Source:
        """Sources whose motion descriptors (B, width) are known."""
        codes = self.to_reference(descriptor, domain), self.from_reference(descriptor, domain)
        return Source(self.domain(domain).features(image), *codes)

    def absolute(self, source: Source, driving: Tensor, *, domain: str, trace: Trace | None = None) -> Tensor:
        """Frames in the pose of the driving video (Eq. 3). `driving` is w_{r->d}; `domain` is the source's."""
        return self.domain(domain).render(source.to_reference + driving, source.features, trace=trace)

    def relative(
        self, source: Source, driving: Tensor, *, start: Tensor, domain: str, trace: Trace | None = None
    ) -> Tensor:
        """Frames moved from the source's pose as the driving video moved since `start` (Eq. 5, 6)."""
        w = source.to_reference + (driving - start) + source.from_reference
        return self.domain(domain).render(w, source.features, trace=trace)


class RigNetwork(ToonTalkerNetwork):
    """ToonTalker's generator, conditioned on rigs (B, channels) as `scaled_rig` gives them: paired training with labels. Not ToonTalker.

    A rig is the motion code of every domain. `from_reference` of a source is its rig, and relative motion adds rigs.
    """

    def motion(self, image: Tensor, domain: str) -> Tensor:
        """The rig (B, channels) that the domain's encoder reads in pictures."""
        network = self.domain(domain)
        return network.rig_read(network.enc2.vector(image))

    def source(self, image: Tensor, domain: str, *, rig: Tensor | None = None) -> Source:
        """Encode sources, of their rig, or of the one that is read in them."""
        rig = self.motion(image, domain) if rig is None else rig
        code = self.to_reference(self.domain(domain).rig_code(rig), domain)
        return Source(self.domain(domain).features(image), code, rig)

    def absolute(self, source: Source, driving: Tensor, *, domain: str, trace: Trace | None = None) -> Tensor:
        """Frames with the rig `driving`."""
        code = self.from_reference(self.domain(domain).rig_code(driving), domain)
        return self.domain(domain).render(source.to_reference + code, source.features, trace=trace)

    def relative(
        self, source: Source, driving: Tensor, *, start: Tensor, domain: str, trace: Trace | None = None
    ) -> Tensor:
        """Frames with the source's rig, moved as the driving video's moved since `start`."""
        return self.absolute(source, source.from_reference + (driving - start), domain=domain, trace=trace)


def network_of(cartoon: DomainNetwork, real: DomainNetwork) -> ToonTalkerNetwork:
    """The network of these domains: ToonTalker's, or one that is conditioned on rigs, by their configuration."""
    return (RigNetwork if real.config.rig else ToonTalkerNetwork)(cartoon, real)


def scaled_rig(rig: Tensor) -> Tensor:
    """Rigs (..., channels) of `toonbench.types.CHANNELS`, each channel divided by its largest size."""
    largest = [max(abs(low), abs(high)) for low, high in CHANNEL_LIMITS.values()]
    return rig / torch.tensor(largest, device=rig.device)


def infer_config(state: Mapping[str, Tensor]) -> NetworkConfig:
    """Read the sizes off a state dict in the official layout. Raises KeyError if it is none."""
    steps = [int(key.split(".")[2]) for key in state if key.startswith("dec.to_rgbs.") and key.endswith(".bias")]
    if not 0 <= max(steps, default=-1) <= LARGEST_STEP:
        raise KeyError("dec.to_rgbs.0.bias")
    size = 4 << (max(steps) + 1)
    channels = [(4, state["dec.conv1.activate.bias"].shape[1])]
    for step in range(max(steps) + 1):
        channels.append((8 << step, state[f"dec.convs.{2 * step}.activate.bias"].shape[1]))
    motions, style = state["dec.direction.weight"].shape
    feedforward = state["dec.transformerlayer_0.linear1.weight"].shape[0]
    return NetworkConfig(size=size, channels=tuple(channels), style=style, motions=motions, feedforward=feedforward)
