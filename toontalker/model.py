"""ToonTalker: one network per domain, motion transferred by adding codes in the canonical space they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from toonbench.networks.image_encoder import ImageEncoder

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
        network = self.domain(domain)
        descriptor = network.enc2.vector(image)
        codes = self.to_reference(descriptor, domain), self.from_reference(descriptor, domain)
        return Source(network.features(image), *codes)

    def absolute(self, source: Source, driving: Tensor, *, domain: str, trace: Trace | None = None) -> Tensor:
        """Frames in the pose of the driving video (Eq. 3). `driving` is w_{r->d}; `domain` is the source's."""
        return self.domain(domain).render(source.to_reference + driving, source.features, trace=trace)

    def relative(self, source: Source, driving: Tensor, *, start: Tensor, domain: str) -> Tensor:
        """Frames moved from the source's pose as the driving video moved since `start` (Eq. 5, 6)."""
        w = source.to_reference + (driving - start) + source.from_reference
        return self.domain(domain).render(w, source.features)


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
