"""Loss of a model on the responses of a set of documents."""

import math
from collections import defaultdict
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from corpus import Document
from model import Llama

BATCH_SIZE = 100


@dataclass
class Loss:
    """Summed loss over responses, their end tokens included."""

    nats: float = 0.0
    num_likeliest: int = 0
    num_tokens: int = 0
    num_bytes: int = 0

    def add(self, nats: float, num_likeliest: int, document: Document) -> None:
        """Adds a document's."""
        self.nats += nats
        self.num_likeliest += num_likeliest
        self.num_tokens += len(document.ids) - document.num_prompt_tokens
        self.num_bytes += document.num_response_bytes

    def figures(self) -> dict[str, float | int]:
        """Perplexity per token, bits per byte, and how often the text's token is the model's likeliest."""
        figures = {
            "num_tokens": self.num_tokens,
            "nats_per_token": round(self.nats / self.num_tokens, 4),
            "perplexity": round(math.exp(self.nats / self.num_tokens), 3),
            "top_1": round(self.num_likeliest / self.num_tokens, 4),
        }
        if self.num_bytes:
            figures["bits_per_byte"] = round(self.nats / math.log(2) / self.num_bytes, 4)
        return figures


@torch.no_grad()
def evaluate(model: Llama, documents: list[Document]) -> dict[str, dict[str, float | int]]:
    """Figures by family, and over `all`; every document stands alone, as a prompt does at inference."""
    device = model.cos.device
    losses: dict[str, Loss] = defaultdict(Loss)
    by_length = sorted(documents, key=lambda document: len(document.ids))
    for start in range(0, len(by_length), BATCH_SIZE):
        batch = by_length[start : start + BATCH_SIZE]
        ids = torch.zeros(len(batch), len(batch[-1].ids), dtype=torch.long)
        for row, document in enumerate(batch):
            ids[row, : len(document.ids)] = torch.from_numpy(document.ids.astype("int64"))
        ids = ids.to(device)
        logits = model(ids[:, :-1]).float()
        nats = F.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none").cpu()
        is_likeliest = (logits.argmax(dim=-1) == ids[:, 1:]).cpu()
        for row, document in enumerate(batch):
            response = slice(document.num_prompt_tokens - 1, len(document.ids) - 1)
            for key in (document.family, "all"):
                losses[key].add(nats[row, response].sum().item(), int(is_likeliest[row, response].sum()), document)
    return {key: losses[key].figures() for key in sorted(losses)}
