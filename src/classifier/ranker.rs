//! Features and a classifier in, ranked classes out.

use std::sync::Arc;

use crate::classifier::Classifier;
use crate::metrics::Prediction;

/// A classifier of the classes to choose among.
#[derive(Debug, Clone)]
pub struct Ranker {
    classifier: Arc<Classifier>,
    /// The class of each of the classifier's, where it is of some classes only.
    classes: Option<Arc<[usize]>>,
}

impl Ranker {
    /// Chooses among all of the classifier's classes, or among some of them, in ascending order.
    /// Predictions name them by their indices among all.
    pub fn new(classifier: Arc<Classifier>, choices: Option<&Arc<[usize]>>) -> Self {
        match choices {
            None => Self {
                classifier,
                classes: None,
            },
            Some(classes) => Self {
                classifier: classifier.of_classes(classes).into(),
                classes: Some(Arc::clone(classes)),
            },
        }
    }

    /// That of the classes to choose among.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// The prediction for a picture with these features [embedding], of any length; none where the
    /// logits are not all finite.
    pub fn rank(&self, features: &[f32]) -> Option<Prediction> {
        let logits = self.classifier.logits(features);
        if !logits.iter().all(|logit| logit.is_finite()) {
            return None;
        }
        let mut prediction = Prediction::from_logits(&logits);
        self.name(&mut prediction.classes);
        Some(prediction)
    }

    /// Groups of classes whose logits always tie.
    pub fn tied_classes(&self) -> Vec<Vec<usize>> {
        let mut groups = self.classifier.tied_classes();
        groups.iter_mut().for_each(|group| self.name(group));
        groups
    }

    /// Turns the classifier's classes into those that they are among all.
    pub fn name(&self, classes: &mut [usize]) {
        if let Some(all) = &self.classes {
            classes.iter_mut().for_each(|class| *class = all[*class]);
        }
    }
}
