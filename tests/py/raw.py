"""The raw rows of a database, in memory."""

import json
import sqlite3
import time
from collections import defaultdict
from datetime import datetime, timezone

# The order in which modes are shown.
MODES = ["target_only", "spec_base", "spec_lora", "control"]
# After so much silence a run that is stored as running has crashed.
SILENCE_MS = 600_000


def at(milliseconds):
    """A time as commands print it."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def skipped_prompt(weights):
    """The tokens that the metadata of an adapter's safetensors file name."""
    length = int.from_bytes(weights[:8], "little")
    metadata = json.loads(weights[8 : 8 + length]).get("__metadata__", {})
    return json.loads(metadata.get("speclora_skipped_prompt", "[]"))


class Tables:
    """The tables of a database."""

    def __init__(self, path):
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        read = lambda table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
        by_id = lambda table: {row["id"]: row for row in read(table)}
        self.runs, self.environments, self.models = by_id("runs"), by_id("environments"), by_id("models")
        self.prompts, self.prompt_sets, self.checkpoints = by_id("prompts"), by_id("prompt_sets"), by_id("checkpoints")
        self.blobs, self.examples = by_id("blobs"), by_id("examples")
        chunks = defaultdict(bytes)
        for row in sorted(read("blob_chunks"), key=lambda row: (row["blob_id"], row["chunk_index"])):
            chunks[row["blob_id"]] += row["data"]
        self.skipped_prompts = {
            row["id"]: skipped_prompt(chunks[row["adapter_blob_id"]]) for row in self.checkpoints.values()
        }
        self.aliases = sorted(read("aliases"), key=lambda row: row["name"])
        self.generations = by_id("generations")
        self.train_checkpoints = sorted(read("train_checkpoints"), key=lambda row: (row["run_id"], row["step"]))
        self.of_run, self.rounds, self.disagreements = {}, defaultdict(list), defaultdict(list)
        for table in [
            "run_settings",
            "run_models",
            "run_prompts",
            "run_tags",
            "run_notes",
            "run_examples",
            "run_draft_vocabularies",
            "train_steps",
            "train_step_examples",
            "example_evaluations",
            "prompt_evaluations",
        ]:
            self.of_run[table] = defaultdict(list)
            for row in read(table):
                self.of_run[table][row["run_id"]].append(row)
        self.of_run["generations"] = defaultdict(list)
        for row in sorted(self.generations.values(), key=lambda row: (row["exec_order"], row["id"])):
            self.of_run["generations"][row["run_id"]].append(row)
        for row in read("rounds"):
            self.rounds[row["generation_id"]].append(row)
        for row in read("disagreements"):
            self.disagreements[row["generation_id"]].append(row)
        self.example_of_generation = {row["generation_id"]: row["example_id"] for row in read("generation_examples")}
        for rows in [*self.rounds.values(), *self.disagreements.values()]:
            rows.sort(key=lambda row: row["round"])
        connection.close()
        self.targets = {}

    def rows(self, table, run):
        return self.of_run[table][run]

    def setting(self, run, key):
        for row in self.rows("run_settings", run):
            if row["key"] == key:
                return json.loads(row["value"])
        return None

    def state(self, run):
        row = self.runs[run]
        silent = row["heartbeat_at_ms"] < (time.time() - SILENCE_MS / 1000) * 1000
        return "crashed" if row["status"] == "running" and silent else row["status"]

    def aliases_of(self, checkpoint):
        names = [row["name"] for row in self.aliases if row["checkpoint_id"] == checkpoint]
        return ", ".join(names) or None
