#!/usr/bin/env python3
"""Times commands that read the database, as whole processes, on a large database and on one ten times as large; and the
mean of a metric by run beside MLflow's API.

    cargo build --release
    benches/make_database.py one.db
    benches/make_database.py ten.db --runs 10000
    benches/make_database.py small.db --runs 100
    pip install mlflow
    benches/tracker.py --database one.db --ten-times ten.db --mlflow small.db

Commands take turns, so that all meet the same state of the machine; the first round of each is not counted, so that
files are in memory. Medians of wall-clock time are printed, with the lower and upper quartile, and medians of the
processor's time, which other programs disturb less. A command that this
program does not have is named and left out. MLflow, where it is installed, gets every value of a smaller database
(tokens_per_second of each generation) into an SQLite store of its own by its batch API, and is then asked in this
process, so that neither its start nor its import is counted; the program's start is.
"""

import argparse
import csv
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "target" / "release" / "speclora"
# What is asked for, in milliseconds on the large database.
GOALS = {"runs list": 30, "compare": 100, "query": 50}
# One value a generation, with the mode as part of its name, as a tracker of experiments has them.
VALUES = """SELECT run_id, mode, exec_order, total_tokens * 1e9 / time_to_last_token_ns AS tokens_per_second
    FROM generations
    WHERE is_warmup = 0 AND error IS NULL AND run_id IN (SELECT id FROM runs WHERE deleted_at_ms IS NULL)
    ORDER BY run_id, exec_order"""
MEANS = f"SELECT run_id, mode, avg(tokens_per_second) FROM ({VALUES}) GROUP BY run_id, mode ORDER BY run_id, mode"


def some_runs(database, count):
    """The newest benches that ended well, with every mode, greedy and over the same prompts: any two can be compared."""
    sql = """SELECT r.id FROM runs AS r
        WHERE r.kind = 'bench' AND r.status = 'completed' AND r.deleted_at_ms IS NULL
            AND (SELECT count(*) FROM mode_summaries AS m WHERE m.run_id = r.id) = 4
            AND (SELECT number FROM run_settings AS s WHERE s.run_id = r.id AND s.key = 'temperature') = 0
            AND r.prompt_set_id = (SELECT prompt_set_id FROM runs WHERE kind = 'bench' ORDER BY id DESC LIMIT 1)
        ORDER BY r.id DESC LIMIT ?"""
    with sqlite3.connect(database) as connection:
        return [row[0] for row in connection.execute(sql, [count])]


def commands(database):
    """Command lines by the name under which they are reported."""
    first, second, *_ = (str(run) for run in some_runs(database, 2))
    about_one_run = [
        "mode_metrics",
        "prompt_metrics",
        "prompt_speedups",
        "acceptance_by_position",
        "generations",
        "rounds",
        "run_show",
        "leakage",
    ]
    return {
        "runs list": ["runs", "list"],
        "runs list -l 20": ["runs", "list", "-l", "20"],
        "runs show": ["runs", "show", first],
        "export (whole run)": ["export", first],
        "export --what summary": ["export", first, "--what", "summary", "--format", "csv"],
        "export --what rounds": ["export", first, "--what", "rounds", "--format", "csv"],
        "export --what rounds (parquet)": ["export", first, "--what", "rounds", "--format", "parquet"],
        **{f"query {name}": ["query", name, "--param", f"run_id={first}"] for name in about_one_run},
        "compare": ["compare", "run", first, "run", second],
        "compare of two modes": ["compare", f"{first}:spec_base", f"{first}:spec_lora"],
    }


def is_there(program, arguments):
    """Whether the program has a command."""
    return subprocess.run([program, arguments[0], "--help"], capture_output=True).returncode == 0


def seconds(program, arguments, database):
    """How long a command took, and how long the processor worked for it."""
    began = time.perf_counter()
    process = subprocess.Popen([program, *arguments, "--db", database, "--quiet"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"speclora {' '.join(arguments)} failed on {database}")
    return took, usage.ru_utime + usage.ru_stime


def quartiles(times):
    low, middle, high = statistics.quantiles(times, n=4)
    return 1e3 * low, 1e3 * middle, 1e3 * high


def time_commands(arguments):
    """Times each command on each database in turn, and prints medians and their ratios."""
    databases = [database for database in (arguments.database, arguments.ten_times) if database]
    lines = {database: commands(database) for database in databases}
    missing = {line[0] for line in lines[databases[0]].values() if not is_there(arguments.speclora, line)}
    for name in sorted(missing):
        print(f"speclora {name}: this program has no such command, left out")
    names = [name for name, line in lines[databases[0]].items() if line[0] not in missing]
    times = {(name, database): [] for name in names for database in databases}
    for number in range(arguments.repeats + 1):
        for name, database in times:
            took = seconds(arguments.speclora, lines[database][name], database)
            if number > 0:
                times[name, database].append(took)
    heading = "".join(f"{Path(database).name:>26}{'processor':>11}" for database in databases)
    print(f"{'milliseconds, median (quartiles)':34}{heading}   ratios")
    for name in names:
        print_times(name, [times[name, database] for database in databases])


def print_times(name, times):
    """A line for a command: by database, wall-clock time and the processor's; then how much the second database took
    of the first one's, and whether the goal is met."""
    found = [quartiles([took for took, _ in of_database]) for of_database in times]
    worked = [1e3 * statistics.median(worked for _, worked in of_database) for of_database in times]
    shown = ""
    for (low, middle, high), processor in zip(found, worked):
        shown += f"{middle:10.1f} ({low:.1f}–{high:.1f})".rjust(26) + f"{processor:11.1f}"
    if len(times) == 2:
        shown += f"{found[1][1] / found[0][1]:8.2f}{worked[1] / worked[0]:6.2f}"
    goal = GOALS.get("query" if name.startswith("query ") else name)
    verdict = "" if goal is None else f"   goal {goal}: {'met' if found[0][1] <= goal else 'MISSED'}"
    print(f"{name:34}{shown}{verdict}")


def beside_mlflow(arguments):
    """The mean of a metric by run and mode: MLflow's API, sqlite3 and the program, on the same values."""
    try:
        import mlflow
        from mlflow.entities import Metric
        from mlflow.tracking import MlflowClient
    except ImportError:
        print("mlflow is not installed, left out (pip install mlflow)")
        return
    with sqlite3.connect(arguments.mlflow) as connection:
        values = {}
        for run, mode, order, value in connection.execute(VALUES):
            values.setdefault(run, []).append((mode, order, value))
    with tempfile.TemporaryDirectory() as folder:
        client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
        experiment = client.create_experiment("speclora")
        began = time.perf_counter()
        for run, of_run in values.items():
            created = client.create_run(experiment, run_name=str(run))
            metrics = [Metric(f"{mode}.tokens_per_second", value, order, order) for mode, order, value in of_run]
            for start in range(0, len(metrics), 1000):
                client.log_batch(created.info.run_id, metrics=metrics[start : start + 1000])
            client.set_terminated(created.info.run_id)
        took = time.perf_counter() - began
        count = sum(map(len, values.values()))
        rate = f"{count / took:.0f} a second"
        print(f"\nMLflow {mlflow.__version__}: {count} values of {len(values)} runs, logged in {took:.1f} s ({rate})")
        print_means(arguments, lambda: mlflow_means(client, experiment), len(values))


def mlflow_means(client, experiment):
    """What MLflow's API has for it: the runs, the history of each of their metrics, and the means."""
    means, token = {}, None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            for metric in run.data.metrics:
                history = client.get_metric_history(run.info.run_id, metric)
                means[int(run.info.run_name), metric.split(".")[0]] = statistics.fmean(entry.value for entry in history)
        token = page.token
        if not token:
            return means


def sqlite_means(database):
    with sqlite3.connect(database) as connection:
        return {(run, mode): mean for run, mode, mean in connection.execute(MEANS)}


def program_means(program, database):
    """What `speclora sql` answers to the same statement."""
    command = [program, "sql", MEANS, "--format", "csv", "--db", database]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {(int(run), mode): float(mean) for run, mode, mean in list(csv.reader(answer.splitlines()))[1:]}


def agree(found, expected):
    """Whether two ways came to the same means."""
    return set(found) == set(expected) and all(abs(found[key] / expected[key] - 1) < 1e-9 for key in expected)


def print_means(arguments, of_mlflow, num_runs):
    """Asks each for the same means, checks that they agree, and prints how long it took; and how long all figures of all runs take."""
    program, database = arguments.speclora, arguments.mlflow
    expected = sqlite_means(database)
    for name, found in [("MLflow", of_mlflow()), ("speclora", program_means(program, database))]:
        if not agree(found, expected):
            sys.exit(f"the means of {name} and of sqlite3 differ")
    summaries = ["export", "--all", "--what", "summary", "--format", "csv"]
    ways = {
        "MLflow, means by run, in process": of_mlflow,
        "sqlite3 over generations, in process": lambda: sqlite_means(database),
        "speclora sql over generations, whole process": lambda: program_means(program, database),
        "speclora export --what summary, all figures": lambda: seconds(program, summaries, database),
    }
    times = {name: [] for name in ways}
    for number in range(arguments.repeats + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if number > 0:
                times[name].append(time.perf_counter() - began)
    print(f"{f'means of {num_runs} runs, milliseconds':55}{'median (quartiles)':>26}   MLflow takes")
    slowest = statistics.median(times["MLflow, means by run, in process"])
    for name, taken in times.items():
        low, middle, high = quartiles(taken)
        shown = f"{middle:10.1f} ({low:.1f}–{high:.1f})".rjust(26)
        print(f"{name:55}{shown}{1e3 * slowest / middle:8.1f} x")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--ten-times", type=Path)
    parser.add_argument("--mlflow", type=Path, metavar="DATABASE", help="a smaller database, for MLflow to hold too")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--speclora", type=Path, default=PROGRAM)
    arguments = parser.parse_args()
    time_commands(arguments)
    if arguments.mlflow:
        beside_mlflow(arguments)


if __name__ == "__main__":
    main()
