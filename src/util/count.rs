//! Numbers with the nouns that they count.

/// `1 picture`, `2 pictures`, `0 classes`: the noun in the number that goes with `n`.
pub fn count(n: impl TryInto<u64>, noun: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{n} {}", noun_for(n, noun))
}

/// As [`count`], with groups of three digits: `50,000 pictures`.
pub fn grouped_count(n: impl TryInto<u64>, noun: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{} {}", grouped(n), noun_for(n, noun))
}

/// The word of a pair that goes with `n`: `picks(n, "has", "have")`.
pub fn picks<'a>(n: impl TryInto<u64>, one: &'a str, several: &'a str) -> &'a str {
    if n.try_into().is_ok_and(|n| n == 1) {
        one
    } else {
        several
    }
}

/// Groups of three digits: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A noun in the number that goes with `n`; of several words, the last one changes.
fn noun_for(n: u64, noun: &str) -> String {
    let consonant_and_y = noun
        .strip_suffix('y')
        .filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (n, consonant_and_y) {
        (1, _) => noun.into(),
        (_, Some(stem)) => format!("{stem}ies"),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_all_else_is_plural() {
        assert_eq!(count(1usize, "picture"), "1 picture");
        assert_eq!(count(0usize, "picture"), "0 pictures");
        assert_eq!(count(2u64, "class"), "2 classes");
        assert_eq!(count(3u64, "key"), "3 keys");
        assert_eq!(count(3u64, "copy"), "3 copies");
        assert_eq!(count(1000u64, "hidden file"), "1000 hidden files");
        assert_eq!(picks(1usize, "has", "have"), "has");
        assert_eq!(picks(0usize, "has", "have"), "have");
    }

    #[test]
    fn digits_are_grouped_by_threes() {
        let numbers = [0, 7, 999, 1000, 50_000, 1_234_567];
        let shown = numbers.map(grouped);
        assert_eq!(shown, ["0", "7", "999", "1,000", "50,000", "1,234,567"]);
        assert_eq!(grouped_count(50_000u64, "picture"), "50,000 pictures");
    }
}
