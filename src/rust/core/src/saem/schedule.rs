//! Give the gain of each iteration.
//!
//! `gain = 1` while exploring; then `1/k` at iteration `k` of the smoothing (Kuhn & Lavielle 2005).

use super::options::SaemOptions;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Exploration,
    Smoothing,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Exploration => "exploration",
            Self::Smoothing => "smoothing",
        }
    }
}

/// The plan of a run.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    exploration: usize,
    smoothing: usize,
}

impl Schedule {
    pub fn new(options: &SaemOptions) -> Self {
        Self {
            exploration: options.exploration,
            smoothing: options.smoothing,
        }
    }

    pub fn total(&self) -> usize {
        self.exploration + self.smoothing
    }

    /// Phase and gain of iteration `k`, counted from one.
    pub fn at(&self, k: usize) -> (Phase, f64) {
        if k <= self.exploration {
            (Phase::Exploration, 1.0)
        } else {
            (Phase::Smoothing, 1.0 / (k - self.exploration) as f64)
        }
    }

    /// Gain of the preconditioned smoothing at iteration `k`: `1/(k + 5)`, which keeps the first steps inside the
    /// neighborhood where the information is right.
    pub fn preconditioned(&self, k: usize) -> f64 {
        1.0 / (k.saturating_sub(self.exploration) + 5) as f64
    }

    /// Whether the scores of the draws are kept: near the end of the exploration and after it.
    pub fn keeps_scores(&self, k: usize) -> bool {
        k + (self.exploration / 3).min(100) > self.exploration
    }

    /// Whether variances are annealed in iteration `k`: the first half of the exploration.
    pub fn anneals(&self, k: usize) -> bool {
        2 * k <= self.exploration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_is_one_then_one_over_k() {
        let options = SaemOptions {
            exploration: 3,
            smoothing: 4,
            ..SaemOptions::default()
        };
        let schedule = Schedule::new(&options);
        let gains: Vec<f64> = (1..=7).map(|k| schedule.at(k).1).collect();
        assert_eq!(gains, [1.0, 1.0, 1.0, 1.0, 0.5, 1.0 / 3.0, 0.25]);
    }
}
