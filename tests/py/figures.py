"""Figures computed from raw rows by definition: no view, no statement of the program.

Each function says in Python what a figure means (in words: the comments of migrations/, the glossary of src/lib.rs).
Times are in seconds, shares between 0 and 1; None where a figure cannot exist.
"""

import math
import statistics
from collections import defaultdict

from raw import MODES, Tables, at


def mean(values):
    values = [value for value in values if value is not None]
    return math.fsum(values) / len(values) if values else None


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def ratio(part, whole):
    return part / whole if part is not None and whole else None


class Figures(Tables):
    """The tables of a database, and what follows from them."""

    def counts(self, generation):
        """What a generation's rounds add up to."""
        rounds = self.rounds[generation["id"]]
        return {
            "num_rounds": len(rounds),
            "num_drafted": sum(row["num_drafted"] for row in rounds),
            "num_accepted": sum(row["num_accepted"] for row in rounds),
            "num_emitted": sum(row["num_emitted"] for row in rounds),
        }

    def figures(self, generation):
        """A generation's figures; of one that failed, none."""
        names = [
            "total_tokens",
            "num_rounds",
            "num_drafted",
            "num_accepted",
            "num_emitted",
            "time_to_first_token",
            "time_to_last_token",
            "tokens_per_second",
            "decode_tokens_per_second",
            "time_per_output_token",
            "acceptance_rate",
            "mean_acceptance_length",
            "is_lossless",
        ]
        figures = dict.fromkeys(names)
        if generation["error"] is not None:
            return figures
        counts = self.counts(generation)
        first, last, tokens = (
            generation["time_to_first_token_ns"],
            generation["time_to_last_token_ns"],
            len(generation["output_tokens"]) // 4,
        )
        figures.update(counts, total_tokens=tokens, time_to_first_token=first / 1e9, time_to_last_token=last / 1e9)
        figures["tokens_per_second"] = ratio(tokens or None, last / 1e9)
        if tokens > 1 and last > first:
            figures["decode_tokens_per_second"] = (tokens - 1) / ((last - first) / 1e9)
            figures["time_per_output_token"] = (last - first) / 1e9 / (tokens - 1)
        figures["acceptance_rate"] = ratio(counts["num_accepted"], counts["num_drafted"])
        figures["mean_acceptance_length"] = ratio(counts["num_emitted"], counts["num_rounds"])
        target = self.target_of(generation)
        if self.setting(generation["run_id"], "temperature") == 0 and generation["mode"] != "target_only" and target:
            figures["is_lossless"] = int(generation["output_tokens"] == target["output_tokens"])
        return figures

    def target_of(self, generation):
        """The generation of target_only for the same prompt and iteration, if it gave an answer."""
        place = lambda row: tuple(row[key] for key in ("run_id", "prompt_index", "iteration", "is_warmup"))
        if not self.targets:
            rows = self.generations.values()
            self.targets = {place(row): row for row in rows if row["mode"] == "target_only" and row["error"] is None}
        return self.targets.get(place(generation))

    def prompt_metrics(self, run):
        """By prompt and mode, in that order: means over iterations, sums of counts."""
        groups = defaultdict(list)
        for generation in self.rows("generations", run):
            if not generation["is_warmup"]:
                groups[generation["prompt_index"], MODES.index(generation["mode"])].append(generation)
        prompts = {row["prompt_index"]: row for row in self.rows("run_prompts", run)}
        metrics = []
        for (prompt_index, mode), generations in sorted(groups.items()):
            all_figures = [self.figures(generation) for generation in generations]
            column = lambda name: [figures[name] for figures in all_figures if figures[name] is not None]
            row = {"run_id": run, "prompt_index": prompt_index, "external_id": prompts[prompt_index]["external_id"]}
            row.update(category=prompts[prompt_index]["category"], mode=MODES[mode])
            row["num_failed"] = sum(generation["error"] is not None for generation in generations)
            row["num_iterations"] = len(generations) - row["num_failed"]
            for name in ["total_tokens", "num_rounds", "num_drafted", "num_accepted", "num_emitted"]:
                row[name] = sum(column(name))
            for name in [
                "tokens_per_second",
                "decode_tokens_per_second",
                "time_per_output_token",
                "time_to_first_token",
                "time_to_last_token",
                "acceptance_rate",
                "mean_acceptance_length",
            ]:
                row[name] = mean(column(name))
            row["is_lossless"] = min(column("is_lossless"), default=None)
            metrics.append(row)
        return metrics

    def mode_metrics(self, run):
        """By mode: unweighted means over prompts, pooled ratios, and what the modes gained over each other."""
        prompts = self.prompt_metrics(run)
        metrics = {}
        for mode in MODES:
            rows = [row for row in prompts if row["mode"] == mode]
            if not rows:
                continue
            column = lambda name: [row[name] for row in rows]
            metrics[mode] = {
                "run_id": run,
                "mode": mode,
                "num_prompts": sum(row["num_iterations"] > 0 for row in rows),
                "num_generations": sum(row["num_iterations"] + row["num_failed"] for row in rows),
                "num_failed": sum(column("num_failed")),
                "total_tokens": sum(column("total_tokens")),
                "avg_tokens_per_second": mean(column("tokens_per_second")),
                "min_tokens_per_second": min((x for x in column("tokens_per_second") if x is not None), default=None),
                "median_tokens_per_second": median(column("tokens_per_second")),
                "max_tokens_per_second": max((x for x in column("tokens_per_second") if x is not None), default=None),
                "avg_decode_tokens_per_second": mean(column("decode_tokens_per_second")),
                "avg_time_to_first_token": mean(column("time_to_first_token")),
                "avg_time_to_last_token": mean(column("time_to_last_token")),
                "median_time_to_last_token": median(column("time_to_last_token")),
                "avg_acceptance_rate": mean(column("acceptance_rate")),
                "median_acceptance_rate": median(column("acceptance_rate")),
                "acceptance_rate": ratio(sum(column("num_accepted")), sum(column("num_drafted"))),
                "mean_acceptance_length": ratio(sum(column("num_emitted")), sum(column("num_rounds"))),
                "num_compared": sum(x is not None for x in column("is_lossless")),
                "num_lossless": sum(x or 0 for x in column("is_lossless")),
            }
        speed = lambda mode: metrics.get(mode, {}).get("avg_tokens_per_second")
        acceptance = lambda mode: metrics.get(mode, {}).get("avg_acceptance_rate")
        for mode, row in metrics.items():
            row["speedup"] = ratio(speed(mode), speed("target_only"))
            row["tokens_per_second_gain"] = row["acceptance_rate_gain"] = None
            if mode == "spec_lora" and speed("spec_base") and speed(mode) is not None:
                row["tokens_per_second_gain"] = speed(mode) / speed("spec_base") - 1
            if mode == "spec_lora" and None not in (acceptance(mode), acceptance("spec_base")):
                row["acceptance_rate_gain"] = acceptance(mode) - acceptance("spec_base")
        return list(metrics.values())

    def acceptance_by_position(self, run):
        """By mode and place in the draft's proposal, from 1."""
        positions = []
        for mode in MODES:
            rounds = [
                row
                for generation in self.rows("generations", run)
                if generation["mode"] == mode and not generation["is_warmup"]
                for row in self.rounds[generation["id"]]
            ]
            for position in range(1, max((row["num_drafted"] for row in rounds), default=0) + 1):
                proposed = [row for row in rounds if row["num_drafted"] >= position]
                accepted = sum(row["num_accepted"] >= position for row in proposed)
                positions.append(
                    {
                        "run_id": run,
                        "mode": mode,
                        "position": position,
                        "num_proposed": len(proposed),
                        "num_accepted": accepted,
                        "acceptance_rate": accepted / len(proposed),
                        "conditional_acceptance_rate": ratio(
                            accepted, sum(row["num_accepted"] >= position - 1 for row in proposed)
                        ),
                    }
                )
        return positions

    # Training and evaluations

    def judged(self, rows):
        """Ratios of sums over evaluations of outputs; what is stored are sums over positions."""
        total = lambda name: math.fsum(row[name] for row in rows)
        positions = total("num_positions")
        return {
            "num_positions": int(positions),
            "expected_acceptance": total("expected_acceptance") / positions,
            "top1_agreement": total("num_agreements") / positions,
            "acceptance_rate": ratio(total("num_accepted"), total("num_drafted")),
            "mean_acceptance_length": ratio(total("num_emitted"), total("num_rounds")),
        }

    def train_evaluations(self, run):
        """By step: held-out figures, and the checkpoint that was made."""
        groups, checkpoints = defaultdict(list), {}
        for row in self.rows("example_evaluations", run):
            groups[row["step"]].append(row)
        for row in self.train_checkpoints:
            if row["run_id"] == run:
                checkpoints[row["step"]] = row["checkpoint_id"]
        names = [
            "num_positions",
            "expected_acceptance",
            "top1_agreement",
            "loss",
            "acceptance_rate",
            "mean_acceptance_length",
        ]
        steps = []
        for step in sorted({*groups, *checkpoints}):
            figures = dict.fromkeys(names)
            if groups[step]:
                figures = self.judged(groups[step])
                figures["loss"] = math.fsum(row["loss"] for row in groups[step]) / figures["num_positions"]
            checkpoint = checkpoints.get(step)
            ends = {"checkpoint_id": checkpoint, "aliases": self.aliases_of(checkpoint)}
            steps.append({"run_id": run, "step": step, "num_examples": len(groups[step]) or None, **figures, **ends})
        return steps

    def draft_evaluations(self, run):
        """By draft, the plain one first."""
        groups = defaultdict(list)
        for row in self.rows("prompt_evaluations", run):
            groups[row["checkpoint_id"]].append(row)
        drafts = []
        for checkpoint in sorted(groups, key=lambda id: -1 if id is None else id):
            source = self.checkpoints[checkpoint]["source"] if checkpoint else None
            names = {"checkpoint_id": checkpoint, "aliases": self.aliases_of(checkpoint), "source": source}
            prompts = groups[checkpoint]
            rates = [row["num_accepted"] / row["num_drafted"] for row in prompts if row["num_drafted"]]
            names["avg_acceptance_rate"] = math.fsum(rates) / len(rates) if rates else None
            drafts.append({"run_id": run, **names, "num_prompts": len(prompts), **self.judged(prompts)})
        return drafts

    def lineage(self, checkpoint):
        """A checkpoint and all that it continues, each with the runs that made it."""
        rows, seen, level = [], set(), [(checkpoint, 0)]
        while level:
            below = []
            for ancestor, depth in level:
                made = [row for row in self.train_checkpoints if row["checkpoint_id"] == ancestor]
                steps = {row["run_id"]: row["step"] for row in made}
                for run in sorted(steps) or [None]:
                    row = self.checkpoints[ancestor]
                    rows.append(
                        {
                            "checkpoint_id": checkpoint,
                            "ancestor_id": ancestor,
                            "depth": depth,
                            "run_id": run,
                            "step": steps.get(run),
                            "aliases": self.aliases_of(ancestor),
                            "source": row["source"],
                            "created_at": at(row["created_at_ms"]),
                        }
                    )
                    parent = self.runs[run]["checkpoint_id"] if run else None
                    if parent not in (None, ancestor) and (parent, depth + 1) not in seen:
                        seen.add((parent, depth + 1))
                        below.append((parent, depth + 1))
            level = sorted(below)
        return rows
