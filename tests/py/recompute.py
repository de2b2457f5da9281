#!/usr/bin/env python3
"""Compares every number that commands print of a database with an independent recomputation from its raw rows.

    tests/py/recompute.py --speclora target/release/speclora --database small.db

The database may be any; benches/make_database.py makes one with runs of every kind and what is hard. It is copied, the
program adds one run of each kind (whose own output is checked too), and each printed value is then compared with what
rows.py, printed.py and compare.py say: whole numbers and texts must be equal, others to a relative error of
1e-9. A key that is printed and not known here is an error, so that no number goes unchecked. Needs Python 3.9 alone.
"""

import argparse
import csv
import io
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import printed
import rows
from compare import METRICS, compared, speedup
from figures import Figures
from raw import MODES
from rows import WHAT

TOLERANCE = 1e-9


RESAMPLED = {
    *("paired", "num_paired_prompts", "paired_speedup", "paired_speedup_low", "paired_speedup_high", "num_gain_prompts"),
    *("paired_tokens_per_second_gain", "tokens_per_second_gain_low", "tokens_per_second_gain_high"),
    *("paired_acceptance_rate_gain", "acceptance_rate_gain_low", "acceptance_rate_gain_high"),
    *("checkpoint_id", "deleted_at", "related_runs", "dated_notes"),
}
"""Keys of intervals, which tests/fixtures/stats holds, and of facts that are no figures: not computed again here."""


class Mismatch(Exception):
    """A printed value is not the recomputed one."""


class Check:
    """Runs commands and compares what they print."""

    def __init__(self, program, database):
        self.program, self.database = program, database
        self.num_values, self.num_commands = 0, 0

    def output(self, *arguments):
        self.num_commands += 1
        command = [self.program, *arguments, "--db", self.database, "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Mismatch(f"{' '.join(map(str, arguments))} failed: {done.stderr.strip()}")
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.output(*arguments, "--json"))

    def same(self, place, found, expected):
        """Compares two values, and all that is in them."""
        if isinstance(expected, dict) and isinstance(found, dict):
            found = {key: value for key, value in found.items() if key not in RESAMPLED or key in expected}
            if set(found) != set(expected):
                raise Mismatch(f"{place}: keys {sorted(set(found) ^ set(expected))} are printed or expected alone")
            for key, value in expected.items():
                self.same(f"{place}.{key}", found[key], value)
        elif isinstance(expected, list) and isinstance(found, list):
            if len(found) != len(expected):
                raise Mismatch(f"{place}: {len(found)} are printed, {len(expected)} expected")
            for index, pair in enumerate(zip(found, expected)):
                self.same(f"{place}[{index}]", *pair)
        else:
            self.num_values += 1
            if not is_equal(found, expected):
                raise Mismatch(f"{place}: {found!r} is printed, {expected!r} expected")


def is_equal(found, expected):
    numbers = [value for value in (found, expected) if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) == 2 and any(isinstance(value, float) for value in numbers):
        return math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=0.0) or found == expected
    return type(found) is type(expected) and found == expected


def live(check):
    """Has the program make a run of each kind, and returns what it printed."""
    small = ["-m", "16", "--seed", "3"]
    return {
        "bench": check.json(
            "bench", "-f", "builtin:bench", "-l", "3", "-n", "2", "--adapter", "latest", "--control", *small
        ),
        "collect": check.json("collect", "-f", "builtin:train", "-l", "8", *small),
        "train": check.json(
            "train", "--rank", "2", "--epochs", "1", "--eval-every", "1", "--holdout", "0.5", "--seed", "3"
        ),
        "evaluate": check.json("evaluate", "-f", "builtin:bench", "-l", "7", "-a", "latest", *small),
    }


def check_live(check, raw, said):
    """What the commands that made runs printed of them."""
    run = {kind: max(id for id, row in raw.runs.items() if row["kind"] == kind) for kind in said}
    check.same("bench", said["bench"], printed.exported(raw, run["bench"]))
    check.same("collect", said["collect"], printed.collected(raw, run["collect"]))
    expected = {**printed.facts(raw, run["train"]), "evaluations": raw.train_evaluations(run["train"])}
    check.same("train", {key: said["train"][key] for key in expected}, expected)
    evaluation = said["evaluate"]
    check_gains(check, evaluation["drafts"], raw, run["evaluate"])
    plain = [
        {key: draft[key] for key in draft if "_gain" not in key and key not in ORDERS}
        for draft in evaluation.pop("drafts")
    ]
    check.same("evaluate.drafts", plain, raw.draft_evaluations(run["evaluate"]))
    expected = {**printed.facts(raw, run["evaluate"]), "prompts": rows.prompt_evaluations(raw, run["evaluate"])}
    check.same("evaluate", evaluation, expected)


ORDERS = ["num_better", "num_same", "num_worse"]


def check_gains(check, drafts, raw, run):
    """Gains over the plain draft. Intervals are resampled; here they must only hold what they are intervals of."""
    expected = raw.draft_evaluations(run)
    by_prompt = {}
    for row in rows.prompt_evaluations(raw, run):
        by_prompt.setdefault(row["checkpoint_id"], {})[row["prompt_index"]] = row["acceptance_rate"]
    for draft, figures in zip(drafts, expected):
        place = f"evaluate.drafts {draft['checkpoint_id']}"
        for name in ["acceptance_rate", "mean_acceptance_length", "expected_acceptance", "top1_agreement"]:
            is_plain = draft["checkpoint_id"] is None
            gain = None if is_plain else figures[name] - expected[0][name]
            if gain is not None and not math.isclose(gain, draft[f"{name}_gain"], rel_tol=TOLERANCE, abs_tol=1e-12):
                raise Mismatch(f"{place}: a gain of {draft[f'{name}_gain']} in {name} is printed, {gain} expected")
            low, high = draft[f"{name}_gain_low"], draft[f"{name}_gain_high"]
            if (low is None) != (high is None) or (low is not None and not low <= draft[f"{name}_gain"] <= high):
                raise Mismatch(f"{place}: [{low}, {high}] is no interval of {draft[f'{name}_gain']}")
            check.num_values += 3
        pairs = [(by_prompt[None][index], rate) for index, rate in by_prompt[draft["checkpoint_id"]].items()]
        pairs = [(old, new) for old, new in pairs if None not in (old, new)]
        counts = [
            sum(new > old for old, new in pairs),
            sum(new == old for old, new in pairs),
            sum(new < old for old, new in pairs),
        ]
        check.same(
            place, [draft[name] for name in ORDERS], counts if draft["checkpoint_id"] is not None else [None] * 3
        )


def check_lists(check, raw):
    check.same("runs list", check.json("runs", "list"), printed.listed(raw))
    adapters = printed.adapters(raw)
    check.same("adapters list", check.json("adapters", "list"), adapters)
    for row in adapters[:3] + adapters[-2:]:
        place = f"adapters show {row['checkpoint_id']}"
        check.same(place, check.json("adapters", "show", str(row["checkpoint_id"])), printed.adapter(raw, row))


def check_run(check, raw, run):
    """What is shown and exported of a run as a whole, for programs and for people."""
    check.same(f"runs show {run}", check.json("runs", "show", str(run)), printed.shown(raw, run))
    check.same(f"export {run}", check.json("export", str(run)), printed.exported(raw, run))
    if raw.runs[run]["kind"] == "bench":
        text = [" ".join(line.split()) for line in check.output("runs", "show", str(run)).splitlines()]
        for line in printed.summary_lines(raw, run):
            check.num_values += 1
            if line not in text:
                raise Mismatch(f"runs show {run}: no line {line!r}")


def check_rows(check, raw):
    """What `export --what` writes of all runs, as JSON Lines and as CSV."""
    runs = [run for run, row in sorted(raw.runs.items()) if row["deleted_at_ms"] is None]
    for what, rows_of in WHAT.items():
        expected = [row for run in runs for row in rows_of(raw, run)]
        lines = check.output("export", "--all", "--what", what, "--format", "jsonl").splitlines()
        check.same(f"export --what {what}", [json.loads(line) for line in lines], expected)
        text = check.output("export", "--all", "--what", what, "--format", "csv")
        table = [[*row.values()] for row in csv.DictReader(io.StringIO(text, newline=""))]
        check.same(f"export --what {what} as csv", table, [fields(line) for line in lines])


def fields(line):
    """The fields of CSV that stand for a line of JSON; a number keeps its spelling."""
    field = lambda value: "" if value is None else " ".join(value) if isinstance(value, list) else value
    return [field(value) for value in json.loads(line, parse_int=str, parse_float=str).values()]


def commands(check):
    """The commands that this program has."""
    help_text = subprocess.run([check.program, "--help"], capture_output=True, text=True).stdout
    return {line.split()[0] for line in help_text.splitlines() if line.startswith("  ") and line.strip()}


def check_queries(check, raw):
    """`query NAME` of statements whose answers are known here."""
    expected = {
        "mode_metrics": lambda run: raw.mode_metrics(run),
        "prompt_metrics": lambda run: raw.prompt_metrics(run),
        "acceptance_by_position": lambda run: raw.acceptance_by_position(run),
        "train_evaluations": lambda run: raw.train_evaluations(run),
        "draft_evaluations": lambda run: raw.draft_evaluations(run),
        "prompt_evaluations": lambda run: rows.prompt_evaluations(raw, run),
        "generations": lambda run: rows.generations(raw, run),
        "rounds": lambda run: rows.rounds(raw, run),
        "train_steps": lambda run: rows.train_steps(raw, run),
    }
    for kind in ["bench", "train", "evaluate", "collect"]:
        run = max(id for id, row in raw.runs.items() if row["kind"] == kind and row["deleted_at_ms"] is None)
        for name, rows_of in expected.items():
            check.same(
                f"query {name} of run {run}", check.json("query", name, "--param", f"run_id={run}"), rows_of(run)
            )


def sides(raw):
    """Pairs of benches over the same prompts, and pairs of modes of one."""
    runs = [run for run, row in sorted(raw.runs.items()) if row["kind"] == "bench" and row["deleted_at_ms"] is None]
    by_set = {}
    for run in runs:
        by_set.setdefault(tuple(row["prompt_id"] for row in raw.rows("run_prompts", run)), []).append(run)
    for of_set in by_set.values():
        for first, second in zip(of_set, of_set[1:]):
            yield from (((first, mode), (second, mode)) for mode in MODES)
    yield from (((run, "spec_base"), (run, "spec_lora")) for run in runs)


def check_definitions(check, raw):
    """That comparisons are recomputed soundly: what is said of two sides in both orders must agree."""
    for first, second in sides(raw):
        for metric in METRICS:
            there, back = compared(raw, first, second, metric), compared(raw, second, first, metric)
            check.same(f"{first} {second} {metric}", there["num_prompts"], back["num_prompts"])
            if there["num_prompts"]:
                check.same(
                    f"{first} {second} {metric}",
                    [there["num_better"], there["num_same"]],
                    [back["num_worse"], back["num_same"]],
                )
                check.same(f"{first} {second} {metric}", there["difference"], -back["difference"])
    for run in {first[0] for first, _ in sides(raw)}:
        if speedup(raw, run, "target_only") is not None:
            check.same(f"speedup of run {run}", speedup(raw, run, "target_only"), 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speclora", type=Path, required=True)
    parser.add_argument("--database", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        shutil.copyfile(arguments.database, copy)
        check = Check(arguments.speclora.resolve(), copy)
        try:
            said = live(check)
            raw = Figures(copy)
            check_live(check, raw, said)
            check_lists(check, raw)
            for run, row in raw.runs.items():
                if row["deleted_at_ms"] is None:
                    check_run(check, raw, run)
            check_rows(check, raw)
            known = commands(check)
            if "query" in known:
                check_queries(check, raw)
            check_definitions(check, raw)
        except Mismatch as mismatch:
            sys.exit(f"{mismatch}")
    print(f"{check.num_values} values of {len(raw.runs)} runs, {check.num_commands} commands: all as recomputed")


if __name__ == "__main__":
    main()
