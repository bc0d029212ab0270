//! Update parameters that stand alone in a distribution: from the data, or from the sum of the effects.
//!
//! The derivative of `sum_l log f(eta_l)` in an exponential scale `s` is `sum eta / s^2 - n / s`: the sum of the effects
//! is `s (s g + n)`.

use super::statistics::Smoothed;
use crate::keep::{self, Keep, Unreadable};
use crate::problem::{BareLaw, BareOutcome, Problem, Route};

/// Values that observations give: number, mean, and mean square about the mean.
#[derive(Debug, Clone, Copy)]
struct Summary {
    n: f64,
    mean: f64,
    variance: f64,
}

/// The updates of a problem.
pub struct Bare {
    outcomes: Vec<(BareOutcome, Summary)>,
    laws: Vec<(BareLaw, Smoothed)>,
}

/// Of the laws the smoothed numbers alone; the rest comes from the problem.
impl Keep for Bare {
    fn save(&self, out: &mut Vec<u8>) {
        let Self { outcomes: _, laws } = self;
        let smoothed: Vec<&Smoothed> = laws.iter().map(|(_, smoothed)| smoothed).collect();
        keep::write(&smoothed, out);
    }

    fn load(&mut self, bytes: &mut &[u8]) -> Result<(), Unreadable> {
        let saved: Vec<Smoothed> = keep::read(bytes)?;
        for ((_, smoothed), saved) in self.laws.iter_mut().zip(saved) {
            *smoothed = saved;
        }
        Ok(())
    }
}

impl Bare {
    pub fn new(problem: &Problem) -> Self {
        let outcomes = problem.form.bare_outcomes.iter();
        let laws = problem.form.bare_laws.iter();
        Self {
            outcomes: outcomes
                .map(|bare| (bare.clone(), summary(problem, bare)))
                .collect(),
            laws: laws.map(|law| (law.clone(), Smoothed::default())).collect(),
        }
    }

    /// True when the gradient of the program is read for effects of this problem.
    pub fn needs_derivatives(&self, problem: &Problem) -> bool {
        !problem.form.corrections.is_empty() && problem.theta.routes.contains(&Route::Law)
    }

    /// Move `theta`; `gradient` is that of the complete-data log density at `old`.
    pub fn update(&mut self, problem: &Problem, gradient: &[f64], gain: f64, theta: &mut [f64]) {
        let bounds = &problem.theta;
        let takes = |k: usize, route: Route| bounds.routes[k] == route;
        for (bare, data) in self.outcomes.iter().filter(|(_, data)| data.n > 0.0) {
            let location = bare.location;
            if takes(location.theta, Route::Outcome) {
                theta[location.theta] = bounds.clamp(location.theta, location.of(data.mean));
            }
            let Some(spread) = bare.spread else { continue };
            if takes(spread.theta, Route::Outcome) {
                let miss = data.mean - location.natural(theta[location.theta]);
                let sd = (data.variance + miss * miss).sqrt();
                theta[spread.theta] = bounds.clamp(spread.theta, spread.of(sd));
            }
        }
        for (law, smoothed) in &mut self.laws {
            let k = law.scale.theta;
            let gradient = gradient.get(k).copied().unwrap_or(f64::NAN);
            if !takes(k, Route::Law) || !gradient.is_finite() {
                continue;
            }
            let (scale, n) = (law.scale.natural(theta[k]), law.count as f64);
            let sum = scale * (scale * (gradient / law.scale.slope(theta[k])) + n);
            let mean = smoothed.update(sum.max(0.0), gain) / n;
            theta[k] = bounds.clamp(k, law.scale.of(mean.max(f64::EPSILON)));
        }
    }

    /// Expected information of the complete data about each coordinate that is updated here.
    pub fn information(&self, problem: &Problem, theta: &[f64]) -> Vec<(usize, f64)> {
        let mut list = Vec::new();
        for (bare, data) in &self.outcomes {
            let location = bare.location;
            let value = location.natural(theta[location.theta]);
            let sd = problem.bare_sd(bare, theta);
            let variance = bare.family.variance.map(|variance| variance(value));
            let about = 1.0 / variance.unwrap_or(sd * sd);
            let slope = location.slope(theta[location.theta]);
            list.push((location.theta, data.n * about * slope * slope));
            if let Some(spread) = bare.spread {
                let slope = spread.slope(theta[spread.theta]) / sd;
                list.push((spread.theta, 2.0 * data.n * slope * slope));
            }
        }
        for (law, _) in &self.laws {
            let k = law.scale.theta;
            let slope = law.scale.slope(theta[k]) / law.scale.natural(theta[k]);
            list.push((k, law.count as f64 * slope * slope));
        }
        let routes = &problem.theta.routes;
        list.retain(|(k, _)| matches!(routes[*k], Route::Law | Route::Outcome));
        list
    }
}

/// Summary of all observed values of the outcomes together, in the order of their rows.
fn summary(problem: &Problem, bare: &BareOutcome) -> Summary {
    let records = &problem.records;
    let columns = bare.outcomes.iter().map(|o| records.outcomes[*o]);
    let cells = columns.flat_map(|column| records.columns[column].iter());
    let values: Vec<f64> = cells
        .filter(|y| !y.is_nan())
        .map(|y| bare.value(*y))
        .collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|y| (y - mean) * (y - mean)).sum();
    Summary {
        n,
        mean,
        variance: squares / n,
    }
}
