//! Several tests at once.

/// The p-values corrected for being several (Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979): the
/// smallest times their number m, the next times m − 1, and so on; none below the one before it, none above 1. A test that
/// gave no p-value counts as none.
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(f64, usize)> =
        p_values.iter().enumerate().filter_map(|(place, p)| Some(((*p)?, place))).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut corrected = vec![None; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &(p, place)) in order.iter().enumerate() {
        largest = largest.max(p * (order.len() - rank) as f64).min(1.0);
        corrected[place] = Some(largest);
    }
    corrected
}
