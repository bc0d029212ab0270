//! Keep the draws of the last iterations with the weights of stochastic approximation.
//!
//! A push with gain `g` multiplies all weights by `1 - g` and gives the newest draws weight `g`; the oldest make room
//! for them. With several chains the draw of each counts for `g / C`: a snapshot holds all of them.

use serde::{Deserialize, Serialize};

use super::part::GroupingRun;
use crate::ir::column::{Column, LANES};
use crate::keep::keeps;
use crate::problem::EffectDraws;

/// Weights below this are none.
const SMALLEST: f64 = 1e-10;

/// A ring buffer of snapshots and their weights, oldest first.
#[derive(Debug, Clone)]
pub struct Store<T = ChainSnapshot> {
    pub capacity: usize,
    pub slots: Vec<(f64, T)>,
}

keeps!(Store: values { slots } parts {} rebuilt { capacity });

impl<T> Store<T> {
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            slots: Vec::new(),
        }
    }

    /// Let a snapshot in; with gain 0 nothing happens, and none is made.
    pub fn push(&mut self, gain: f64, snapshot: impl FnOnce() -> T) {
        if gain <= 0.0 {
            return;
        }
        for (weight, _) in &mut self.slots {
            *weight *= 1.0 - gain;
        }
        if self.slots.len() >= self.capacity {
            self.slots.remove(0);
        }
        self.slots.push((gain, snapshot()));
    }

    /// Snapshots that still count, their weights adding up to one.
    pub fn active(&self) -> Vec<(f64, &T)> {
        let counts = self.slots.iter().filter(|(weight, _)| *weight >= SMALLEST);
        let total: f64 = counts.clone().map(|(weight, _)| weight).sum();
        counts
            .map(|(weight, snapshot)| (weight / total, snapshot))
            .collect()
    }
}

/// The draws of all lanes of all groupings at the end of an iteration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChainSnapshot {
    /// `[grouping][block][coordinate]`
    pub phi: Vec<Vec<Vec<Column>>>,
}

impl ChainSnapshot {
    /// The current draws; `None` before there are any.
    pub fn take(parts: &[GroupingRun]) -> Option<Self> {
        let phi: Option<Vec<_>> = parts.iter().map(columns).collect();
        Some(Self { phi: phi? })
    }
}

fn columns(part: &GroupingRun) -> Option<Vec<Vec<Column>>> {
    let chains = part.chains.as_ref()?;
    let d = part.problem().n_phi();
    let block = |b: usize, used: usize| -> Vec<Column> {
        (0..d)
            .map(|k| {
                Column(std::array::from_fn::<f64, LANES, _>(|l| {
                    chains.phi(b, if l < used { l } else { 0 }, k)
                }))
            })
            .collect()
    };
    let blocks = part.layout().blocks.iter().enumerate();
    Some(blocks.map(|(b, own)| block(b, own.lanes.len())).collect())
}

/// A snapshot seen level by level.
pub struct SnapshotDraws<'s, 'a> {
    pub snapshot: &'s ChainSnapshot,
    pub parts: &'s [GroupingRun<'a>],
}

impl EffectDraws for SnapshotDraws<'_, '_> {
    fn phi(&self, group: usize, k: usize, level: usize, copy: usize) -> f64 {
        let (block, lane) = self.parts[group].place(level, copy);
        self.snapshot.phi[group][block][k].0[lane]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(capacity: usize, gains: &[f64]) -> Store<usize> {
        let mut store = Store::new(capacity);
        for (i, gain) in gains.iter().enumerate() {
            store.push(*gain, || i);
        }
        store
    }

    #[test]
    fn case_4_gain_zero_pushes_nothing() {
        let mut store = Store::new(3);
        store.push(0.0, || panic!("no snapshot is made"));
        assert!(store.slots.is_empty() && store.active().is_empty());
        let weights: Vec<f64> = pushed(3, &[1.0, 0.5, 0.0])
            .slots
            .iter()
            .map(|s| s.0)
            .collect();
        assert_eq!(weights, [0.5, 0.5]);
    }

    #[test]
    fn case_4_gain_one_forgets_the_past() {
        let store = pushed(5, &[1.0, 0.5, 1.0]);
        let weights: Vec<f64> = store.slots.iter().map(|s| s.0).collect();
        assert_eq!(weights, [0.0, 0.0, 1.0]);
        assert_eq!(store.active(), [(1.0, &2)]);
    }

    #[test]
    fn case_4_two_chains_share_the_weight_of_a_push() {
        let store = pushed(5, &[0.5, 0.5]);
        let chains = 2.0;
        let each = store.slots.iter().flat_map(|s| [s.0 / chains; 2]);
        assert_eq!(each.collect::<Vec<f64>>(), [0.125, 0.125, 0.25, 0.25]);
    }

    #[test]
    fn case_4_the_last_three_are_kept_and_their_weights_add_up() {
        let store = pushed(3, &[1.0, 0.5, 0.5, 0.5]);
        let kept: Vec<usize> = store.slots.iter().map(|s| s.1).collect();
        assert_eq!(kept, [1, 2, 3]);
        let weights: Vec<f64> = store.active().iter().map(|s| s.0).collect();
        assert_eq!(weights, [0.125 / 0.875, 0.25 / 0.875, 0.5 / 0.875]);
    }
}
