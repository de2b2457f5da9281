//! The decoding loops: the target alone, and the target with a draft.
//!
//! Both emit the same tokens where the choice is greedy, and tokens of the same distribution where it is sampled. The
//! first token comes from the prompt's pass; each later round costs one pass of the target. An [`Observer`] may look on,
//! and changes nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::accept::{Verdict, accept_greedy, accept_sampled};
use super::adapter::SkippedPrompt;
use super::decoder::{Decoder, Logits, Rows};
use super::error::{Error, Result};
use super::observe::{Observer, Refusal};
use super::sampling::{Distribution, Sampling, finite_argmax};
use crate::record::{Decoded, Round, StopReason};

/// What to decode.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Ids of the rendered prompt.
    pub prompt: &'a [u32],
    /// Most tokens to emit.
    pub max_tokens: usize,
    /// Longest sequence, prompt and output together, in tokens.
    pub context_length: usize,
    /// Tokens that end a generation; the one that does is emitted.
    pub stop_tokens: &'a [u32],
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Seed of the random choices.
    pub seed: u64,
    /// When the request came, before templating and tokenising.
    pub started: Instant,
    /// Ends decoding with [`Error::Cancelled`] when set.
    pub cancel: &'a AtomicBool,
}

/// A draft, and how far it looks ahead.
pub struct Drafting<'a> {
    /// The draft.
    pub decoder: &'a mut dyn Decoder,
    /// Most tokens that it proposes a round.
    pub num_draft_tokens: usize,
    /// What it does not read of prompts.
    pub skipped_prompt: &'a SkippedPrompt,
}

/// Decodes with the target alone.
///
/// # Errors
/// If the prompt is empty or leaves no room for output, no output is asked for, a pass fails or gives logits that are not
/// finite, or the request is cancelled.
pub fn decode_target_only(target: &mut dyn Decoder, request: &Request) -> Result<Decoded> {
    decode_observed(target, None, request, &mut ())
}

/// Decodes with a draft that proposes up to `num_draft_tokens` tokens a round.
///
/// A round drafts no further than a stop token, the room left, or the draft's own context; with no room to draft it is a
/// plain step of the target.
///
/// # Errors
/// As [`decode_target_only`].
pub fn decode_speculative(
    target: &mut dyn Decoder,
    draft: &mut dyn Decoder,
    num_draft_tokens: usize,
    request: &Request,
) -> Result<Decoded> {
    let skipped_prompt = &SkippedPrompt::default();
    let drafting = Drafting { decoder: draft, num_draft_tokens, skipped_prompt };
    decode_observed(target, Some(drafting), request, &mut ())
}

/// Decodes, with a draft or without, while somebody looks on.
///
/// # Errors
/// As [`decode_target_only`].
pub fn decode_observed(
    target: &mut dyn Decoder,
    drafting: Option<Drafting>,
    request: &Request,
    observer: &mut dyn Observer,
) -> Result<Decoded> {
    let output = Output::new(request)?;
    match drafting {
        None => in_steps(target, output, observer),
        Some(drafting) => in_rounds(target, drafting, output, observer),
    }
}

/// One token a pass.
fn in_steps(target: &mut dyn Decoder, mut output: Output, observer: &mut dyn Observer) -> Result<Decoded> {
    let request = output.request;
    let mut rng = ChaCha8Rng::seed_from_u64(request.seed);
    target.truncate(0);
    let mut logits = target.forward(request.prompt, Rows::Last)?;
    let mut num_target_forwards = 1;
    loop {
        let token = choose(logits.last(), output.sequence.len() - 1, request, &mut rng)?;
        let stop = output.emit(token);
        observer.emitted(token, logits.last());
        if let Some(stop_reason) = stop {
            return Ok(output.finish(stop_reason, vec![], num_target_forwards, 0));
        }
        output.check_cancelled()?;
        logits = target.forward(&[token], Rows::Last)?;
        num_target_forwards += 1;
    }
}

/// Rounds of a proposal and a verdict.
fn in_rounds(
    target: &mut dyn Decoder,
    drafting: Drafting,
    mut output: Output,
    observer: &mut dyn Observer,
) -> Result<Decoded> {
    let request = output.request;
    let Drafting { decoder: draft, num_draft_tokens, skipped_prompt } = drafting;
    let mut rng = ChaCha8Rng::seed_from_u64(request.seed);
    let mut proposer = Proposer::start(draft, skipped_prompt, request)?;
    target.truncate(0);
    let logits = target.forward(request.prompt, Rows::Last)?;
    let first = choose(logits.last(), output.sequence.len() - 1, request, &mut rng)?;
    let mut num_target_forwards = 1;
    let mut rounds = Vec::new();
    let mut stop = output.emit(first);
    observer.emitted(first, logits.last());
    while stop.is_none() {
        output.check_cancelled()?;
        let round_start = Instant::now();
        let limit = num_draft_tokens.min(output.room() - 1);
        let proposal = proposer.propose(&output.sequence, limit, &mut rng, observer)?;
        let draft_end = Instant::now();

        let len_before = output.sequence.len();
        let logits = target.forward(&proposal.after(&output.sequence), Rows::All)?;
        num_target_forwards += 1;
        let verdict = judge(&logits, len_before - 1, &proposal, request, &mut rng)?;
        stop = output.emit_all(&proposal.tokens[..verdict.num_accepted], verdict.next);
        let round = Round {
            num_drafted: proposal.tokens.len() as u32,
            num_accepted: verdict.num_accepted as u32,
            num_emitted: (output.sequence.len() - len_before) as u32,
            draft_ns: nanoseconds_between(round_start, draft_end),
            verify_ns: nanoseconds_between(draft_end, Instant::now()),
        };

        for (row, &token) in output.sequence[len_before..].iter().enumerate() {
            observer.emitted(token, logits.row(row));
        }
        if let Some(&draft_token) = proposal.tokens.get(verdict.num_accepted) {
            observer.refused(&Refusal {
                round: rounds.len(),
                position: len_before - request.prompt.len() + verdict.num_accepted,
                index: verdict.num_accepted,
                draft_token,
                target_token: verdict.next,
                target_logits: logits.row(verdict.num_accepted),
            });
        }
        // What was accepted is in both caches; the token that follows it is not.
        target.truncate(len_before + verdict.num_accepted);
        proposer.keep(len_before + verdict.num_accepted);
        rounds.push(round);
    }
    let stop_reason = stop.expect("the loop ends with a reason");
    Ok(output.finish(stop_reason, rounds, num_target_forwards, proposer.num_forwards))
}

/// Tokens that a draft proposes, and, where choices are sampled, the distributions they were drawn from.
struct Proposal {
    tokens: Vec<u32>,
    distributions: Vec<Distribution>,
}

impl Proposal {
    /// What the target reads to judge it: the last token of the sequence, and the proposal.
    fn after(&self, sequence: &[u32]) -> Vec<u32> {
        let last = *sequence.last().expect("the prompt is not empty");
        std::iter::once(last).chain(self.tokens.iter().copied()).collect()
    }
}

/// The draft at work: it catches up with the sequence, then proposes its own continuation.
struct Proposer<'a> {
    draft: &'a mut dyn Decoder,
    sampling: Sampling,
    stop_tokens: &'a [u32],
    /// Tokens of the prompt that it has not read: its own positions are so many fewer.
    num_skipped: usize,
    num_forwards: u32,
}

impl<'a> Proposer<'a> {
    /// Reads what the draft is to read of the prompt, so that drafting starts with the first round. Where that is longer
    /// than the draft's context, nothing is read, and nothing proposed.
    fn start(
        draft: &'a mut dyn Decoder,
        skipped_prompt: &SkippedPrompt,
        request: &Request<'a>,
    ) -> Result<Self> {
        let prompt = skipped_prompt.rest_of(request.prompt);
        draft.truncate(0);
        let fits = prompt.len() < draft.capacity();
        if fits {
            draft.forward(&prompt, Rows::Last)?;
        }
        Ok(Self {
            draft,
            sampling: request.sampling,
            stop_tokens: request.stop_tokens,
            num_skipped: request.prompt.len() - prompt.len(),
            num_forwards: u32::from(fits),
        })
    }

    /// Proposes up to `limit` tokens that continue `sequence`.
    fn propose(
        &mut self,
        sequence: &[u32],
        limit: usize,
        rng: &mut ChaCha8Rng,
        observer: &mut dyn Observer,
    ) -> Result<Proposal> {
        // The last proposal is not fed, so `limit` proposals need `limit - 1` positions after the sequence.
        let num_to_read = sequence.len() - self.num_skipped;
        let limit = limit.min((self.draft.capacity() + 1).saturating_sub(num_to_read));
        let mut proposal = Proposal { tokens: Vec::with_capacity(limit), distributions: Vec::new() };
        let mut unread = sequence[self.num_skipped + self.draft.len()..].to_vec();
        while proposal.tokens.len() < limit {
            let position = self.num_skipped + self.draft.len() + unread.len() - 1;
            let logits = self.draft.forward(&unread, Rows::Last)?;
            self.num_forwards += 1;
            let token = if self.sampling.is_greedy() {
                greedy_choice(logits.last(), position)?
            } else {
                let distribution = distribution(logits.last(), position, &self.sampling)?;
                let token = distribution.sample(rng);
                proposal.distributions.push(distribution);
                token
            };
            observer.proposed(proposal.tokens.len(), token, logits.last());
            proposal.tokens.push(token);
            if self.stop_tokens.contains(&token) {
                break;
            }
            unread = vec![token];
        }
        Ok(proposal)
    }

    /// Forgets what was proposed beyond position `len` of the sequence.
    fn keep(&mut self, len: usize) {
        self.draft.truncate((len - self.num_skipped).min(self.draft.len()));
    }
}

/// The target's verdict on a proposal.
///
/// `logits: [proposal + 1, vocab]`, the first row those at position `start`, where the first proposal was made.
fn judge(
    logits: &Logits,
    start: usize,
    proposal: &Proposal,
    request: &Request,
    rng: &mut ChaCha8Rng,
) -> Result<Verdict> {
    if request.sampling.is_greedy() {
        accept_greedy(&proposal.tokens, |i| greedy_choice(logits.row(i), start + i))
    } else {
        let target_distribution = |i| distribution(logits.row(i), start + i, &request.sampling);
        accept_sampled(&proposal.tokens, &proposal.distributions, target_distribution, rng)
    }
}

/// Chooses one token from the target's `logits: [vocab]` at a position.
fn choose(logits: &[f32], position: usize, request: &Request, rng: &mut ChaCha8Rng) -> Result<u32> {
    if request.sampling.is_greedy() {
        greedy_choice(logits, position)
    } else {
        Ok(distribution(logits, position, &request.sampling)?.sample(rng))
    }
}

fn greedy_choice(logits: &[f32], position: usize) -> Result<u32> {
    finite_argmax(logits).ok_or(Error::NotFinite { position })
}

fn distribution(logits: &[f32], position: usize, sampling: &Sampling) -> Result<Distribution> {
    Distribution::new(logits, sampling).ok_or(Error::NotFinite { position })
}

/// The text so far, and when to stop.
struct Output<'a> {
    request: &'a Request<'a>,
    /// Prompt and output.
    sequence: Vec<u32>,
    /// Most tokens to emit, by request and context.
    limit: usize,
    first_token_ns: u64,
    last_token_ns: u64,
}

impl<'a> Output<'a> {
    fn new(request: &'a Request<'a>) -> Result<Self> {
        let (num_tokens, context_length) = (request.prompt.len(), request.context_length);
        if num_tokens == 0 {
            return Err(Error::EmptyPrompt);
        }
        if request.max_tokens == 0 {
            return Err(Error::NoOutput);
        }
        if num_tokens >= context_length {
            return Err(Error::PromptTooLong { num_tokens, context_length });
        }
        Ok(Self {
            request,
            sequence: request.prompt.to_vec(),
            limit: request.max_tokens.min(context_length - num_tokens),
            first_token_ns: 0,
            last_token_ns: 0,
        })
    }

    fn num_emitted(&self) -> usize {
        self.sequence.len() - self.request.prompt.len()
    }

    /// Tokens that may still be emitted.
    fn room(&self) -> usize {
        self.limit - self.num_emitted()
    }

    /// Appends a token and says whether, and why, it was the last.
    fn emit(&mut self, token: u32) -> Option<StopReason> {
        self.sequence.push(token);
        self.last_token_ns = nanoseconds_between(self.request.started, Instant::now());
        if self.num_emitted() == 1 {
            self.first_token_ns = self.last_token_ns;
        }
        if self.request.stop_tokens.contains(&token) {
            Some(StopReason::StopToken)
        } else if self.room() > 0 {
            None
        } else if self.limit == self.request.max_tokens {
            Some(StopReason::MaxTokens)
        } else {
            Some(StopReason::ContextLength)
        }
    }

    /// Appends accepted tokens and the one that follows them, no further than a stop.
    fn emit_all(&mut self, accepted: &[u32], next: u32) -> Option<StopReason> {
        accepted.iter().copied().chain([next]).find_map(|token| self.emit(token))
    }

    fn check_cancelled(&self) -> Result<()> {
        if self.request.cancel.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn finish(
        self,
        stop_reason: StopReason,
        rounds: Vec<Round>,
        num_target_forwards: u32,
        num_draft_forwards: u32,
    ) -> Decoded {
        let num_prompt_tokens = self.request.prompt.len();
        Decoded {
            tokens: self.sequence[num_prompt_tokens..].to_vec(),
            rounds,
            stop_reason,
            num_prompt_tokens: num_prompt_tokens as u32,
            num_target_forwards,
            num_draft_forwards,
            time_to_first_token_ns: self.first_token_ns,
            time_to_last_token_ns: self.last_token_ns,
        }
    }
}

fn nanoseconds_between(start: Instant, end: Instant) -> u64 {
    u64::try_from(end.duration_since(start).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
