//! The list of models that have a name.

use serde_json::Value;

use crate::support::run;

fn listed(filter: &[&str]) -> Vec<Value> {
    let arguments = [&["models", "--json", "-"][..], filter].concat();
    let printed = run(&arguments).ended_with(0);
    let list: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(list["schema_version"], 1);
    list["models"].as_array().unwrap().clone()
}

#[test]
fn all_architectures_and_published_checkpoints_are_listed() {
    let models = listed(&[]);
    // UTA's three and the demo's, and open_clip's.
    assert_eq!(models.len(), 4 + 24);
    let checkpoints = models
        .iter()
        .map(|model| model["checkpoints"].as_array().unwrap().len());
    assert_eq!(checkpoints.sum::<usize>(), 3 + 87);
}

/// Figures of the table of published results.
#[test]
fn a_model_has_its_size_its_checkpoints_and_their_published_accuracies() {
    let models = listed(&["ViT-B-32"]);
    let model = models
        .iter()
        .find(|model| model["name"] == "ViT-B-32")
        .unwrap();
    assert_eq!(model["image_size"], 224);
    let weights = |tower: &str| model[tower].as_u64().unwrap();
    assert_eq!(
        weights("vision_parameters") + weights("text_parameters"),
        151_277_312
    );
    let checkpoints = model["checkpoints"].as_array().unwrap();
    let openai = checkpoints.iter().find(|c| c["tag"] == "openai").unwrap();
    assert_eq!(
        openai["address"],
        "hf://timm/vit_base_patch32_clip_224.openai"
    );
    let accuracies = &openai["published_top1_percent"];
    assert_eq!(accuracies["imagenet"], 63.32);
    assert_eq!(accuracies["objectnet"], 44.31);
}

#[test]
fn a_filter_finds_names_of_models_and_of_checkpoints() {
    let names = |filter: &str| -> Vec<String> {
        let models = listed(&[filter]);
        let name = |model: &Value| model["name"].as_str().unwrap().to_string();
        models.iter().map(name).collect()
    };
    assert_eq!(names("uta-b"), ["eva_base_p16"]);
    let metaclip = listed(&["metaclip"]);
    assert!(metaclip.len() > 3);
    for checkpoint in metaclip
        .iter()
        .flat_map(|m| m["checkpoints"].as_array().unwrap())
    {
        assert!(checkpoint["tag"].as_str().unwrap().starts_with("metaclip"));
    }
    run(&["models", "nothing of that name"])
        .ended_with(0)
        .printed(&["no model and no checkpoint"]);
}

#[test]
fn the_text_has_a_line_for_each_checkpoint() {
    run(&["models", "ViT-B-32"]).ended_with(0).printed(&[
        "ViT-B-32: 224 pixels, patches of 32, 87.8 M + 63.4 M weights",
        "laion2b_s34b_b79k",
        "63.32",
        "hf://timm/vit_base_patch32_clip_224.openai",
    ]);
}
