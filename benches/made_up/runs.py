"""Runs that measure, made up: the rows that the program would write, with every sum right."""

import json
import random
from pathlib import Path

from made_up.answers import NUM_PROMPT_SETS, Prompts, pattern

MODES = ["target_only", "spec_base", "spec_lora", "control"]
# 2026-01-01, in milliseconds.
FIRST_START_MS = 1_767_225_600_000
MODE_METRICS = Path(__file__).resolve().parent.parent.parent / "queries" / "mode_metrics.sql"
SUMMARY_COLUMNS = """run_id, mode, num_prompts, num_generations, num_failed, total_tokens, avg_tokens_per_second,
    min_tokens_per_second, median_tokens_per_second, max_tokens_per_second, avg_decode_tokens_per_second,
    avg_time_to_first_token, avg_time_to_last_token, median_time_to_last_token, avg_acceptance_rate,
    median_acceptance_rate, acceptance_rate, mean_acceptance_length, num_compared, num_lossless"""
GENERATION = """id, run_id, environment_id, prompt_index, mode, iteration, is_warmup, exec_order, checkpoint_id, seed,
    started_at_ms, load_average, error, stop_reason, num_prompt_tokens, total_tokens, num_rounds, num_drafted,
    num_accepted, num_emitted, num_target_forwards, num_draft_forwards, time_to_first_token_ns, time_to_last_token_ns,
    output_tokens, output_sha256, output_text"""
ROUND = "generation_id, round, num_drafted, num_accepted, num_emitted, draft_ns, verify_ns"


class Runs:
    """Writes runs into a database that the program has made."""

    def __init__(self, database, arguments):
        self.database, self.arguments = database, arguments
        self.rng = random.Random(arguments.seed)
        self.target_id, self.target_sha256, vocab_size = self.one("""SELECT m.id, m.sha256, m.vocab_size
            FROM models AS m JOIN run_models AS rm ON rm.model_id = m.id WHERE rm.role = 'target'""")
        (self.draft_id,) = self.one("SELECT model_id FROM run_models WHERE role = 'draft'")
        (self.environment_id,) = self.one("SELECT max(id) FROM environments")
        (self.next_generation,) = self.one("SELECT coalesce(max(id), 0) + 1 FROM generations")
        self.checkpoints = [row[0] for row in database.execute("SELECT id FROM checkpoints ORDER BY id")]
        self.prompts = Prompts(database, arguments.prompts, vocab_size)
        self.num_runs, self.clock_ms = 0, FIRST_START_MS
        mode_metrics = MODE_METRICS.read_text().rstrip().rstrip(";")
        self.summarize = (
            f"INSERT INTO mode_summaries ({SUMMARY_COLUMNS}) SELECT {SUMMARY_COLUMNS} FROM ({mode_metrics})"
        )

    def one(self, sql, *parameters):
        return self.database.execute(sql, parameters).fetchone()

    def insert(self, table, **columns):
        """Inserts a row, and returns its id."""
        self.insert_all(table, ", ".join(columns), [list(columns.values())])
        return self.one("SELECT last_insert_rowid()")[0]

    def insert_all(self, table, columns, rows):
        marks = ", ".join("?" * (columns.count(",") + 1))
        self.database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def uid(self):
        """A UUID of version 7."""
        digits = f"{self.clock_ms:012x}7{self.rng.getrandbits(76):019x}"
        return "-".join([digits[:8], digits[8:12], digits[12:16], "8" + digits[17:20], digits[20:32]])

    def begin(self, kind, prompt_set, num_planned, checkpoint=None, settings=None):
        """Begins a run like the program's own of this kind, but for these settings."""
        self.num_runs += 1
        self.clock_ms += 3_600_000
        number, now = self.num_runs, self.clock_ms
        (like,) = self.one("SELECT min(id) FROM runs WHERE kind = ?", kind)
        told = {"name": f"{kind} {number % 7}" if number % 10 == 0 else None, "command_line": f"speclora {kind}"}
        links = {"environment_id": self.environment_id, "prompt_set_id": self.prompts.sets[prompt_set]}
        # The process is one of another boot: what is not ended here counts as crashed.
        process = {"pid": 1, "boot_id": "another boot", "process_start_ticks": 1}
        times = {"started_at_ms": now, "heartbeat_at_ms": now, "num_planned_generations": num_planned}
        uid = self.uid()
        self.insert(
            "runs", uid=uid, kind=kind, status="running", checkpoint_id=checkpoint, **told, **links, **process, **times
        )
        (run,) = self.one("SELECT id FROM runs WHERE uid = ?", uid)
        self.copy("run_settings", "key, value, origin, source", like, run)
        self.copy("run_models", "role, model_id, path", like, run)
        for key, value in (settings or {}).items():
            update = "UPDATE run_settings SET value = ?, origin = 'flag' WHERE run_id = ? AND key = ?"
            self.database.execute(update, [json.dumps(value), run, key])
        if kind != "train":
            self.insert_prompts(run, prompt_set)
        if number % 5 == 0:
            self.insert("run_tags", run_id=run, key="series", value=str(number % 4))
        if number % 9 == 0:
            self.insert("run_notes", run_id=run, text=f"note {number}", created_at_ms=now)
        return run

    def copy(self, table, columns, like, run):
        select = f"SELECT ?, {columns} FROM {table} WHERE run_id = ?"
        self.database.execute(f"INSERT INTO {table} (run_id, {columns}) {select}", [run, like])

    def insert_prompts(self, run, prompt_set):
        categories = ["code", "prose", None]
        rows = [
            (run, place, self.prompts.ids[index], f"p{index}" if index % 2 else None, categories[index % 3])
            for place, index in enumerate(self.prompts.of_set(prompt_set))
        ]
        self.insert_all("run_prompts", "run_id, prompt_index, prompt_id, external_id, category", rows)

    def end(self, run, status="completed", error=None):
        """Ends a run, with its summaries; one that is left running has crashed."""
        if status != "running":
            ends = "UPDATE runs SET status = ?, error = ?, ended_at_ms = ?, heartbeat_at_ms = ? WHERE id = ?"
            self.database.execute(ends, [status, error, self.clock_ms, self.clock_ms, run])
            self.database.execute(self.summarize, {"run_id": run})

    def bench(self):
        """A run that measures; some lack a mode, are sampled, break off, take turns otherwise, or are in the trash."""
        number, arguments, rng = self.num_runs + 1, self.arguments, self.rng
        modes = MODES
        for every, dropped in [(11, ["spec_lora"]), (13, ["spec_base", "spec_lora"]), (17, ["target_only", "control"])]:
            if number % every == 0:
                modes = [mode for mode in modes if mode not in dropped] or MODES
        checkpoint = self.checkpoints[number % len(self.checkpoints)] if "spec_lora" in modes else None
        temperature = 0.8 if number % 7 == 3 else 0.0
        settings = {"temperature": temperature, "modes": modes, "iterations": arguments.iterations, "max_tokens": 200}
        planned = len(modes) * (1 + arguments.prompts * arguments.iterations)
        prompt_set = number % NUM_PROMPT_SETS
        run = self.begin("bench", prompt_set, planned, checkpoint, {**settings, "seed": number % 5})
        broken = {23: "interrupted", 29: "failed", 37: "running"}
        status = next((status for every, status in broken.items() if number % every == 5), "completed")
        places = [(0, mode, 0, 1) for mode in modes] + self.turns(number, modes)
        speed, indices, written = 800 + rng.randrange(500), self.prompts.of_set(prompt_set), ([], [])
        for order, slot in enumerate(places if status == "completed" else places[: planned // 2]):
            place, mode, iteration, _ = slot
            is_lora = mode == "spec_lora"
            differs = "differs" if is_lora and rng.random() < 0.01 else ""
            answer = self.prompts.answer(indices[place], f"{number} {iteration} {mode}" if temperature else differs)
            fails = rng.random() < 0.004 or (number % 6 == 0 and place == 1 and mode == "spec_base")
            # Where one mode comes after the other, later ones are slower: the control tells of the drift.
            slowness = speed + speed * order // (10 * planned) if number % 8 == 0 else speed
            how = (number % 3 + 2 * is_lora, slowness, checkpoint if is_lora else None)
            self.generation(written, (run, *slot, order), None if fails else answer, how)
        self.write(written)
        self.end(run, status, "the disk is full" if status == "failed" else None)
        if number % 41 == 6:
            self.database.execute("UPDATE runs SET deleted_at_ms = ? WHERE id = ?", [self.clock_ms, run])

    def turns(self, number, modes):
        """What a run measures, in order: the modes of a prompt shuffled, or always alike but for one that comes late, as
        after a --resume, or one mode after the other."""
        places, iterations = range(self.arguments.prompts), range(self.arguments.iterations)
        slots = [
            (place, mode, iteration, 0)
            for iteration in iterations
            for place in places
            for mode in self.rng.sample(modes, len(modes))
        ]
        if number % 8 == 4:
            slots.sort(key=lambda slot: (slot[2], slot[0], modes.index(slot[1])))
            slots.append(slots.pop(0))
        elif number % 8 == 0:
            slots.sort(key=lambda slot: modes.index(slot[1]))
        return slots

    def generation(self, written, slot, answer, how):
        """Adds a generation and its rounds to what is written, and returns its id and its rounds.

        Without an answer it has failed. `how`: how good the draft is, how slow the machine, and the adapter.
        """
        (run, place, mode, iteration, is_warmup, order), (quality, slowness, checkpoint), rng = slot, how, self.rng
        identity = self.next_generation
        self.next_generation += 1
        begin = (identity, run, self.environment_id, place, mode, iteration, is_warmup, order, checkpoint)
        begin += (rng.getrandbits(62), self.clock_ms, round(2 * rng.random(), 2))
        if answer is None:
            written[0].append((*begin, "the context is full", *[None] * 14))
            return identity, []
        tokens, hash_of_tokens, text = answer
        length, is_speculative = len(tokens) // 4, mode.startswith("spec_")
        first_ns = int((30 + 3 * rng.random()) * 1000 * slowness)
        rounds = [
            (identity, number, drafted, accepted, emitted, draft_ns * slowness // 1000, verify_ns * slowness // 1000)
            for number, (drafted, accepted, emitted, draft_ns, verify_ns) in enumerate(
                pattern(length, quality, int(6 * rng.random())) if is_speculative else []
            )
        ]
        drafted, accepted, emitted, draft_ns, verify_ns = [sum(column) for column in list(zip(*rounds))[2:]] or [0] * 5
        passes = (1 + len(rounds), drafted + len(rounds) + 1) if is_speculative else (length, 0)
        spent_ns = draft_ns + verify_ns + 40_000 * len(rounds)
        if not is_speculative:
            spent_ns = (length - 1) * int((8.6 + 0.4 * rng.random()) * 1000 * slowness)
        self.clock_ms += (first_ns + spent_ns) // 1_000_000 + 2
        counts = (20 + place, length, len(rounds), drafted, accepted, emitted, *passes, first_ns, first_ns + spent_ns)
        stop_reason = "max_tokens" if length > 160 else "stop_token"
        written[0].append((*begin, None, stop_reason, *counts, tokens, hash_of_tokens, text))
        written[1].extend(rounds)
        return identity, rounds

    def write(self, written):
        generations, rounds = written
        self.insert_all("generations", GENERATION, generations)
        self.insert_all("rounds", ROUND, rounds)
