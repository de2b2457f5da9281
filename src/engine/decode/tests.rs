use super::*;
use crate::engine::observe::{Recorder, RecorderOptions};
use crate::engine::testing::ScriptedDecoder;
use crate::record::{Disagreement, Observations};

static RUN_ON: AtomicBool = AtomicBool::new(false);
const STOP: u32 = 0;

fn request(prompt: &[u32], max_tokens: usize) -> Request<'_> {
    Request {
        prompt,
        max_tokens,
        context_length: 1_000,
        stop_tokens: &[STOP],
        sampling: Sampling::GREEDY,
        seed: 1,
        started: Instant::now(),
        cancel: &RUN_ON,
    }
}

/// Token ids of both loops, which must agree, and the speculative rounds as (drafted, accepted, emitted).
fn check(
    target: &ScriptedDecoder,
    draft: &ScriptedDecoder,
    num_draft_tokens: usize,
    request: &Request,
) -> (Decoded, Vec<(u32, u32, u32)>) {
    let alone = decode_target_only(&mut target.clone(), request).unwrap();
    let speculative =
        decode_speculative(&mut target.clone(), &mut draft.clone(), num_draft_tokens, request).unwrap();
    assert_eq!(speculative.tokens, alone.tokens);
    assert_eq!(speculative.stop_reason, alone.stop_reason);
    let emitted: u32 = speculative.rounds.iter().map(|r| r.num_emitted).sum();
    assert_eq!(emitted as usize + 1, speculative.tokens.len(), "the first token belongs to no round");
    assert_eq!(speculative.num_target_forwards as usize, speculative.rounds.len() + 1, "one pass a round");
    let rounds = speculative.rounds.iter().map(|r| (r.num_drafted, r.num_accepted, r.num_emitted)).collect();
    (speculative, rounds)
}

#[test]
fn a_draft_that_is_the_target_is_accepted_whole_with_a_bonus_token() {
    let model = ScriptedDecoder::counting(50);
    let (decoded, rounds) = check(&model, &model, 4, &request(&[1], 11));
    assert_eq!(decoded.tokens, (2..=12).collect::<Vec<_>>());
    assert_eq!(rounds, [(4, 4, 5), (4, 4, 5)]);
}

#[test]
fn the_last_round_drafts_no_further_than_the_room() {
    let model = ScriptedDecoder::counting(50);
    assert_eq!(check(&model, &model, 4, &request(&[1], 9)).1, [(4, 4, 5), (2, 2, 3)]);
    assert_eq!(check(&model, &model, 4, &request(&[1], 7)).1, [(4, 4, 5), (0, 0, 1)]);
    assert_eq!(check(&model, &model, 4, &request(&[1], 1)).1, []);
}

#[test]
fn a_wrong_draft_costs_nothing_but_time() {
    let (target, draft) = (ScriptedDecoder::counting(50), ScriptedDecoder::stuck(50, 7));
    let (decoded, rounds) = check(&target, &draft, 3, &request(&[1], 8));
    assert_eq!(decoded.tokens, (2..=9).collect::<Vec<_>>());
    // Token 7 is right once, where the target says it too.
    assert_eq!(rounds.iter().map(|r| r.1).sum::<u32>(), 1);
}

#[test]
fn a_stop_token_inside_an_accepted_run_ends_the_output() {
    // Counts to 5, then stops.
    let model = ScriptedDecoder::counting(6);
    let (decoded, rounds) = check(&model, &model, 4, &request(&[1], 100));
    assert_eq!(decoded.tokens, [2, 3, 4, 5, STOP]);
    assert_eq!(decoded.stop_reason, StopReason::StopToken);
    // The draft stops drafting at the stop token, and no bonus token follows it.
    assert_eq!(rounds, [(4, 4, 4)]);
}

#[test]
fn the_context_ends_the_output_in_every_mode() {
    let model = ScriptedDecoder::counting(50);
    let tight = Request { context_length: 6, ..request(&[1, 2], 100) };
    let (decoded, _) = check(&model, &model, 4, &tight);
    assert_eq!((decoded.tokens.len(), decoded.stop_reason), (4, StopReason::ContextLength));
}

#[test]
fn a_draft_with_a_short_context_stops_drafting() {
    let (target, draft) = (ScriptedDecoder::counting(50), ScriptedDecoder::counting(50).with_capacity(6));
    let (decoded, rounds) = check(&target, &draft, 4, &request(&[1], 20));
    assert_eq!(decoded.tokens.len(), 20);
    assert!(rounds.iter().skip(2).all(|r| *r == (0, 0, 1)), "{rounds:?}");
    let prompt_too_long = ScriptedDecoder::counting(50).with_capacity(1);
    assert!(check(&target, &prompt_too_long, 4, &request(&[1], 5)).1.iter().all(|r| r.0 == 0));
}

#[test]
fn a_draft_need_not_read_how_a_prompt_begins() {
    // Both say the same after the same two tokens, so that a draft that lacks others proposes the same.
    let (target, draft) = (ScriptedDecoder::random(50, 1), ScriptedDecoder::random(50, 1));
    let skipped = SkippedPrompt::new(vec![9, 8, 7, 6]);
    let decode = |draft: &ScriptedDecoder, prompt: &[u32], skipped_prompt: &SkippedPrompt| {
        let mut draft = draft.clone();
        let drafting = Drafting { decoder: &mut draft, num_draft_tokens: 3, skipped_prompt };
        let request = request(prompt, 20);
        let decoded = decode_observed(&mut target.clone(), Some(drafting), &request, &mut ()).unwrap();
        let alone = decode_target_only(&mut target.clone(), &request).unwrap();
        assert_eq!(decoded.tokens, alone.tokens);
        let rounds: Vec<_> = decoded.rounds.iter().map(|r| (r.num_drafted, r.num_accepted)).collect();
        (rounds, draft.len(), prompt.len() + decoded.tokens.len())
    };
    for (prompt, num_skipped) in
        [(&[9, 8, 7, 6, 9, 2, 3][..], 4), (&[9, 8, 7, 6, 5, 2, 3], 3), (&[9, 8, 7, 2, 3], 0)]
    {
        let (all, len_of_all, _) = decode(&draft, prompt, &SkippedPrompt::default());
        let (some, len_of_some, _) = decode(&draft, prompt, &skipped);
        assert_eq!(some, all, "{prompt:?}");
        assert!(all.iter().any(|&(_, accepted)| accepted > 0));
        assert_eq!(len_of_all - len_of_some, num_skipped, "{prompt:?}");
    }
    // What it does not read takes no place in its context.
    let prompt = [9, 8, 7, 6, 9, 2, 3];
    let short = draft.with_capacity(4);
    assert!(decode(&short, &prompt, &SkippedPrompt::default()).0.iter().all(|&(drafted, _)| drafted == 0));
    let (rounds, len, num_tokens) = decode(&short, &prompt, &skipped);
    assert!(rounds[0].0 > 0 && len <= 4 && num_tokens > 8, "{rounds:?}");
}

const SOFTMAX: Sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0 };

/// What a recorder sees of speculative decoding, which must go as without it.
fn observed(
    target: &ScriptedDecoder,
    draft: &ScriptedDecoder,
    num_draft_tokens: usize,
    request: &Request,
) -> (Decoded, Observations) {
    let unseen =
        decode_speculative(&mut target.clone(), &mut draft.clone(), num_draft_tokens, request).unwrap();
    let mut recorder = Recorder::new(RecorderOptions { top_k: 4, temperature: 1.0 });
    let skipped_prompt = &SkippedPrompt::default();
    let drafting = Drafting { decoder: &mut draft.clone(), num_draft_tokens, skipped_prompt };
    let decoded = decode_observed(&mut target.clone(), Some(drafting), request, &mut recorder).unwrap();
    let rounds = |decoded: &Decoded| -> Vec<_> {
        decoded.rounds.iter().map(|r| (r.num_drafted, r.num_accepted, r.num_emitted)).collect()
    };
    assert_eq!((&decoded.tokens, rounds(&decoded)), (&unseen.tokens, rounds(&unseen)));
    (decoded, recorder.into_observations(request.prompt.to_vec()))
}

#[test]
fn refused_proposals_are_seen_with_round_position_and_both_probabilities() {
    let target = ScriptedDecoder::counting(50);
    // e / (e + n − 1) is the softmax of one logit 1 among n − 1 logits 0.
    let of = |n: u32| (std::f64::consts::E / (std::f64::consts::E + f64::from(n - 1))) as f32;
    for (draft, draft_probability) in
        [(ScriptedDecoder::stuck(50, 7), of(50)), (ScriptedDecoder::stuck(50, 7).with_only(10), of(10))]
    {
        let (decoded, observations) = observed(&target, &draft, 3, &request(&[1], 8));
        assert_eq!(decoded.tokens, (2..=9).collect::<Vec<_>>());
        let expected = [(0, 1, 3), (1, 2, 4), (2, 3, 5), (3, 4, 6), (4, 6, 8)];
        let expected = expected.map(|(round, position, target_token)| Disagreement {
            round,
            position,
            draft_token: 7,
            target_token,
            draft_probability,
            target_probability: of(50),
        });
        assert_eq!(observations.disagreements, expected);
        let likeliest: Vec<u32> = observations.target.tokens.iter().copied().step_by(4).collect();
        assert_eq!(likeliest, decoded.tokens);
    }
}

#[test]
fn every_emitted_token_is_seen_and_nothing_beyond_a_stop_or_the_room() {
    let (target, draft) = (ScriptedDecoder::random(12, 3), ScriptedDecoder::random(12, 3).with_only(9));
    let (mut num_refused, mut num_stopped) = (0, 0);
    for (sampling, seed, max_tokens) in [Sampling::GREEDY, SOFTMAX]
        .into_iter()
        .flat_map(|sampling| (0..20).map(move |seed| (sampling, seed, 1 + seed as usize * 2)))
    {
        let prompt = [1 + seed as u32 % 11];
        let asked = Request { sampling, seed, ..request(&prompt, max_tokens) };
        let (decoded, observations) = observed(&target, &draft, 4, &asked);
        assert_eq!(observations.target.left_over.len(), decoded.tokens.len());
        assert_eq!(observations.target.tokens.len(), decoded.tokens.len() * 4);
        check_disagreements(&target, &decoded, &observations);
        num_refused += observations.disagreements.len();
        num_stopped += usize::from(decoded.stop_reason == StopReason::StopToken);
    }
    assert!(num_refused > 10 && (5..35).contains(&num_stopped), "{num_refused}, {num_stopped}");
    // An accepted stop token, and then a bonus token that nobody emits.
    let model = ScriptedDecoder::counting(6);
    let (decoded, observations) = observed(&model, &model, 4, &request(&[1], 100));
    assert_eq!((decoded.tokens.len(), observations.target.left_over.len()), (5, 5));
    assert_eq!(observations.disagreements, []);
}

/// Disagreements follow from the rounds, and the target's probabilities from its logits.
fn check_disagreements(target: &ScriptedDecoder, decoded: &Decoded, observations: &Observations) {
    let mut start = 1;
    let mut expected = vec![];
    for (round, r) in (0..).zip(&decoded.rounds) {
        if r.num_accepted < r.num_drafted {
            expected.push((round, start + r.num_accepted));
        }
        start += r.num_emitted;
    }
    let found: Vec<_> = observations.disagreements.iter().map(|d| (d.round, d.position)).collect();
    assert_eq!(found, expected);
    for disagreement in &observations.disagreements {
        let position = disagreement.position as usize;
        assert_eq!(disagreement.target_token, decoded.tokens[position]);
        let sequence = [&observations.prompt_tokens, &decoded.tokens[..position]].concat();
        let whole = Distribution::new(&target.logits_after(&sequence), &SOFTMAX).unwrap();
        assert_eq!(disagreement.target_probability, whole.probability(disagreement.target_token));
        assert!(disagreement.draft_probability > 0.0 && disagreement.draft_probability <= 1.0);
    }
}

#[test]
fn target_alone_is_seen_as_well() {
    let mut recorder = Recorder::new(RecorderOptions { top_k: 1, temperature: 1.0 });
    let asked = request(&[1], 8);
    let decoded = decode_observed(&mut ScriptedDecoder::counting(50), None, &asked, &mut recorder).unwrap();
    let observations = recorder.into_observations(vec![1]);
    assert_eq!(observations.target.tokens, decoded.tokens);
    assert_eq!(observations.disagreements, []);
}

#[test]
fn a_prompt_without_room_is_an_error() {
    let full = Request { context_length: 2, ..request(&[1, 2], 5) };
    let error = decode_target_only(&mut ScriptedDecoder::counting(50), &full).unwrap_err();
    assert!(matches!(error, Error::PromptTooLong { num_tokens: 2, context_length: 2 }));
}

#[test]
fn a_request_for_no_output_is_an_error() {
    let mut model = ScriptedDecoder::counting(50);
    let alone = decode_target_only(&mut model, &request(&[1], 0));
    assert!(matches!(alone, Err(Error::NoOutput)));
    let mut draft = model.clone();
    let speculative = decode_speculative(&mut model, &mut draft, 4, &request(&[1], 0));
    assert!(matches!(speculative, Err(Error::NoOutput)));
    assert!(matches!(decode_target_only(&mut model, &request(&[], 5)), Err(Error::EmptyPrompt)));
}

#[test]
fn a_cancelled_request_ends_between_rounds() {
    let cancel = AtomicBool::new(true);
    let cancelled = Request { cancel: &cancel, ..request(&[1], 5) };
    let (mut model, mut draft) = (ScriptedDecoder::counting(50), ScriptedDecoder::counting(50));
    assert!(matches!(decode_target_only(&mut model, &cancelled), Err(Error::Cancelled)));
    let speculative = decode_speculative(&mut model, &mut draft, 4, &cancelled);
    assert!(matches!(speculative, Err(Error::Cancelled)));
    assert_eq!((model.len(), draft.len()), (1, 1), "no round was begun");
}

#[test]
fn logits_that_are_not_finite_end_a_generation_with_their_position() {
    let sampled = Sampling { temperature: 1.0, top_p: 0.9, top_k: 40 };
    let healthy = ScriptedDecoder::counting(50);
    for (logit, sampling) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]
        .into_iter()
        .flat_map(|logit| [(logit, Sampling::GREEDY), (logit, sampled)])
    {
        let check = |outcome: Result<Decoded>, expected: usize| match outcome {
            Err(Error::NotFinite { position }) => assert_eq!(position, expected, "{logit} {sampling:?}"),
            other => panic!("{logit} {sampling:?}: {other:?}"),
        };
        let asked = Request { sampling, stop_tokens: &[], ..request(&[1, 2], 20) };
        for broken_at in [1, 5] {
            let broken = || healthy.clone().with_broken_logits(broken_at, logit);
            check(decode_target_only(&mut broken(), &asked), broken_at);
            check(decode_speculative(&mut broken(), &mut healthy.clone(), 4, &asked), broken_at);
        }
        let mut draft = healthy.clone().with_broken_logits(5, logit);
        check(decode_speculative(&mut healthy.clone(), &mut draft, 4, &asked), 5);
    }
}

/// χ² of the second and third token, over many seeds, against the target's own: sampled speculation is lossless in
/// distribution.
#[test]
fn sampled_speculation_follows_the_targets_distribution() {
    check_distribution(&ScriptedDecoder::random(4, 12));
}

#[test]
fn a_draft_over_a_part_of_the_vocabulary_keeps_the_distribution() {
    check_distribution(&ScriptedDecoder::random(4, 12).with_only(2));
}

#[track_caller]
fn check_distribution(draft: &ScriptedDecoder) {
    let target = ScriptedDecoder::random(4, 11);
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0 };
    let num_draws = 20_000u64;
    let mut counts = [[0u32; 4]; 4];
    for seed in 0..num_draws {
        let asked = Request { sampling, seed, stop_tokens: &[], ..request(&[1], 3) };
        let decoded = decode_speculative(&mut target.clone(), &mut draft.clone(), 2, &asked).unwrap();
        counts[decoded.tokens[1] as usize][decoded.tokens[2] as usize] += 1;
    }
    let next = |context: &[u32]| {
        let logits = target.logits_after(context);
        Distribution::new(&logits, &sampling).unwrap().probabilities().to_vec()
    };
    let mut chi_squared = 0.0;
    for (second, row) in counts.iter().enumerate() {
        for (third, &count) in row.iter().enumerate() {
            let probability: f64 = (0..4)
                .map(|first: u32| {
                    let after_first = next(&[1, first]);
                    let after_second = next(&[1, first, second as u32]);
                    f64::from(next(&[1])[first as usize])
                        * f64::from(after_first[second])
                        * f64::from(after_second[third])
                })
                .sum();
            let expected = probability * num_draws as f64;
            chi_squared += (f64::from(count) - expected).powi(2) / expected;
        }
    }
    // The 99.9 % quantile of χ² with 15 degrees of freedom.
    assert!(chi_squared < 37.7, "χ² = {chi_squared}");
}
