//! Wilcoxon's signed-rank test ("Individual Comparisons by Ranking Methods", 1945).

use std::f64::consts::FRAC_1_SQRT_2;

/// Most differences whose exact distribution is counted out.
const MAX_EXACT: usize = 50;

/// The two-sided p-value of differences being spread evenly around zero. `None` where none differs from zero.
///
/// Differences of zero are left out (Wilcoxon's way; SciPy calls it `zero_method="wilcox"`). The distribution is exact for at
/// most 50 differences without ties and zeros, else normal, with correction for ties and without one for continuity: what
/// `scipy.stats.wilcoxon` gives with `method="exact"` and `method="approx"`.
pub fn signed_rank_p(differences: &[f64]) -> Option<f64> {
    let mut nonzero: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    if nonzero.is_empty() {
        return None;
    }
    nonzero.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let Ranks { sum_of_positive, ties } = ranked(&nonzero);
    let has_zeros = nonzero.len() < differences.len();
    Some(if nonzero.len() <= MAX_EXACT && ties == 0.0 && !has_zeros {
        exact(sum_of_positive as usize, nonzero.len())
    } else {
        approximate(sum_of_positive, ties, nonzero.len() as f64)
    })
}

/// What the ranks of differences say.
struct Ranks {
    /// Σ of the ranks of positive differences.
    sum_of_positive: f64,
    /// Σ t³ − t over groups of t differences of one size.
    ties: f64,
}

/// Ranks differences that are sorted by size, from 1; equal ones share the mean of their ranks.
fn ranked(sorted: &[f64]) -> Ranks {
    let mut ranks = Ranks { sum_of_positive: 0.0, ties: 0.0 };
    let mut num_before = 0;
    for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let size = group.len() as f64;
        let rank = num_before as f64 + (size + 1.0) / 2.0;
        let num_positive = group.iter().filter(|difference| **difference > 0.0).count();
        ranks.sum_of_positive += rank * num_positive as f64;
        ranks.ties += size.powi(3) - size;
        num_before += group.len();
    }
    ranks
}

/// From the number of ways in which the ranks 1 … n with random signs give each sum: 2ⁿ in all, exact in an f64.
fn exact(sum_of_positive: usize, n: usize) -> f64 {
    let mut num_ways = vec![0.0; n * (n + 1) / 2 + 1];
    num_ways[0] = 1.0;
    for rank in 1..=n {
        for sum in (rank..num_ways.len()).rev() {
            num_ways[sum] += num_ways[sum - rank];
        }
    }
    let at_most: f64 = num_ways[..=sum_of_positive].iter().sum();
    let at_least: f64 = num_ways[sum_of_positive..].iter().sum();
    (2.0 * at_most.min(at_least) / 2_f64.powi(n as i32)).min(1.0)
}

fn approximate(sum_of_positive: f64, ties: f64, n: f64) -> f64 {
    let mean = n * (n + 1.0) / 4.0;
    let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - ties / 2.0) / 24.0;
    let z = (sum_of_positive - mean) / variance.sqrt();
    libm::erfc(z.abs() * FRAC_1_SQRT_2)
}
