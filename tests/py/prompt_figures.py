"""The prompts of a run, and one figure of each for every metric of a comparison, from raw rows (see figures.py).

A prompt's figure is the median over its iterations that gave an answer; of the mean acceptance length it is all emitted
tokens and all rounds.
"""

from collections import Counter, defaultdict
from typing import NamedTuple

from figures import median, ratio
from raw import MODES


class Metric(NamedTuple):
    name: str
    title: str
    unit: str
    change_unit: str = "relative"
    is_higher_better: bool = True


METRICS = [
    Metric("tokens_per_second", "Tok/s", "tokens/s"),
    Metric("decode_tokens_per_second", "Decode tok/s", "tokens/s"),
    Metric("time_to_first_token", "TTFT", "s", is_higher_better=False),
    Metric("time_to_last_token", "TTLT", "s", is_higher_better=False),
    Metric("acceptance_rate", "Acceptance", "ratio", change_unit="points"),
    Metric("mean_acceptance_length", "τ", "tokens/round"),
    Metric("decode_speedup", "Decode speedup", "ratio"),
]
MEDIANS = [metric.name for metric in METRICS[:5]]


class Sums(NamedTuple):
    """A prompt's mean acceptance length, before it is divided."""

    num_emitted: int
    num_rounds: int


def number(figure):
    """A figure as a number."""
    return ratio(*figure) if isinstance(figure, Sums) else figure


def prompts_by_key(raw, run):
    """The prompts of a run in its order, each by its text and how many of the same text came before it."""
    num_before, prompts = Counter(), {}
    for row in sorted(raw.rows("run_prompts", run), key=lambda row: row["prompt_index"]):
        text = raw.prompts[row["prompt_id"]]["text"]
        prompts[text, num_before[text]] = row
        num_before[text] += 1
    return prompts


def label(raw, prompt):
    """What people call a prompt: its identifier, or the first 48 characters of its text on one line."""
    line = " ".join(raw.prompts[prompt["prompt_id"]]["text"].split())
    if prompt["external_id"] is not None:
        return prompt["external_id"]
    return line if len(line) <= 48 else line[:48].rstrip() + "…"


def answers(raw, run, mode):
    """Generations of a mode that gave an answer, without warm-ups, by the place of their prompt."""
    by_place = defaultdict(list)
    for row in raw.rows("generations", run):
        if row["mode"] == mode and not row["is_warmup"] and row["error"] is None:
            by_place[row["prompt_index"]].append(row)
    return by_place


def answers_by_key(raw, run, mode):
    """The same by the prompt itself, of those that have any."""
    by_place = answers(raw, run, mode)
    keys = {key: by_place.get(prompt["prompt_index"]) for key, prompt in prompts_by_key(raw, run).items()}
    return {key: rows for key, rows in keys.items() if rows}


def modes_of(raw, run):
    """The modes that gave an answer."""
    return [mode for mode in MODES if answers(raw, run, mode)]


def prompt_figures(own, target):
    """What the iterations of a prompt say of each metric, with target_only's for the speedup; None where nothing."""
    middle = lambda figures, name: median([row[name] for row in figures])
    figures = {name: middle(own, name) for name in MEDIANS}
    sums = Sums(sum(row["num_emitted"] for row in own), sum(row["num_rounds"] for row in own))
    figures["mean_acceptance_length"] = sums if sums.num_rounds else None
    figures["decode_speedup"] = ratio(middle(target, "time_per_output_token"), middle(own, "time_per_output_token"))
    return figures


def figures_by_key(raw, run, mode):
    """The figures of each prompt that has an answer."""
    target = answers_by_key(raw, run, "target_only") if mode != "target_only" else {}
    figures_of = lambda rows: [raw.figures(row) for row in rows]
    return {
        key: prompt_figures(figures_of(rows), figures_of(target.get(key, [])))
        for key, rows in answers_by_key(raw, run, mode).items()
    }
