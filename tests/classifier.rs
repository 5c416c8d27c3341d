use uta_eval::classifier::cache::Cache;
use uta_eval::classifier::recipe::Recipe;
use uta_eval::classifier::{Progress, Trie, build};
use uta_eval::model::{Forest, Kept, TextTower};
use uta_eval::text::{ClassNames, Templates, Tokenizer, prompts};
use uta_eval::util::vector::normalised;

use crate::support::{Folder, demo, fixture, largest_difference, tiny, towers, values};
use uta_eval::model::ModelConfig;

/// Token positions of the 80,000 built-in prompts up to the end of text.
const POSITIONS: usize = 769_212;
/// Distinct ones among them: prompts that begin alike share their beginning.
const NODES: usize = 328_378;

fn tokens(names: &[String]) -> Vec<Vec<u32>> {
    let names = ClassNames::from_names(names.to_vec());
    let texts: Vec<String> = prompts(&names, &Templates::imagenet()).collect();
    Tokenizer::clip().unwrap().encode_batch_to_end(&texts)
}

/// A class's column, each prompt encoded alone.
fn straightforward(tower: &TextTower, prompts: &[Vec<u32>]) -> Vec<f32> {
    let mut sum = vec![0f32; tower.embedding().unwrap()];
    for ids in prompts {
        let states = tower
            .states(&Forest::chain(ids), &mut Kept::default(), &[])
            .unwrap();
        let features = tower
            .project(&states.narrow(0, ids.len() - 1, 1).unwrap())
            .unwrap();
        for (sum, value) in sum.iter_mut().zip(normalised(&values(&features))) {
            *sum += value / prompts.len() as f32;
        }
    }
    normalised(&sum)
}

#[test]
fn the_built_in_prompts_have_as_many_distinct_positions_as_are_computed() {
    let tokens = tokens(ClassNames::imagenet().names());
    assert_eq!(tokens.iter().map(Vec::len).sum::<usize>(), POSITIONS);
    assert_eq!(Trie::new(&tokens).len(), NODES);
}

#[test]
fn columns_are_those_of_encoding_each_prompt_alone() {
    let names = ClassNames::imagenet();
    let demo_variant = ModelConfig::by_name("uta_demo").unwrap();
    for (checkpoint, config) in [
        (fixture("golden/tiny.safetensors"), tiny()),
        (demo("uta_demo.safetensors"), demo_variant),
    ] {
        let (_, tower) = towers(&checkpoint, &config);
        let all = tokens(names.names());
        let classifier = build(&tower, &Trie::new(&all), names.len(), None, &mut |_| ()).unwrap();
        for class in (0..names.len()).step_by(37) {
            let expected = straightforward(&tower, &all[class * 80..(class + 1) * 80]);
            let difference = largest_difference(classifier.column(class), &expected);
            assert!(
                difference <= 1e-6,
                "{} class {class}: {difference}",
                config.name
            );
        }
    }
}

#[test]
fn classes_of_the_same_name_have_the_same_bits_and_others_may_stand_between() {
    let (_, tower) = towers(&fixture("golden/tiny.safetensors"), &tiny());
    let names: Vec<String> = [
        "crane",
        "dog",
        "a very long name of a dog",
        "crane",
        "dog house",
    ]
    .map(Into::into)
    .into();
    let classifier = build(&tower, &Trie::new(&tokens(&names)), 5, None, &mut |_| ()).unwrap();
    assert_eq!(classifier.tied_classes(), [[0, 3]]);
}

#[test]
fn an_interrupted_build_that_goes_on_ends_in_the_same_classifier() {
    let (_, tower) = towers(&fixture("golden/tiny.safetensors"), &tiny());
    let names = ClassNames::imagenet();
    let tokens = tokens(&names.names()[..200]);
    let trie = Trie::new(&tokens);
    let mut states = Vec::new();
    let whole = build(&tower, &trie, 200, None, &mut |progress| {
        if let Progress::Done(partial) = progress {
            states.push(partial.clone());
        }
    })
    .unwrap();
    assert!(states.len() > 10);

    let recipe = Recipe::new("tower".into(), &names.names()[..200], &tokens, "f32");
    let folder = Folder::new();
    let cache = Cache::new(folder.path().into());
    for state in states.into_iter().step_by(7) {
        cache.put_partial(&recipe, &state).unwrap();
        let kept = cache.get_partial(&recipe).unwrap();
        assert_eq!(kept, state);
        let resumed = build(&tower, &trie, 200, Some(kept), &mut |_| ()).unwrap();
        for class in 0..200 {
            let difference = largest_difference(resumed.column(class), whole.column(class));
            assert!(difference <= 1e-7, "class {class} differs by {difference}");
        }
    }
    cache.put(&recipe, &whole).unwrap();
    assert_eq!(
        cache.get_partial(&recipe),
        None,
        "the finished classifier replaces the state"
    );
    assert_eq!(cache.get(&recipe).unwrap(), Some(whole));
    let other = Recipe::new("other tower".into(), names.names(), &tokens, "f32");
    assert_eq!(cache.get(&other).unwrap(), None);
}
