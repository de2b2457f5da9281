#!/usr/bin/env python3
"""Times one gradient of a LoRA adapter with speclora and with PyTorch + peft in turn, and prints ratios.

    pip install torch transformers peft gguf
    cargo bench --no-run
    benches/beside_pytorch.py --model DRAFT.gguf

The same model (PyTorch has its weights in f32), one sequence, rank 8 on q_proj and v_proj, a soft cross-entropy over the
whole vocabulary. Each round runs one program and then the other, so that both meet the same state of the machine; medians
over rounds are compared. `outputs` of the positions have a loss: PyTorch, too, is spared the logits of the others.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def speclora(binary, model, tokens, outputs, repeats):
    """Seconds of each gradient, and the peak resident size in bytes."""
    command = [binary, str(model), str(tokens), str(outputs), str(repeats)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer["seconds"], answer["peak_bytes"]


class PyTorch:
    """The model with peft's adapter."""

    def __init__(self, path):
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        self.torch = torch
        model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
        config = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"])
        self.model = get_peft_model(model, config)
        self.vocab_size = model.config.vocab_size

    def seconds(self, tokens, outputs, repeats):
        """Seconds of each gradient."""
        torch = self.torch
        ids = (torch.arange(tokens) * 31 % self.vocab_size).unsqueeze(0)
        soft = torch.softmax(torch.randn(outputs, self.vocab_size, generator=torch.Generator().manual_seed(0)), -1)
        times = []
        for _ in range(repeats + 1):
            began = time.perf_counter()
            logits = self.model(input_ids=ids, logits_to_keep=outputs, use_cache=False).logits[0]
            loss = -(soft * torch.log_softmax(logits, -1)).sum(-1).mean()
            loss.backward()
            times.append(time.perf_counter() - began)
            self.model.zero_grad(set_to_none=True)
        return times[1:]


def bench_binary():
    """The benchmark that cargo has built."""
    command = ["cargo", "bench", "--bench", "train_step", "--no-run", "--message-format", "json"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.splitlines()
    messages = (json.loads(line) for line in lines)
    found = [m["executable"] for m in messages if m.get("target", {}).get("name") == "train_step" and m.get("executable")]
    return found[-1]


def main():
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    binary = bench_binary()
    peer = PyTorch(args.model)
    peer.torch.set_num_threads(args.threads)
    for tokens, outputs in [(128, 128), (256, 256), (256, 64)]:
        ours, theirs, peak = [], [], 0
        for _ in range(args.rounds):
            seconds, peak = speclora(binary, args.model, tokens, outputs, args.repeats)
            ours += seconds
            theirs += peer.seconds(tokens, outputs, args.repeats)
        ours, theirs = statistics.median(ours), statistics.median(theirs)
        peak_theirs = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(
            f"{tokens} tokens, {outputs} with a loss: speclora {ours:.2f} s, PyTorch {theirs:.2f} s, ratio "
            f"{ours / theirs:.2f}; peak memory {peak / 1e9:.2f} GB and {peak_theirs / 1e9:.2f} GB",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
