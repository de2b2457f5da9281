"""GGUF files with Q8_0 weights, f32 norms, tokenizer and chat template."""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

from corpus import CHAT_TEMPLATE, END_OF_TEXT, SPECIAL_TOKENS, TURN_END
from model import Llama, Shape

GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(path: Path, name: str, model: Llama, tokenizer: Tokenizer) -> None:
    """Writes a model."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_license("MIT OR Apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    add_shape(writer, model.shape)
    add_tokenizer(writer, tokenizer)
    for key, tensor in model.state_dict().items():
        add_tensor(writer, key, tensor.float().cpu().numpy(), model.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Adds the hyperparameters."""
    writer.add_block_count(shape.num_layers)
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_heads)
    writer.add_head_count_kv(shape.num_heads)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    writer.add_vocab_size(shape.vocab_size)


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    """Adds vocabulary, merges, special tokens and template."""
    tokens = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    kinds = gguf.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.CONTROL if t in SPECIAL_TOKENS else kinds.NORMAL for t in tokens])
    writer.add_token_merges([" ".join(sides) for sides in merges])
    writer.add_bos_token_id(tokenizer.token_to_id(END_OF_TEXT))
    writer.add_eos_token_id(tokenizer.token_to_id(TURN_END))
    writer.add_pad_token_id(tokenizer.token_to_id(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def add_tensor(writer: gguf.GGUFWriter, key: str, values: np.ndarray, shape: Shape) -> None:
    """Adds a tensor of the state dict: norms as f32, the rest as Q8_0."""
    if values.ndim == 1:
        writer.add_tensor(gguf_name(key), values)
        return
    if ".q_proj." in key or ".k_proj." in key:
        values = interleave_rotary_halves(values, shape.num_heads)
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor(gguf_name(key), gguf.quants.quantize(values, kind), raw_dtype=kind)


def gguf_name(key: str) -> str:
    """GGUF's name of a tensor, from Hugging Face's."""
    stem = key.removeprefix("model.").removesuffix(".weight")
    if stem.startswith("layers."):
        _, layer, part = stem.split(".", 2)
        return f"blk.{layer}.{GGUF_NAMES[part]}.weight"
    return {"embed_tokens": "token_embd", "norm": "output_norm"}[stem] + ".weight"


def interleave_rotary_halves(weight: np.ndarray, num_heads: int) -> np.ndarray:
    """Rows of each head from (first half, second half) to pairs, as llama.cpp turns them."""
    rows, width = weight.shape
    halves = weight.reshape(num_heads, 2, rows // num_heads // 2, width)
    return halves.swapaxes(1, 2).reshape(rows, width)


def round_as_q8_0(model: Llama) -> None:
    """Rounds the matrices in place to what a Q8_0 file holds."""
    kind = gguf.GGMLQuantizationType.Q8_0
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                blocks = gguf.quants.quantize(parameter.float().cpu().numpy(), kind)
                parameter.copy_(torch.from_numpy(gguf.quants.dequantize(blocks, kind)))
