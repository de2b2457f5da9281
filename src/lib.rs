//! speclora makes a language model decode faster by speculative decoding with a draft model, teaches that draft what the
//! target says (LoRA), and proves the gain: every prompt, round, training step and figure is a row in one SQLite file.
//!
//! # Code map
//!
//! Data flows one way, from files and flags to rows, and from rows to text:
//!
//! | module | what it is for |
//! |---|---|
//! | [`cli`], [`cmd`] | the command line; one file a command, glue alone |
//! | [`config`] | defaults, files, environment and flags become a [`config::Spec`], each value with its origin |
//! | [`prompts`] | prompt files become a list of prompts |
//! | [`engine`] | model files in, tokens out: loading, tokenizer, chat template, decoder, sampling, acceptance, loops |
//! | [`mod@bench`] | the plan of a benchmark or of collecting, and carrying it out |
//! | [`train`] | losses, optimiser, the steps of a training run, judging a draft on answers it never learned from |
//! | [`stats`] | intervals and tests of paired observations |
//! | [`compare`] | what two runs, or two modes, say of each other: pairs of prompts, changes, verdicts, gates |
//! | [`store`] | the SQLite file: migrations, writing rows, asking `queries/*.sql` |
//! | [`report`] | values become tables, Markdown, CSV, JSON, Parquet |
//! | [`ui`] | the only place that prints |
//! | [`record`] | plain data that travels between the others |
//!
//! # Invariants
//!
//! - Greedy speculative output equals target-only output, byte for byte.
//! - What was reported as stored survives the death of the process.
//! - Every figure that is printed is computed from committed rows: by a statement of `queries/`, or by [`stats`] and
//!   [`compare`] from the answers of such statements.
//! - Training never changes a base model, and deletes no example, step or checkpoint.
//! - No candle outside [`engine`], no rusqlite outside [`store`], no printing outside [`ui`]. The engine does not know the
//!   store; a [`config::Spec`] does not change once it is resolved; nothing holds models, configuration, database and
//!   terminal together for longer than a command.
//!
//! # Glossary
//!
//! - **target**: the model whose output is wanted; **draft**: the small model that proposes tokens.
//! - **mode**: how tokens are generated: `target_only`, `spec_base`, `spec_lora`, `control`.
//! - **round**: the draft proposes, the target verifies in one pass, the accepted tokens and one more are emitted.
//! - **drafted**, **accepted**, **emitted**: tokens proposed; proposals that stood; tokens that entered the output.
//! - **acceptance rate**: accepted ÷ drafted; **mean acceptance length** τ: emitted ÷ rounds.
//! - **draft vocabulary**: the tokens that a draft may propose; their rows of the head are **kept**, those of tokens that the
//!   text has are **met**.
//! - **built-in pair**: the tiny target and draft that the program carries.
//! - **run**: one execution of a command, with its settings; **generation**: one prompt, one mode, one iteration.
//! - **example**: a target's answer to a prompt, kept to learn from; **disagreement**: the first refused proposal of a round;
//!   **failure**: an answer whose acceptance rate is below a threshold, else it is **matched**.
//! - **held out**: prompts, told by their hash, that training never learns from; **replay**: examples that are matched already
//!   or were learned before, trained on again so that they are not forgotten.
//! - **expected acceptance** ᾱ: mean over output positions of Σ min(p, q), p the target's distribution and q the draft's.
//! - **skipped prompt**: what prompts begin with that an adapted draft has learned to do without, and does not read.
//! - **checkpoint**: a stored LoRA adapter; **alias**: a name for one of a draft's (`best`, `final`, `latest`).
//! - **slot**: one place in a run's plan; **warm-up**: a generation that counts in no figure.
//! - **TTFT**, **TTLT**: time to first and to last token, from the request.

pub(crate) mod bench;
pub mod cli;
pub mod cmd;
pub(crate) mod compare;
pub(crate) mod config;
pub mod engine;
pub(crate) mod environment;
pub(crate) mod hash;
pub(crate) mod nearest;
pub(crate) mod prompts;
pub mod record;
pub(crate) mod report;
pub(crate) mod stats;
pub(crate) mod store;
pub(crate) mod train;
pub(crate) mod ui;

pub use store::ingest;
