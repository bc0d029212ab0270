//! Lay out the visits of a run, and keep what its second half says.

/// The gain falls as this power of the number of epochs: slowly enough that averages forget where they started.
const POWER: f64 = 0.6;

/// Gradients whose noise is measured in the curvature of the bound.
const MEASURED: usize = 4;

/// What a visit may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitStage {
    /// `q` alone: not all batches were heard yet.
    Listening,
    /// Closed forms as well.
    Sweep,
    /// Everything.
    Free,
}

/// The order of a run.
#[derive(Debug, Clone, Copy)]
pub struct VisitPlan {
    pub groups: usize,
    pub sweeps: usize,
    pub steps: usize,
}

impl VisitPlan {
    /// Number of visits.
    pub fn total(&self) -> usize {
        (1 + self.sweeps) * self.groups + self.steps
    }

    pub fn stage(&self, visit: usize) -> VisitStage {
        match visit / self.groups {
            0 => VisitStage::Listening,
            epoch if epoch <= self.sweeps => VisitStage::Sweep,
            _ => VisitStage::Free,
        }
    }

    /// Visits since the second half began, which is with an epoch.
    pub fn late(&self, visit: usize) -> Option<usize> {
        let half = self.steps / 2 / self.groups * self.groups;
        visit.checked_sub((1 + self.sweeps) * self.groups + half)
    }

    /// Of what is noisy.
    pub fn gain(&self, visit: usize) -> f64 {
        let epochs = self.late(visit).map_or(0, |late| late / self.groups);
        (1.0 + epochs as f64).powf(-POWER)
    }
}

/// The second half of a run.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Mean of the estimates.
    pub theta: Vec<f64>,
    pub visits: f64,
    /// Mean gradient of each epoch, and the sum and number of those of the current one.
    pub gradients: Vec<Vec<f64>>,
    open: (Vec<f64>, usize),
}

impl Window {
    pub fn add(&mut self, theta: &[f64], gradient: &[f64], groups: usize) {
        self.theta.resize(theta.len(), 0.0);
        self.visits += 1.0;
        for (mean, x) in self.theta.iter_mut().zip(theta) {
            *mean += (x - *mean) / self.visits;
        }
        let (sum, n) = &mut self.open;
        sum.resize(gradient.len(), 0.0);
        *n += 1;
        for (sum, g) in sum.iter_mut().zip(gradient) {
            *sum += g / groups as f64;
        }
        if *n == groups {
            self.gradients.push(std::mem::take(sum));
            *n = 0;
        }
    }

    /// Differences of some of the epochs' gradients from their mean.
    pub fn deviations(&self) -> Vec<Vec<f64>> {
        let n = self.gradients.len();
        let every = n.div_ceil(MEASURED).max(1);
        let mean = |i: usize| self.gradients.iter().map(|g| g[i]).sum::<f64>() / n as f64;
        let some = self.gradients.iter().step_by(every);
        some.map(|gradient| {
            gradient
                .iter()
                .enumerate()
                .map(|(i, g)| g - mean(i))
                .collect()
        })
        .collect()
    }
}
