#!/usr/bin/env python3
"""Times speclora and llama.cpp in turn, on the same GGUF files, and prints ratios.

    pip install llama-cpp-python
    cargo build --release
    benches/beside_llama_cpp.py --target TARGET.gguf [--draft DRAFT.gguf] --prompts examples/coding_bench.txt

Each round runs one program and then the other, so that both meet the same state of the machine; medians over rounds are
compared. Decode speed leaves the prompt out: speclora's is (tokens - 1) / (time to last token - time to first token),
llama.cpp's comes from its own counters. The script refuses to report when other processes used the CPU meanwhile.
"""

import argparse
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "target" / "release" / "speclora"
# Share of the machine that others may use.
TOLERATED_SHARE = 0.05


def busy_seconds():
    """CPU time of all processes so far."""
    user, nice, system, *_ = (int(field) for field in open("/proc/stat").readline().split()[1:])
    return (user + nice + system) / 100


def own_seconds():
    """CPU time of this process and the children it waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def speclora(arguments, prompts, folder):
    """Decode speed of each mode, in tokens per second, and the prompt's tokens per second."""
    modes = "target_only,spec_base" if arguments.draft else "target_only"
    command = [arguments.program, "bench", "--db", f"{folder}/bench.db", "--quiet", "--modes", modes]
    command += ["--target", arguments.target, "--threads", str(arguments.threads), "-m", str(arguments.max_tokens)]
    command += ["--num-draft-tokens", str(arguments.num_draft_tokens), "-f", prompts]
    if arguments.draft:
        command += ["--draft", arguments.draft]
    if arguments.draft_quant:
        command += ["--draft-quant", arguments.draft_quant]
    # What a run stores tells the next one which tokens are frequent: each round begins without.
    for file in Path(folder).glob("bench.db*"):
        file.unlink()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with sqlite3.connect(f"{folder}/bench.db") as database:
        rows = database.execute(
            "SELECT mode, sum(total_tokens - 1) * 1e9 / sum(time_to_last_token_ns - time_to_first_token_ns),"
            " sum(num_prompt_tokens) * 1e9 / sum(time_to_first_token_ns) FROM generations"
            " WHERE is_warmup = 0 AND run_id = (SELECT max(id) FROM runs) GROUP BY mode"
        ).fetchall()
    return {mode: (decode, prompt) for mode, decode, prompt in rows}


def llama_cpp(model, arguments, prompts):
    """llama.cpp's decode and prompt speed, in tokens per second, by its own counters."""
    import llama_cpp

    decoded = decode_ms = read = read_ms = 0
    for prompt in prompts:
        model.reset()
        llama_cpp.llama_perf_context_reset(model.ctx)
        model.create_chat_completion(
            [{"role": "user", "content": prompt}], temperature=0, max_tokens=arguments.max_tokens
        )
        counters = llama_cpp.llama_perf_context(model.ctx)
        decoded, decode_ms = decoded + counters.n_eval, decode_ms + counters.t_eval_ms
        read, read_ms = read + counters.n_p_eval, read_ms + counters.t_p_eval_ms
    return decoded / decode_ms * 1e3, read / read_ms * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True)
    parser.add_argument("--draft")
    parser.add_argument("--prompts", required=True, help="a prompt a line")
    parser.add_argument("--limit", type=int, default=12, help="prompts taken from the beginning")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--num-draft-tokens", type=int, default=4)
    parser.add_argument("--draft-quant")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default=str(PROGRAM))
    arguments = parser.parse_args()

    lines = Path(arguments.prompts).read_text().splitlines()
    prompts = [line for line in lines if line.strip() and not line.startswith("#")][: arguments.limit]

    import llama_cpp as library

    model = library.Llama(
        arguments.target, n_ctx=2048, n_threads=arguments.threads, n_threads_batch=arguments.threads, verbose=False
    )
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        chosen = f"{folder}/prompts.txt"
        Path(chosen).write_text("\n".join(prompts) + "\n")
        speclora(arguments, chosen, folder)
        llama_cpp(model, arguments, prompts[:1])
        start, busy, own = time.monotonic(), busy_seconds(), own_seconds()
        for _ in range(arguments.rounds):
            ours.append(speclora(arguments, chosen, folder))
            theirs.append(llama_cpp(model, arguments, prompts))
        elapsed = time.monotonic() - start
        others = (busy_seconds() - busy) - (own_seconds() - own)

    share = others / elapsed / arguments.threads
    if share > TOLERATED_SHARE:
        sys.exit(f"others used {100 * share:.0f} % of {arguments.threads} cores meanwhile: nothing is reported")
    their_decode, their_prompt = (statistics.median(figures) for figures in zip(*theirs))
    report = {"llama.cpp": {"decode_tokens_per_second": their_decode, "prompt_tokens_per_second": their_prompt}}
    for mode in ours[0]:
        decode, prompt = (statistics.median(figures) for figures in zip(*(round_[mode] for round_ in ours)))
        report[mode] = {
            "decode_tokens_per_second": decode,
            "over_llama_cpp": decode / their_decode,
            "prompt_tokens_per_second": prompt,
        }
    if "spec_base" in report:
        report["spec_base"]["over_target_only"] = (
            report["spec_base"]["decode_tokens_per_second"] / report["target_only"]["decode_tokens_per_second"]
        )
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
