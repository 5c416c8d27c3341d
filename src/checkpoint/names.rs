//! What wrappers of a model put into the names of its tensors.

/// Wrappers that training scripts put around a state dict, or in front of every name.
pub(super) const WRAPPERS: [&str; 5] = [
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    // torch.compile's.
    "_orig_mod",
];

/// Wrappers of single layers, which stand within names: torch.compile's, those that recompute a layer's
/// values in the backward pass, and those of fully sharded training.
const WITHIN: [&str; 3] = [
    "_orig_mod.",
    "_checkpoint_wrapped_module.",
    "_fsdp_wrapped_module.",
];

/// What an average of models has beside the wrapped model (`torch.optim.swa_utils`).
const BESIDE: &str = "n_averaged";

/// What is taken out of names.
#[derive(Debug, Default)]
pub(super) struct Stripped {
    /// In front of every name.
    pub(super) prefix: Option<String>,
    /// Within some.
    pub(super) within: Vec<&'static str>,
}

/// What can be taken out of these names: the prefixes that all of them have, in any order and number,
/// and wrappers within, unless two names would be equal then.
pub(super) fn wrapped<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Stripped {
    let names = names.filter(|name| *name != BESIDE);
    let mut prefix = String::new();
    loop {
        let next = WRAPPERS
            .iter()
            .map(|wrapper| format!("{prefix}{wrapper}."))
            .find(|prefix| {
                let mut names = names.clone().peekable();
                names.peek().is_some()
                    && names.all(|name| name.len() > prefix.len() && name.starts_with(prefix))
            });
        match next {
            Some(longer) => prefix = longer,
            None => break,
        }
    }
    let rest = names.map(|name| &name[prefix.len()..]);
    let within: Vec<_> = WITHIN
        .into_iter()
        .filter(|part| rest.clone().any(|name| has(name, part)))
        .collect();
    let stripped = Stripped {
        prefix: (!prefix.is_empty()).then_some(prefix.clone()),
        within,
    };
    let mut seen = std::collections::HashSet::new();
    let mut plain = rest.map(|name| stripped.without(&format!("{prefix}{name}")));
    if stripped.within.is_empty() || plain.all(|name| seen.insert(name)) {
        return stripped;
    }
    Stripped {
        within: Vec::new(),
        ..stripped
    }
}

/// Whether a name has a part, which ends in a dot.
fn has(name: &str, part: &str) -> bool {
    name.starts_with(part) || name.contains(&format!(".{part}"))
}

impl Stripped {
    /// The name without what is taken out.
    pub(super) fn without(&self, name: &str) -> String {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let mut name = name.strip_prefix(prefix).unwrap_or(name).to_string();
        for part in &self.within {
            while let Some(rest) = name.strip_prefix(part) {
                name = rest.into();
            }
            name = name.replace(&format!(".{part}"), ".");
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(names: &[&str]) -> (Vec<String>, Stripped) {
        let stripped = wrapped(names.iter().copied());
        let names = names.iter().map(|name| stripped.without(name)).collect();
        (names, stripped)
    }

    #[test]
    fn wrappers_go_from_the_front_in_any_order() {
        for prefix in [
            "_orig_mod.",
            "module._orig_mod.",
            "_orig_mod.module.",
            "model.",
            "state_dict.model.module._orig_mod.",
        ] {
            let names = ["a", "b.c"].map(|name| format!("{prefix}{name}"));
            let (found, stripped) = plain(&[&names[0], &names[1]]);
            assert_eq!(found, ["a", "b.c"]);
            assert_eq!(stripped.prefix.as_deref(), Some(prefix));
            assert!(stripped.within.is_empty());
        }
        let (found, stripped) = plain(&["module.a", "b"]);
        assert_eq!(found, ["module.a", "b"]);
        assert_eq!(stripped.prefix, None);
    }

    #[test]
    fn wrappers_go_from_within_unless_names_would_be_equal() {
        let (found, stripped) = plain(&[
            "model.visual._orig_mod.blocks.0._checkpoint_wrapped_module.norm",
            "model.text.a_orig_mod.b",
        ]);
        assert_eq!(found, ["visual.blocks.0.norm", "text.a_orig_mod.b"]);
        assert_eq!(
            stripped.within,
            ["_orig_mod.", "_checkpoint_wrapped_module."]
        );
        let twice = ["a._orig_mod.b", "a.b"];
        assert_eq!(plain(&twice).0, twice);
    }

    #[test]
    fn an_averages_counter_is_no_name_of_the_model() {
        let (found, _) = plain(&["n_averaged", "module.a"]);
        assert_eq!(found, ["n_averaged", "a"]);
    }
}
