//! Which known names a mistyped one is like.

/// Names that are shown at most.
const SHOWN: usize = 3;

/// Letters of a name, of which a third may be wrong, that it takes to mean the beginning of another.
const BEGINNING: usize = 4;

/// The known names that are nearest to a word, if any is near: in the case of no letter, with other
/// signs between the letters (`UTA_B`, `ViT-B16`), with a typing error in every third letter at most,
/// or the beginning of a name.
pub fn similar<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = plain(word);
    let allowed = wanted.chars().count() / 3;
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let candidate = plain(name);
            let errors = strsim::damerau_levenshtein(&wanted, &candidate);
            let begins = wanted.len() >= BEGINNING && candidate.starts_with(&wanted);
            // The beginning of a name is meant rather than another with an error.
            let distance = if begins { errors.min(1) } else { 2 * errors };
            (begins || errors <= allowed).then_some((distance, name))
        })
        .collect();
    // Stable, so that equally near names stay in their order.
    near.sort_by_key(|(distance, _)| *distance);
    let nearest = near.first().map(|(distance, _)| *distance);
    let near = near.into_iter();
    let near = near.filter(|(distance, _)| Some(*distance) == nearest);
    near.map(|(_, name)| name).take(SHOWN).collect()
}

/// `did you mean a, b or c?`; none without names.
pub fn did_you_mean(names: &[&str]) -> Option<String> {
    let (last, others) = names.split_last()?;
    Some(if others.is_empty() {
        format!("did you mean {last}?")
    } else {
        format!("did you mean {} or {last}?", others.join(", "))
    })
}

/// Letters and digits in lower case.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 6] = [
        "uta_demo",
        "UTA-B",
        "UTA-L-pix336",
        "ViT-B-16",
        "ViT-B-32",
        "ViT-B-32-quickgelu",
    ];

    #[test]
    fn other_signs_and_typing_errors_lead_to_the_name() {
        for (word, meant) in [
            ("uta-demo", "uta_demo"),
            ("UTA_B", "UTA-B"),
            ("ViT-B16", "ViT-B-16"),
            ("vitb32", "ViT-B-32"),
            ("uta_dmeo", "uta_demo"),
            ("uta-l", "UTA-L-pix336"),
        ] {
            assert_eq!(similar(word, KNOWN), [meant], "{word}");
        }
        assert_eq!(similar("vit-b", KNOWN).len(), 3);
    }

    #[test]
    fn what_is_like_nothing_means_nothing() {
        for word in ["resnet50", "x", "", "/data/uta"] {
            assert_eq!(similar(word, KNOWN), [""; 0], "{word}");
        }
    }

    #[test]
    fn several_names_are_joined() {
        assert_eq!(did_you_mean(&[]), None);
        assert_eq!(did_you_mean(&["a"]).unwrap(), "did you mean a?");
        assert_eq!(
            did_you_mean(&["a", "b", "c"]).unwrap(),
            "did you mean a, b or c?"
        );
    }
}
