//! Every Markov kernel leaves the conditional distribution of `phi` invariant: chains that start there stay there.
//!
//! Thousands of chains start from exact draws and are moved by one kernel. The means and covariances of all draws are
//! compared with the exact ones in units of their Monte-Carlo error, which is that of the means of the chains.

use crate::common::data::{Data, Generator};
use crate::common::problem;
use nalgebra::{DMatrix, DVector};
use nlmers_core::data::Layout;
use nlmers_core::inference::modes::{ModeOptions, Modes};
use nlmers_core::ir::column::Column;
use nlmers_core::ir::vmath::Isa;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::{BoundProgram, Evaluator, Means, Prior, Problem};
use nlmers_core::random::{Purpose, Stream};
use nlmers_core::samplers::{
    BlockWalk, Context, Independence, Kernel, LaneDraws, LanePosterior, PriorKernel, RandomWalk,
};

const CHAINS: usize = 2048;
const SWEEPS: u32 = 50;
const _: () = assert!(2 * CHAINS * SWEEPS as usize >= 200_000);
/// 25 comparisons or so, each with this bound: a false alarm once in tens of thousands of seeds.
const LIMIT: f64 = 4.5;

type Draw = dyn Fn(&mut Generator) -> DVector<f64>;

/// Exact draws and moments of the conditional distribution of one subject.
struct Exact {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
    draw: Box<Draw>,
}

/// `N((P + X'X/s2)^-1 (P m + X'y/s2), (P + X'X/s2)^-1)`
fn gaussian(omega: &DMatrix<f64>, mean: &[f64], x: &DMatrix<f64>, y: &[f64], sd: f64) -> Exact {
    let precision = omega.clone().try_inverse().unwrap();
    let weight = 1.0 / (sd * sd);
    let right = &precision * DVector::from_column_slice(mean)
        + x.transpose() * DVector::from_column_slice(y) * weight;
    let covariance = (precision + x.transpose() * x * weight)
        .try_inverse()
        .unwrap();
    let factor = covariance.clone().cholesky().unwrap().l();
    let mean = &covariance * right;
    let center = mean.clone();
    Exact {
        mean,
        covariance,
        draw: Box::new(move |draw| {
            &center + &factor * DVector::from_fn(center.len(), |_, _| draw.normal())
        }),
    }
}

/// A density on a line, tabulated.
fn tabulated(low: f64, high: f64, log_density: impl Fn(f64) -> f64) -> Exact {
    let n = 200_000;
    let h = (high - low) / f64::from(n);
    let at: Vec<f64> = (0..=n).map(|k| low + h * f64::from(k)).collect();
    let top = at
        .iter()
        .map(|x| log_density(*x))
        .fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = at.iter().map(|x| (log_density(*x) - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    let moment = |f: &dyn Fn(f64) -> f64| {
        at.iter().zip(&weights).map(|(x, w)| w * f(*x)).sum::<f64>() / total
    };
    let mean = moment(&|x| x);
    let variance = moment(&|x| (x - mean) * (x - mean));
    let mut sum = 0.0;
    let cumulative: Vec<f64> = weights
        .iter()
        .map(|w| {
            sum += w / total;
            sum
        })
        .collect();
    Exact {
        mean: DVector::from_element(1, mean),
        covariance: DMatrix::from_element(1, 1, variance),
        draw: Box::new(move |draw| {
            let u = draw.uniform();
            let k = cumulative.partition_point(|c| *c < u);
            DVector::from_element(1, at[k.min(at.len() - 1)])
        }),
    }
}

/// A problem with the exact conditional distribution of each of its two subjects.
struct Target {
    problem: Problem,
    exact: Vec<Exact>,
}

fn line() -> Target {
    let data = Data::new(2, |i| 2 + i).with("y", |row, _| 1.0 + 0.7 * row as f64);
    let text = "
        fixed m = 0.5
        fixed o = positive(1.3)
        random e ~ normal(m, o) | id
        y ~ normal(e, 1.1)";
    let omega = DMatrix::from_element(1, 1, 1.3 * 1.3);
    let exact = |i: usize| {
        let y: Vec<f64> = data
            .rows_of(i)
            .iter()
            .map(|r| data.column("y")[*r])
            .collect();
        gaussian(
            &omega,
            &[0.5],
            &DMatrix::from_element(y.len(), 1, 1.0),
            &y,
            1.1,
        )
    };
    Target {
        exact: vec![exact(0), exact(1)],
        problem: problem(text, &data),
    }
}

fn plane() -> Target {
    let data = Data::new(2, |i| 3 + i)
        .with("x", |row, _| (row as f64).sin())
        .with("z", |row, _| (1.7 * row as f64).cos())
        .with("y", |row, _| 0.5 * row as f64 - 1.0);
    let text = "
        fixed m = real(0.2, -0.4, 0.6)
        fixed w = covariance_matrix(1, 0.5, -0.3, 0.5, 0.8, 0.1, -0.3, 0.1, 0.6)
        random e ~ mvnormal(m, w) | id
        y ~ normal(e[1] + x * e[2] + z * e[3], 0.5)";
    let omega = [1.0, 0.5, -0.3, 0.5, 0.8, 0.1, -0.3, 0.1, 0.6];
    let omega = DMatrix::from_row_slice(3, 3, &omega);
    let exact = |i: usize| {
        let rows = data.rows_of(i);
        let x = DMatrix::from_fn(rows.len(), 3, |j, k| match k {
            0 => 1.0,
            1 => data.column("x")[rows[j]],
            _ => data.column("z")[rows[j]],
        });
        let y: Vec<f64> = rows.iter().map(|r| data.column("y")[*r]).collect();
        gaussian(&omega, &[0.2, -0.4, 0.6], &x, &y, 0.5)
    };
    Target {
        exact: vec![exact(0), exact(1)],
        problem: problem(text, &data),
    }
}

/// Counts of a rate that depends on the effect in a way far from linear.
fn counts() -> Target {
    let data = Data::new(2, |_| 2).with("y", |row, _| [0.0, 1.0, 4.0, 2.0][row]);
    let text = "
        fixed m = 0.3
        fixed o = positive(1.2)
        random e ~ normal(m, o) | id
        y ~ poisson(exp(e) + e^2)";
    let exact = |y: [f64; 2]| {
        tabulated(-9.0, 9.0, move |e| {
            let rate = e.exp() + e * e;
            (y[0] + y[1]) * rate.ln() - 2.0 * rate - 0.5 * ((e - 0.3) / 1.2).powi(2)
        })
    };
    Target {
        exact: vec![exact([0.0, 1.0]), exact([4.0, 2.0])],
        problem: problem(text, &data),
    }
}

/// Laplace posteriors moved and widened, so that a proposal is never the target itself.
fn posteriors(problem: &Problem, layout: &Layout, prior: &Prior) -> Vec<LanePosterior> {
    let theta = &problem.theta.start;
    let target = Evaluator::of((problem, layout), theta, prior.clone());
    let modes = Modes::find(&target, None, ModeOptions::exact(), &Workers::single());
    let map = |columns: &[Column], f: fn(f64) -> f64| -> Vec<Column> {
        columns.iter().map(|c| Column(c.0.map(f))).collect()
    };
    let blocks = modes.phi.iter().zip(&modes.factor);
    blocks
        .map(|(phi, factor)| LanePosterior::new(map(phi, |x| x + 0.2), map(factor, |x| 0.8 * x)))
        .collect()
}

/// Largest deviation of a moment from the exact one, in standard errors; `wrong` spoils the prior that the kernel sees.
fn deviation(target: &Target, kernel: &dyn Kernel, laplace: bool, wrong: bool) -> f64 {
    let Target { problem, exact } = target;
    let theta = &problem.theta.start;
    let layout = problem.layout(CHAINS);
    let mut values = BoundProgram::new(problem, &layout, &problem.programs.likelihood);
    values.prepare(theta);
    let mut prior = Prior::new(problem, theta).unwrap();
    let means = Means::new(problem, &layout, theta);
    let posteriors = posteriors(problem, &layout, &prior);
    if wrong {
        prior = Prior::of(&prior.omega * 2.0).unwrap();
    }
    let mut draw = Generator(1);
    let mut sums = Sums::new(exact);
    for (b, posterior) in posteriors.into_iter().enumerate() {
        let mut phi = means.columns(&layout, b);
        for (l, lane) in layout.blocks[b].lanes.iter().enumerate() {
            let start = (exact[lane.subject as usize].draw)(&mut draw);
            phi.iter_mut()
                .zip(start.iter())
                .for_each(|(column, x)| column.0[l] = *x);
        }
        let mut state = LaneDraws::new(&layout, b, phi, 0);
        state.posterior = laplace.then_some(posterior);
        for iteration in 1..=SWEEPS {
            let context = Context {
                values: &values,
                slopes: None,
                prior: &prior,
                stream: Stream {
                    seed: 42,
                    purpose: Purpose::Sampler,
                },
                iteration,
                isa: Isa::detect(),
            };
            state.begin(&context, &means, &layout);
            let tally = kernel.sweep(&context, &mut state);
            assert_eq!(tally.not_finite, 0);
            sums.add(&layout, b, &state);
        }
    }
    sums.deviation()
}

/// Moments of each chain about the exact mean.
struct Sums<'a> {
    exact: &'a [Exact],
    /// `[subject][chain]`: deviations, then products.
    chains: Vec<Vec<Vec<f64>>>,
}

impl<'a> Sums<'a> {
    fn new(exact: &'a [Exact]) -> Self {
        let d = exact[0].mean.len();
        let chains = vec![vec![vec![0.0; d + d * d]; CHAINS]; exact.len()];
        Self { exact, chains }
    }

    fn add(&mut self, layout: &Layout, b: usize, state: &LaneDraws) {
        let d = state.phi.len();
        for (l, lane) in layout.blocks[b].lanes.iter().enumerate() {
            let subject = lane.subject as usize;
            let mean = &self.exact[subject].mean;
            let sums = &mut self.chains[subject][lane.copy as usize];
            for i in 0..d {
                let x = state.phi[i].0[l] - mean[i];
                sums[i] += x;
                for j in 0..d {
                    sums[d + i * d + j] += x * (state.phi[j].0[l] - mean[j]);
                }
            }
        }
    }

    fn deviation(&self) -> f64 {
        let mut worst = 0.0f64;
        for (exact, chains) in self.exact.iter().zip(&self.chains) {
            let d = exact.mean.len();
            for k in 0..d + d * d {
                let expected = match k.checked_sub(d) {
                    None => 0.0,
                    Some(k) => exact.covariance[(k / d, k % d)],
                };
                let means = chains.iter().map(|sums| sums[k] / f64::from(SWEEPS));
                let n = CHAINS as f64;
                let mean = means.clone().sum::<f64>() / n;
                let variance = means.map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
                worst = worst.max((mean - expected).abs() / (variance / n).sqrt());
            }
        }
        worst
    }
}

/// Every kernel, and whether it starts from Laplace posteriors.
fn kernels(d: usize) -> Vec<(Box<dyn Kernel>, bool)> {
    let mut list: Vec<(Box<dyn Kernel>, bool)> = vec![
        (Box::new(PriorKernel), false),
        (
            Box::new(RandomWalk {
                scale: &[1.5; 3],
                most: 3,
            }),
            false,
        ),
        (
            Box::new(RandomWalk {
                scale: &[1.5; 3],
                most: 2,
            }),
            true,
        ),
        (Box::new(Independence), true),
    ];
    if d > 1 {
        list.push((Box::new(BlockWalk { scale: &[1.2, 0.9] }), false));
        list.push((Box::new(BlockWalk { scale: &[1.2, 0.9] }), true));
    }
    list
}

fn check(target: &Target) {
    for (kernel, laplace) in kernels(target.exact[0].mean.len()) {
        let name = kernel.name();
        let deviation = deviation(target, kernel.as_ref(), laplace, false);
        assert!(
            deviation < LIMIT,
            "{name}, Laplace {laplace}: off by {deviation:.1} errors"
        );
    }
}

#[test]
fn kernels_leave_a_gaussian_line_invariant() {
    check(&line());
}

#[test]
fn kernels_leave_a_correlated_gaussian_in_three_dimensions_invariant() {
    check(&plane());
}

#[test]
fn kernels_leave_a_nonlinear_density_invariant() {
    check(&counts());
}

/// The power of the tests above: a prior of twice the variance is seen at once.
#[test]
fn a_wrong_target_is_detected() {
    for target in [line(), plane(), counts()] {
        for (kernel, laplace) in kernels(target.exact[0].mean.len()) {
            let deviation = deviation(&target, kernel.as_ref(), laplace, true);
            assert!(deviation > 2.0 * LIMIT, "{}: {deviation:.1}", kernel.name());
        }
    }
}
