#!/usr/bin/env python3
"""Draws the example prompt files from the corpus's dev split, and checks them against its training prompts.

    python prompts.py --corpus CORPUS --out EXAMPLES
"""

import argparse
import re
from pathlib import Path

from corpus import Pair, read_pairs, read_train

NUM_GENERAL = 36
NUM_BENCH_EACH = 18
CLOSE = 0.6
"""Share of words in common (Jaccard) from which two prompts count as near-duplicates."""
HEADS = {
    "general_prompts.txt": "What the tiny draft was trained on: concepts, stories, advice, words, facts.",
    "bench_prompts.txt": "Code and maths, which the tiny draft knows little of: for benches, before an adapter and after.",
    "train_prompts.txt": "Code and maths to train an adapter on; none is in bench_prompts.txt, nor close to one there.",
}


def words(prompt: str) -> frozenset[str]:
    """The distinct words, numbers and signs of a prompt, whatever their case."""
    return frozenset(re.findall(r"[a-z]+|\d+|[+*/=^%-]", prompt.lower()))


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


def choose(dev: list[Pair]) -> dict[str, list[str]]:
    """The prompts of each file."""
    bench = draw(dev, {"code"}, NUM_BENCH_EACH) + draw(dev, {"math"}, NUM_BENCH_EACH)
    rest = [pair.prompt for pair in dev if pair.family in {"code", "math"} and not is_close(pair.prompt, bench)]
    general = {pair.family for pair in dev} - {"code", "math"}
    return {
        "general_prompts.txt": draw(dev, general, NUM_GENERAL),
        "bench_prompts.txt": bench,
        "train_prompts.txt": list(dict.fromkeys(rest)),
    }


def main() -> None:
    """Writes the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dev = [pair for pair in read_pairs(args.corpus / "dev.jsonl") if fits_a_line(pair.prompt)]
    seen = {pair.prompt.lower() for pair in read_train(args.corpus)}
    for name, prompts in choose(dev).items():
        overlap = [prompt for prompt in prompts if prompt.lower() in seen]
        if overlap:
            raise SystemExit(f"{name}: prompts of the training split: {overlap}")
        text = f"# {HEADS[name]}\n" + "\n".join(prompts) + "\n"
        (args.out / name).write_text(text, encoding="utf-8")
        print(name, len(prompts))


if __name__ == "__main__":
    main()
