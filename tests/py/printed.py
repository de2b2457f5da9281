"""What commands must print of a database, in the shape in which they print it, from raw rows (see figures.py)."""

import json

from figures import ratio
from raw import MODES, at
from rows import errors, picked, prompt_evaluations, train_steps

MODEL = """
    name format family quantization num_parameters num_layers hidden_size vocab_size context_length size_bytes
    sha256 tokenizer_sha256
""".split()
MACHINE = """
    hostname os kernel cpu_model num_cpus memory_bytes engine speclora_version git_commit git_dirty
""".split()
SEED_SUMMARY = """
    mode avg_tokens_per_second avg_time_to_last_token avg_acceptance_rate total_tokens num_prompts
    min_tokens_per_second max_tokens_per_second median_tokens_per_second median_time_to_last_token
    median_acceptance_rate avg_decode_tokens_per_second acceptance_rate mean_acceptance_length speedup
    tokens_per_second_gain acceptance_rate_gain num_compared num_lossless
""".split()
SEED_PROMPT = ["tokens_per_second", "time_to_last_token", "acceptance_rate", "total_tokens", "num_iterations"]
# The draft's probability from which on collect calls it sure.
CONFIDENCE = 0.9


def last_step(raw, run):
    return max(raw.rows("train_steps", run), key=lambda row: row["step"], default={})


def listed(raw):
    """`runs list`: newest first, without the trash."""
    rows = []
    for run, row in sorted(raw.runs.items(), reverse=True):
        if row["deleted_at_ms"] is not None:
            continue
        # A run has summaries once it has ended.
        ended = row["status"] != "running"
        speeds = (
            {metrics["mode"]: metrics["avg_tokens_per_second"] for metrics in raw.mode_metrics(run)} if ended else {}
        )
        models = {model["role"]: model["path"] for model in raw.rows("run_models", run)}
        held_out = [
            step["expected_acceptance"]
            for step in raw.train_evaluations(run)
            if step["expected_acceptance"] is not None and step["step"] > 0
        ]
        target = speeds.get("target_only")
        rows.append(
            {
                "run_id": run,
                **picked(row, ["name", "kind", "num_planned_generations", "uid"]),
                "state": raw.state(run),
                "started_at": at(row["started_at_ms"]),
                "duration": (row["ended_at_ms"] - row["started_at_ms"]) / 1e3 if ended else None,
                "num_generations": len(raw.rows("generations", run)),
                "num_prompts": len(raw.rows("run_prompts", run)),
                "target": models.get("target"),
                "draft": models.get("draft"),
                "target_tokens_per_second": target,
                "spec_base_speedup": ratio(speeds.get("spec_base"), target),
                "spec_lora_speedup": ratio(speeds.get("spec_lora"), target),
                "num_steps": last_step(raw, run).get("step"),
                "train_loss": last_step(raw, run).get("loss"),
                "best_expected_acceptance": max(held_out, default=None),
            }
        )
    return rows


def tags(raw, run):
    return {row["key"]: row["value"] for row in raw.rows("run_tags", run)}


def notes(raw, run):
    return "\n".join(row["text"] for row in sorted(raw.rows("run_notes", run), key=lambda row: row["id"])) or None


def facts(raw, run):
    """What every kind of run shows."""
    row, generations = raw.runs[run], raw.rows("generations", run)
    prompt_set, machine = raw.prompt_sets[row["prompt_set_id"]], raw.environments[row["environment_id"]]
    purposes = [example["purpose"] for example in raw.rows("run_examples", run)]
    vocabulary = next(iter(raw.rows("run_draft_vocabularies", run)), None)
    checkpoint = raw.checkpoints.get(row["checkpoint_id"])
    return {
        "run_id": run,
        **picked(row, ["uid", "name", "kind", "error", "command_line", "num_planned_generations", "checkpoint_id"]),
        "state": raw.state(run),
        "started_at": at(row["started_at_ms"]),
        "ended_at": at(row["ended_at_ms"]),
        "heartbeat_at": at(row["heartbeat_at_ms"]),
        "duration": (row["ended_at_ms"] - row["started_at_ms"]) / 1e3 if row["ended_at_ms"] is not None else None,
        "num_generations": len(generations),
        "num_failed": sum(generation["error"] is not None for generation in generations),
        "num_prompts": len(raw.rows("run_prompts", run)),
        "num_steps": last_step(raw, run).get("step"),
        "train_loss": last_step(raw, run).get("loss"),
        "num_train_examples": purposes.count("train"),
        "num_replay_examples": purposes.count("replay"),
        "num_held_out_examples": purposes.count("held_out"),
        "prompt_set": prompt_set["name"],
        "prompt_set_sha256": prompt_set["sha256"],
        "num_draft_vocabulary_tokens": vocabulary and vocabulary["num_tokens"],
        "num_special_tokens": vocabulary and vocabulary["num_special"],
        "num_tokens_from_outputs": vocabulary and vocabulary["num_from_outputs"],
        "num_tokens_from_list": vocabulary and vocabulary["num_from_list"],
        "num_tokens_from_lowest": vocabulary and vocabulary["num_from_lowest"],
        "draft_vocabulary_sha256": vocabulary and raw.blobs[vocabulary["blob_id"]]["sha256"],
        "adapter_source": checkpoint and checkpoint["source"],
        "adapter_sha256": checkpoint and raw.blobs[checkpoint["adapter_blob_id"]]["sha256"],
        "tags": tags(raw, run),
        "notes": notes(raw, run),
        "num_environments": len({generation["environment_id"] for generation in generations}),
        **picked(machine, MACHINE),
    }


def collected(raw, run):
    """The counters of a run that collects."""
    rows = [row for row in raw.rows("generations", run) if not row["is_warmup"]]
    answers = [row for row in rows if row["error"] is None]
    acceptance = [raw.figures(row)["acceptance_rate"] for row in answers]
    threshold, holdout = raw.setting(run, "acceptance_threshold"), raw.setting(run, "holdout")
    of_answers = [each for row in rows for each in raw.disagreements[row["id"]]]
    kept = {raw.example_of_generation[row["id"]] for row in rows if row["id"] in raw.example_of_generation}
    first = next(iter(raw.mode_metrics(run)), {"total_tokens": 0, "acceptance_rate": None})
    return {
        "num_answers": len(answers),
        "num_errors": len(rows) - len(answers),
        "num_examples": len(kept),
        "num_failures": sum(rate is not None and rate < threshold for rate in acceptance),
        "num_matched": sum(rate is None or rate >= threshold for rate in acceptance),
        "num_disagreements": len(of_answers),
        "num_confident_disagreements": sum(each["draft_probability"] >= CONFIDENCE for each in of_answers),
        "run_id": run,
        "num_new_examples": sum(
            raw.generations.get(raw.examples[id]["generation_id"], {}).get("run_id") == run for id in kept
        ),
        "num_held_out": sum(raw.examples[id]["split_key"] < holdout for id in kept),
        **picked(first, ["total_tokens", "acceptance_rate"]),
        "acceptance_threshold": threshold,
        "confidence": CONFIDENCE,
        "holdout": holdout,
    }


def shown(raw, run):
    """`runs show`."""
    kind = raw.runs[run]["kind"]
    roles = sorted(raw.rows("run_models", run), key=lambda row: row["role"], reverse=True)
    settings = sorted(raw.rows("run_settings", run), key=lambda row: row["key"])
    number = lambda value: float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    shown = {
        **facts(raw, run),
        "models": [{**picked(row, ["role", "path"]), **picked(raw.models[row["model_id"]], MODEL)} for row in roles],
        "settings": [
            {**picked(row, ["key", "value", "origin", "source"]), "number": number(json.loads(row["value"]))}
            for row in settings
        ],
    }
    if kind == "train":
        return {**shown, "evaluations": raw.train_evaluations(run), "steps": train_steps(raw, run)}
    if kind == "evaluate":
        return {**shown, "evaluations": raw.draft_evaluations(run), "errors": errors(raw, run)}
    if kind == "collect":
        shown["collected"] = collected(raw, run)
    return {
        **shown,
        "modes": raw.mode_metrics(run),
        "acceptance_by_position": raw.acceptance_by_position(run),
        "errors": errors(raw, run),
    }


def metadata(raw, run):
    """What every export of a whole run says beside its figures."""
    known, row = facts(raw, run), raw.runs[run]
    machine = picked(raw.environments[row["environment_id"]], MACHINE)
    if machine["git_dirty"] is not None:
        machine["git_dirty"] = bool(machine["git_dirty"])
    models = {model["role"]: model["path"] for model in raw.rows("run_models", run)}
    return {
        **picked(
            known,
            [
                "run_id",
                "uid",
                "name",
                "kind",
                "state",
                "num_generations",
                "num_planned_generations",
                "num_failed",
                "tags",
                "notes",
            ],
        ),
        "target": models.get("target"),
        "draft": models.get("draft"),
        "prompts": picked(raw.prompt_sets[row["prompt_set_id"]], ["name", "sha256"]),
        "settings": {setting["key"]: json.loads(setting["value"]) for setting in raw.rows("run_settings", run)},
        "environment": machine,
    }


def exported(raw, run):
    """`export` of a whole run."""
    kind, known = raw.runs[run]["kind"], facts(raw, run)
    times = {"timestamp": known["started_at"], **picked(known, ["started_at", "ended_at", "duration"])}
    if kind == "train":
        names = [
            "num_steps",
            "train_loss",
            "num_train_examples",
            "num_replay_examples",
            "num_held_out_examples",
            "checkpoint_id",
            "adapter_source",
        ]
        return {
            "schema_version": 1,
            "metadata": {**times, **metadata(raw, run), **picked(known, names)},
            "evaluations": raw.train_evaluations(run),
            "steps": train_steps(raw, run),
        }
    if kind == "evaluate":
        return {
            "schema_version": 1,
            "metadata": {**times, **metadata(raw, run)},
            "drafts": raw.draft_evaluations(run),
            "prompts": prompt_evaluations(raw, run),
        }
    modes = {row["mode"]: picked(row, SEED_SUMMARY) for row in raw.mode_metrics(run)}
    figures = raw.prompt_metrics(run)
    per_prompt = []
    for row in sorted(raw.rows("run_prompts", run), key=lambda row: row["prompt_index"]):
        text = raw.prompts[row["prompt_id"]]["text"]
        own = {
            each["mode"]: picked(each, SEED_PROMPT) for each in figures if each["prompt_index"] == row["prompt_index"]
        }
        preview = text if len(text) <= 50 else text[:50] + "..."
        per_prompt.append(
            {
                "prompt": preview,
                "full_prompt": text,
                **{mode: own.get(mode) for mode in MODES if mode in own or mode != "control"},
            }
        )
    whole = {
        "schema_version": 1,
        "metadata": {
            "timestamp": known["started_at"],
            "num_prompts": known["num_prompts"],
            "max_tokens": raw.setting(run, "max_tokens"),
            "iterations": raw.setting(run, "iterations"),
            "adapter_path": known["adapter_source"],
            **metadata(raw, run),
        },
        "summary": {mode: modes.get(mode) for mode in MODES if mode in modes or mode != "control"},
        "per_prompt": per_prompt,
    }
    if kind == "collect":
        whole["collected"] = collected(raw, run)
    return whole


# Adapters


def adapters(raw):
    """`adapters list`: newest first."""
    rows = []
    for checkpoint, row in sorted(raw.checkpoints.items(), reverse=True):
        made = next((each for each in raw.train_checkpoints if each["checkpoint_id"] == checkpoint), None)
        held_out = (
            [each for each in raw.train_evaluations(made["run_id"]) if each["step"] == made["step"]] if made else []
        )
        model, blob = raw.models[row["draft_model_id"]], raw.blobs[row["adapter_blob_id"]]
        rows.append(
            {
                "checkpoint_id": checkpoint,
                "aliases": raw.aliases_of(checkpoint),
                **picked(row, ["rank", "alpha", "target_modules", "source", "uid"]),
                "created_at": at(row["created_at_ms"]),
                "size_bytes": blob["size_bytes"],
                "adapter_sha256": blob["sha256"],
                "draft_model": model["name"],
                "draft_model_sha256": model["sha256"],
                "train_run_id": made and made["run_id"],
                "train_step": made and made["step"],
                "expected_acceptance": held_out[0]["expected_acceptance"] if held_out else None,
            }
        )
    return rows


def adapter(raw, row):
    """`adapters show` of a row of `adapters list`."""
    return {
        **row,
        "aliases": row["aliases"].split(", ") if row["aliases"] else [],
        "target_modules": json.loads(row["target_modules"]),
        "skipped_prompt": raw.skipped_prompts[row["checkpoint_id"]],
        "lineage": raw.lineage(row["checkpoint_id"]),
        "config": json.loads(raw.checkpoints[row["checkpoint_id"]]["adapter_config"]),
    }
