//! Sizes in bytes, as people read them.

/// Units, each a thousand of the one before.
const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];

/// Writes a size with one digit behind the point: `352.2 MB`.
pub fn shown_bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = 0;
    // 999.96 would be written as 1000.0.
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} {}", UNITS[0]) } else { format!("{size:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_has_the_unit_that_is_below_it() {
        let check = |bytes, expected: &str| assert_eq!(shown_bytes(bytes), expected);
        check(0, "0 bytes");
        check(999, "999 bytes");
        check(1000, "1.0 kB");
        check(999_949, "999.9 kB");
        check(999_950, "1.0 MB");
        check(352_243_712, "352.2 MB");
        check(u64::MAX, "18446744.1 TB");
    }
}
