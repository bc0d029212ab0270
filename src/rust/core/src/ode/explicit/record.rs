//! Keep what a walk did, to go back along it.

use super::step::Verdict;
use super::walk::Walk;

/// Accepted steps and stops of every lane.
#[derive(Debug, Clone, Default)]
pub struct Record {}

impl Record {
    pub fn prescribe(&mut self, _walk: &mut Walk) {}
    pub fn overrule(&mut self, _walk: &mut Walk, _verdict: &mut Verdict) {}
    pub fn steps(&mut self, _walk: &Walk, _accepted: u64) {}
    pub fn seen(&mut self, _lane: usize, _row: usize, _theta: f64) {}
    pub fn seen_now(&mut self, _lane: usize, _row: usize) {}
    pub fn rest(&mut self, _walk: &Walk, _p: usize, _x: &[f64]) {}
    pub fn stop(&mut self, _walk: &Walk, _p: usize, _moved: bool) {}
}
