//! Tell draws apart by the classes of their subjects.
//!
//! A draw of the effects belongs to class `k` with the probability `w_k(phi)`, and given the class the effects of a
//! subject are about Gaussian, where all together may have a mode for each class. So what follows draws as they move with
//! the parameters follows each in every class, with the weight `w w_k(phi)`.

use std::sync::Arc;

use super::cloud::{layouts_of, Cloud};
use super::importance::WeightedDraws;
use super::steady::{drift, scored, Drift};
use crate::data::Layout;
use crate::parallel::Workers;
use crate::problem::Joint;

/// Problems with known classes and their layouts for some batches; none without classes.
pub struct Classes {
    members: Vec<usize>,
    joints: Vec<Joint>,
    layouts: Vec<Vec<Arc<Layout>>>,
}

impl Classes {
    pub fn of(joint: &Joint, members: &[usize], copies: usize) -> Self {
        let joints: Vec<Joint> = (1..=joint.n_classes()).map(|k| joint.in_class(k)).collect();
        let layouts = joints.iter();
        Self {
            layouts: layouts.map(|j| layouts_of(j, members, copies)).collect(),
            members: members.to_vec(),
            joints,
        }
    }

    /// The draws in each class.
    pub fn clouds(&self, whole: &Cloud, drawn: &WeightedDraws) -> Vec<Cloud<'_>> {
        let each = self.joints.iter().zip(&self.layouts);
        each.map(|(joint, layouts)| {
            let mut cloud = whole.beside((joint, layouts), &self.members);
            cloud.set(drawn.draws);
            cloud
        })
        .collect()
    }
}

/// Weights of the draws in each class; all of them without classes.
pub fn parts(
    whole: &mut Cloud,
    classes: &mut [Cloud],
    drawn: &WeightedDraws,
    workers: &Workers,
) -> Vec<Vec<f64>> {
    if classes.is_empty() {
        return vec![drawn.weights.to_vec()];
    }
    let total = whole.log_lik(workers);
    let part = |((weight, own), total): ((&f64, f64), &f64)| {
        if *weight > 0.0 {
            weight * (own - total).exp()
        } else {
            0.0
        }
    };
    let each = classes.iter_mut();
    each.map(|cloud| {
        let own = cloud.log_lik(workers);
        drawn
            .weights
            .iter()
            .zip(own)
            .zip(&total)
            .map(part)
            .collect()
    })
    .collect()
}

/// How the conditional distributions of every batch move in each class; nothing without classes.
pub fn drifts_in_classes(
    (free, workers): (&[usize], &Workers),
    whole: &mut Cloud,
    drawn: &WeightedDraws,
) -> Vec<Vec<Drift>> {
    let p = free.len();
    let classes = Classes::of(whole.joint, drawn.members, whole.copies);
    let mut clouds = classes.clouds(whole, drawn);
    if clouds.is_empty() {
        return Vec::new();
    }
    let parts = parts(whole, &mut clouds, drawn, workers);
    let each = clouds.iter_mut().zip(parts);
    each.map(|(cloud, weights)| {
        let scores = cloud.draw_scores(free, workers);
        let weights = alone(&weights, cloud.copies);
        let weights = scored(&weights, &scores, (cloud.copies, p));
        let drawn = WeightedDraws {
            weights: &weights,
            ..*drawn
        };
        drift(cloud, &drawn, &scores, p)
    })
    .collect()
}

/// Weights that add up to one in each batch again, but where there are none.
fn alone(weights: &[f64], copies: usize) -> Vec<f64> {
    let each = weights.chunks(copies.max(1));
    each.flat_map(|own| {
        let total: f64 = own.iter().sum();
        let share = move |w: &f64| if total > 0.0 { w / total } else { 0.0 };
        own.iter().map(share)
    })
    .collect()
}
