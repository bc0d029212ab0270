//! Measure the information of the complete data about the parameters on the score route.

use nalgebra::DMatrix;

use super::estep::Chains;
use super::means::LinearMeans;
use super::score::Scores;
use super::statistics::Statistics;
use crate::data::Layout;
use crate::parallel::Workers;
use crate::problem::{Derivatives, MeanProgram, Prior, Problem};

/// The draws at which the score is differentiated, and who computes it.
pub struct AtDraws<'a> {
    pub problem: &'a Problem,
    pub layout: &'a Layout,
    /// All free coordinates.
    pub free: &'a [usize],
    pub linear: &'a LinearMeans,
    /// Statistics of the current draws alone.
    pub now: &'a Statistics,
    pub workers: &'a Workers,
}

impl AtDraws<'_> {
    /// Minus the derivative of the score of every free coordinate in each of `scored`: `free x scored`, by central
    /// differences at fixed draws. `None` when a shifted `theta` has no density.
    pub fn information(
        &self,
        scored: &[usize],
        theta: &[f64],
        program: &mut MeanProgram,
        chains: &mut Chains,
    ) -> Option<DMatrix<f64>> {
        let mut derivatives =
            Derivatives::new(self.problem, self.layout, &self.problem.programs.theta);
        let mut information = DMatrix::zeros(self.free.len(), scored.len());
        for (b, k) in scored.iter().enumerate() {
            let h = 1e-4 * self.problem.theta.size(*k, theta[*k]);
            let mut side = |sign: f64| {
                let mut moved = theta.to_vec();
                moved[*k] += sign * h;
                self.score(&moved, &mut derivatives, program, chains)
            };
            let (up, down) = (side(1.0)?, side(-1.0)?);
            for (a, (up, down)) in up.iter().zip(down).enumerate() {
                information[(a, b)] = (down - up) / (2.0 * h);
            }
        }
        information
            .iter()
            .all(|x| x.is_finite())
            .then_some(information)
    }

    fn score(
        &self,
        theta: &[f64],
        derivatives: &mut Derivatives,
        program: &mut MeanProgram,
        chains: &mut Chains,
    ) -> Option<Vec<f64>> {
        let prior = Prior::new(self.problem, theta).ok()?;
        let means = program.at(theta);
        derivatives.prepare(theta);
        let gradient = chains.gradient(derivatives, theta, self.layout.copies, self.workers);
        let scores = Scores::new(self.problem, self.free, &prior, Some(derivatives), theta);
        Some(scores.total(self.linear, self.now, &means, &gradient))
    }
}
