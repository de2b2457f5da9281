"""Runs that collect, train and evaluate, made up: the rows that the program would write."""

import struct

from made_up.answers import NUM_PROMPT_SETS, example_identity, sha256, split_key
from made_up.runs import Runs

TOP_K = 4
HOLDOUT = 0.2
# Examples of a training run, and of a step.
MAX_EXAMPLES = 60
BATCH_SIZE = 4
JUDGED = "num_rounds, num_drafted, num_accepted, num_emitted"
SUMMARY = """run_id, step, num_examples, num_positions, expected_acceptance, top1_agreement, loss, acceptance_rate,
    mean_acceptance_length"""


class AllRuns(Runs):
    """Writes runs of every kind."""

    def __init__(self, database, arguments):
        super().__init__(database, arguments)
        self.examples = {}
        # Schemas from version 4 on keep held-out figures by step.
        self.has_summaries = self.one("SELECT 1 FROM sqlite_schema WHERE name = 'train_evaluation_summaries'")
        self.adapter, self.adapter_config, self.target_modules = self.one(
            """SELECT bc.data, c.adapter_config, c.target_modules
            FROM checkpoints AS c JOIN blob_chunks AS bc ON bc.blob_id = c.adapter_blob_id ORDER BY c.id LIMIT 1"""
        )

    def answers(self, run, prompt_set, quality, failure_rate):
        """A generation of each prompt with the plain draft; yields those that gave an answer, once they are written."""
        written, answered = ([], []), []
        for place, index in enumerate(self.prompts.of_set(prompt_set)):
            answer = None if self.rng.random() < failure_rate else self.prompts.answer(index, "")
            slot = (run, place, "spec_base", 0, 0, place)
            identity, rounds = self.generation(written, slot, answer, (quality, 1000, None))
            if answer:
                answered.append((identity, index, answer[0], rounds))
        self.write(written)
        return answered

    def collect(self):
        """A run that keeps examples."""
        number = self.num_runs + 1
        prompt_set = number % NUM_PROMPT_SETS
        settings = {"target_top_k": TOP_K, "holdout": HOLDOUT, "acceptance_threshold": 0.6}
        run = self.begin("collect", prompt_set, self.arguments.prompts, None, settings)
        for identity, index, tokens, rounds in self.answers(run, prompt_set, number % 4, 0.03):
            example = self.example(identity, index, tokens)
            self.insert("generation_examples", generation_id=identity, example_id=example)
            self.disagreements(identity, tokens, rounds)
        self.end(run)

    def example(self, generation, index, output):
        """The example that an answer is; the same answer again is the same example."""
        prompt, temperature = self.prompts.prompt_tokens(index), 1.0
        identity = example_identity(self.target_sha256, prompt, output, temperature)
        if identity not in self.examples:
            num_positions = len(output) // 4
            at_each = struct.pack("<4I4ef", 1, 2, 3, 4, 0.5, 0.25, 0.125, 0.0625, 0.0625)
            links = {"target_model_id": self.target_id, "prompt_id": self.prompts.ids[index]}
            counts = {"num_prompt_tokens": len(prompt) // 4, "num_output_tokens": num_positions, "top_k": TOP_K}
            self.examples[identity] = self.insert(
                "examples",
                sha256=identity,
                generation_id=generation,
                split_key=split_key(self.prompts.texts[index]),
                prompt_tokens=prompt,
                output_tokens=output,
                temperature=temperature,
                target_blob_id=self.blob(at_each * num_positions),
                created_at_ms=self.clock_ms,
                **links,
                **counts,
            )
        return self.examples[identity]

    def disagreements(self, generation, tokens, rounds):
        """The refused proposal of each round that has one."""
        position, rows = 1, []
        for _, number, drafted, accepted, emitted, *_ in rounds:
            if accepted < drafted:
                (target_token,) = struct.unpack_from("<I", tokens, 4 * (position + accepted))
                place, chosen = (generation, number, position + accepted), (self.rng.randrange(40), target_token)
                rows.append((*place, *chosen, self.rng.random(), self.rng.random()))
            position += emitted
        columns = "generation_id, round, position, draft_token, target_token, draft_probability, target_probability"
        self.insert_all("disagreements", columns, rows)

    def blob(self, data):
        """Bytes by content. All that are made up here fit a chunk."""
        found = self.one("SELECT id FROM blobs WHERE sha256 = ?", sha256(data))
        if found:
            return found[0]
        blob = self.insert("blobs", sha256=sha256(data), size_bytes=len(data))
        self.insert("blob_chunks", blob_id=blob, chunk_index=0, data=data)
        return blob

    def train(self):
        """A run that trains on what was collected; one in four breaks in its last step."""
        number, rng, num_steps = self.num_runs + 1, self.rng, self.arguments.steps
        holdout = HOLDOUT if number % 2 else 2 * HOLDOUT
        run = self.begin("train", 0, 0, self.checkpoints[-1] if number % 5 else None, {"holdout": holdout})
        keys = dict(self.database.execute("SELECT id, split_key FROM examples"))
        chosen = rng.sample(sorted(self.examples.values()), min(MAX_EXAMPLES, len(self.examples)))
        held_out = [example for example in chosen if keys[example] < holdout]
        learned = [example for example in chosen if example not in held_out]
        purposes = [(example, "held_out") for example in held_out]
        purposes += [(example, rng.choice(["train", "train", "replay"])) for example in learned]
        self.insert_all("run_examples", "run_id, example_id, purpose", [(run, *purpose) for purpose in purposes])
        self.evaluate_step(run, 0, held_out)
        for step in range(1, num_steps + 1):
            breaks = number % 4 == 0 and step == num_steps
            self.step(run, step, breaks)
            # The last example comes late, so that an early checkpoint has not seen it.
            begun = learned if 2 * step > num_steps else learned[:-1]
            batch = [(run, step, example) for example in rng.sample(begun, min(BATCH_SIZE, len(begun)))]
            self.insert_all("train_step_examples", "run_id, step, example_id", batch)
            if step % max(1, num_steps // 4) == 0 and not breaks:
                self.evaluate_step(run, step, held_out)
                self.checkpoint(run, step)
        self.end(run, *(["failed", "the loss is no number"] if number % 4 == 0 else []))

    def step(self, run, step, breaks):
        rng, num_steps = self.rng, self.arguments.steps
        self.clock_ms += 250
        loss = {"loss": 2.5 / step**0.3 + rng.random() / 9, "nonfinite": None, "gradient_norm": rng.random()}
        if breaks:
            loss = {"loss": None, "nonfinite": "nan", "gradient_norm": None}
        counts = {"num_positions": 300 + rng.randrange(99), "num_tokens": 500 + rng.randrange(99)}
        rate = {"learning_rate": 4e-3 * (1 - (step - 1) / num_steps), "epoch": 1 + 2 * (step - 1) // num_steps}
        times = {"step_ns": 240_000_000 + rng.randrange(9_000_000), "ended_at_ms": self.clock_ms}
        self.insert("train_steps", run_id=run, step=step, **loss, **counts, **rate, **times)

    def evaluate_step(self, run, step, held_out):
        columns = f"run_id, step, example_id, num_positions, expected_acceptance, num_agreements, {JUDGED}, loss"
        rows = []
        for example in held_out:
            judged = self.judged(0.4 + 0.3 * step / self.arguments.steps)
            rows.append((run, step, example, *judged, judged[0] * (1 + self.rng.random())))
        self.insert_all("example_evaluations", columns, rows)
        if self.has_summaries:
            insert = f"INSERT INTO train_evaluation_summaries ({SUMMARY}) SELECT {SUMMARY} FROM train_evaluations"
            self.database.execute(f"{insert} WHERE run_id = ? AND step = ?", [run, step])

    def judged(self, share):
        """What a draft makes of an output: positions, sums over them, and the rounds that there would have been."""
        num_positions = 20 + self.rng.randrange(90)
        agreements = sum(self.rng.random() < share for _ in range(num_positions))
        num_rounds = max(1, num_positions - 1 - agreements)
        accepted = max(0, min(agreements, num_positions - 1 - num_rounds))
        acceptance = num_positions * share * (0.9 + 0.1 * self.rng.random())
        rounds = (num_rounds, accepted + num_rounds // 2, accepted, accepted + num_rounds)
        return (num_positions, acceptance, agreements, *rounds)

    def checkpoint(self, run, step):
        """The adapter and the optimiser's state after a step; the state of the one before goes."""
        # The program's own adapter with another last weight: it can be used like any.
        adapter = self.blob(self.adapter[:-4] + struct.pack("<f", self.rng.random() / 100))
        shape = {"rank": 2, "alpha": 4.0, "target_modules": self.target_modules, "adapter_config": self.adapter_config}
        origin = {"uid": self.uid(), "source": f"run {run}, step {step}", "created_at_ms": self.clock_ms}
        checkpoint = self.insert(
            "checkpoints", draft_model_id=self.draft_id, adapter_blob_id=adapter, **shape, **origin
        )
        self.database.execute("UPDATE train_checkpoints SET state_blob_id = NULL WHERE run_id = ?", [run])
        columns = "run_id, step, checkpoint_id, state_blob_id, created_at_ms"
        row = (run, step, checkpoint, self.blob(self.rng.randbytes(8192)), self.clock_ms)
        self.insert_all("train_checkpoints", columns, [row])
        self.checkpoints.append(checkpoint)
        for name in ["latest", "final"] + ["best"] * (run % 2):
            alias = [name, self.draft_id, checkpoint, self.clock_ms]
            self.database.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?, ?)", alias)

    def evaluate(self):
        """A run that judges the draft, plain and with two adapters."""
        prompt_set = (self.num_runs + 1) % NUM_PROMPT_SETS
        run = self.begin("evaluate", prompt_set, self.arguments.prompts)
        self.answers(run, prompt_set, 1, 0.0)
        columns = f"run_id, prompt_index, checkpoint_id, num_positions, expected_acceptance, num_agreements, {JUDGED}"
        drafts = dict.fromkeys([None, self.checkpoints[0], self.checkpoints[-1]])
        for share, checkpoint in zip([0.5, 0.6, 0.7], drafts):
            places = range(self.arguments.prompts)
            rows = [(run, place, checkpoint, *self.judged(share)) for place in places]
            self.insert_all("prompt_evaluations", columns, rows)
        self.end(run)
