#!/usr/bin/env python3
"""Compares every number that commands print of a database with an independent recomputation from its raw rows.

    tests/py/recompute.py --speclora target/release/speclora --database small.db

The database may be any; benches/make_database.py makes one with runs of every kind and what is hard. It is copied, the
program adds one run of each kind (whose own output is checked too), and each printed value is then compared with what
rows.py, printed.py, compare.py and tables.py say: whole numbers and texts must be equal, others to a relative error of
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
import tables
from compare import Change, compared, sentences
from compared_runs import num_reasons
from figures import Figures
from rows import WHAT
from sides import comparisons
from significance import judge

TOLERANCE = 1e-9
# Changes are what is left of figures near 1: what is below this comes from rounding.
SMALLEST_CHANGE = 1e-12
RESAMPLED = {
    *("paired", "num_paired_prompts", "paired_speedup", "paired_speedup_low", "paired_speedup_high", "num_gain_prompts"),
    *("paired_tokens_per_second_gain", "paired_tokens_per_second_gain_low", "paired_tokens_per_second_gain_high"),
    *("paired_acceptance_rate_gain", "paired_acceptance_rate_gain_low", "paired_acceptance_rate_gain_high"),
    *("tokens_per_second_gain_low", "tokens_per_second_gain_high"),
    *("acceptance_rate_gain_low", "acceptance_rate_gain_high"),
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
        smallest = SMALLEST_CHANGE if isinstance(expected, Change) else 0.0
        return math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=smallest) or found == expected
    return type(found) is type(expected) and found == expected


def live(check):
    """Has the program make a run of each kind, and a bench more to compare; returns what it printed of each kind."""
    small = ["-m", "16", "--seed", "3"]
    bench = ["bench", "-f", "builtin:bench", "-l", "7", "-n", "2", "--adapter", "latest", "--control", "-m", "16"]
    check.json(*bench, "--seed", "4")
    return {
        "bench": check.json(*bench, "--seed", "3"),
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
        check_lines(check, f"runs show {run}", check.output("runs", "show", str(run)), tables.summary_lines(raw, run))


def check_lines(check, place, text, expected):
    """That a text for people has these lines, however they are aligned."""
    lines = {" ".join(line.split()) for line in text.splitlines()}
    for line in expected:
        check.num_values += 1
        if line not in lines:
            raise Mismatch(f"{place}: no line {line!r} is printed")


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


def check_compare(check, raw):
    """`compare` of runs and of modes, for programs, and some of it for people."""
    for place, sides in enumerate(comparisons(raw)):
        names = [f"{run}:{mode}" if mode else str(run) for run, mode in sides]
        baseline, *others = dict.fromkeys(run for run, _ in sides)
        reasons = sum(num_reasons(raw, baseline, run) for run in others)
        command = ["compare", *names, *(["--force"] if reasons else [])]
        found, expected = check.json(*command), compared(raw, sides)
        judge(expected, found)
        check_texts(check, " ".join(command), found, expected, reasons)
        check.same(" ".join(command), found, expected)
        if place % 3 == 0:
            check_lines(check, " ".join(command), check.output(*command), tables.comparison_lines(found))


def check_texts(check, place, found, expected, reasons):
    """Takes out the texts of a comparison, of which the sentences about outputs and the number of reasons are known."""
    ignored, cautions, facts = [found.pop(name) for name in ["ignored_reasons", "cautions", "facts"]]
    check.same(f"{place}: number of ignored reasons", len(ignored), reasons)
    check.same(f"{place}: told reasons", any("--force" in line for line in cautions), reasons > 0)
    # Not every build prints headlines yet.
    ends = tables.headline_ends(expected)
    headlines = found.pop("headlines", ends)
    check.same(f"{place}: number of headlines", len(headlines), len(ends))
    check.same(f"{place}: headlines", [line[-len(end) :] for line, end in zip(headlines, ends)], ends)
    of_outputs = [line for line in facts if line.startswith(("Lossless (", "Same output ("))]
    check.same(f"{place}: sentences", of_outputs, sentences(expected["contrasts"]))


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
            check_compare(check, raw)
        except Mismatch as mismatch:
            sys.exit(f"{mismatch}")
    print(f"{check.num_values} values of {len(raw.runs)} runs, {check.num_commands} commands: all as recomputed")


if __name__ == "__main__":
    main()
