//! What a target thought at each output position, as bytes: position after position k token ids (u32), likeliest first,
//! k probabilities (f16) and the mass of all other tokens (f32), little-endian.

use half::f16;

use super::{Error, Result};
use crate::record::TargetProbabilities;

/// Returns the bytes of probabilities over `num_positions` output positions.
///
/// # Errors
/// If they are not `[num_positions, k]`.
pub(super) fn to_bytes(target: &TargetProbabilities, num_positions: usize) -> Result<Vec<u8>> {
    let k = target.top_k as usize;
    check("positions", num_positions, target.left_over.len())?;
    check("token ids", num_positions * k, target.tokens.len())?;
    check("probabilities", num_positions * k, target.probabilities.len())?;
    let mut bytes = Vec::with_capacity(num_positions * position_size(k));
    for (position, left_over) in target.left_over.iter().enumerate() {
        let kept = position * k..(position + 1) * k;
        bytes.extend(target.tokens[kept.clone()].iter().flat_map(|token| token.to_le_bytes()));
        bytes.extend(target.probabilities[kept].iter().flat_map(|probability| probability.to_le_bytes()));
        bytes.extend(left_over.to_le_bytes());
    }
    Ok(bytes)
}

/// Returns the probabilities that bytes stand for, of `top_k` tokens at each position.
pub(super) fn from_bytes(bytes: &[u8], temperature: f64, top_k: u32) -> TargetProbabilities {
    let k = top_k as usize;
    let mut target =
        TargetProbabilities { temperature, top_k, tokens: vec![], probabilities: vec![], left_over: vec![] };
    for position in bytes.chunks_exact(position_size(k)) {
        let (tokens, rest) = position.split_at(4 * k);
        let (probabilities, left_over) = rest.split_at(2 * k);
        let (tokens, _) = tokens.as_chunks();
        let (probabilities, _) = probabilities.as_chunks();
        let (left_over, _) = left_over.as_chunks();
        target.tokens.extend(tokens.iter().copied().map(u32::from_le_bytes));
        target.probabilities.extend(probabilities.iter().copied().map(f16::from_le_bytes));
        target.left_over.extend(left_over.iter().copied().map(f32::from_le_bytes));
    }
    target
}

/// The bytes of one position.
fn position_size(k: usize) -> usize {
    k * (size_of::<u32>() + size_of::<f16>()) + size_of::<f32>()
}

fn check(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::MisshapenObservations { what, expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TargetProbabilities {
        TargetProbabilities {
            temperature: 0.5,
            top_k: 2,
            tokens: vec![7, 0x0102_0304],
            probabilities: vec![f16::from_f32(0.5), f16::from_f32(0.25)],
            left_over: vec![0.25],
        }
    }

    #[test]
    fn bytes_are_ids_then_probabilities_then_the_rest() {
        let bytes = to_bytes(&sample(), 1).unwrap();
        assert_eq!(bytes, [7, 0, 0, 0, 4, 3, 2, 1, 0x00, 0x38, 0x00, 0x34, 0, 0, 0x80, 0x3e]);
        assert_eq!(from_bytes(&bytes, 0.5, 2), sample());
    }

    #[test]
    fn shape_that_is_not_positions_by_k_is_refused() {
        let check = |target: &TargetProbabilities, expected: &str| {
            assert_eq!(to_bytes(target, 1).unwrap_err().to_string(), expected);
        };
        let of = |what: &str, expected: usize, found: usize| {
            format!("target probabilities of an answer must have {expected} {what}, got {found}")
        };
        check(&TargetProbabilities { left_over: vec![], ..sample() }, &of("positions", 1, 0));
        check(&TargetProbabilities { tokens: vec![1], ..sample() }, &of("token ids", 2, 1));
        check(&TargetProbabilities { probabilities: vec![], ..sample() }, &of("probabilities", 2, 0));
    }
}
