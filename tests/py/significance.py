"""What must hold of intervals, p-values and verdicts of a comparison.

Intervals are resampled, and not computed again: they are taken as they are printed, if they hold their change. Fixtures
in tests/fixtures/stats hold them against SciPy.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from itertools import zip_longest

# Fewer prompts say nothing of how they spread: no interval, no p-value, no verdict.
MIN_PROMPTS = 6
# Most differences whose distribution is counted out.
MAX_EXACT = 50
# Corrected p-values below this are more than chance.
SIGNIFICANT = 0.05


def wilcoxon(differences):
    """The two-sided p-value of the signed-rank test; zeros are left out, and of nothing but zeros there is none."""
    nonzero = [difference for difference in differences if difference != 0]
    if not nonzero:
        return None
    sizes = sorted(abs(difference) for difference in nonzero)
    # Equal sizes share the mean of their ranks.
    rank = lambda size: (bisect_left(sizes, size) + 1 + bisect_right(sizes, size)) / 2
    sum_of_positive = math.fsum(rank(difference) for difference in nonzero if difference > 0)
    groups = Counter(sizes).values()
    is_distinct = len(groups) == len(differences)
    if is_distinct and len(nonzero) <= MAX_EXACT:
        return exact(int(sum_of_positive), len(nonzero))
    return approximate(sum_of_positive, len(nonzero), sum(size**3 - size for size in groups))


def exact(sum_of_positive, n):
    """From all 2ⁿ ways to give the ranks 1 … n a sign: how many have each sum of positive ranks."""
    num_ways = Counter({0: 1})
    for rank in range(1, n + 1):
        num_ways.update({total + rank: ways for total, ways in num_ways.items()})
    at_most = sum(ways for total, ways in num_ways.items() if total <= sum_of_positive)
    at_least = sum(ways for total, ways in num_ways.items() if total >= sum_of_positive)
    return min(1.0, 2 * min(at_most, at_least) / 2**n)


def approximate(sum_of_positive, n, ties):
    """The normal approximation, corrected for ties, and not for continuity."""
    expected = n * (n + 1) / 4
    variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48
    return math.erfc(abs(sum_of_positive - expected) / math.sqrt(2 * variance))


def holm(p_values):
    """Holm's correction: the smallest of m times m, the next times m - 1, none below the one before it or above 1."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected, largest = [None] * len(p_values), 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[place] = largest
    return corrected


def add_intervals(expected, found):
    """Adds to rows that have a change of enough prompts the printed interval, as far as it holds that change."""
    for row, printed in zip_longest(expected, found[: len(expected)], fillvalue={}):
        low, change, high = printed.get("change_low"), row["change"], printed.get("change_high")
        row.update(change_low=None, change_high=None)
        if change is not None and row["num_prompts"] >= MIN_PROMPTS:
            # One that is not there, or does not hold the change, equals no number that is expected.
            row["change_low"] = change if low is None else min(low, change)
            row["change_high"] = change if high is None else max(high, change)


def verdict(row):
    """Better or worse where interval, corrected p-value and noise agree that it is more than chance."""
    low, high, p = row["change_low"], row["change_high"], row["corrected_p_value"]
    if low is None:
        return None
    is_noise = row["noise_floor"] is not None and abs(row["change"]) <= row["noise_floor"]
    if low <= 0 <= high or p is None or p >= SIGNIFICANT or is_noise:
        return "unclear"
    return "better" if (row["change"] > 0) == bool(row["is_higher_better"]) else "worse"


def judge(expected, found):
    """Adds to a comparison the printed intervals, and what follows from them."""
    floors = expected["noise_floors"]
    add_intervals(floors, found.get("noise_floors", []))
    for floor in floors:
        floor["size"] = max(abs(floor["change_low"]), abs(floor["change_high"]))
    contrasts = found.get("contrasts", [])[: len(expected["contrasts"])]
    for contrast, printed in zip_longest(expected["contrasts"], contrasts, fillvalue={}):
        add_intervals(contrast["metrics"], printed.get("metrics", []))
    rows = [row for contrast in expected["contrasts"] for row in contrast["metrics"]]
    for row, corrected in zip(rows, holm([row["p_value"] for row in rows])):
        runs = (row["baseline_run_id"], row["run_id"])
        sizes = [floor["size"] for floor in floors if floor["metric"] == row["metric"] and floor["run_id"] in runs]
        row.update(corrected_p_value=corrected, noise_floor=max(sizes, default=None))
        row["verdict"] = verdict(row)
