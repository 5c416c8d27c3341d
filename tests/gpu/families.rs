//! Every family on the emulated GPU, to the tolerances of `towers`.

use uta_eval::model::backend::GpuPrecision;

use super::emulator::{Order, compute_on};
use crate::families::{check_text, check_vision, classifier, families};
use crate::support::largest_difference;

#[test]
fn blocks_and_features_of_every_family_are_those_of_its_own_code() {
    for (precision, order, tolerance) in [
        (GpuPrecision::F32, Order::Uneven, 2e-5),
        (GpuPrecision::F16, Order::Reversed, 2e-3),
        (GpuPrecision::Bf16, Order::Forward, 1.6e-2),
    ] {
        let compute = compute_on(precision, order);
        for family in families() {
            let golden = family.expected();
            let what = format!("{} in {precision:?}", family.checkpoint);
            let (vision, text) = family.towers(&compute);
            check_vision(&what, &vision, &golden, tolerance);
            check_text(&what, &text, &golden, tolerance);
        }
    }
}

#[test]
fn classifiers_of_every_family_are_those_of_its_own_code() {
    let compute = compute_on(GpuPrecision::F32, Order::Forward);
    for family in families() {
        let (_, text) = family.towers(&compute);
        let golden = family.expected().get("classifier").t().unwrap();
        let columns: Vec<Vec<f32>> = golden.to_vec2().unwrap();
        let classifier = classifier(&text);
        for (class, expected) in columns.iter().enumerate() {
            let difference = largest_difference(classifier.column(class), expected);
            assert!(
                difference <= 1e-6,
                "{}: column {class} differs by {difference}",
                family.checkpoint
            );
        }
    }
}
