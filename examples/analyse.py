#!/usr/bin/env python3
"""Reads a speclora database with sqlite3 and pandas, as a beginning for your own analysis.

    python3 -m venv venv && venv/bin/pip install pandas
    venv/bin/python examples/analyse.py speclora.db        # the newest run
    venv/bin/python examples/analyse.py speclora.db 12

It prints the speed of each mode with a paired bootstrap interval, acceptance by position, and the curve of a training run.
docs/schema.md says what tables, columns and views mean.
"""

import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote

try:
    import numpy as np
    import pandas as pd
except ImportError as missing:
    sys.exit(f"analyse.py needs {missing.name} (python3 -m venv venv && venv/bin/pip install pandas)")

QUERIES = Path(__file__).resolve().parent.parent / "queries"
NUM_RESAMPLES = 10_000
FEWEST_PROMPTS = 6


def open_database(path):
    """Opens for reading alone: an analysis that goes wrong changes nothing."""
    if not Path(path).is_file():
        sys.exit(f"no database {path}")
    return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)


def find_run(database, run):
    """The run of that id, else the newest; its id and kind."""
    rows = database.execute(
        """
        SELECT id, kind
        FROM runs
        WHERE deleted_at_ms IS NULL AND (:run IS NULL OR id = :run)
        ORDER BY id DESC
        LIMIT 1
        """,
        {"run": run},
    ).fetchall()
    if not rows:
        sys.exit("there are no runs yet" if run is None else f"no run {run} (speclora runs list)")
    return rows[0]


def frame(database, sql, **parameters):
    return pd.read_sql_query(sql, database, params=parameters)


def interval_of_geometric_mean(ratios):
    """The 95 % bootstrap interval of the geometric mean of ratios, one a prompt: prompts are resampled, since what they
    differ in is what another choice of prompts would change."""
    random = np.random.default_rng(0)
    logarithms = np.log(ratios)
    samples = random.choice(logarithms, size=(NUM_RESAMPLES, len(logarithms)), replace=True)
    return np.exp(np.percentile(samples.mean(axis=1), [2.5, 97.5]))


def show_speed(database, run):
    prompts = frame(
        database,
        """
        SELECT p.mode, p.prompt_index, p.tokens_per_second, p.time_per_output_token, p.acceptance_rate
        FROM prompt_metrics AS p
        JOIN modes AS m ON m.mode = p.mode
        WHERE p.run_id = :run
        ORDER BY m.display_order, p.prompt_index
        """,
        run=run,
    )
    if prompts.empty:
        print(f"run {run} has no generations: no speeds\n")
        return
    modes = prompts.groupby("mode", sort=False).agg(
        prompts=("tokens_per_second", "count"),
        tokens_per_second=("tokens_per_second", "mean"),
        acceptance_rate=("acceptance_rate", "mean"),
    )
    print("speed by mode: means over prompts\n")
    print(modes.to_string(float_format="{:.3f}".format, na_rep="—"), "\n")

    times = prompts.pivot(index="prompt_index", columns="mode", values="time_per_output_token")
    for mode in modes.index.drop("target_only", errors="ignore"):
        if "target_only" not in times:
            print("without target_only there is nothing to be faster than\n")
            return
        ratios = (times["target_only"] / times[mode]).dropna().to_numpy(dtype=float)
        if len(ratios) == 0:
            print(f"{mode}: no prompt has a time in both modes")
            continue
        low, high = interval_of_geometric_mean(ratios)
        doubt = "" if len(ratios) >= FEWEST_PROMPTS else "  (too few prompts to trust the interval)"
        mean = np.exp(np.log(ratios).mean())
        print(f"{mode}: {mean:.3f}x target_only, 95 % interval {low:.3f} to {high:.3f}, n = {len(ratios)}{doubt}")
    print()


def show_acceptance(database, run):
    positions = frame(
        database,
        """
        SELECT mode, position, acceptance_rate
        FROM acceptance_by_position
        WHERE run_id = :run
        ORDER BY mode, position
        """,
        run=run,
    )
    if positions.empty:
        print(f"run {run} has no rounds of speculation: no acceptance by position\n")
        return
    print("acceptance by position: share of proposals at this place that stood\n")
    print(positions.pivot(index="position", columns="mode", values="acceptance_rate").to_string(), "\n")


def show_training(database, run):
    # A statement of queries/, with its parameter bound by name.
    curve = frame(database, (QUERIES / "training_curve.sql").read_text(encoding="utf-8"), run_id=run)
    if curve.empty:
        print(f"run {run} has no training steps: no curve")
        return
    columns = ["step", "loss", "smoothed_loss", "held_out_loss", "expected_acceptance", "checkpoint_id"]
    curve["checkpoint_id"] = curve["checkpoint_id"].astype("Int64")
    # Evaluations, the last step, and ten steps between.
    every = max(1, len(curve) // 10)
    shown = curve[(curve["step"] % every == 0) | curve["expected_acceptance"].notna() | (curve.index == len(curve) - 1)]
    print("training curve\n")
    print(shown[columns].to_string(index=False, na_rep="—"))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    database = open_database(sys.argv[1])
    try:
        wanted = int(sys.argv[2]) if len(sys.argv) == 3 else None
    except ValueError:
        sys.exit(f"a run is named by its number here, got {sys.argv[2]} (speclora runs list)")
    try:
        run, kind = find_run(database, wanted)
        print(f"run {run} ({kind})\n")
        show_speed(database, run)
        show_acceptance(database, run)
        show_training(database, run)
    except (sqlite3.Error, pd.errors.DatabaseError) as problem:
        sys.exit(f"{sys.argv[1]}: {problem}")


if __name__ == "__main__":
    main()
