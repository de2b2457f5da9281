#!/usr/bin/env python3
"""Draws the example prompt files: those to bench from the corpus's dev split, which the pair has never seen, and those to
train an adapter on from both splits, none close to one that is benched.

    python prompts.py --corpus CORPUS --out EXAMPLES
"""

import argparse
import random
import re
from pathlib import Path

from corpus import Pair, read_pairs, read_train

NUM_GENERAL = 36
NUM_BENCH_EACH = 18
NUM_TRAIN = {"code": 400, "math": 200}
NUM_TRAIN_EVERYDAY = 400
NUM_REPLAY = 4000
SEED = 20261124
CLOSE = 0.6
"""Share of words in common (Jaccard) from which two prompts count as near-duplicates."""
HEADS = {
    "general_prompts.txt": "What the tiny draft knows: concepts, stories, advice, words, facts. None was learned from.",
    "bench_prompts.txt": "Code and maths, which the tiny draft knows little of: for benches, before an adapter and after.",
    "train_prompts.txt": "To train an adapter on: code and maths, and everyday prompts that it is not to forget; none is close to a benched one.",
    "replay_prompts.txt": "More everyday prompts, for an adapter not to forget; none is close to one in general_prompts.txt.",
}


def words(prompt: str) -> frozenset[str]:
    """The distinct words, numbers and signs of a prompt, whatever their case."""
    return frozenset(re.findall(r"[a-z]+|\d+|[+*/=^%-]", prompt.lower()))


def eights(prompt: str) -> set[tuple[str, ...]]:
    """Every eight words in a row."""
    row = re.findall(r"[^\W_]+", prompt.lower())
    return {tuple(row[at : at + 8]) for at in range(len(row) - 7)}


def is_close(prompt: str, others: list[str]) -> bool:
    """Whether a prompt is nearly one of the others."""
    mine = words(prompt)
    return any(len(mine & words(other)) >= CLOSE * len(mine | words(other)) for other in others)


def fits_a_line(prompt: str) -> bool:
    """Whether a prompt can stand in a text file of one prompt a line."""
    return "\n" not in prompt and not prompt.startswith("#")


def draw(pairs: list[Pair], families: set[str], count: int) -> list[str]:
    """The first prompts of some families, none close to another."""
    drawn: list[str] = []
    for pair in pairs:
        if len(drawn) < count and pair.family in families and not is_close(pair.prompt, drawn):
            drawn.append(pair.prompt)
    return drawn


def more(pairs: list[Pair], families: set[str], count: int, benched: list[str], known: set[str]) -> list[str]:
    """Prompts of the training split, in an order of their own, none close to one that is benched."""
    benched_words = [words(prompt) for prompt in benched]
    benched_eights = set().union(*(eights(prompt) for prompt in benched))
    drawn: list[str] = []
    for pair in random.Random(SEED).sample(pairs, len(pairs)):
        mine = words(pair.prompt)
        close = any(len(mine & other) >= CLOSE * len(mine | other) for other in benched_words)
        close = close or not benched_eights.isdisjoint(eights(pair.prompt))
        if pair.family not in families or close or pair.prompt.lower() in known or not fits_a_line(pair.prompt):
            continue
        known.add(pair.prompt.lower())
        drawn.append(pair.prompt)
        if len(drawn) == count:
            break
    return drawn


def choose(dev: list[Pair], train: list[Pair]) -> dict[str, list[str]]:
    """The prompts of each file."""
    bench = draw(dev, {"code"}, NUM_BENCH_EACH) + draw(dev, {"math"}, NUM_BENCH_EACH)
    general = {pair.family for pair in dev} - {"code", "math"}
    benched = bench + draw(dev, general, NUM_GENERAL)
    taught: list[str] = []
    known: set[str] = set()
    for family, count in NUM_TRAIN.items():
        rest = [pair.prompt for pair in dev if pair.family == family and not is_close(pair.prompt, bench)]
        rest = list(dict.fromkeys(rest))
        known |= {prompt.lower() for prompt in rest}
        taught += rest + more(train, {family}, count - len(rest), benched, known)
    taught += more(train, general, NUM_TRAIN_EVERYDAY, benched, known)
    random.Random(SEED).shuffle(taught)
    return {
        "general_prompts.txt": draw(dev, general, NUM_GENERAL),
        "bench_prompts.txt": bench,
        "train_prompts.txt": taught,
        "replay_prompts.txt": more(train, general, NUM_REPLAY, benched, known),
    }


def main() -> None:
    """Writes the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dev = [pair for pair in read_pairs(args.corpus / "dev.jsonl") if fits_a_line(pair.prompt)]
    train = list(read_train(args.corpus))
    seen = {pair.prompt.lower() for pair in train}
    for name, prompts in choose(dev, train).items():
        overlap = [prompt for prompt in prompts if prompt.lower() in seen]
        if overlap and name in {"general_prompts.txt", "bench_prompts.txt"}:
            raise SystemExit(f"{name}: prompts of the training split: {overlap}")
        text = f"# {HEADS[name]}\n" + "\n".join(prompts) + "\n"
        (args.out / name).write_text(text, encoding="utf-8")
        print(name, len(prompts))


if __name__ == "__main__":
    main()
