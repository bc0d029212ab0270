//! Ask the draws of a cloud for scores and slopes, once: where draws of some batches become others, these alone again.

use super::cloud::{layouts_of, Cloud, DrawSlopes};
use super::importance::WeightedDraws;
use crate::parallel::Workers;
use crate::problem::Joint;

/// What is asked.
pub struct DerivativeQuestion<'a> {
    pub joint: &'a Joint,
    /// The coordinates of the scores.
    pub free: Vec<usize>,
    /// Whether slopes are asked for beside the log-likelihood.
    pub slopes: bool,
    pub workers: &'a Workers,
}

/// What the draws of a cloud say.
#[derive(Default)]
pub struct Answer {
    /// Scores of every draw, `batches x copies x p`.
    pub scores: Vec<f64>,
    /// The gradient is empty where it is not asked for.
    pub slopes: DrawSlopes,
}

impl DerivativeQuestion<'_> {
    pub fn ask(&self, cloud: &mut Cloud) -> Answer {
        if !self.slopes {
            let log_lik = cloud.log_lik(self.workers);
            return Answer {
                scores: cloud.draw_scores(&self.free, self.workers),
                slopes: DrawSlopes {
                    log_lik,
                    gradient: Vec::new(),
                },
            };
        }
        let (scores, mut slopes) = cloud.scores_and_slopes(&self.free, self.workers);
        // Where only the equations of derivatives were not solved there is a density all the same.
        if !slopes.log_lik.iter().all(|x| x.is_finite()) {
            slopes.log_lik = cloud.log_lik(self.workers);
        }
        Answer { scores, slopes }
    }

    /// Put in what the draws of some members of a cloud say now.
    pub fn renew(
        &self,
        answer: &mut Answer,
        cloud: &Cloud,
        drawn: &WeightedDraws,
        members: &[usize],
    ) {
        if members.is_empty() {
            return;
        }
        let numbers: Vec<usize> = members.iter().map(|i| drawn.members[*i]).collect();
        let layouts = layouts_of(self.joint, &numbers, cloud.copies);
        let mut few = cloud.beside((self.joint, &layouts), &numbers);
        let own = |i: &usize| cloud.effects(*i);
        let draws: Vec<&[f64]> = members.iter().map(|i| &drawn.draws[own(i)]).collect();
        few.set(&draws.concat());
        let new = self.ask(&mut few);
        for (k, i) in members.iter().enumerate() {
            let put = |to: &mut [f64], from: &[f64], each: usize| {
                let wide = cloud.copies * each;
                to[i * wide..(i + 1) * wide].copy_from_slice(&from[k * wide..(k + 1) * wide]);
            };
            put(&mut answer.scores, &new.scores, self.free.len());
            put(&mut answer.slopes.log_lik, &new.slopes.log_lik, 1);
            if self.slopes {
                let from = &new.slopes.gradient[few.effects(k)];
                answer.slopes.gradient[own(i)].copy_from_slice(from);
            }
        }
    }
}
