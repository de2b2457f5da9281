"""A Llama decoder in PyTorch: RMS norms, rotary positions, SwiGLU, no biases, head tied to the embedding.

Parameters bear Hugging Face's names, so that a state dict is a Llama checkpoint.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """Shape and constants of a decoder."""

    num_layers: int
    hidden_size: int
    intermediate_size: int
    num_heads: int
    vocab_size: int
    context_length: int = 1024
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return self.hidden_size // self.num_heads


class LayerCache:
    """Keys and values of one layer, for decoding token by token; all sequences of the batch are equally long."""

    def __init__(self, shape: Shape, batch_size: int, max_length: int, like: Tensor) -> None:
        size = (batch_size, shape.num_heads, max_length, shape.head_dim)
        self.keys, self.values = like.new_empty(size), like.new_empty(size)
        self.length = 0

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Adds positions, [B, H, T, D], and returns all there are."""
        end = self.length + key.shape[2]
        self.keys[:, :, self.length : end] = key
        self.values[:, :, self.length : end] = value
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class RmsNorm(nn.Module):
    """Root-mean-square norm with a learned scale."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    """Causal self-attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.num_heads = shape.num_heads
        width = shape.hidden_size
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, cache: LayerCache | None, mask: Tensor | None
    ) -> Tensor:
        """x: [B, T, hidden]; cos, sin: [T, head_dim]; mask: [B, 1, T, keys], causal if absent."""
        batch, length, width = x.shape

        def heads(y: Tensor) -> Tensor:  # (B, T, H*D) -> (B, H, T, D)
            return y.view(batch, length, self.num_heads, -1).transpose(1, 2)

        query = rotate(heads(self.q_proj(x)), cos, sin)
        key, value = rotate(heads(self.k_proj(x)), cos, sin), heads(self.v_proj(x))
        if cache is not None:
            key, value = cache.extend(key, value)
        if mask is None:
            y = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            y = attend(query, key, value, mask)
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, width))


class Mlp(nn.Module):
    """SwiGLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One transformer block, norms first."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = RmsNorm(shape.hidden_size, shape.rms_norm_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RmsNorm(shape.hidden_size, shape.rms_norm_eps)
        self.mlp = Mlp(shape)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, cache: LayerCache | None, mask: Tensor | None
    ) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, cache, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Trunk(nn.Module):
    """Embedding, blocks and the last norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.num_layers))
        self.norm = RmsNorm(shape.hidden_size, shape.rms_norm_eps)


class Llama(nn.Module):
    """The decoder."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Trunk(shape)
        cos, sin = rotary_tables(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal weights of deviation 0.02; those that write to the residual stream are scaled down by depth."""
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                writes_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                scale = (2 * self.shape.num_layers) ** -0.5 if writes_residual else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)

    def num_parameters(self) -> int:
        """Parameters, the shared embedding counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(
        self, tokens: Tensor, caches: list[LayerCache] | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """tokens: [B, T] -> logits: [B, T, vocab]; with caches, the mask says which positions a token may see."""
        start = caches[0].length if caches else 0
        end = start + tokens.shape[1]
        cos, sin = self.cos[start:end], self.sin[start:end]
        x = self.model.embed_tokens(tokens)
        for index, layer in enumerate(self.model.layers):
            x = layer(x, cos, sin, caches[index] if caches else None, mask)
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Attention in plain products, which read a cache as it lies; one query a sequence is too few for fused kernels.

    query: [B, H, T, D]; key, value: [B, H, keys, D]; mask: [B, 1, T, keys].
    """
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    return scores.masked_fill(~mask, float("-inf")).softmax(dim=-1) @ value


def rotary_tables(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every position's angles, each [context, head_dim]."""
    exponents = torch.arange(0, shape.head_dim, 2) / shape.head_dim
    angles = torch.outer(torch.arange(shape.context_length), shape.rope_theta**-exponents)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns the pairs (i, i + head_dim/2) of x: [B, H, T, D] by their position's angles."""
    first, second = x.float().chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return (x * cos + turned * sin).to(x.dtype)
