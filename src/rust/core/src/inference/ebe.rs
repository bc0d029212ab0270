//! Find the final empirical Bayes modes of the random effects.
//!
//! Every level is climbed from the mean of its effects. Where that ends at a slope above the tolerance, or below what
//! the conditional mean reaches, other starts are tried: `multistart`.

use serde::{Deserialize, Serialize};

use super::classes::ends_in_classes;
use super::climb::{Climber, Starts};
use super::joint::{joint_modes, joint_slopes};
use super::multistart::{is_lost, BestEnds, MultiStart, StartPlan};
use crate::error::{Error, ErrorClass, Result};
use crate::parallel::Workers;
use crate::problem::{EffectValues, Joint, Means, Prior};

/// How a mode is searched from one start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EbeOptimizer {
    /// Damped Gauss-Newton, then Newton, all levels in lanes.
    #[default]
    Newton,
    Lbfgs,
    NelderMead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StartDesign {
    /// Latin hypercube.
    #[default]
    Lhs,
    Random,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EbeOptions {
    pub ebe_optimizer: EbeOptimizer,
    pub ebe_maxiters: usize,
    /// Largest element of the gradient in `phi` at a mode; 0 tries other starts for every level.
    pub ebe_grad_tol: f64,
    /// Starts of a round, how many of the best are followed, rounds.
    pub ebe_multistart_n: usize,
    pub ebe_multistart_k: usize,
    pub ebe_multistart_max_rounds: usize,
    pub ebe_multistart_sampling: StartDesign,
    pub ebe_rescue_on_high_grad: bool,
    pub ebe_rescue_multistart_n: usize,
    pub ebe_rescue_multistart_k: usize,
    pub ebe_rescue_max_rounds: usize,
    pub ebe_rescue_grad_tol: f64,
    pub ebe_rescue_multistart_sampling: StartDesign,
    /// Whether the fit holds the modes; else they are computed when asked for.
    pub store_eb_modes: bool,
}

impl Default for EbeOptions {
    fn default() -> Self {
        Self {
            ebe_optimizer: EbeOptimizer::Newton,
            ebe_maxiters: 200,
            ebe_grad_tol: 1e-4,
            ebe_multistart_n: 50,
            ebe_multistart_k: 10,
            ebe_multistart_max_rounds: 5,
            ebe_multistart_sampling: StartDesign::Lhs,
            ebe_rescue_on_high_grad: true,
            ebe_rescue_multistart_n: 128,
            ebe_rescue_multistart_k: 32,
            ebe_rescue_max_rounds: 8,
            ebe_rescue_grad_tol: 1e-4,
            ebe_rescue_multistart_sampling: StartDesign::Lhs,
            store_eb_modes: true,
        }
    }
}

/// How the modes of a fit are searched.
#[derive(Clone, Copy)]
pub struct EbeSearch<'a> {
    pub workers: &'a Workers,
    pub options: &'a EbeOptions,
    pub seed: u64,
    /// Effects of the model that stay at their means.
    pub pinned: &'a [usize],
    /// Another `phi` to start from where it lies higher, such as the conditional mean.
    pub candidate: Option<&'a EffectValues>,
}

/// Modes of all groupings, and how they were found: one entry a level of each grouping.
#[derive(Debug, Clone)]
pub struct EbModes {
    pub points: EffectValues,
    pub converged: Vec<Vec<bool>>,
    /// Largest element of the gradient of the log density in `phi`.
    pub slopes: Vec<Vec<f64>>,
    /// Rounds of other starts.
    pub rounds: Vec<Vec<u32>>,
}

impl EbModes {
    /// These points, none of them found.
    pub fn none(joint: &Joint, points: EffectValues) -> Self {
        let levels = joint.parts.iter().map(|part| part.n_subjects());
        Self {
            points,
            converged: levels.clone().map(|n| vec![false; n]).collect(),
            slopes: levels.clone().map(|n| vec![f64::NAN; n]).collect(),
            rounds: levels.map(|n| vec![0; n]).collect(),
        }
    }
}

impl EbeOptions {
    /// One climb and no more.
    pub fn once() -> Self {
        Self {
            ebe_multistart_max_rounds: 0,
            ebe_rescue_on_high_grad: false,
            ..Self::default()
        }
    }

    fn first_plan(&self) -> StartPlan {
        StartPlan {
            n: self.ebe_multistart_n,
            k: self.ebe_multistart_k,
            rounds: self.ebe_multistart_max_rounds,
            tol: self.ebe_grad_tol,
            sampling: self.ebe_multistart_sampling,
            first: 0,
        }
    }

    fn rescue_plan(&self) -> StartPlan {
        StartPlan {
            n: self.ebe_rescue_multistart_n,
            k: self.ebe_rescue_multistart_k,
            rounds: self.ebe_rescue_max_rounds,
            tol: self.ebe_rescue_grad_tol,
            sampling: self.ebe_rescue_multistart_sampling,
            first: RESCUE,
        }
    }

    /// Slope above which a mode counts as lost in the end.
    fn last_tol(&self) -> f64 {
        if self.ebe_rescue_on_high_grad {
            self.ebe_rescue_grad_tol
        } else {
            self.ebe_grad_tol
        }
    }
}

/// Number of the first round of a rescue: its random numbers are its own.
const RESCUE: u32 = 1 << 16;

/// Modes of all random effects at `theta`.
///
/// Starts other than the means are tried in models with one grouping. With several the groupings take turns from their
/// means.
///
/// # Errors
/// A population distribution that does not exist; another optimizer than Newton's with several groupings.
pub fn final_modes(joint: &Joint, theta: &[f64], search: &EbeSearch) -> Result<EbModes> {
    let pinned = (!search.pinned.is_empty()).then(|| joint.pinned(search.pinned, theta));
    let joint = pinned.as_ref().unwrap_or(joint);
    if joint.parts.len() > 1 {
        several_groupings(joint, theta, search.options)
    } else {
        one_grouping(joint, theta, search, true)
    }
}

/// The same for one grouping; `open`: where there are classes, from the modes in each of them as well.
pub fn one_grouping(
    joint: &Joint,
    theta: &[f64],
    search: &EbeSearch,
    open: bool,
) -> Result<EbModes> {
    let (problem, options) = (joint.main(), search.options);
    let prior = Prior::new(problem, theta)?;
    let layout = problem.layout(1);
    let means = Means::new(problem, &layout, theta);
    let climber = Climber {
        problem,
        theta,
        prior: &prior,
        options,
        workers: search.workers,
    };
    let starts = Starts::one((0..problem.n_subjects()).collect(), means.values.clone());
    let mut found = BestEnds::new(climber.climb(&starts, options.ebe_grad_tol));
    let search_of = MultiStart {
        climber,
        means: &means,
        layout: &layout,
        seed: search.seed,
    };
    if let Some(candidate) = search.candidate {
        search_of.try_candidate(&mut found, &candidate.values[0], options.ebe_grad_tol);
    }
    if open {
        for ends in ends_in_classes(&climber, joint, &means, options.ebe_grad_tol) {
            let phi: Vec<f64> = ends.into_iter().flat_map(|end| end.phi).collect();
            search_of.try_candidate(&mut found, &phi, options.ebe_grad_tol);
        }
    }
    search_of.run(&mut found, options.first_plan());
    if options.ebe_rescue_on_high_grad {
        search_of.run(&mut found, options.rescue_plan());
    }
    let ends = &found.ends;
    let phi = ends.iter().flat_map(|end| end.phi.clone()).collect();
    let tol = options.last_tol();
    Ok(EbModes {
        points: joint.points(vec![phi]),
        converged: vec![ends.iter().map(|end| !is_lost(end, tol)).collect()],
        slopes: vec![ends.iter().map(|end| end.slope).collect()],
        rounds: vec![found.rounds],
    })
}

impl EbeOptions {
    /// # Errors
    /// A search that needs random effects of one grouping.
    pub fn check(&self, joint: &Joint) -> Result<()> {
        if joint.parts.len() == 1 || self.ebe_optimizer == EbeOptimizer::Newton {
            return Ok(());
        }
        Err(Error::new(
            ErrorClass::Option,
            "one_grouping_only",
            "With random effects of several groupings the modes are found by Newton's method only.",
        )
        .hint("Use ebe_optimizer = \"newton\"."))
    }
}

fn several_groupings(joint: &Joint, theta: &[f64], options: &EbeOptions) -> Result<EbModes> {
    options.check(joint)?;
    let modes = joint_modes(joint, theta)?;
    let slopes = joint_slopes(joint, theta, &modes.points)?;
    let tol = options.last_tol();
    let converged = modes.converged.iter().zip(&slopes);
    let converged = converged.map(|(flags, slopes)| {
        let levels = flags.iter().zip(slopes);
        levels.map(|(flag, slope)| *flag || *slope <= tol).collect()
    });
    Ok(EbModes {
        converged: converged.collect(),
        rounds: slopes.iter().map(|levels| vec![0; levels.len()]).collect(),
        points: modes.points,
        slopes,
    })
}
