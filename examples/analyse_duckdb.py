#!/usr/bin/env python3
"""Reads a speclora database through DuckDB's SQLite scanner, for what SQLite lacks: quantiles, geometric means, Parquet.

    python3 -m venv venv && venv/bin/pip install duckdb
    venv/bin/python examples/analyse_duckdb.py speclora.db

The scanner is an extension that DuckDB loads from the internet, once.

Tables and views are read as they are: `FROM tracker.generations`. SQLite gives what a view computes no type, so that DuckDB
takes it for text; the script copies views into DuckDB's memory with numbers as numbers.
"""

import sys
from pathlib import Path

try:
    import duckdb
except ImportError:
    sys.exit("analyse_duckdb.py needs duckdb (python3 -m venv venv && venv/bin/pip install duckdb)")

# Numbers of views, by name; all else is text or a whole number.
WHOLE = {"run_id", "prompt_index", "iteration", "generation_id", "position", "step", "depth"}
TEXTS = {"mode", "state", "error"}


def connect(path):
    if not Path(path).is_file():
        sys.exit(f"no database {path}")
    connection = duckdb.connect()
    try:
        connection.execute("INSTALL sqlite")
        connection.execute("LOAD sqlite")
    except duckdb.Error as problem:
        sys.exit(f"DuckDB's extension for SQLite cannot be loaded (it comes from the internet, once): {problem}")
    quoted = str(path).replace("'", "''")
    connection.execute(f"ATTACH '{quoted}' AS tracker (TYPE sqlite, READ_ONLY)")
    return connection


def make_view(connection, name):
    """Makes a table in DuckDB's memory of one of speclora's views, with numbers as numbers. Returns how many rows it has."""
    columns = [row[0] for row in connection.execute(f"DESCRIBE tracker.{name}").fetchall()]

    def typed(column):
        if column in TEXTS:
            return f'"{column}"'
        is_whole = column in WHOLE or column.startswith(("num_", "is_", "total_")) or column.endswith("_id")
        return f'CAST("{column}" AS {"BIGINT" if is_whole else "DOUBLE"}) AS "{column}"'

    connection.execute(f"CREATE TABLE {name} AS SELECT {', '.join(map(typed, columns))} FROM tracker.{name}")
    return connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]


QUESTIONS = {
    "how fast was each mode, and how fast were nine prompts of ten at least?": """
        SELECT run_id, mode, count(*) AS num_prompts, avg(tokens_per_second) AS mean, median(tokens_per_second) AS median,
            quantile_cont(tokens_per_second, 0.1) AS nine_of_ten
        FROM prompt_metrics
        WHERE tokens_per_second IS NOT NULL
        GROUP BY run_id, mode
        ORDER BY run_id, mode
    """,
    "how much faster than target_only, prompt by prompt (geometric mean)?": """
        SELECT m.run_id, m.mode, count(*) AS num_prompts,
            geomean(t.time_per_output_token / m.time_per_output_token) AS speedup
        FROM prompt_metrics AS m
        JOIN prompt_metrics AS t ON t.run_id = m.run_id AND t.prompt_index = m.prompt_index AND t.mode = 'target_only'
        WHERE m.mode <> 'target_only' AND t.time_per_output_token / m.time_per_output_token IS NOT NULL
        GROUP BY m.run_id, m.mode
        ORDER BY m.run_id, m.mode
    """,
    "how often was the first, second, third and fourth token of a proposal accepted?": """
        SELECT run_id, mode,
            max(acceptance_rate) FILTER (WHERE position = 1) AS first,
            max(acceptance_rate) FILTER (WHERE position = 2) AS second,
            max(acceptance_rate) FILTER (WHERE position = 3) AS third,
            max(acceptance_rate) FILTER (WHERE position = 4) AS fourth
        FROM acceptance_by_position
        GROUP BY run_id, mode
        ORDER BY run_id, mode
    """,
    "how long did verifying take, by how much was accepted (tables)?": """
        SELECT g.mode, r.num_accepted, count(*) AS num_rounds, median(r.verify_ns) / 1e6 AS verify_milliseconds
        FROM tracker.rounds AS r
        JOIN tracker.generations AS g ON g.id = r.generation_id
        WHERE g.is_warmup = 0
        GROUP BY g.mode, r.num_accepted
        ORDER BY g.mode, r.num_accepted
    """,
    "what did held-out examples say as training went on?": """
        SELECT run_id, step, expected_acceptance, loss
        FROM train_evaluations
        ORDER BY run_id, step
    """,
}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    connection = connect(sys.argv[1])
    views = connection.execute(
        "SELECT name FROM sqlite_query('tracker', 'SELECT name FROM sqlite_schema WHERE type = ''view'' ORDER BY name')"
    ).fetchall()
    print("views:", ", ".join(f"{name} ({make_view(connection, name)} rows)" for (name,) in views))
    for question, sql in QUESTIONS.items():
        print(f"\n{question}")
        print(connection.sql(sql))
    print("\nfor other tools: COPY generation_metrics TO 'generation_metrics.parquet'")


if __name__ == "__main__":
    main()
