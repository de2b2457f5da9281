"""Greedy answers of a model, in batches."""

import copy
import zlib

import numpy as np
import torch
from torch import Tensor

from corpus import Document
from model import LayerCache, Llama

BATCH_SIZE = 4096
MAX_NEW_TOKENS = 160


@torch.no_grad()
def greedy_answers(model: Llama, documents: list[Document], max_answers: int, end_id: int) -> list[Document]:
    """The prompts of the documents, each once and drawn by hash, with the model's own answers; decoded in bf16."""
    model = copy.deepcopy(model).bfloat16()
    distinct = {document.prompt_ids.tobytes(): document for document in documents}
    drawn = sorted(distinct, key=zlib.crc32)[:max_answers]
    prompts = sorted((distinct[key] for key in drawn), key=lambda prompt: prompt.num_prompt_tokens)
    starts = range(0, len(prompts), BATCH_SIZE)
    return [a for start in starts for a in answer_batch(model, prompts[start : start + BATCH_SIZE], end_id)]


def answer_batch(model: Llama, prompts: list[Document], end_id: int) -> list[Document]:
    """Answers to prompts that are padded at their left: rotary positions are relative, so that shifts nothing."""
    device = model.cos.device
    length = max(prompt.num_prompt_tokens for prompt in prompts)
    max_length = length + MAX_NEW_TOKENS
    ids = np.full((len(prompts), max_length), end_id)
    is_text = np.ones((len(prompts), max_length), dtype=bool)
    for row, prompt in enumerate(prompts):
        ids[row, length - prompt.num_prompt_tokens : length] = prompt.prompt_ids
        is_text[row, : length - prompt.num_prompt_tokens] = False
    ids = decode(model, torch.from_numpy(ids).to(device), torch.from_numpy(is_text).to(device), length, end_id)
    return [with_answer(prompt, row[length:], end_id) for prompt, row in zip(prompts, ids, strict=True)]


def decode(model: Llama, ids: Tensor, is_text: Tensor, length: int, end_id: int) -> np.ndarray:
    """Fills ids, [B, max length], from position `length` on."""
    batch_size, max_length = ids.shape
    like = model.model.embed_tokens.weight
    caches = [LayerCache(model.shape, batch_size, max_length, like) for _ in range(model.shape.num_layers)]
    causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    # Padding sees itself, because a softmax over nothing is not a number.
    itself = torch.eye(length, dtype=torch.bool, device=ids.device)
    mask = (causal & is_text[:, None, None, :length]) | itself
    has_ended = torch.zeros(batch_size, dtype=torch.bool, device=ids.device)
    fed = ids[:, :length]
    for position in range(length, max_length):
        chosen = model(fed, caches, mask)[:, -1].argmax(dim=-1)
        ids[:, position] = torch.where(has_ended, end_id, chosen)
        has_ended |= chosen == end_id
        if has_ended.all():
            break
        fed = ids[:, position : position + 1]
        mask = is_text[:, None, None, : position + 1]
    return ids.cpu().numpy()


def with_answer(prompt: Document, answer: np.ndarray, end_id: int) -> Document:
    """The prompt with an answer, up to its first end token."""
    ends = np.flatnonzero(answer == end_id)
    answer = answer[: ends[0] + 1] if len(ends) else answer
    return Document(
        ids=np.concatenate((prompt.prompt_ids, answer.astype(np.uint16))),
        num_prompt_tokens=prompt.num_prompt_tokens,
        family=prompt.family,
        num_response_bytes=0,
    )
