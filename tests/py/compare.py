"""What a comparison of runs, or of modes of runs, must print, from raw rows (see figures.py).

Prompts are paired by their text. A mode's value is over the prompts that both sides have: the mean of their figures
(see prompt_figures.py), of the mean acceptance length all emitted tokens over all rounds, of the speedup the geometric
mean. What follows from intervals is in significance.py.
"""

import math
from collections import defaultdict

from compared_runs import described, differences
from figures import mean, ratio
from prompt_figures import METRICS, answers, answers_by_key, figures_by_key, label, modes_of, number, prompts_by_key
from significance import MIN_PROMPTS, wilcoxon

# A prompt that changes by no more than this, 1 % or one percentage point, is the same.
SAME = 0.01
# Prompts that are listed for having become slower.
MAX_WORST = 5


class Change(float):
    """A change from one figure to another. Its error is that of the figures, however small the change is."""


# A metric of two sides


def value(metric, figures):
    """A mode's value from the figures of its prompts."""
    if metric.name == "mean_acceptance_length":
        return ratio(sum(sums.num_emitted for sums in figures), sum(sums.num_rounds for sums in figures))
    if metric.name == "decode_speedup" and figures:
        return math.exp(mean([math.log(figure) for figure in figures]))
    return mean(figures)


def change(metric, baseline, other):
    """From one value to another; None where there is none, or nothing to divide by."""
    if None in (baseline, other):
        return None
    if metric.change_unit == "points":
        return Change(other - baseline)
    return Change(other / baseline - 1) if baseline > 0 else None


def pairs_of(metric, first, second):
    """A metric's figures on both sides, of the prompts that have it on both."""
    pairs = [(first[key][metric.name], second[key][metric.name]) for key in first if key in second]
    return [pair for pair in pairs if None not in pair]


def p_value(metric, pairs):
    """Wilcoxon's test of the prompts' differences; of speedups, of their logarithms."""
    scale = math.log if metric.name == "decode_speedup" else lambda figure: figure
    differences = [scale(number(other)) - scale(number(baseline)) for baseline, other in pairs]
    return wilcoxon(differences) if len(pairs) >= MIN_PROMPTS else None


def metric_row(metric, first, second):
    """A metric of two sides; None where neither has it."""
    own = [[row[metric.name] for row in side.values() if row[metric.name] is not None] for side in (first, second)]
    if own == [[], []]:
        return None
    pairs = pairs_of(metric, first, second)
    # Where no prompt has it on both sides, each side's value is over its own.
    values = [value(metric, list(figures)) for figures in (zip(*pairs) if pairs else own)]
    changes = [change(metric, number(baseline), number(other)) for baseline, other in pairs]
    gains = [each if metric.is_higher_better else -each for each in changes if each is not None]
    return {
        "metric": metric.name,
        "unit": metric.unit,
        "is_higher_better": int(metric.is_higher_better),
        "num_prompts": len(pairs),
        "baseline_value": values[0],
        "value": values[1],
        "change_unit": metric.change_unit,
        "change": change(metric, *values) if pairs else None,
        "p_value": p_value(metric, pairs),
        "num_better": sum(gain > SAME for gain in gains),
        "num_same": sum(-SAME <= gain <= SAME for gain in gains),
        "num_worse": sum(gain < -SAME for gain in gains),
    }


# Two modes against each other


def lossless(raw, run, mode):
    """Prompts that were compared with target_only, and those whose every output is its, token for token."""
    by_prompt = defaultdict(list)
    for rows in answers(raw, run, mode).values():
        for row in rows:
            is_lossless = raw.figures(row)["is_lossless"]
            if is_lossless is not None:
                by_prompt[row["prompt_index"]].append(is_lossless)
    return {"num_compared": len(by_prompt), "num_lossless": sum(all(each) for each in by_prompt.values())}


def equal_outputs(raw, baseline, other):
    """Prompts with the same outputs on both sides, of those with outputs on both; asked of greedy runs alone."""
    names = ["num_equal_outputs", "num_compared_outputs"]
    if any(raw.setting(run, "temperature") != 0 for run, _ in (baseline, other)):
        return dict.fromkeys(names)
    outputs = [
        {key: {row["output_tokens"] for row in rows} for key, rows in answers_by_key(raw, *side).items()}
        for side in (baseline, other)
    ]
    both = [outputs[0][key] == outputs[1][key] for key in outputs[0] if key in outputs[1]]
    return dict(zip(names, [sum(both), len(both)] if both else [None, None]))


def positions(raw, baseline, other):
    """Acceptance at each place of the proposal that a side has."""
    rates = [
        {row["position"]: row["acceptance_rate"] for row in raw.acceptance_by_position(run) if row["mode"] == mode}
        for run, mode in (baseline, other)
    ]
    places = range(1, max([*rates[0], *rates[1]], default=0) + 1)
    return [{"position": place, "baseline": rates[0].get(place), "other": rates[1].get(place)} for place in places]


def worst_prompts(labels, first, second):
    """The prompts that became slower, the worst first."""
    metric, rows = METRICS[0], []
    for key in labels:
        speeds = [side.get(key, {}).get(metric.name) for side in (first, second)]
        lost = change(metric, *speeds)
        if lost is not None and lost < -SAME:
            rows.append({"prompt": labels[key], "baseline_value": speeds[0], "value": speeds[1], "change": lost})
    return sorted(rows, key=lambda row: row["change"])[:MAX_WORST]


def contrast(raw, baseline, other):
    """Two modes, each of a run, against each other."""
    first, second = figures_by_key(raw, *baseline), figures_by_key(raw, *other)
    # In the baseline's order, and called as it calls them; what only the other run has comes last.
    prompts = prompts_by_key(raw, baseline[0])
    prompts.update((key, row) for key, row in prompts_by_key(raw, other[0]).items() if key not in prompts)
    labels = {key: label(raw, prompt) for key, prompt in prompts.items()}

    def side(name, own, others):
        alone = [labels[key] for key in labels if key in own and key not in others]
        return {"run_id": name[0], "mode": name[1], "unpaired_prompts": alone, **lossless(raw, *name)}

    names = {"baseline_run_id": baseline[0], "baseline_mode": baseline[1], "run_id": other[0], "mode": other[1]}
    rows = [metric_row(metric, first, second) for metric in METRICS]
    return {
        "baseline": side(baseline, first, second),
        "other": side(other, second, first),
        "num_prompts": len(first.keys() & second.keys()),
        "metrics": [{**names, **row} for row in rows if row],
        "acceptance_by_position": positions(raw, baseline, other),
        "worst_prompts": worst_prompts(labels, first, second),
        **equal_outputs(raw, baseline, other),
    }


# A whole comparison: sides are runs, each with a mode or None for every mode


def opponents(raw, baseline, other):
    """The modes that stand against each other: those that both sides have, or those that are named."""
    named = baseline[1] or other[1]
    if named:
        return [((baseline[0], baseline[1] or named), (other[0], other[1] or named))]
    own = modes_of(raw, other[0])
    return [((baseline[0], mode), (other[0], mode)) for mode in modes_of(raw, baseline[0]) if mode in own]


def unshared_modes(raw, baseline, other):
    """Modes of one side alone, where all were asked for."""
    if baseline[1] or other[1]:
        return []
    modes = [modes_of(raw, side[0]) for side in (baseline, other)]
    alone = lambda run, own, others: [f"{run}:{mode}" for mode in own if mode not in others]
    return [*alone(baseline[0], modes[0], modes[1]), *alone(other[0], modes[1], modes[0])]


def noise_floors(raw, run):
    """How far the control, which does the same work as target_only, is from it in each metric of time."""
    target, control = figures_by_key(raw, run, "target_only"), figures_by_key(raw, run, "control")
    floors = []
    for metric in METRICS:
        # Neither has rounds, so that they have no pairs but of times.
        pairs = pairs_of(metric, target, control)
        if metric.name == "decode_speedup":
            # It is measured against target_only, which is as fast as itself.
            pairs = [(1.0, row["decode_speedup"]) for row in control.values() if row["decode_speedup"] is not None]
        if len(pairs) >= MIN_PROMPTS:
            moved = change(metric, *(value(metric, list(figures)) for figures in zip(*pairs)))
            floors.append({"run_id": run, "metric": metric.name, "num_prompts": len(pairs), "change": moved})
    return floors


def compared(raw, sides):
    """A comparison as an object, without intervals, what follows from them, and texts."""
    runs = list(dict.fromkeys(run for run, _ in sides))
    baseline, others = sides[0], sides[1:]
    return {
        "schema_version": 1,
        "runs": [described(raw, run) for run in runs],
        "differences": differences(raw, runs),
        "unshared_modes": list(
            dict.fromkeys(name for other in others for name in unshared_modes(raw, baseline, other))
        ),
        "contrasts": [contrast(raw, *names) for other in others for names in opponents(raw, baseline, other)],
        "noise_floors": [floor for run in runs for floor in noise_floors(raw, run)],
        "gates": [],
    }


def sentences(contrasts):
    """The sentences of a comparison about outputs."""
    told, equal = [], []
    for each in contrasts:
        for side in (each["baseline"], each["other"]):
            if side["mode"] != "target_only":
                counts = "{num_lossless} of {num_compared}" if side["num_compared"] else "was not compared"
                told.append(("{run_id}:{mode} " + counts).format(**side))
        if each["num_compared_outputs"]:
            counts = "{num_equal_outputs} of {num_compared_outputs}".format(**each)
            equal.append("{run_id}:{mode} ".format(**each["other"]) + counts)
    lines = [
        ("Lossless (prompts whose output equals target_only's)", dict.fromkeys(told)),
        ("Same output (prompts where it is the baseline's)", equal),
    ]
    return [f"{start}: {', '.join(names)}" for start, names in lines if names]
