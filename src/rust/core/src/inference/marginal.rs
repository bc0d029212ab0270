//! Compute the log-likelihood by means that check each other, and tell what error remains.
//!
//! With one grouping: quadrature, its nodes raised subject by subject until two rules agree (`refinement.rs`). A few
//! draws from the population look for mass that lies outside the last rule. Subjects whose rules do not agree, or miss
//! something, are integrated by importance sampling, which has no trouble with kinks, several modes or many effects.
//! With several groupings: Laplace's approximation, and importance sampling where the two differ.

use super::adaptive::{DrawTarget, MOST_EFFECTS};
use super::classes::{log_sum, modes_in_classes, shares};
use super::ebe::EbeOptions;
use super::importance::{Importance, ImportanceSampling};
use super::joint::laplace;
use super::posterior::{BatchGaussian, BatchPosteriors, Batches};
use super::product_rule::Integrand;
use super::proposal::{around, factor_of_inverse};
use super::quadrature::Quadrature;
use super::refinement::{refine, Effort, Refined, REACH};
use crate::error::Result;
use crate::ir::symmetric::at;
use crate::parallel::Workers;
use crate::problem::{EffectValues, Joint, Prior};

/// The log-likelihood, its error, and how it was computed.
#[derive(Debug, Clone)]
pub struct Marginal {
    /// One term a subject, or a batch.
    pub subjects: Vec<f64>,
    /// What the terms by quadrature were last moved by, and the Monte-Carlo errors of the others.
    pub errors: Vec<f64>,
    /// Which terms were computed by importance sampling.
    pub sampled: Vec<bool>,
    pub nodes: usize,
    /// Draws of these terms.
    pub draws: usize,
    /// Probabilities of the classes of each subject; empty without.
    pub classes: Vec<Vec<f64>>,
    /// Whether the conditional mode was found, or the weights of the draws can be relied on.
    pub converged: Vec<bool>,
}

impl Marginal {
    pub fn log_lik(&self) -> f64 {
        self.subjects.iter().sum()
    }

    /// Changes of rules may have the same sign and add up; Monte-Carlo errors are independent.
    pub fn error(&self) -> f64 {
        let each = || self.errors.iter().zip(&self.sampled);
        let changes: f64 = each().filter(|(_, s)| !**s).map(|(e, _)| e).sum();
        let squares: f64 = each().filter(|(_, s)| **s).map(|(e, _)| e * e).sum();
        changes + squares.sqrt()
    }

    pub fn n_sampled(&self) -> usize {
        self.sampled.iter().filter(|s| **s).count()
    }

    /// A value of one rule.
    pub fn of(found: Quadrature) -> Self {
        Self {
            sampled: vec![false; found.subjects.len()],
            subjects: found.subjects,
            errors: found.errors,
            nodes: found.nodes,
            draws: 0,
            classes: Vec::new(),
            converged: found.converged,
        }
    }

    /// Take what importance sampling says of a term, unless the other value is as good.
    ///
    /// The change of the last rule is the error of its value where draws that can be relied on do not say otherwise.
    fn weigh(&mut self, i: usize, batch: usize, drawn: &Importance, certain: bool) {
        let (value, error) = (drawn.log_lik[batch], drawn.mc_error[batch]);
        let apart = (value - self.subjects[i]).abs();
        let agrees = !certain && apart <= 3.0 * error && self.errors[i] <= error;
        if drawn.is_sound(batch) && !agrees {
            self.subjects[i] = value;
            self.errors[i] = error;
            self.sampled[i] = true;
            self.converged[i] = true;
        } else if !drawn.is_sound(batch) && apart.is_finite() {
            // Neither can be relied on.
            self.errors[i] = apart.max(if self.errors[i].is_nan() {
                0.0
            } else {
                self.errors[i]
            });
            self.converged[i] = false;
        }
    }
}

/// Change of a term below which a subject is settled, and of the sum.
const TOLERANCE: f64 = 1e-4;
const TOLERANCE_OF_ALL: f64 = 0.005;

/// Most points of a rule a subject; points of all rules a subject, on average; rows at points in all, some seconds, and
/// points where rows are many.
const MOST_POINTS: usize = 30_000;
const POINTS: usize = 20_000;
const ROWS_IN_ALL: usize = 600_000_000;
const POINTS_IN_ALL: usize = 10_000_000;

/// The same where every point asks for the solution of differential equations.
const MOST_SOLUTIONS: usize = 3_400;
const SOLUTIONS: usize = 3_000;

/// Draws of subjects that quadrature leaves open, and of those that are still not settled.
const DRAWS: usize = 4_096;
const MORE_DRAWS: usize = 32_768;
const DRAWS_OF_SOLUTIONS: usize = 2_048;
const MORE_DRAWS_OF_SOLUTIONS: usize = 8_192;

/// Solutions up to which draws of several subjects may be so many, and draws in closed form: of thousands of subjects the
/// errors average out.
const AFFORDED: usize = 1 << 17;
const MANY_DRAWS: usize = 1 << 23;

/// Mass outside a rule, as part of the likelihood, that is looked into; so many Monte-Carlo errors do not say that there is some.
const OUTSIDE: f64 = 1e-3;
const APART: f64 = 4.0;

/// What is integrated: a model at estimates, and where its conditional modes are.
#[derive(Clone, Copy)]
pub struct Integral<'a> {
    pub joint: &'a Joint,
    pub theta: &'a [f64],
    pub modes: &'a EffectValues,
    pub workers: &'a Workers,
    pub seed: u64,
    /// What draws say that were looked at for what they miss, one entry a batch.
    pub judged: Option<&'a Importance>,
}

/// # Errors
/// A population distribution that does not exist, or too many effects that hang together.
pub fn marginal(wanted: &Integral) -> Result<Marginal> {
    if wanted.joint.n_classes() > 0 {
        by_class(wanted, marginal_of_one)
    } else {
        marginal_of_one(wanted)
    }
}

/// Integrate in every class of the subjects, and add up.
///
/// # Errors
/// As for the integral in a class.
pub fn by_class(
    wanted: &Integral,
    integrate: impl Fn(&Integral) -> Result<Marginal>,
) -> Result<Marginal> {
    let mut found = Vec::new();
    let options = EbeOptions::default();
    let Integral {
        joint,
        theta,
        workers,
        ..
    } = *wanted;
    for (joint, modes) in modes_in_classes(joint, theta, workers, &options)? {
        found.push(integrate(&Integral {
            joint: &joint,
            modes: &modes,
            judged: None,
            ..*wanted
        })?);
    }
    Ok(added(&found))
}

/// Part of a likelihood below which nothing hangs on a class.
const NOTHING: f64 = 1e-9;

fn added(classes: &[Marginal]) -> Marginal {
    let logs: Vec<Vec<f64>> = classes.iter().map(|c| c.subjects.clone()).collect();
    let parts = shares(&logs);
    let over = |i: usize| {
        let each = classes.iter().zip(&parts[i]);
        each.filter(|(_, part)| **part > NOTHING || part.is_nan())
    };
    let subjects = 0..parts.len();
    let added = Marginal {
        subjects: (subjects.clone())
            .map(|i| log_sum(&logs.iter().map(|class| class[i]).collect::<Vec<_>>()))
            .collect(),
        errors: (subjects.clone())
            .map(|i| over(i).map(|(class, part)| part * class.errors[i]).sum())
            .collect(),
        sampled: (subjects.clone())
            .map(|i| over(i).any(|(class, _)| class.sampled[i]))
            .collect(),
        nodes: classes.iter().map(|c| c.nodes).max().unwrap_or(0),
        draws: classes.iter().map(|c| c.draws).max().unwrap_or(0),
        converged: subjects
            .map(|i| over(i).all(|(class, _)| class.converged[i]))
            .collect(),
        classes: Vec::new(),
    };
    Marginal {
        classes: parts,
        ..added
    }
}

fn marginal_of_one(wanted: &Integral) -> Result<Marginal> {
    if wanted.joint.is_simple() {
        wanted.by_subject()
    } else {
        wanted.by_batch()
    }
}

impl<'a> Integral<'a> {
    fn sampling(&self, draws: usize) -> ImportanceSampling<'a> {
        ImportanceSampling {
            trusts: false,
            joint: self.joint,
            theta: self.theta,
            workers: self.workers,
            seed: self.seed,
            draws,
        }
    }

    fn is_dynamic(&self) -> bool {
        self.joint.main().form.dynamics.is_some()
    }

    fn effort(&self) -> Effort {
        let problem = self.joint.main();
        let n = problem.n_subjects().max(1);
        let (most_points, points, all) = if self.is_dynamic() {
            (MOST_SOLUTIONS, SOLUTIONS, POINTS_IN_ALL)
        } else {
            let rows = problem.records.n_rows().max(1);
            let all = (ROWS_IN_ALL / rows.div_ceil(n)).max(POINTS_IN_ALL);
            (MOST_POINTS, POINTS, all)
        };
        Effort {
            tolerance: TOLERANCE.max(TOLERANCE_OF_ALL / n as f64),
            most_points,
            budget: all.min(points * n),
        }
    }

    fn by_subject(&self) -> Result<Marginal> {
        let problem = self.joint.main();
        let prior = Prior::new(problem, self.theta)?;
        let integrand = Integrand {
            workers: self.workers,
            problem,
            theta: self.theta,
            prior: &prior,
        };
        let effort = self.effort();
        let mut refined = refine(&integrand, Some(&self.modes.values[0]), effort)?;
        let mut missed = self.missed(&refined)?;
        if refined.places.dim == 1 {
            let members: Vec<usize> = (0..missed.len()).filter(|i| missed[*i]).collect();
            refined.sweep(&integrand, &members, effort.tolerance);
            missed.fill(false);
        }
        let mut found = Marginal {
            subjects: refined.values.clone(),
            errors: refined.errors.clone(),
            sampled: vec![false; refined.values.len()],
            nodes: refined.nodes,
            draws: 0,
            classes: Vec::new(),
            converged: refined.converged.clone(),
        };
        self.draw(&mut found, &refined, &missed, effort.tolerance)?;
        Ok(found)
    }

    /// Sample the subjects that quadrature left open.
    fn draw(
        &self,
        found: &mut Marginal,
        refined: &Refined,
        missed: &[bool],
        tolerance: f64,
    ) -> Result<()> {
        let mut open: Vec<usize> = (0..missed.len())
            .filter(|i| missed[*i] || !refined.settled[*i])
            .collect();
        if open.is_empty() || refined.places.dim > MOST_EFFECTS {
            return Ok(());
        }
        // Draws, and how many of all open subjects together are affordable.
        let rounds = if self.is_dynamic() {
            [
                (DRAWS_OF_SOLUTIONS, usize::MAX),
                (MORE_DRAWS_OF_SOLUTIONS, AFFORDED),
            ]
        } else {
            [(DRAWS, usize::MAX), (MORE_DRAWS, MANY_DRAWS)]
        };
        let posterior = self.around(refined);
        for (draws, affordable) in rounds {
            if open.is_empty() || draws * open.len() > affordable {
                break;
            }
            let mut batches: Vec<(usize, usize)> = open
                .iter()
                .map(|i| (self.joint.batches[0][*i], *i))
                .collect();
            batches.sort_unstable();
            let members: Vec<usize> = batches.iter().map(|(b, _)| *b).collect();
            let drawn = self.sampling(draws).some(&posterior, &members)?;
            for (k, (_, i)) in batches.iter().enumerate() {
                found.weigh(*i, k, &drawn, missed[*i] || found.sampled[*i]);
            }
            found.draws = drawn.draws;
            open.retain(|i| found.errors[*i].is_nan() || found.errors[*i] > tolerance);
        }
        Ok(())
    }

    /// Subjects with mass outside their last rule.
    fn missed(&self, refined: &Refined) -> Result<Vec<bool>> {
        let mut missed = vec![false; refined.values.len()];
        if refined.places.dim == 0 || refined.places.dim > MOST_EFFECTS {
            return Ok(missed);
        }
        let ground = DrawTarget::new(self.sampling(DRAWS))?;
        let mut subject = vec![0; self.joint.n_batches];
        for (i, b) in self.joint.batches[0].iter().enumerate() {
            subject[*b] = i;
        }
        let unknown = |b: &usize| !self.is_known(*b, refined.values[subject[*b]]);
        let members: Vec<usize> = (0..subject.len()).filter(unknown).collect();
        if members.is_empty() {
            return Ok(missed);
        }
        let values: Vec<f64> = members
            .iter()
            .map(|b| refined.values[subject[*b]])
            .collect();
        let beyond = |b: usize, phi: &[f64]| {
            let i = subject[b];
            refined.places.distance(i, phi) > REACH
        };
        let mass = ground.outside(&members, &values, beyond);
        for (b, mass) in members.iter().zip(&mass) {
            missed[subject[*b]] = *mass > OUTSIDE;
        }
        Ok(missed)
    }

    /// Whether draws that can be relied on say the same of a term.
    fn is_known(&self, batch: usize, value: f64) -> bool {
        self.judged.is_some_and(|judged| {
            let apart = || (judged.log_lik[batch] - value).abs();
            judged.log_lik.len() == self.joint.n_batches
                && judged.is_sound(batch)
                && apart() <= APART * judged.mc_error[batch] + OUTSIDE
        })
    }

    /// The Gaussians of the last rules, batch by batch.
    fn around(&self, refined: &Refined) -> BatchPosteriors {
        let d = refined.places.dim;
        let batches = Batches::new(self.joint);
        let batch = |b: usize| {
            let i = batches.coordinates[b].first().map_or(0, |c| c.level);
            let factor = refined.places.factor(i);
            let lower =
                nalgebra::DMatrix::from_fn(
                    d,
                    d,
                    |i, j| {
                        if j <= i {
                            factor[at(i, j)]
                        } else {
                            0.0
                        }
                    },
                );
            BatchGaussian {
                mean: refined.places.center(i).to_vec(),
                chol: factor_of_inverse(&lower * lower.transpose()),
            }
        };
        (0..batches.len()).map(batch).collect()
    }

    fn by_batch(&self) -> Result<Marginal> {
        let mut found = Marginal::of(laplace(self.joint, self.theta, Some(self.modes))?);
        if Batches::new(self.joint).max_dim() > MOST_EFFECTS {
            return Ok(found);
        }
        let draws = if self.is_dynamic() {
            DRAWS_OF_SOLUTIONS
        } else {
            DRAWS
        };
        let sampling = self.sampling(draws);
        let posterior = sampling.moved(&around(self.joint, self.theta, self.modes)?)?;
        let drawn = sampling.run(&posterior)?;
        for b in 0..found.subjects.len() {
            let apart = (drawn.log_lik[b] - found.subjects[b]).abs();
            // Laplace's approximation is exact for linear models; draws are not.
            found.errors[b] = drawn.mc_error[b];
            if !drawn.is_sound(b) || apart > 3.0 * drawn.mc_error[b] {
                found.errors[b] = f64::NAN;
                found.weigh(b, b, &drawn, true);
            }
        }
        found.draws = drawn.draws;
        Ok(found)
    }
}
