"""What a comparison must say of its runs, from raw rows (see figures.py): how each was measured, in what they differ,
and how many reasons there are not to compare them.
"""

from collections import Counter
from itertools import groupby

from figures import mean
from printed import facts
from rows import picked

FACTS = """
    prompt_set num_draft_vocabulary_tokens draft_vocabulary_sha256 checkpoint_id adapter_source adapter_sha256
    num_environments hostname os kernel cpu_model num_cpus memory_bytes engine speclora_version git_commit git_dirty
""".split()
# Settings that say where files are.
OF_PLACE = ["db", "models", "target", "draft"]
DECISIVE = ["max_tokens", "context_length", "temperature", "system_prompt", "raw"]
DECISIVE_WHERE_SAMPLED = ["top_p", "top_k"]


def measured(raw, run):
    """Generations but warm-ups, failed ones too, in the order of execution."""
    return [row for row in raw.rows("generations", run) if not row["is_warmup"]]


def execution_order(raw, run):
    """How a run took turns between its modes; None where it has one, or tells no order."""
    generations = measured(raw, run)
    modes, orders = {row["mode"] for row in generations}, [row["exec_order"] for row in generations]
    if len(modes) < 2 or len(set(orders)) < len(orders):
        return None
    turns = [
        (place, tuple(row["mode"] for row in rows))
        for place, rows in groupby(generations, lambda row: (row["prompt_index"], row["iteration"]))
    ]
    num_turns = Counter(place for place, _ in turns)
    # A run that was resumed may have a prompt in two parts; more than one, and a tenth of them, are no accident.
    num_torn = sum(count > 1 for count in num_turns.values())
    if num_torn > 1 and 10 * num_torn > len(num_turns):
        return "mode_after_mode"
    whole = {modes_of_turn for _, modes_of_turn in turns if len(modes_of_turn) == len(modes)}
    return "shuffled" if len(whole) > 1 else "interleaved"


def leakage(raw, run):
    """What the adapter of a run, or any that it continues, has seen of its prompts; None without an adapter."""
    checkpoint, last_steps = raw.runs[run]["checkpoint_id"], {}
    if checkpoint is None:
        return None
    lineage = list(raw.lineage(checkpoint))
    for row in lineage:
        if row["run_id"] is not None:
            last_steps[row["run_id"]] = max(row["step"], last_steps.get(row["run_id"], 0))
    trained, held_out = set(), set()
    for train_run, last_step in last_steps.items():
        steps = raw.rows("train_step_examples", train_run)
        learned = {row["example_id"] for row in steps if row["step"] <= last_step}
        for row in raw.rows("run_examples", train_run):
            prompt = raw.examples[row["example_id"]]["prompt_id"]
            if row["purpose"] == "held_out":
                held_out.add(prompt)
            elif row["example_id"] in learned:
                trained.add(prompt)
    prompts = [row["prompt_id"] for row in raw.rows("run_prompts", run)]
    return {
        "checkpoint_id": checkpoint,
        "is_trained_here": all(row["run_id"] is not None for row in lineage),
        "num_trained": sum(prompt in trained for prompt in prompts),
        "num_held_out": sum(prompt in held_out - trained for prompt in prompts),
    }


def told_facts(raw, run):
    """Facts beside the settings: kind, draft, and what is known of data, machine and program."""
    draft = {}
    for row in raw.rows("run_models", run):
        if row["role"] == "draft":
            model = raw.models[row["model_id"]]
            draft = {"draft": row["path"], "draft_quantization": model["quantization"], "draft_sha256": model["sha256"]}
    return {"kind": raw.runs[run]["kind"], **draft, **picked(facts(raw, run), FACTS)}


def described(raw, run):
    """A run of a comparison."""
    generations = measured(raw, run)
    starts = [row["started_at_ms"] for row in generations]
    return {
        "run_id": run,
        **picked(raw.runs[run], ["name", "kind", "num_planned_generations"]),
        "state": raw.state(run),
        "num_generations": len(raw.rows("generations", run)),
        "num_failed": sum(row["error"] is not None for row in generations),
        "num_prompts": len(raw.rows("run_prompts", run)),
        "execution_order": execution_order(raw, run),
        "first_started_at_ms": min(starts, default=None),
        "last_started_at_ms": max(starts, default=None),
        "load_average": mean([row["load_average"] for row in generations]),
        "leakage": leakage(raw, run),
        "facts": told_facts(raw, run),
    }


def is_same(first, second):
    """Whether two values of JSON are; 0 and 0.0 are, 1 and true are not."""
    return first == second and isinstance(first, bool) == isinstance(second, bool)


def differences(raw, runs):
    """Settings by name, then facts, that are not the same in all runs."""
    settings = {row["key"] for run in runs for row in raw.rows("run_settings", run)} - set(OF_PLACE)
    all_facts = [told_facts(raw, run) for run in runs]
    rows = [{"key": key, "values": [raw.setting(run, key) for run in runs]} for key in sorted(settings)]
    for key in dict.fromkeys(key for of_run in all_facts for key in of_run):
        rows.append({"key": key, "values": [of_run.get(key) for of_run in all_facts]})
    return [row for row in rows if not all(is_same(row["values"][0], value) for value in row["values"])]


def num_reasons(raw, baseline, other):
    """How many reasons there are not to compare two runs: target or tokenizer, prompts, and each decisive setting."""
    models = [
        [raw.models[row["model_id"]] for row in raw.rows("run_models", run) if row["role"] == "target"]
        for run in (baseline, other)
    ]
    hashes = lambda name: [model[name] for of_run in models for model in of_run]
    reasons = [len(set(hashes(name))) > 1 for name in ["sha256", "tokenizer_sha256"]]
    prompts = [Counter(row["prompt_id"] for row in raw.rows("run_prompts", run)) for run in (baseline, other)]
    is_greedy = all(raw.setting(run, "temperature") == 0 for run in (baseline, other))
    settings = DECISIVE + ([] if is_greedy else DECISIVE_WHERE_SAMPLED)
    differing = [not is_same(raw.setting(baseline, key), raw.setting(other, key)) for key in settings]
    return any(reasons) + (prompts[0] != prompts[1]) + sum(differing)
