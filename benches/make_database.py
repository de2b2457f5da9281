#!/usr/bin/env python3
"""Makes a large database to measure with, or a small one to check figures on: the same rows for the same arguments.

    cargo build --release
    benches/make_database.py big.db                               # 1,000 benches, 300,000 generations, 6 M rounds
    benches/make_database.py ten.db --runs 10000                  # ten times as much
    benches/make_database.py small.db --runs 40 --prompts 6 --iterations 2

The program itself makes the file and one run of each kind, on its built-in models, so that schema, environment, models and
settings are its own. The other rows are made up, as the program would write them: every constraint holds, sums of rounds
are those of their generations, and summaries come from queries/mode_metrics.sql. Beside the benches there are runs that
collect, train and evaluate, one of each for every twenty. Some of what is hard is there: failures, warm-ups, sampled runs,
runs without a mode, outputs that differ, runs that broke off, crashed or lie in the trash, a loss that is no number.
"""

import argparse
import hashlib
import json
import random
import sqlite3
import struct
import subprocess
import sys
import time
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target" / "release" / "speclora"
MODES = ["target_only", "spec_base", "spec_lora", "control"]
NUM_DRAFT_TOKENS = 4
# 2026-01-01, in milliseconds.
FIRST_START_MS = 1_767_225_600_000
NUM_PROMPT_SETS = 3
TOP_K = 4
HOLDOUT = 0.2
SUMMARY_COLUMNS = """run_id, mode, num_prompts, num_generations, num_failed, total_tokens, avg_tokens_per_second,
    min_tokens_per_second, median_tokens_per_second, max_tokens_per_second, avg_decode_tokens_per_second,
    avg_time_to_first_token, avg_time_to_last_token, median_time_to_last_token, avg_acceptance_rate,
    median_acceptance_rate, acceptance_rate, mean_acceptance_length, num_compared, num_lossless"""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def make_template(program, path):
    """Has the program make the database, with a run of each kind."""
    small = ["-m", "12", "--seed", "1"]
    for command in [
        ["bench", "-f", "builtin:bench", "-l", "3", "-n", "2", "--skip-lora", "--control", *small],
        ["collect", "-f", "builtin:train", "-l", "8", *small],
        ["train", "--rank", "2", "--epochs", "2", "--eval-every", "1", "--holdout", "0.5", "--seed", "1"],
        ["evaluate", "-f", "builtin:bench", "-l", "3", *small],
    ]:
        subprocess.run([program, *command, "--db", path, "--quiet"], check=True, stdout=subprocess.DEVNULL)


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
        rounds.append(
            (
                drafted,
                accepted,
                accepted + 1,
                1_100_000 * drafted + rng.randrange(90_000),
                9_000_000 + rng.randrange(900_000),
            )
        )
        left -= accepted + 1
    return rounds


class Prompts:
    """What is asked, and what the target answers."""

    def __init__(self, database, num_prompts, vocab_size):
        self.num_prompts, self.vocab_size = num_prompts, vocab_size
        words = "sort a list of numbers and print every second one of them without any loop at all".split()
        self.texts, self.ids, self.sets = [], [], []
        for index in range(NUM_PROMPT_SETS * num_prompts):
            rng = random.Random(f"prompt {index}")
            text = f"Task {index}: " + " ".join(rng.choice(words) for _ in range(8 + index % 20))
            self.texts.append(text)
            row = (sha256(text.encode()), text)
            self.ids.append(database.execute("INSERT INTO prompts (sha256, text) VALUES (?, ?)", row).lastrowid)
        for number in range(NUM_PROMPT_SETS):
            row = (f"made_up_{number}.txt", sha256(f"set {number}".encode()))
            self.sets.append(database.execute("INSERT INTO prompt_sets (name, sha256) VALUES (?, ?)", row).lastrowid)

    def of_set(self, number):
        """Indices of the prompts of a set. Two sets share half of theirs."""
        return range(number * self.num_prompts // 2, number * self.num_prompts // 2 + self.num_prompts)

    @lru_cache(maxsize=4096)
    def answer(self, index, salt):
        """Token ids as bytes, their hash, and the text of an answer; another for another salt."""
        rng = random.Random(f"answer {index} {salt}")
        length = 1 if index % 19 == 18 else 62 + index * 37 % 107
        tokens = b"".join(struct.pack("<I", rng.randrange(self.vocab_size)) for _ in range(length))
        return tokens, sha256(tokens), " ".join(f"w{rng.randrange(1000)}" for _ in range(length))

    def prompt_tokens(self, index):
        rng = random.Random(f"prompt tokens {index}")
        return b"".join(struct.pack("<I", rng.randrange(self.vocab_size)) for _ in range(12 + index % 30))


class Maker:
    """Writes runs into a database that the program has made."""

    def __init__(self, database, arguments):
        self.database, self.arguments = database, arguments
        self.rng = random.Random(arguments.seed)
        one = lambda sql: database.execute(sql).fetchone()
        self.target_id, self.target_sha256, vocab_size = one(
            "SELECT m.id, m.sha256, m.vocab_size FROM models AS m JOIN run_models AS rm ON rm.model_id = m.id WHERE rm.role = 'target'"
        )
        (self.draft_id,) = one("SELECT model_id FROM run_models WHERE role = 'draft'")
        self.checkpoints = [row[0] for row in database.execute("SELECT id FROM checkpoints ORDER BY id")]
        self.adapter, self.adapter_config, self.target_modules = one(
            """SELECT bc.data, c.adapter_config, c.target_modules
            FROM checkpoints AS c JOIN blob_chunks AS bc ON bc.blob_id = c.adapter_blob_id ORDER BY c.id LIMIT 1"""
        )
        (self.environment_id,) = one("SELECT max(id) FROM environments")
        self.prompts = Prompts(database, arguments.prompts, vocab_size)
        self.examples = {}
        (self.next_generation,) = one("SELECT coalesce(max(id), 0) + 1 FROM generations")
        self.num_runs = 0
        self.clock_ms = FIRST_START_MS
        self.mode_metrics = (ROOT / "queries" / "mode_metrics.sql").read_text().rstrip().rstrip(";")

    def insert(self, table, **columns):
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        return self.database.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", list(columns.values())
        ).lastrowid

    def uid(self):
        digits = f"{self.clock_ms:012x}7{self.rng.getrandbits(76):019x}"
        return "-".join([digits[:8], digits[8:12], digits[12:16], "8" + digits[17:20], digits[20:32]])

    def begin(self, kind, prompt_set, num_planned, checkpoint=None, settings=None):
        """A run like the template's of this kind, as running; settings differ where they are given."""
        self.num_runs += 1
        number, database = self.num_runs, self.database
        self.clock_ms += 3_600_000
        (template,) = database.execute("SELECT min(id) FROM runs WHERE kind = ?", [kind]).fetchone()
        run = self.insert(
            "runs",
            uid=self.uid(),
            kind=kind,
            name=f"{kind} {number % 7}" if number % 10 == 0 else None,
            status="running",
            command_line=f"speclora {kind}",
            environment_id=self.environment_id,
            prompt_set_id=self.prompts.sets[prompt_set],
            checkpoint_id=checkpoint,
            num_planned_generations=num_planned,
            started_at_ms=self.clock_ms,
            heartbeat_at_ms=self.clock_ms,
            pid=1,
            boot_id="another boot",
            process_start_ticks=1,
        )
        database.execute(
            """INSERT INTO run_settings (run_id, key, value, origin, source)
            SELECT ?, key, value, origin, source FROM run_settings WHERE run_id = ?""",
            [run, template],
        )
        for key, value in (settings or {}).items():
            database.execute(
                "UPDATE run_settings SET value = ?, origin = 'flag' WHERE run_id = ? AND key = ?",
                [json.dumps(value), run, key],
            )
        database.execute(
            "INSERT INTO run_models (run_id, role, model_id, path) SELECT ?, role, model_id, path FROM run_models WHERE run_id = ?",
            [run, template],
        )
        if kind != "train":
            rows = [
                (
                    run,
                    place,
                    self.prompts.ids[index],
                    f"p{index}" if index % 2 else None,
                    ["code", "prose", None][index % 3],
                )
                for place, index in enumerate(self.prompts.of_set(prompt_set))
            ]
            database.executemany(
                "INSERT INTO run_prompts (run_id, prompt_index, prompt_id, external_id, category) VALUES (?, ?, ?, ?, ?)",
                rows,
            )
        if number % 5 == 0:
            self.insert("run_tags", run_id=run, key="series", value=str(number % 4))
        if number % 9 == 0:
            self.insert("run_notes", run_id=run, text=f"note {number}", created_at_ms=self.clock_ms)
        return run

    def end(self, run, status="completed", error=None):
        """Ends a run, with its summaries; one that is still running has crashed."""
        if status == "running":
            return
        self.database.execute(
            "UPDATE runs SET status = ?, error = ?, ended_at_ms = ?, heartbeat_at_ms = ? WHERE id = ?",
            [status, error, self.clock_ms, self.clock_ms, run],
        )
        self.database.execute(
            f"INSERT INTO mode_summaries ({SUMMARY_COLUMNS}) SELECT {SUMMARY_COLUMNS} FROM ({self.mode_metrics})",
            {"run_id": run},
        )

    def bench(self):
        """A run that measures."""
        number, arguments, rng = self.num_runs + 1, self.arguments, self.rng
        dropped = {11: ["spec_lora"], 13: ["spec_base", "spec_lora"], 17: ["target_only", "control"]}
        modes = [
            mode for mode in MODES if not any(number % every == 0 and mode in gone for every, gone in dropped.items())
        ] or MODES
        checkpoint = self.checkpoints[number % len(self.checkpoints)] if "spec_lora" in modes else None
        temperature = 0.8 if number % 7 == 3 else 0.0
        prompt_set = number % NUM_PROMPT_SETS
        settings = {
            "temperature": temperature,
            "modes": modes,
            "iterations": arguments.iterations,
            "max_tokens": 200,
            "seed": number % 5,
        }
        planned = len(modes) * (1 + arguments.prompts * arguments.iterations)
        run = self.begin("bench", prompt_set, planned, checkpoint, settings)
        status = {23: "interrupted", 29: "failed", 37: "running"}.get(
            next((n for n in (23, 29, 37) if number % n == 5), None), "completed"
        )
        places = [(0, mode, 0, 1) for mode in modes] + [
            (place, mode, iteration, 0)
            for iteration in range(arguments.iterations)
            for place in range(arguments.prompts)
            for mode in rng.sample(modes, len(modes))
        ]
        if status != "completed":
            places = places[: len(places) // 2]
        indices = self.prompts.of_set(prompt_set)
        quality, speed = number % 3, 800 + rng.randrange(500)
        generations, rounds = [], []
        for order, (place, mode, iteration, is_warmup) in enumerate(places):
            index = indices[place]
            salt = (
                f"{number} {iteration} {mode}"
                if temperature
                else ("other" if mode == "spec_lora" and rng.random() < 0.01 else "")
            )
            self.generation(
                generations,
                rounds,
                run,
                (place, mode, iteration, is_warmup, order),
                self.prompts.answer(index, salt),
                quality=quality + 2 * (mode == "spec_lora"),
                speed=speed,
                checkpoint=checkpoint if mode == "spec_lora" else None,
                fails=rng.random() < 0.004 or (number % 6 == 0 and place == 1 and mode == "spec_base"),
            )
        self.write_generations(generations, rounds)
        self.end(run, status, "the disk is full" if status == "failed" else None)
        if number % 41 == 6:
            self.database.execute("UPDATE runs SET deleted_at_ms = ? WHERE id = ?", [self.clock_ms, run])

    def generation(self, generations, rounds, run, slot, answer, *, quality, speed, checkpoint, fails):
        """Adds a generation and its rounds to the rows to write, and returns its id and its rounds."""
        (place, mode, iteration, is_warmup, order), (tokens, hash_of_tokens, text), rng = slot, answer, self.rng
        identity, environment = self.next_generation, self.environment_id
        self.next_generation += 1
        begin = (
            identity,
            run,
            environment,
            place,
            mode,
            iteration,
            is_warmup,
            order,
            checkpoint,
            rng.getrandbits(62),
            self.clock_ms,
            round(rng.random() * 2, 2),
        )
        if fails:
            generations.append((*begin, "the context is full", *[None] * 14))
            return identity, []
        length, is_speculative = len(tokens) // 4, mode.startswith("spec_")
        first_ns = 30_000_000 * speed // 1000 + rng.randrange(3_000_000)
        played = [
            (identity, number, drafted, accepted, emitted, draft_ns * speed // 1000, verify_ns * speed // 1000)
            for number, (drafted, accepted, emitted, draft_ns, verify_ns) in enumerate(
                pattern(length, quality, rng.randrange(6)) if is_speculative else []
            )
        ]
        if is_speculative:
            spent_ns = sum(row[5] + row[6] + 40_000 for row in played)
        else:
            spent_ns = (length - 1) * (8_600_000 * speed // 1000 + rng.randrange(400_000))
        drafted, accepted, emitted = (sum(row[column] for row in played) for column in (2, 3, 4))
        self.clock_ms += (first_ns + spent_ns) // 1_000_000 + 2
        generations.append(
            (
                *begin,
                None,
                "max_tokens" if length > 160 else "stop_token",
                20 + place,
                length,
                len(played),
                drafted,
                accepted,
                emitted,
                1 + len(played) if is_speculative else length,
                drafted + len(played) + 1 if is_speculative else 0,
                first_ns,
                first_ns + spent_ns,
                tokens,
                hash_of_tokens,
                text,
            )
        )
        rounds += played
        return identity, played

    def write_generations(self, generations, rounds):
        self.database.executemany(
            """INSERT INTO generations (
                id, run_id, environment_id, prompt_index, mode, iteration, is_warmup, exec_order, checkpoint_id, seed, started_at_ms,
                load_average, error, stop_reason, num_prompt_tokens, total_tokens, num_rounds, num_drafted, num_accepted, num_emitted,
                num_target_forwards, num_draft_forwards, time_to_first_token_ns, time_to_last_token_ns, output_tokens, output_sha256,
                output_text
            ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            generations,
        )
        self.database.executemany(
            "INSERT INTO rounds (generation_id, round, num_drafted, num_accepted, num_emitted, draft_ns, verify_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
            rounds,
        )

    def collect(self):
        """A run that keeps examples."""
        number, rng = self.num_runs + 1, self.rng
        prompt_set = number % NUM_PROMPT_SETS
        run = self.begin(
            "collect",
            prompt_set,
            self.arguments.prompts,
            None,
            {"target_top_k": TOP_K, "holdout": HOLDOUT, "acceptance_threshold": 0.6},
        )
        generations, rounds, observed = [], [], []
        for place, index in enumerate(self.prompts.of_set(prompt_set)):
            answer = self.prompts.answer(index, "")
            identity, played = self.generation(
                generations,
                rounds,
                run,
                (place, "spec_base", 0, 0, place),
                answer,
                quality=number % 4,
                speed=1000,
                checkpoint=None,
                fails=rng.random() < 0.03,
            )
            if generations[-1][12] is None:
                observed.append((identity, index, answer, played))
        self.write_generations(generations, rounds)
        for identity, index, answer, played in observed:
            example = self.example(identity, index, answer)
            self.insert("generation_examples", generation_id=identity, example_id=example)
            self.disagreements(identity, answer[0], played)
        self.end(run)

    def example(self, generation, index, answer):
        """The example that an answer is; the same answer again is the same example."""
        prompt, output = self.prompts.prompt_tokens(index), answer[0]
        identity = example_identity(self.target_sha256, prompt, output, 1.0)
        if identity not in self.examples:
            num_positions = len(output) // 4
            place = struct.pack("<4I4ef", 1, 2, 3, 4, 0.5, 0.25, 0.125, 0.0625, 0.0625)
            self.examples[identity] = self.insert(
                "examples",
                sha256=identity,
                target_model_id=self.target_id,
                prompt_id=self.prompts.ids[index],
                generation_id=generation,
                split_key=split_key(self.prompts.texts[index]),
                num_prompt_tokens=len(prompt) // 4,
                num_output_tokens=num_positions,
                prompt_tokens=prompt,
                output_tokens=output,
                temperature=1.0,
                top_k=TOP_K,
                target_blob_id=self.blob(place * num_positions),
                created_at_ms=self.clock_ms,
            )
        return self.examples[identity]

    def disagreements(self, generation, tokens, played):
        """The refused proposal of each round that has one."""
        position, rows = 1, []
        for _, number, drafted, accepted, emitted, *_ in played:
            if accepted < drafted:
                (target_token,) = struct.unpack_from("<I", tokens, 4 * (position + accepted))
                rows.append(
                    (
                        generation,
                        number,
                        position + accepted,
                        self.rng.randrange(40),
                        target_token,
                        self.rng.random(),
                        self.rng.random(),
                    )
                )
            position += emitted
        self.database.executemany(
            """INSERT INTO disagreements (generation_id, round, position, draft_token, target_token, draft_probability, target_probability)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
            rows,
        )

    def blob(self, data):
        """Bytes by content."""
        found = self.database.execute("SELECT id FROM blobs WHERE sha256 = ?", [sha256(data)]).fetchone()
        if found:
            return found[0]
        blob = self.insert("blobs", sha256=sha256(data), size_bytes=len(data))
        for index in range(0, len(data), 1 << 20):
            self.insert("blob_chunks", blob_id=blob, chunk_index=index >> 20, data=data[index : index + (1 << 20)])
        return blob

    def train(self):
        """A run that trains on what was collected."""
        number, rng, database = self.num_runs + 1, self.rng, self.database
        parent = self.checkpoints[-1] if number % 3 else None
        run = self.begin("train", 0, 0, parent, {"holdout": HOLDOUT})
        chosen = rng.sample(sorted(self.examples.values()), min(60, len(self.examples)))
        keys = dict(database.execute("SELECT id, split_key FROM examples"))
        purposes = {
            example: "held_out" if keys[example] < HOLDOUT else rng.choice(["train", "train", "replay"])
            for example in chosen
        }
        database.executemany(
            "INSERT INTO run_examples (run_id, example_id, purpose) VALUES (?, ?, ?)",
            [(run, *item) for item in purposes.items()],
        )
        learned = [example for example, purpose in purposes.items() if purpose != "held_out"] or chosen
        held_out = [example for example, purpose in purposes.items() if purpose == "held_out"]
        num_steps, breaks = self.arguments.steps, number % 4 == 0
        self.evaluate_step(run, 0, num_steps, held_out)
        for step in range(1, num_steps + 1):
            nonfinite = "nan" if breaks and step == num_steps else None
            self.clock_ms += 250
            self.insert(
                "train_steps",
                run_id=run,
                step=step,
                epoch=1 + 2 * (step - 1) // num_steps,
                loss=None if nonfinite else 2.5 / step**0.3 + rng.random() / 9,
                nonfinite=nonfinite,
                gradient_norm=None if nonfinite else rng.random(),
                learning_rate=4e-3 * (1 - (step - 1) / num_steps),
                num_positions=300 + rng.randrange(99),
                num_tokens=500 + rng.randrange(99),
                step_ns=240_000_000 + rng.randrange(9_000_000),
                ended_at_ms=self.clock_ms,
            )
            rows = [(run, step, example) for example in rng.sample(learned, min(4, len(learned)))]
            database.executemany("INSERT INTO train_step_examples (run_id, step, example_id) VALUES (?, ?, ?)", rows)
            if step % max(1, num_steps // 4) == 0 and not nonfinite:
                self.evaluate_step(run, step, num_steps, held_out)
                self.checkpoint(run, step)
        self.end(run, *(["failed", "the loss of step is no number"] if breaks else []))

    def evaluate_step(self, run, step, num_steps, held_out):
        self.database.executemany(
            """INSERT INTO example_evaluations (
                run_id, step, example_id, num_positions, expected_acceptance, num_agreements, loss, num_rounds, num_drafted, num_accepted, num_emitted
            ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            [(run, step, example, *self.judged(0.4 + 0.3 * step / num_steps, with_loss=True)) for example in held_out],
        )

    def judged(self, share, with_loss):
        """What a draft makes of an output: positions, sums over them, and rounds that there would have been."""
        rng, num_positions = self.rng, 20 + self.rng.randrange(90)
        agreements = sum(rng.random() < share for _ in range(num_positions))
        rounds = max(1, num_positions - 1 - agreements)
        accepted = min(agreements, num_positions - 1 - rounds) if num_positions - 1 > rounds else 0
        loss = [num_positions * (2 - share + rng.random() / 9)] if with_loss else []
        return (
            num_positions,
            num_positions * share * (0.9 + 0.1 * rng.random()),
            agreements,
            *loss,
            rounds,
            accepted + rounds // 2,
            accepted,
            accepted + rounds,
        )

    def checkpoint(self, run, step):
        """The adapter and the optimiser's state after a step; the state of the one before goes."""
        # The template's adapter with another last weight: it can be used like any.
        adapter = self.adapter[:-4] + struct.pack("<f", self.rng.random() / 100)
        checkpoint = self.insert(
            "checkpoints",
            uid=self.uid(),
            draft_model_id=self.draft_id,
            adapter_blob_id=self.blob(adapter),
            adapter_config=self.adapter_config,
            rank=2,
            alpha=4.0,
            target_modules=self.target_modules,
            source=f"run {run}, step {step}",
            created_at_ms=self.clock_ms,
        )
        self.database.execute("UPDATE train_checkpoints SET state_blob_id = NULL WHERE run_id = ?", [run])
        self.insert(
            "train_checkpoints",
            run_id=run,
            step=step,
            checkpoint_id=checkpoint,
            state_blob_id=self.blob(self.rng.randbytes(8192)),
            created_at_ms=self.clock_ms,
        )
        self.checkpoints.append(checkpoint)
        for alias in ["latest", "final"] + ["best"] * (run % 2):
            self.database.execute(
                "INSERT OR REPLACE INTO aliases (name, draft_model_id, checkpoint_id, set_at_ms) VALUES (?, ?, ?, ?)",
                [alias, self.draft_id, checkpoint, self.clock_ms],
            )

    def evaluate(self):
        """A run that judges the draft, plain and with two adapters."""
        number, arguments = self.num_runs + 1, self.arguments
        prompt_set = number % NUM_PROMPT_SETS
        run = self.begin("evaluate", prompt_set, arguments.prompts)
        generations, rounds = [], []
        for place, index in enumerate(self.prompts.of_set(prompt_set)):
            slot = (place, "spec_base", 0, 0, place)
            self.generation(
                generations,
                rounds,
                run,
                slot,
                self.prompts.answer(index, ""),
                quality=1,
                speed=1000,
                checkpoint=None,
                fails=False,
            )
        self.write_generations(generations, rounds)
        for share, checkpoint in [(0.5, None), (0.6, self.checkpoints[0]), (0.7, self.checkpoints[-1])]:
            self.database.executemany(
                """INSERT OR IGNORE INTO prompt_evaluations (
                    run_id, prompt_index, checkpoint_id, num_positions, expected_acceptance, num_agreements, num_rounds, num_drafted, num_accepted, num_emitted
                ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                [(run, place, checkpoint, *self.judged(share, with_loss=False)) for place in range(arguments.prompts)],
            )
        self.end(run)


def fill(database, arguments):
    """Writes all runs."""
    maker = Maker(database, arguments)
    maker.collect()
    for number in range(1, arguments.runs + 1):
        maker.bench()
        if number % 20 == 10:
            maker.collect()
            maker.train()
            maker.evaluate()
        if sys.stderr.isatty() and number % 50 == 0:
            print(f"\r{number}/{arguments.runs} benches", end="", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", type=Path)
    parser.add_argument("--runs", type=int, default=1000, help="benches; other kinds come beside them")
    parser.add_argument("--prompts", type=int, default=25)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40, help="steps of each training run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speclora", type=Path, default=PROGRAM, help="the program that makes the file")
    parser.add_argument("--check", action="store_true", help="looks for rows that point at nothing, and for damage")
    arguments = parser.parse_args()
    if arguments.database.exists():
        sys.exit(f"{arguments.database} exists (name another file, or delete it)")
    began = time.monotonic()
    make_template(arguments.speclora, arguments.database)
    # Nothing is lost if this breaks off: the file is made again.
    database = sqlite3.connect(arguments.database, isolation_level=None)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -500000")
    database.execute("BEGIN")
    fill(database, arguments)
    database.execute("COMMIT")
    if arguments.check:
        dangling = database.execute("PRAGMA foreign_key_check").fetchall()
        damage = database.execute("PRAGMA quick_check").fetchall()
        if dangling or damage != [("ok",)]:
            sys.exit(f"the database is not sound: {dangling[:3]} {damage[:3]}")
    database.execute("PRAGMA journal_mode = WAL")
    counts = [
        database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("runs", "generations", "rounds")
    ]
    database.close()
    size = arguments.database.stat().st_size / 1e6
    print("{} runs, {} generations, {} rounds".format(*counts), f"({size:.0f} MB) in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
