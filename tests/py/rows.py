"""Rows that `export --what` must write of a run, from raw rows (see figures.py)."""

import struct

from figures import ratio
from raw import at

GENERATION = """
    environment_id exec_order prompt_index mode iteration is_warmup checkpoint_id seed load_average error
    stop_reason num_prompt_tokens num_target_forwards num_draft_forwards time_to_first_token_ns
    time_to_last_token_ns output_sha256 output_text
""".split()
FIGURES = """
    total_tokens num_rounds num_drafted num_accepted num_emitted tokens_per_second decode_tokens_per_second
    acceptance_rate mean_acceptance_length is_lossless
""".split()
ROUND = ["num_drafted", "num_accepted", "num_emitted", "draft_ns", "verify_ns"]
JUDGED = ["num_positions", "num_agreements", "num_rounds", "num_drafted", "num_accepted", "num_emitted"]


def picked(row, names):
    return {name: row[name] for name in names}


def tokens(data):
    return list(struct.unpack(f"<{len(data) // 4}I", data))


def generations(raw, run):
    return [
        {
            "run_id": run,
            "generation_id": row["id"],
            **picked(row, GENERATION),
            **picked(raw.figures(row), FIGURES),
            "started_at": at(row["started_at_ms"]),
        }
        for row in raw.rows("generations", run)
    ]


def rounds(raw, run):
    return [
        {
            "run_id": run,
            "generation_id": row["id"],
            **picked(row, ["prompt_index", "mode", "iteration", "is_warmup"]),
            "round": each["round"],
            **picked(each, ROUND),
        }
        for row in raw.rows("generations", run)
        for each in raw.rounds[row["id"]]
    ]


def train_steps(raw, run):
    learned = {}
    for row in raw.rows("train_step_examples", run):
        learned[row["step"]] = learned.get(row["step"], 0) + 1
    names = [
        "run_id",
        "step",
        "epoch",
        "loss",
        "nonfinite",
        "gradient_norm",
        "learning_rate",
        "num_positions",
        "num_tokens",
        "step_ns",
    ]
    return [
        {
            **picked(row, names),
            "num_examples": learned.get(row["step"], 0),
            "ended_at": at(row["ended_at_ms"]),
            "tokens_per_second": ratio(row["num_tokens"], row["step_ns"] / 1e9),
        }
        for row in sorted(raw.rows("train_steps", run), key=lambda row: row["step"])
    ]


def examples(raw, run):
    purposes = {raw.example_of_generation.get(row["id"]): "collected" for row in raw.rows("generations", run)}
    purposes.pop(None, None)
    purposes.update({row["example_id"]: row["purpose"] for row in raw.rows("run_examples", run)})
    rows = []
    for identity, purpose in sorted(purposes.items()):
        example = raw.examples[identity]
        first, model = raw.generations.get(example["generation_id"]), raw.models[example["target_model_id"]]
        counts = raw.counts(first) if first else {}
        rows.append(
            {
                "run_id": run,
                "example_id": identity,
                "purpose": purpose,
                **picked(example, ["generation_id", "split_key", "num_prompt_tokens", "num_output_tokens", "sha256"]),
                "prompt": raw.prompts[example["prompt_id"]]["text"],
                "target_model": model["name"],
                "target_model_sha256": model["sha256"],
                "acceptance_rate": ratio(counts.get("num_accepted"), counts.get("num_drafted")),
                "num_disagreements": len(raw.disagreements[first["id"]]) if first else None,
                "collected_at": at(example["created_at_ms"]),
                "prompt_tokens": tokens(example["prompt_tokens"]),
                "output_tokens": tokens(example["output_tokens"]),
                "output_text": first["output_text"] if first else None,
            }
        )
    return rows


def disagreements(raw, run):
    prompts = {row["prompt_index"]: raw.prompts[row["prompt_id"]]["text"] for row in raw.rows("run_prompts", run)}
    names = [
        "generation_id",
        "round",
        "position",
        "draft_token",
        "target_token",
        "draft_probability",
        "target_probability",
    ]
    return [
        {
            "run_id": run,
            "example_id": raw.example_of_generation.get(row["id"]),
            "prompt_index": row["prompt_index"],
            "prompt": prompts[row["prompt_index"]],
            **picked(each, names),
        }
        for row in raw.rows("generations", run)
        if not row["is_warmup"]
        for each in raw.disagreements[row["id"]]
    ]


def prompt_evaluations(raw, run):
    prompts = {row["prompt_index"]: raw.prompts[row["prompt_id"]]["text"] for row in raw.rows("run_prompts", run)}
    rows = sorted(
        raw.rows("prompt_evaluations", run), key=lambda row: (row["prompt_index"], row["checkpoint_id"] or -1)
    )
    return [
        {
            "run_id": run,
            "prompt": prompts[row["prompt_index"]],
            **picked(row, ["prompt_index", "checkpoint_id", *JUDGED]),
            **{name: value for name, value in raw.judged([row]).items() if name != "num_positions"},
        }
        for row in rows
    ]


def errors(raw, run):
    names = ["exec_order", "prompt_index", "mode", "iteration", "is_warmup", "error"]
    return [
        {**picked(row, names), "started_at": at(row["started_at_ms"])}
        for row in raw.rows("generations", run)
        if row["error"] is not None
    ]


WHAT = {
    "summary": lambda raw, run: raw.mode_metrics(run),
    "prompts": lambda raw, run: raw.prompt_metrics(run),
    "generations": generations,
    "rounds": rounds,
    "examples": examples,
    "disagreements": disagreements,
    "train-steps": train_steps,
    "evaluations": lambda raw, run: raw.train_evaluations(run),
    "prompt-evaluations": prompt_evaluations,
}
