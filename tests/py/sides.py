"""Which comparisons are checked. Sides are runs, each with a mode, or None for every mode that both have."""

from compare import opponents
from compared_runs import num_reasons
from prompt_figures import answers_by_key, modes_of, prompts_by_key

MODES_OF_RUN = [("spec_base", "spec_lora"), ("target_only", "spec_base"), ("control", "target_only")]
MODES_OF_RUNS = [("spec_base", None), (None, "spec_lora"), ("spec_base", "spec_lora")]


def spread(items, count):
    """At most so many of the items, from the first to the last."""
    return [items[place * (len(items) - 1) // (count - 1)] for place in range(count)] if len(items) > count else items


def next_to(runs, count):
    """Each of the runs with those that follow it."""
    return list(zip(*(runs[place:] for place in range(count))))


def measured(raw, kind):
    """Runs of a kind that have an answer and are not in the trash."""
    rows = sorted(raw.runs.items())
    return [run for run, row in rows if row["kind"] == kind and row["deleted_at_ms"] is None and modes_of(raw, run)]


def groups(raw):
    """Sides by what they are a case of, each with how many of it are checked."""
    benches, by_prompts = measured(raw, "bench"), {}
    for run in benches:
        by_prompts.setdefault(frozenset(prompts_by_key(raw, run)), []).append(run)
    pairs = [pair for runs in by_prompts.values() for pair in next_to(runs, 2)]
    threes = [three for runs in by_prompts.values() for three in next_to(runs, 3)]
    whole = lambda groups: [[(run, None) for run in runs] for runs in groups]
    yield 16, whole(pair for pair in pairs if num_reasons(raw, *pair) == 0)
    yield 6, whole(pair for pair in pairs if num_reasons(raw, *pair) > 0)
    yield 4, whole(pair for pair in next_to([*benches, *benches[:1]], 2) if pair not in pairs)
    yield 2, whole((bench, run) for run in measured(raw, "collect") for bench in benches)
    yield 3, whole(threes)
    for modes in MODES_OF_RUN:
        yield 4, [[(run, mode) for mode in modes] for run in benches]
    for modes in MODES_OF_RUNS:
        yield 2, [list(zip(pair, modes)) for pair in pairs]


def is_possible(raw, sides):
    """Whether each side has a mode, and a prompt in it, to be compared with the first."""
    of_others = [opponents(raw, sides[0], other) for other in sides[1:]]
    prompts = [[answers_by_key(raw, *name).keys() for name in pair] for pairs in of_others for pair in pairs]
    return all(of_others) and all(baseline & other for baseline, other in prompts)


def comparisons(raw):
    """The sides of each comparison that is checked."""
    return [sides for count, group in groups(raw) for sides in spread([x for x in group if is_possible(raw, x)], count)]
