"""Lines of the tables that commands print for people, each with single spaces."""

from prompt_figures import METRICS

TITLES = {metric.name: metric.title for metric in METRICS}
# How the values of a metric are shown.
STYLES = {
    "tokens_per_second": ".1f",
    "decode_tokens_per_second": ".1f",
    "time_to_first_token": "seconds",
    "time_to_last_token": "seconds",
    "acceptance_rate": "percent",
    "mean_acceptance_length": ".2f",
    "decode_speedup": "times",
}


def text_of(value, style):
    """A number as tables show it."""
    if value is None:
        return "—"
    if style == "seconds":
        return f"{1e3 * value:.1f}ms" if abs(value) < 0.1 else f"{value:.2f}s"
    if style == "times":
        return f"{value:.2f}x"
    return f"{100 * value:.1f}%" if style == "percent" else f"{value:{style}}"


def summary_lines(raw, run):
    """Lines that `runs show` has of a bench."""
    metrics = raw.mode_metrics(run)
    lines = []
    for row in metrics:
        figures = [
            ("avg_tokens_per_second", ".1f"),
            ("avg_time_to_last_token", "seconds"),
            ("avg_acceptance_rate", "percent"),
        ]
        lines.append(" ".join([row["mode"], *(text_of(row[name], style) for name, style in figures)]))
    speedups = [
        f"{row['mode']} {row['speedup']:.2f}x"
        for row in metrics
        if row["mode"].startswith("spec_") and row["speedup"] is not None
    ]
    if speedups:
        lines.append("Speedup vs target: " + ", ".join(speedups))
    for row in metrics:
        gains = (
            [f"{100 * row['tokens_per_second_gain']:+.1f}% tokens/s"]
            if row["tokens_per_second_gain"] is not None
            else []
        )
        gains += (
            [f"{100 * row['acceptance_rate_gain']:+.1f} pp acceptance"]
            if row["acceptance_rate_gain"] is not None
            else []
        )
        if gains:
            lines.append("LoRA improvement over base: " + ", ".join(gains))
        if row["mode"] != "target_only" and row["num_compared"]:
            equal = f"{row['num_lossless']} of {row['num_compared']} prompts"
            lines.append(f"Lossless: {equal}: {row['mode']} output equals target_only's, token for token")
    return lines


def change_text(change, unit):
    if change is None:
        return "—"
    return f"{100 * change:+.1f}" + ("%" if unit == "relative" else " pp")


def interval_text(row):
    return f"{100 * row['change_low']:+.1f} to {100 * row['change_high']:+.1f}"


def headline_ends(comparison):
    """The figures with which the headlines of a comparison end: those of the speed from end to end."""
    rows = [row for contrast in comparison["contrasts"] for row in contrast["metrics"]]
    return [
        f" {TITLES[row['metric']]} {change_text(row['change'], row['change_unit'])}"
        + (f" ({interval_text(row)})" if row["change_low"] is not None else "")
        for row in rows
        if row["metric"] == "tokens_per_second" and row["change"] is not None
    ]


def metric_line(row):
    """A metric of a contrast, its mark first."""
    p = row["corrected_p_value"]
    cells = [
        {"better": "+", "worse": "−", "unclear": "~", None: ""}[row["verdict"]],
        TITLES[row["metric"]],
        *(text_of(row[name], STYLES[row["metric"]]) for name in ["baseline_value", "value"]),
        change_text(row["change"], row["change_unit"]),
        "—" if row["change_low"] is None else interval_text(row),
        "—" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}",
        str(row["num_prompts"]),
        f"{row['num_better']}/{row['num_same']}/{row['num_worse']}" if row["num_prompts"] else "—",
    ]
    return " ".join(cells).strip()


def comparison_lines(comparison):
    """Lines that `compare` has of what it prints as an object: metrics, places of the draft, worst prompts."""
    lines = []
    for contrast in comparison["contrasts"]:
        lines += [metric_line(row) for row in contrast["metrics"]]
        sides = [contrast["baseline"], contrast["other"]]
        is_of_mode = sides[0]["run_id"] != sides[1]["run_id"] and sides[0]["mode"] == sides[1]["mode"]
        name = "{mode}, run {run_id}" if is_of_mode else "{run_id}:{mode}"
        name = name.format(**sides[1])
        for row in contrast["acceptance_by_position"]:
            rates = [row["baseline"], row["other"]]
            moved = None if None in rates else rates[1] - rates[0]
            cells = [*(text_of(rate, "percent") for rate in rates), change_text(moved, "points")]
            lines.append(" ".join([name, str(row["position"]), *cells]))
        for row in contrast["worst_prompts"]:
            speeds = [text_of(row[key], ".1f") for key in ["baseline_value", "value"]]
            lines.append(" ".join([name, row["prompt"], *speeds, change_text(row["change"], "relative")]))
    return [" ".join(line.split()) for line in lines]
