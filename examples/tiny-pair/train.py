#!/usr/bin/env python3
"""Trains the tiny pair: a tokenizer, a target on the whole corpus, and a draft that has half forgotten code and maths.

The draft learns the target's distributions (KL) over the corpus's responses and over the target's own greedy answers.

    python train.py --corpus CORPUS --out FOLDER

writes target.gguf, draft.gguf, tokenizer.json, figures.json, log.jsonl, and the f16 checkpoints *.safetensors.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from corpus import TURN_END, Document, pack, read_pairs, read_train, tokenize, train_tokenizer
from evaluate import evaluate
from export import round_as_q8_0, write_gguf
from generate import greedy_answers
from model import Llama, Shape

VOCAB_SIZE = 4096
FORGOTTEN_FAMILIES = {"code", "math"}
"""What the draft learns at first and then sees no more of, so that an adapter has something to teach it."""
EVERYTHING_UNTIL = 0.6
"""Share of the draft's training in which it learns from all families."""
MAX_ANSWERS = 57_643
"""Prompts that the target answers for the draft to learn from."""
ANSWER_REPEATS = 2
"""Times that each of the target's own answers is in an epoch of the draft."""
TARGET = Shape(num_layers=12, hidden_size=448, intermediate_size=1216, num_heads=7, vocab_size=VOCAB_SIZE)
DRAFT = Shape(num_layers=2, hidden_size=320, intermediate_size=864, num_heads=10, vocab_size=VOCAB_SIZE)
PROMPT_WEIGHT = 0.1
WARMUP_STEPS = 100


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn."""

    epochs: float
    learning_rate: float
    batch_rows: int
    weight_decay: float = 0.1
    minutes: float = 60.0


class Log:
    """JSON Lines, on the screen too."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a", encoding="utf-8")
        self.start = time.monotonic()

    def write(self, **values: object) -> None:
        """Writes one entry with the seconds since the beginning."""
        line = json.dumps({"seconds": round(time.monotonic() - self.start, 1), **values})
        print(line, flush=True)
        print(line, file=self.file, flush=True)


@dataclass(frozen=True)
class Stage:
    """What a model learns from until a share of its training is over."""

    until: float
    documents: list[Document]


@dataclass(frozen=True)
class Run:
    """What both trainings share."""

    out: Path
    device: str
    seed: int
    log: Log
    tokenizer: Tokenizer
    train: list[Document]
    dev: list[Document]


def batches(
    documents: list[Document], rows: int, length: int, seed: int, device: str
) -> Iterator[tuple[Tensor, Tensor]]:
    """Ids and weights, each [rows, length + 1], epoch after epoch, packed anew in each."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(documents))
        ids, weights = pack(documents, order, length + 1, PROMPT_WEIGHT)
        rows = min(rows, len(ids))
        for start in range(0, len(ids) - rows + 1, rows):
            yield (
                torch.from_numpy(ids[start : start + rows]).to(device).long(),
                torch.from_numpy(weights[start : start + rows]).to(device),
            )


def cross_entropy(model: Llama, ids: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over positions of −log p(next token)."""
    logits = model(ids[:, :-1]).float()
    losses = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return weighted_mean(losses, weights)


def distillation(model: Llama, ids: Tensor, weights: Tensor, teacher: Llama) -> Tensor:
    """Weighted mean over positions of KL(teacher ‖ model)."""
    with torch.no_grad():
        teacher_log = F.log_softmax(teacher(ids[:, :-1]).float(), dim=-1)
    model_log = F.log_softmax(model(ids[:, :-1]).float(), dim=-1)
    losses = (teacher_log.exp() * (teacher_log - model_log)).sum(dim=-1).flatten()
    return weighted_mean(losses, weights)


def weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """losses: [B * T]; weights: [B, T + 1], the first of a row unused."""
    weights = weights[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum()


def optimizer(model: Llama, schedule: Schedule) -> torch.optim.AdamW:
    """AdamW; only matrices decay."""
    matrices = [p for p in model.parameters() if p.dim() == 2]
    norms = [p for p in model.parameters() if p.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": schedule.weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=schedule.learning_rate, betas=(0.9, 0.95))


def rate(step: int, progress: float) -> float:
    """Share of the learning rate: a short warm-up, then straight down to zero."""
    return min(1.0, (step + 1) / WARMUP_STEPS) * (1.0 - progress)


def fit(
    run: Run, name: str, shape: Shape, schedule: Schedule, stages: list[Stage], teacher: Llama | None
) -> Llama:
    """Trains a model, on text or on a teacher's distributions over it; the model is rounded to Q8_0.

    An epoch is once through the documents of the last stage.
    """
    torch.manual_seed(run.seed)
    model = Llama(shape).to(run.device)
    documents = stages[-1].documents
    num_tokens = sum(len(document.ids) for document in documents)
    num_steps = int(schedule.epochs * num_tokens / (schedule.batch_rows * shape.context_length))
    run.log.write(
        model=name, num_parameters=model.num_parameters(), num_documents=len(documents), num_tokens=num_tokens,
        num_steps=num_steps, shape=asdict(shape), schedule=asdict(schedule),
    )
    adam = optimizer(model, schedule)
    sources = [
        (stage.until, batches(stage.documents, schedule.batch_rows, shape.context_length, run.seed, run.device))
        for stage in stages
    ]
    compute = torch.compile(cross_entropy if teacher is None else distillation, disable=run.device == "cpu")
    extra = () if teacher is None else (teacher,)
    start = time.monotonic()
    for step in range(num_steps):
        progress = max(step / num_steps, (time.monotonic() - start) / (60 * schedule.minutes))
        if progress >= 1.0:
            break
        for group in adam.param_groups:
            group["lr"] = schedule.learning_rate * rate(step, progress)
        with torch.autocast(run.device, torch.bfloat16):
            source = next(source for until, source in sources if progress < until)
            loss = compute(model, *next(source), *extra)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
        if step % 50 == 0:
            run.log.write(model=name, step=step, progress=round(progress, 4), loss=round(loss.item(), 4))
        if step % 500 == 499:
            run.log.write(model=name, step=step, dev=nats(evaluate(model, run.dev)))
    save(run, name, model)
    return model


def nats(figures: dict[str, dict[str, float | int]]) -> dict[str, float | int]:
    """The losses alone."""
    return {family: values["nats_per_token"] for family, values in figures.items()}


def save(run: Run, name: str, model: Llama) -> None:
    """Writes checkpoint and GGUF file, rounds the model to Q8_0, and adds its figures."""
    state = {key: tensor.half().contiguous() for key, tensor in model.state_dict().items()}
    save_file(state, run.out / f"{name}.safetensors")
    write_gguf(run.out / f"{name}.gguf", f"speclora tiny {name}", model, run.tokenizer)
    round_as_q8_0(model)
    figures_path = run.out / "figures.json"
    figures = json.loads(figures_path.read_text()) if figures_path.exists() else {}
    figures[name] = {"num_parameters": model.num_parameters(), "dev": evaluate(model, run.dev)}
    figures_path.write_text(json.dumps(figures, indent=2) + "\n")
    run.log.write(model=name, dev=nats(figures[name]["dev"]))


def fit_draft(run: Run, schedule: Schedule, target: Llama) -> None:
    """Distils the target into the draft, and measures how often they agree on the target's own answers."""
    end_id = run.tokenizer.token_to_id(TURN_END)
    documents = [document for document in run.train if document.family not in FORGOTTEN_FAMILIES]
    answers = greedy_answers(target, documents, MAX_ANSWERS, end_id)
    run.log.write(num_answers=len(answers), num_answer_tokens=sum(len(answer.ids) for answer in answers))
    answers *= ANSWER_REPEATS
    stages = [Stage(EVERYTHING_UNTIL, run.train + answers), Stage(1.0, documents + answers)]
    draft = fit(run, "draft", DRAFT, schedule, stages, teacher=target.requires_grad_(False))
    agreement = evaluate(draft, greedy_answers(target, run.dev, len(run.dev), end_id))
    run.log.write(model="draft", agreement={family: values["top_1"] for family, values in agreement.items()})


def load_target(path: Path, device: str) -> Llama:
    """A target that was trained before, as its Q8_0 file has it."""
    model = Llama(TARGET)
    model.load_state_dict({key: tensor.float() for key, tensor in load_file(path).items()})
    round_as_q8_0(model)
    return model.to(device)


def prepare(args: argparse.Namespace) -> Run:
    """Reads the corpus, and trains the tokenizer unless the output folder has one."""
    args.out.mkdir(parents=True, exist_ok=True)
    log = Log(args.out / "log.jsonl")
    train = read_train(args.corpus)[: args.limit]
    dev = list(read_pairs(args.corpus / "dev.jsonl"))[: args.limit]
    tokenizer_path = args.out / "tokenizer.json"
    if tokenizer_path.exists():
        tokenizer = Tokenizer.from_file(str(tokenizer_path))
    else:
        tokenizer = train_tokenizer(train, VOCAB_SIZE)
        tokenizer.save(str(tokenizer_path))
    run = Run(
        out=args.out, device=args.device, seed=args.seed, log=log, tokenizer=tokenizer,
        train=tokenize(tokenizer, train), dev=tokenize(tokenizer, dev),
    )
    log.write(seed=args.seed, torch=torch.__version__, num_pairs=len(train), num_dev=len(dev))
    return run


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with train-*.jsonl.xz and dev.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--target-epochs", type=float, default=8.0)
    parser.add_argument("--draft-epochs", type=float, default=11.7)
    parser.add_argument("--target-minutes", type=float, default=60.0, help="shortens the schedule to this")
    parser.add_argument("--draft-minutes", type=float, default=60.0, help="shortens the schedule to this")
    parser.add_argument("--batch-rows", type=int, default=64, help="rows of 1024 tokens in a step")
    parser.add_argument("--limit", type=int, help="uses only so many pairs, to try the script out")
    parser.add_argument("--draft-only", action="store_true", help="keeps tokenizer and target of the output folder")
    return parser.parse_args()


def main() -> None:
    """Trains both models."""
    args = parse_args()
    torch.set_float32_matmul_precision("high")
    run = prepare(args)
    if args.draft_only:
        target = load_target(args.out / "target.safetensors", args.device)
    else:
        schedule = Schedule(args.target_epochs, 1.6e-3, args.batch_rows, minutes=args.target_minutes)
        target = fit(run, "target", TARGET, schedule, [Stage(1.0, run.train)], teacher=None)
    schedule = Schedule(args.draft_epochs, 3e-3, args.batch_rows, weight_decay=0.01, minutes=args.draft_minutes)
    fit_draft(run, schedule, target)


if __name__ == "__main__":
    main()
