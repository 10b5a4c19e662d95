"""DINOv2's small vision transformer (Oquab et al. 2023, ViT-S/14): a picture in, its class token out.

Modules carry the names of the file `facebook/dinov2-small/model.safetensors`, so that it loads without renaming. Like
other network files it imports torch at the top, so modules above import it inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = 224  # pixels a side of the picture that it is given here: 16 x 16 patches
WIDTH = 384
_DEPTH, _HEADS, _PATCH = 12, 6, 14
_TRAINED = 37  # patches a side of the pictures whose positions the file holds, 518 pixels
_EPS = 1e-6


class _Embeddings(nn.Module):
    """Patches and the class token, with their positions."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.mask_token = nn.Parameter(torch.zeros(1, WIDTH))  # for training only, but in the file
        self.position_embeddings = nn.Parameter(torch.zeros(1, _TRAINED * _TRAINED + 1, WIDTH))
        self.patch_embeddings = nn.ModuleDict({"projection": nn.Conv2d(3, WIDTH, _PATCH, _PATCH)})

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, 3, h, w), sides multiples of 14, to (batch, 1 + patches, WIDTH)."""
        patches = self.patch_embeddings["projection"](pictures)
        tokens = patches.flatten(2).transpose(1, 2)
        start = self.cls_token.expand(len(tokens), -1, -1)
        return torch.cat([start, tokens], dim=1) + self._positions(patches.shape[2], patches.shape[3])

    def _positions(self, rows: int, columns: int) -> Tensor:
        """The positions brought from 37 x 37 patches to fewer, bicubic and not antialiased, as transformers does."""
        grid = self.position_embeddings[:, 1:].unflatten(1, (_TRAINED, _TRAINED)).permute(0, 3, 1, 2)
        small = functional.interpolate(grid, size=(rows, columns), mode="bicubic", align_corners=False)
        return torch.cat([self.position_embeddings[:, :1], small.flatten(2).transpose(1, 2)], dim=1)


class _SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            part(x).unflatten(2, (_HEADS, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = _SelfAttention()
        self.output = nn.ModuleDict({"dense": nn.Linear(WIDTH, WIDTH)})

    def forward(self, x: Tensor) -> Tensor:
        return self.output["dense"](self.attention(x))


class _Scale(nn.Module):
    """A learnt factor for each channel (Touvron et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.lambda1 = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.lambda1


class _MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, eps=_EPS), nn.LayerNorm(WIDTH, eps=_EPS)
        self.attention, self.mlp = _Attention(), _MLP()
        self.layer_scale1, self.layer_scale2 = _Scale(), _Scale()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.layer_scale1(self.attention(self.norm1(x)))
        return x + self.layer_scale2(self.mlp(self.norm2(x)))


class DINOv2(nn.Module):
    """22 million parameters, 6 billion multiply-adds a picture of 224 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = _Embeddings()
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer() for _ in range(_DEPTH))})
        self.layernorm = nn.LayerNorm(WIDTH, eps=_EPS)

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, 3, SIZE, SIZE) RGB normalised as ImageNet's to (batch, WIDTH), the class token of the last layer."""
        x = self.embeddings(pictures)
        for layer in self.encoder["layer"].children():
            x = layer(x)
        return self.layernorm(x[:, 0])


def from_state(state: Mapping[str, Tensor]) -> DINOv2:
    """The network with the file's tensors, ready for inference; RuntimeError if they are not this network's."""
    network = DINOv2()
    network.load_state_dict(dict(state))
    return network.eval()
