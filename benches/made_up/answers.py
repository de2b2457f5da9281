"""Prompts, what a target answers to them, and the rounds in which a draft helps: made up, the same each time."""

import hashlib
import random
import struct
from functools import lru_cache

NUM_DRAFT_TOKENS = 4
NUM_PROMPT_SETS = 3
WORDS = "sort a list of numbers and print every second one of them without any loop at all".split()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def split_key(prompt):
    """Where a prompt falls between what is held out and what is not: as src/store/examples.rs draws it."""
    digest = hashlib.sha256(b"split\0" + prompt.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def example_identity(target_sha256, prompt, output, temperature):
    """The hash of an example: as src/store/examples.rs has it."""
    hasher = hashlib.sha256()
    for part in [target_sha256.encode(), prompt, output, struct.pack("<d", temperature)]:
        hasher.update(struct.pack("<Q", len(part)) + part)
    return hasher.hexdigest()


@lru_cache(maxsize=None)
def pattern(length, quality, variant):
    """The rounds that put out an answer: drafted, accepted and emitted tokens, nanoseconds of draft and target."""
    rng = random.Random(f"{length} {quality} {variant}")
    rounds, left = [], length - 1
    while left > 0:
        drafted = min(NUM_DRAFT_TOKENS, left - 1)
        accepted = 0
        while accepted < drafted and rng.random() < 0.6 + 0.05 * quality:
            accepted += 1
        draft_ns, verify_ns = int((drafted + 0.1 * rng.random()) * 1.1e6), int((9 + rng.random()) * 1e6)
        rounds.append((drafted, accepted, accepted + 1, draft_ns, verify_ns))
        left -= accepted + 1
    return rounds


class Prompts:
    """Prompts in sets, of which two share half of theirs."""

    def __init__(self, database, num_prompts, vocab_size):
        self.num_prompts, self.token_ids = num_prompts, range(vocab_size)
        self.texts, self.ids, self.sets = [], [], []
        for index in range(NUM_PROMPT_SETS * num_prompts):
            rng = random.Random(f"prompt {index}")
            text = f"Task {index}: " + " ".join(rng.choices(WORDS, k=8 + index % 20))
            self.texts.append(text)
            row = (sha256(text.encode()), text)
            self.ids.append(database.execute("INSERT INTO prompts (sha256, text) VALUES (?, ?)", row).lastrowid)
        for number in range(NUM_PROMPT_SETS):
            row = (f"made_up_{number}.txt", sha256(f"set {number}".encode()))
            insert = "INSERT INTO prompt_sets (name, sha256) VALUES (?, ?)"
            self.sets.append(database.execute(insert, row).lastrowid)

    def of_set(self, number):
        """Indices of the prompts of a set; the second set ends as it begins, with the same text."""
        first = number * self.num_prompts // 2
        indices = [*range(first, first + self.num_prompts)]
        return [*indices[:-1], first] if number == 1 else indices

    def tokens(self, rng, count):
        """Token ids as they are stored."""
        return struct.pack(f"<{count}I", *rng.choices(self.token_ids, k=count))

    @lru_cache(maxsize=4096)
    def answer(self, index, salt):
        """Token ids, their hash, and the text of an answer; another for another salt."""
        rng = random.Random(f"answer {index} {salt}")
        length = 1 if index % 19 == 18 else 62 + index * 37 % 107
        tokens = self.tokens(rng, length)
        return tokens, sha256(tokens), " ".join(rng.choices(WORDS, k=length))

    def prompt_tokens(self, index):
        """Token ids of a rendered prompt."""
        return self.tokens(random.Random(f"prompt tokens {index}"), 12 + index % 30)
