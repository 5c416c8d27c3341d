//! The data sets of a suite: the row that a paper prints, and what may stand beside it.

use super::set::Set;

/// A data set of a suite, in the order of a table's columns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuiteSet {
    ImageNet,
    /// Matched frequency, of ImageNet-V2's three variants the one that is meant without a name.
    V2,
    A,
    R,
    Sketch,
    ObjectNet,
    /// ImageNet's validation set, judged by its ReaL labels.
    Real,
    V2Threshold,
    V2TopImages,
    /// A set with names and templates of its own.
    Other(String),
}

impl SuiteSet {
    /// Those that have a name, in order.
    pub const NAMED: [Self; 9] = [
        Self::ImageNet,
        Self::V2,
        Self::A,
        Self::R,
        Self::Sketch,
        Self::ObjectNet,
        Self::Real,
        Self::V2Threshold,
        Self::V2TopImages,
    ];

    /// Its name in a file and in results.
    pub fn name(&self) -> &str {
        match self {
            Self::Real => "imagenet-real",
            Self::V2Threshold => "imagenet-v2-threshold0.7",
            Self::V2TopImages => "imagenet-v2-top-images",
            Self::Other(name) => name,
            named => named.dataset().map_or("", Set::name),
        }
    }

    /// As papers head its column.
    pub fn title(&self) -> &str {
        match self {
            Self::ImageNet => "IN-1K",
            Self::V2 => "IN-V2",
            Self::A => "IN-A",
            Self::R => "IN-R",
            Self::Sketch => "IN-Sketch",
            Self::ObjectNet => "ObjectNet",
            Self::Real => "IN-ReaL",
            Self::V2Threshold => "V2-thr.",
            Self::V2TopImages => "V2-top",
            Self::Other(name) => name,
        }
    }

    /// What it is evaluated as.
    pub fn dataset(&self) -> Option<Set> {
        match self {
            Self::ImageNet | Self::Real => Some(Set::ImageNet),
            Self::V2 | Self::V2Threshold | Self::V2TopImages => Some(Set::V2),
            Self::A => Some(Set::A),
            Self::R => Some(Set::R),
            Self::Sketch => Some(Set::Sketch),
            Self::ObjectNet => Some(Set::ObjectNet),
            Self::Other(_) => None,
        }
    }

    /// Whether it is one of the six that the row's average is over.
    pub fn in_average(&self) -> bool {
        *self <= Self::ObjectNet
    }

    /// The set of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|set| set.name() == name)
    }

    /// The set that a folder or an archive holds by its name, as it is published or as people write
    /// it.
    pub fn by_folder(name: &str) -> Option<Self> {
        let plain: String = without_prefix(name)
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase();
        Some(match plain.as_str() {
            "imagenet" | "imagenet1k" | "imagenet2012" | "ilsvrc" | "ilsvrc2012"
            | "imagenetval" | "imagenet1kval" | "ilsvrc2012imgval" | "val" => Self::ImageNet,
            "imagenetv2" | "imagenetv2matchedfrequency" | "imagenetv2matchedfrequencyformatval" => {
                Self::V2
            }
            "imagenetv2threshold07" | "imagenetv2threshold07formatval" => Self::V2Threshold,
            "imagenetv2topimages" | "imagenetv2topimagesformatval" => Self::V2TopImages,
            "imageneta" => Self::A,
            "imagenetr" => Self::R,
            "imagenetsketch" | "sketch" => Self::Sketch,
            "objectnet" | "objectnet10" => Self::ObjectNet,
            _ => return None,
        })
    }

    /// A set of another name, as a table shows it.
    pub fn other(name: &str) -> Self {
        Self::Other(without_prefix(name).into())
    }
}

/// A folder's name without what the Hugging Face hub and clip-benchmark put before it.
fn without_prefix(name: &str) -> &str {
    let name = match name.strip_prefix("datasets--") {
        Some(hub) => hub.rsplit("--").next().unwrap_or(hub),
        None => name,
    };
    name.strip_prefix("wds_").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_known_by_the_names_that_people_use() {
        for (name, set) in [
            ("imagenet", Some("imagenet")),
            ("ILSVRC2012_img_val", Some("imagenet")),
            ("wds_imagenet1k", Some("imagenet")),
            (
                "imagenetv2-matched-frequency-format-val",
                Some("imagenet-v2"),
            ),
            ("ImageNetV2-threshold-0.7", Some("imagenet-v2-threshold0.7")),
            (
                "imagenetv2-top-images-format-val",
                Some("imagenet-v2-top-images"),
            ),
            ("wds_imagenetv2", Some("imagenet-v2")),
            ("imagenet-a", Some("imagenet-a")),
            ("imagenet_r", Some("imagenet-r")),
            (
                "datasets--clip-benchmark--wds_imagenet-r",
                Some("imagenet-r"),
            ),
            ("sketch", Some("imagenet-sketch")),
            ("wds_imagenet_sketch", Some("imagenet-sketch")),
            ("objectnet-1.0", Some("objectnet")),
            ("imagenet-o", None),
            ("notes", None),
        ] {
            let found = SuiteSet::by_folder(name);
            assert_eq!(found.as_ref().map(SuiteSet::name), set, "{name}");
        }
        assert_eq!(SuiteSet::other("wds_vtab-pets").name(), "vtab-pets");
    }

    #[test]
    fn six_sets_are_in_the_average_and_each_has_a_name() {
        let six = SuiteSet::NAMED.into_iter().filter(SuiteSet::in_average);
        assert_eq!(six.count(), 6);
        for set in SuiteSet::NAMED {
            assert_eq!(SuiteSet::by_name(set.name()), Some(set));
        }
    }
}
