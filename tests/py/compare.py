"""What a comparison of two runs, or of two modes of one, must say, from raw rows (see figures.py).

Prompts are paired by their text. A prompt's figure is the median over its iterations that gave an answer; a run's is
the mean of these over the prompts that both sides have. Intervals and p-values are not recomputed here: they have
fixtures of their own.
"""

import math
from collections import defaultdict

from figures import mean, median

# Higher is better, but for times.
LOWER_IS_BETTER = {"time_to_first_token", "time_to_last_token", "time_per_output_token"}
METRICS = [
    "tokens_per_second",
    "decode_tokens_per_second",
    "time_to_first_token",
    "time_to_last_token",
    "acceptance_rate",
    "mean_acceptance_length",
]


def by_prompt(raw, run, mode, metric):
    """The median over iterations of each prompt, by the prompt's id."""
    prompts = {row["prompt_index"]: row["prompt_id"] for row in raw.rows("run_prompts", run)}
    values = defaultdict(list)
    for generation in raw.rows("generations", run):
        if generation["mode"] == mode and not generation["is_warmup"]:
            values[prompts[generation["prompt_index"]]].append(raw.figures(generation)[metric])
    medians = {prompt: median(of_prompt) for prompt, of_prompt in values.items()}
    return {prompt: value for prompt, value in medians.items() if value is not None}


def compared(raw, first, second, metric):
    """Two sides, each a run and a mode, by one metric."""
    a, b = by_prompt(raw, *first, metric), by_prompt(raw, *second, metric)
    pairs = [(a[prompt], b[prompt]) for prompt in a if prompt in b]
    if not pairs:
        return {"num_prompts": 0}
    means = mean([x for x, _ in pairs]), mean([y for _, y in pairs])
    sign = -1 if metric in LOWER_IS_BETTER else 1
    signs = [sign * ((y > x) - (y < x)) for x, y in pairs]
    return {
        "num_prompts": len(pairs),
        "means": means,
        "difference": means[1] - means[0],
        "relative_change": means[1] / means[0] - 1 if means[0] else None,
        "num_better": signs.count(1),
        "num_same": signs.count(0),
        "num_worse": signs.count(-1),
    }


def speedup(raw, run, mode):
    """The geometric mean over prompts of the time per output token of target_only over that of a mode."""
    target, other = (by_prompt(raw, run, which, "time_per_output_token") for which in ("target_only", mode))
    logs = [math.log(target[prompt] / other[prompt]) for prompt in target if prompt in other]
    return math.exp(mean(logs)) if logs else None
