"""The corpus as token ids: reading, the tokenizer, and packing into rows of one length."""

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = [END_OF_TEXT, TURN_START, TURN_END]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""How a conversation is written; `tokenize` follows it."""


@dataclass(frozen=True)
class Pair:
    """A prompt with one answer."""

    prompt: str
    response: str
    family: str


@dataclass(frozen=True)
class Document:
    """A pair as token ids, in the form of the chat template; a model's own answer counts no bytes."""

    ids: np.ndarray
    num_prompt_tokens: int
    family: str
    num_response_bytes: int

    @property
    def prompt_ids(self) -> np.ndarray:
        """The part before the response."""
        return self.ids[: self.num_prompt_tokens]


def read_pairs(path: Path) -> Iterator[Pair]:
    """Pairs of a JSON Lines file, which may be compressed (.xz)."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield Pair(**json.loads(line))


def read_train(folder: Path) -> list[Pair]:
    """All training pairs of the corpus."""
    return [pair for path in sorted(folder.glob("train-*.jsonl.xz")) for pair in read_pairs(path)]


def train_tokenizer(pairs: list[Pair], vocab_size: int) -> Tokenizer:
    """Byte-level BPE with GPT-2's words and single digits: the rules that GGUF files call `smollm`."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (text for pair in pairs for text in (pair.prompt, pair.response))
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def tokenize(tokenizer: Tokenizer, pairs: list[Pair]) -> list[Document]:
    """Each pair as `<|im_start|>user … assistant … <|im_end|>`, the prompt's part apart from the response's."""
    heads = [f"{TURN_START}user\n{p.prompt}{TURN_END}\n{TURN_START}assistant\n" for p in pairs]
    heads = tokenizer.encode_batch_fast(heads)
    bodies = tokenizer.encode_batch_fast([f"{p.response}{TURN_END}" for p in pairs])
    return [
        Document(
            ids=np.array(head.ids + body.ids, dtype=np.uint16),
            num_prompt_tokens=len(head.ids),
            family=pair.family,
            num_response_bytes=len(pair.response.encode()),
        )
        for pair, head, body in zip(pairs, heads, bodies, strict=True)
    ]


def pack(
    documents: list[Document], order: np.ndarray, row_length: int, prompt_weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Whole documents in the given order, one after the other, in rows: ids and loss weights, each [rows, length].

    Every row begins with a document, as a prompt does at inference; what is left of a row has weight 0.
    """
    rows, fill = [[]], 0
    for index in order:
        length = len(documents[index].ids)
        if fill + length > row_length:
            rows.append([])
            fill = 0
        if length <= row_length:
            rows[-1].append(index)
            fill += length
    ids = np.zeros((len(rows), row_length), dtype=np.int32)
    weights = np.zeros((len(rows), row_length), dtype=np.float32)
    for row, members in enumerate(rows):
        start = 0
        for index in members:
            document = documents[index]
            end = start + len(document.ids)
            ids[row, start:end] = document.ids
            weights[row, start + 1 : start + document.num_prompt_tokens] = prompt_weight
            weights[row, start + document.num_prompt_tokens : end] = 1.0
            start = end
    return ids, weights
