#!/usr/bin/env python3
"""Makes a large database to measure with, or a small one to check figures on: the same rows for the same arguments.

    cargo build --release
    benches/make_database.py one.db                    # 1,000 benches, 300,000 generations, 6 million rounds
    benches/make_database.py ten.db --runs 10000       # ten times as much
    benches/make_database.py small.db --runs 40 --prompts 6 --iterations 2

The program itself makes the file and one run of each kind, on its built-in models, so that schema, environment, models
and settings are its own; only these rows depend on the machine. The others are made up, as the program would write
them: every constraint holds, sums of rounds are those of their generations, and summaries come from
queries/mode_metrics.sql.

Beside the benches, runs collect, train and evaluate, one of each for every twenty. Some of what is hard is there:
failures, warm-ups, sampled runs, runs without a mode, outputs that differ, runs that broke off, crashed or lie in the
trash, a loss that is no number.
"""

import argparse
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from made_up.training import AllRuns

PROGRAM = Path(__file__).resolve().parent.parent / "target" / "release" / "speclora"


def begin_with_the_program(program, path):
    """Has the program make the database, with a run of each kind."""
    small = ["-m", "12", "--seed", "1"]
    for command in [
        ["bench", "-f", "builtin:bench", "-l", "3", "-n", "2", "--skip-lora", "--control", *small],
        ["collect", "-f", "builtin:train", "-l", "8", *small],
        ["train", "--rank", "2", "--epochs", "2", "--eval-every", "1", "--holdout", "0.5", "--seed", "1"],
        ["evaluate", "-f", "builtin:bench", "-l", "3", *small],
    ]:
        subprocess.run([program, *command, "--db", path, "--quiet"], check=True, stdout=subprocess.DEVNULL)


def fill(database, arguments):
    """Writes all other runs."""
    runs = AllRuns(database, arguments)
    runs.collect()
    for number in range(1, arguments.runs + 1):
        runs.bench()
        if number % 20 == 10:
            runs.collect()
            runs.train()
            runs.evaluate()
        if sys.stderr.isatty() and number % 50 == 0:
            print(f"\r{number}/{arguments.runs} benches", end="", file=sys.stderr)


def check(database):
    """Refuses a database with rows that point at nothing, or damage."""
    dangling = database.execute("PRAGMA foreign_key_check").fetchall()
    damage = database.execute("PRAGMA quick_check").fetchall()
    if dangling or damage != [("ok",)]:
        sys.exit(f"the database is not sound: {dangling[:3]} {damage[:3]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", type=Path)
    parser.add_argument("--runs", type=int, default=1000, help="benches; other kinds come beside them")
    parser.add_argument("--prompts", type=int, default=29)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40, help="steps of each training run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speclora", type=Path, default=PROGRAM, help="the program that makes the file")
    parser.add_argument("--check", action="store_true", help="looks for rows that point at nothing, and for damage")
    arguments = parser.parse_args()
    if arguments.database.exists():
        sys.exit(f"{arguments.database} exists (name another file, or delete it)")
    began = time.monotonic()
    begin_with_the_program(arguments.speclora, arguments.database)
    # Nothing is lost if this breaks off: the file is made again.
    database = sqlite3.connect(arguments.database, isolation_level=None)
    for pragma in ["journal_mode = OFF", "synchronous = OFF", "cache_size = -500000"]:
        database.execute(f"PRAGMA {pragma}")
    database.execute("BEGIN")
    fill(database, arguments)
    database.execute("COMMIT")
    if arguments.check:
        check(database)
    database.execute("PRAGMA journal_mode = WAL")
    tables = ["runs", "generations", "rounds"]
    counts = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    database.close()
    size = arguments.database.stat().st_size / 1e6
    took = time.monotonic() - began
    print("{:,} runs, {:,} generations, {:,} rounds".format(*counts), f"({size:.0f} MB) in {took:.1f} s")


if __name__ == "__main__":
    main()
