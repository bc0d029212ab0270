//! One to three compartments with or without a depot, from the sum of exponentials that one dose leaves.

use nalgebra::{DMatrix, SymmetricEigen};

/// `sum c_i e^(-rate_i t)`: the amount in the central compartment after one unit.
#[derive(Debug, Clone)]
pub struct Response(pub Vec<(f64, f64)>);

/// A dose and those before it.
#[derive(Debug, Clone, Copy)]
pub struct Given {
    /// Of the record, and when the dose comes in.
    pub record: f64,
    pub at: f64,
    pub amount: f64,
    /// Zero for a bolus.
    pub duration: f64,
    /// Interval to infinitely many doses before.
    pub interval: Option<f64>,
}

impl Response {
    /// Elimination `k`, exchange with peripheral compartments as pairs (there, back), absorption.
    pub fn new(k: f64, exchange: &[(f64, f64)], ka: Option<f64>) -> Self {
        let n = 1 + exchange.len();
        let mut a = DMatrix::zeros(n, n);
        a[(0, 0)] = k + exchange.iter().map(|(there, _)| there).sum::<f64>();
        for (i, (there, back)) in exchange.iter().enumerate() {
            a[(i + 1, i + 1)] = *back;
            a[(0, i + 1)] = -(there * back).sqrt();
            a[(i + 1, 0)] = -(there * back).sqrt();
        }
        let rates: Vec<f64> = SymmetricEigen::new(a).eigenvalues.iter().copied().collect();
        let mut terms: Vec<(f64, f64)> = (0..n)
            .map(|i| {
                let above: f64 = exchange.iter().map(|(_, back)| back - rates[i]).product();
                let others = (0..n).filter(|j| *j != i);
                let below: f64 = others.map(|j| rates[j] - rates[i]).product();
                (above / below, rates[i])
            })
            .collect();
        if let Some(ka) = ka {
            for (c, rate) in &mut terms {
                *c *= ka / (ka - *rate);
            }
            let sum: f64 = terms.iter().map(|(c, _)| c).sum();
            terms.push((-sum, ka));
        }
        Self(terms)
    }

    pub fn after(&self, given: &Given, t: f64) -> f64 {
        self.0
            .iter()
            .map(|(c, rate)| c * one(*rate, given, t))
            .sum()
    }

    /// After an infusion since ever that ended at a time.
    pub fn after_rest(&self, flow: f64, end: f64, t: f64) -> f64 {
        let left = (t - end).max(0.0);
        self.0
            .iter()
            .map(|(c, rate)| c * flow / rate * (-rate * left).exp())
            .sum()
    }
}

/// With the response `e^(-rate t)`.
fn one(rate: f64, given: &Given, t: f64) -> f64 {
    let single = |since: f64| {
        if since < 0.0 {
            0.0
        } else if given.duration == 0.0 {
            given.amount * (-rate * since).exp()
        } else {
            let flow = given.amount / given.duration;
            let left = (since - given.duration).max(0.0);
            flow / rate * ((-rate * left).exp() - (-rate * since).exp())
        }
    };
    let mut sum = single(t - given.at);
    if let (Some(interval), true) = (given.interval, t >= given.record) {
        // One by one as long as they come in, then the geometric series.
        let mut n = 1.0;
        while t - given.at + n * interval < given.duration.max(0.0) {
            sum += single(t - given.at + n * interval);
            n += 1.0;
        }
        let last = single(t - given.at + n * interval);
        sum += last / -(-rate * interval).exp_m1();
    }
    sum
}
