"""Query transformers (image to canonical motion) and backward transformer (canonical motion to the source's domain).

Tokens are (batch, tokens, width). Cross attention comes first, then self attention, then the feed-forward part;
post-norm, no positions: source features are an unordered set.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Memory = tuple[Tensor, Tensor]  # keys and values, each (batch, heads, tokens, width / heads)


class Attention(nn.Module):
    """Multi-head attention with the parameter layout of `torch.nn.MultiheadAttention`."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)
        self.width = width
        self.heads = heads
        self.dropout = dropout

    def project(self, x: Tensor, part: int) -> Tensor:
        """Part 0 queries, 1 keys, 2 values; not yet split into heads."""
        rows = slice(part * self.width, (part + 1) * self.width)
        return F.linear(x, self.in_proj_weight[rows], self.in_proj_bias[rows])

    def split(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) to (batch, heads, tokens, width / heads)."""
        batch, tokens, width = x.shape
        return x.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)

    def remember(self, memory: Tensor) -> Memory:
        """Keys and values of a memory; constant for a source, so worth keeping."""
        return self.split(self.project(memory, 1)), self.split(self.project(memory, 2))

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Attend from tokens `x` (B, tokens, width) to a memory of B samples, or of one for all."""
        keys, values = memory
        shape = x.shape
        if len(keys) == 1:  # one memory for the whole batch: all its tokens ask as one
            x = x.reshape(1, -1, self.width)
        dropout = self.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(self.split(self.project(x, 0)), keys, values, dropout_p=dropout)
        return self.out_proj(found.transpose(1, 2).reshape(shape))

    def single(self, token: Tensor) -> Tensor:
        """Attention to a single memory token: the softmax over one is 1, so queries and keys have no say."""
        return self.out_proj(self.project(token, 2))


class TransformerLayer(nn.Module):
    """Cross attention, self attention, feed-forward."""

    def __init__(self, width: int, *, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads=heads, dropout=dropout)
        self.multihead_attn = Attention(width, heads=heads, dropout=dropout)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def remember(self, memory: Tensor) -> Memory:
        """Keys and values of a memory (batch, tokens, width) for `forward`."""
        return self.multihead_attn.remember(memory)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Tokens (B, tokens, width) that looked at a memory of B samples, or of one sample for all."""
        return self._finish(x + self.multihead_attn(x, memory))

    def query(self, base: Tensor, token: Tensor) -> Tensor:
        """Motion code (B, tokens, width) of descriptors (B, width), asked by the base (tokens, width)."""
        return self._finish(base[None] + self.multihead_attn.single(token)[:, None])

    def _finish(self, x: Tensor) -> Tensor:
        x = self.norm1(x)
        batch, tokens, width = x.shape
        attention = self.self_attn
        q, k, v = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
        q, k, v = attention.split(q), attention.split(k), attention.split(v)
        dropout = attention.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=1.0 / math.sqrt(q.shape[-1]))
        x = self.norm2(x + attention.out_proj(found.transpose(1, 2).reshape(batch, tokens, width)))
        return self.norm3(x + self.linear2(F.relu(self.linear1(x))))


class MLPQuery(nn.Module):
    """The ablation of a query transformer: a perceptron of three layers for each embedding of the base.

    The paper does not describe its perceptron. This one receives what the transformer receives, the base and the descriptor, and
    the tokens do not exchange anything. Its activation is smooth: with ReLU, the base cancels in relative motions wherever two
    descriptors switch the same units on.
    """

    def __init__(self, width: int, *, hidden: int) -> None:
        super().__init__()
        self.descriptor = nn.Linear(width, width)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, hidden)
        self.linear3 = nn.Linear(hidden, width)

    def query(self, base: Tensor, token: Tensor) -> Tensor:
        """Motion code (B, tokens, width) of descriptors (B, width), for each embedding of the base (tokens, width)."""
        x = base[None] + self.descriptor(token)[:, None]
        return self.linear3(F.gelu(self.linear2(F.gelu(self.linear1(x)))))
