//! Hold a model whose predictions at draws that stay are computed once, where that pays.

use super::cloud::Cloud;
use crate::ir::graph::Op;
use crate::parallel::Workers;
use crate::problem::{Joint, Stored};

/// The model, and what computes the predictions that it reads.
pub struct StoredModel {
    pub joint: Joint,
    stored: Option<Stored>,
}

impl StoredModel {
    /// For all free coordinates.
    pub fn new(joint: &Joint) -> Self {
        let stored = (joint.parts.len() == 1)
            .then(|| Stored::new(joint.main()))
            .flatten();
        let mut joint = joint.clone();
        if let Some(stored) = &stored {
            joint.parts[0] = stored.problem.clone();
        }
        Self { joint, stored }
    }

    /// For these coordinates alone, none of which moves a solution of differential equations; none where the equations
    /// would be solved all the same.
    pub fn without_solving(joint: &Joint, coordinates: &[usize]) -> Option<Self> {
        let mut joint = joint.clone();
        for (k, free) in joint.parts.first_mut()?.theta.free.iter_mut().enumerate() {
            *free = coordinates.contains(&k);
        }
        let kept = Self::new(&joint);
        let solves = kept.joint.main().programs.theta.solution.is_read();
        (kept.stored.is_some() && !solves).then_some(kept)
    }

    /// Move the draws of a cloud of this model.
    pub fn set(&self, cloud: &mut Cloud, draws: &[f64], theta: &[f64], workers: &Workers) {
        cloud.set(draws);
        if let Some(stored) = &self.stored {
            let (layout, phi) = cloud.lanes(0);
            let known = stored.columns(layout, theta, phi, workers);
            cloud.know(0, known);
        }
    }
}

/// Those of some coordinates on which no state of differential equations depends, of a model that has states.
pub fn beside_states(joint: &Joint, coordinates: &[usize]) -> Vec<usize> {
    let form = &joint.main().form;
    if form.dynamics.is_none() || joint.parts.len() > 1 || joint.n_classes() > 0 {
        return Vec::new();
    }
    let graph = &form.graph;
    let still = |k: &usize| {
        let moves = graph.depends(|op| matches!(op, Op::Theta(i) if i as usize == *k));
        let mut states = graph
            .nodes()
            .filter(|n| matches!(graph.op(*n), Op::State(_)));
        states.all(|node| !moves[node.index()])
    };
    coordinates.iter().copied().filter(still).collect()
}
