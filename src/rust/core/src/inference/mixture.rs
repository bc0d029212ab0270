//! Draw from mixtures of t distributions, and fit them to weighted draws.
//!
//! All components have 5 degrees of freedom. A mixture is fitted by EM under the weights `w`, with
//! `rho_k(x) = alpha_k t_k(x) / sum_j alpha_j t_j(x)` and `gamma_k(x) = (5 + d) / (5 + delta_k(x))`, `delta_k` the
//! squared distance: `alpha_k = sum w rho_k`, `mu_k` and `Sigma_k` the moments of the draws under `w rho_k gamma_k`, the
//! second divided by `sum w rho_k`. Source: Cappe, Douc, Guillin, Marin & Robert (2008), Adaptive importance sampling in
//! general mixture classes.

use nalgebra::DMatrix;

use super::points::LatticePoints;
use super::posterior::BatchGaussian;
use super::student::{root_of_chi_square, StudentDensity, DF};
use crate::ir::symmetric::at;
use crate::ir::vmath::{map_plain, pnorm, Function, Isa};

/// A t distribution and its share of the draws.
#[derive(Debug, Clone)]
pub struct StudentComponent {
    pub share: f64,
    pub place: BatchGaussian,
}

/// A mixture over the effects of a batch.
#[derive(Debug, Clone)]
pub struct StudentMixture {
    pub components: Vec<StudentComponent>,
}

/// Rounds of EM, and the smallest share that is kept.
const ROUNDS: usize = 8;
const SMALLEST: f64 = 0.02;

/// Part of the covariance of all draws that is added to that of a component.
const FLOOR: f64 = 1e-4;

/// Most components that are fitted.
const MOST: usize = 4;

impl StudentMixture {
    /// `n` draws of each lattice, row-major, and their log densities.
    pub fn draw(&self, lattices: &[LatticePoints], batch: usize) -> (Vec<f64>, Vec<f64>) {
        let d = self.dim();
        let mut draws = Vec::new();
        for lattice in lattices {
            // One number for the component, one for the distance, the others for the direction.
            for row in lattice.normals(batch, d + 2).chunks_exact(d + 2) {
                let place = self.chosen(pnorm::<false>(row[d + 1]));
                let stretch = DF.sqrt() / root_of_chi_square(row[0]);
                let z: Vec<f64> = row[1..=d].iter().map(|z| z * stretch).collect();
                let first = draws.len();
                draws.resize(first + d, 0.0);
                place.place(&z, &mut draws[first..]);
            }
        }
        let logs = self.log_densities(&draws);
        (draws, logs)
    }

    fn dim(&self) -> usize {
        self.components.first().map_or(0, |c| c.place.dim())
    }

    /// The component at a quantile of the shares.
    fn chosen(&self, u: f64) -> &BatchGaussian {
        let mut below = 0.0;
        let inside = self.components.iter().find(|c| {
            below += c.share;
            u < below
        });
        let last = self.components.len() - 1;
        &inside.unwrap_or(&self.components[last]).place
    }

    /// Log densities of draws, `n x d`, row-major.
    pub fn log_densities(&self, draws: &[f64]) -> Vec<f64> {
        log_sums(&mut self.terms(draws).0)
    }

    /// `ln(share t(x))` of each draw, and its squared distance: a row a component.
    fn terms(&self, draws: &[f64]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let density = StudentDensity::new(self.dim());
        let row = |c: &StudentComponent| {
            let squares = c.place.squares(draws);
            let base = c.share.ln() - c.place.log_det();
            let logs = density.logs(&squares).into_iter().map(|log| base + log);
            (logs.collect::<Vec<f64>>(), squares)
        };
        self.components.iter().map(row).unzip()
    }

    /// A mixture for draws (`n x d`, row-major) with weights that add up to one; `None` where they span no volume.
    pub fn fitted(draws: &[f64], weights: &[f64], d: usize) -> Option<Self> {
        let all = moments(draws, weights, d);
        let whole = gaussian(&all, 1.0)?;
        let seeds = seeds(draws, weights, &whole);
        let share = 1.0 / seeds.len() as f64;
        let scale = share.powf(1.0 / d as f64);
        let component = |seed: Vec<f64>| StudentComponent {
            share,
            place: BatchGaussian {
                mean: seed,
                chol: whole.chol.iter().map(|x| x * scale).collect(),
            },
        };
        let mut mixture = Self {
            components: seeds.into_iter().map(component).collect(),
        };
        for _ in 0..ROUNDS {
            mixture.step(draws, weights, &all.1);
        }
        Some(mixture)
    }

    /// One step of EM; `whole`: covariance of all draws. A component with too little to stand on is left out.
    fn step(&mut self, draws: &[f64], weights: &[f64], whole: &DMatrix<f64>) {
        let d = self.dim();
        let (mut terms, squares) = self.terms(draws);
        log_sums(&mut terms);
        let mut next = Vec::new();
        for (parts, squares) in terms.iter().zip(&squares) {
            // A draw without weight may be anywhere.
            let part =
                |(part, weight): (&f64, &f64)| if *weight > 0.0 { weight * part } else { 0.0 };
            let shares: Vec<f64> = parts.iter().zip(weights).map(part).collect();
            let pull = |(share, square): (&f64, &f64)| share * (DF + d as f64) / (DF + square);
            let pulls: Vec<f64> = shares.iter().zip(squares).map(pull).collect();
            let share: f64 = shares.iter().sum();
            let together: f64 = shares.iter().map(|w| w * w).sum();
            if share < SMALLEST || share * share < together * 2.0 * (d as f64 + 1.0) {
                continue;
            }
            let pull: f64 = pulls.iter().sum();
            let own: Vec<f64> = pulls.iter().map(|w| w / pull).collect();
            let (mean, covariance) = moments(draws, &own, d);
            let covariance = covariance * (pull / share) + whole * FLOOR;
            if let Some(place) = gaussian(&(mean, covariance), 1.0) {
                next.push(StudentComponent { share, place });
            }
        }
        let total: f64 = next.iter().map(|c| c.share).sum();
        if total > 0.0 {
            next.iter_mut().for_each(|c| c.share /= total);
            self.components = next;
        }
    }
}

/// Where components start: the draw of most weight, then those that are far from all before and weigh something.
fn seeds(draws: &[f64], weights: &[f64], whole: &BatchGaussian) -> Vec<Vec<f64>> {
    let d = whole.dim();
    let rows: Vec<&[f64]> = draws.chunks_exact(d).collect();
    let most = |score: &dyn Fn(usize) -> f64| {
        (0..rows.len()).fold(0, |best, c| if score(c) > score(best) { c } else { best })
    };
    let first = most(&|c| weights[c]);
    let mut found = vec![rows[first].to_vec()];
    let mut far = vec![f64::INFINITY; rows.len()];
    while found.len() < MOST.min(rows.len()) {
        let last = BatchGaussian {
            mean: found[found.len() - 1].clone(),
            chol: whole.chol.clone(),
        };
        for (far, square) in far.iter_mut().zip(last.squares(draws)) {
            *far = far.min(square);
        }
        let next = most(&|c| weights[c] * far[c]);
        if weights[next] * far[next] <= 0.0 {
            break;
        }
        found.push(rows[next].to_vec());
    }
    found
}

/// Mean and covariance.
pub fn moments(draws: &[f64], weights: &[f64], d: usize) -> (Vec<f64>, DMatrix<f64>) {
    let mut mean = vec![0.0; d];
    let rows = || {
        draws
            .chunks_exact(d)
            .zip(weights)
            .filter(|(_, w)| **w > 0.0)
    };
    for (x, weight) in rows() {
        mean.iter_mut().zip(x).for_each(|(m, x)| *m += weight * x);
    }
    let mut covariance = DMatrix::zeros(d, d);
    for (x, weight) in rows() {
        for i in 0..d {
            for j in 0..=i {
                let product = weight * (x[i] - mean[i]) * (x[j] - mean[j]);
                covariance[(i, j)] += product;
                if i != j {
                    covariance[(j, i)] += product;
                }
            }
        }
    }
    (mean, covariance)
}

/// The Gaussian with these moments, its standard deviations times `stretch`; `None` where the covariance is not definite.
pub fn gaussian(moments: &(Vec<f64>, DMatrix<f64>), stretch: f64) -> Option<BatchGaussian> {
    let d = moments.0.len();
    let factor = moments.1.clone().cholesky()?.l();
    let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
    let chol: Vec<f64> = pairs.map(|place| stretch * factor[place]).collect();
    let sound = chol.iter().chain(&moments.0).all(|x| x.is_finite());
    let positive = (0..d).all(|i| chol[at(i, i)] > 0.0);
    (sound && positive).then(|| BatchGaussian {
        mean: moments.0.clone(),
        chol,
    })
}

/// Logarithms of the sums of exponentials over the rows, column by column; a row then holds its part of each sum.
fn log_sums(rows: &mut [Vec<f64>]) -> Vec<f64> {
    let isa = Isa::detect();
    let mut largest = rows
        .first()
        .map_or(Vec::new(), |first| vec![f64::NEG_INFINITY; first.len()]);
    for row in rows.iter() {
        largest
            .iter_mut()
            .zip(row)
            .for_each(|(l, x)| *l = l.max(*x));
    }
    let mut sums = vec![0.0; largest.len()];
    for row in rows.iter_mut() {
        let below: Vec<f64> = row
            .iter()
            .zip(&largest)
            .map(|(x, l)| if l.is_finite() { x - l } else { *l })
            .collect();
        map_plain(isa, Function::Exp, &below, row);
        sums.iter_mut()
            .zip(row.iter())
            .for_each(|(sum, x)| *sum += x);
    }
    for row in rows.iter_mut() {
        row.iter_mut().zip(&sums).for_each(|(x, sum)| *x /= sum);
    }
    let mut logs = vec![0.0; sums.len()];
    map_plain(isa, Function::Ln, &sums, &mut logs);
    logs.iter_mut()
        .zip(&largest)
        .for_each(|(log, l)| *log = if l.is_finite() { *log + l } else { *l });
    logs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::points::PointSource;
    use crate::random::{Purpose, Stream};

    fn lattices(n: usize) -> Vec<LatticePoints> {
        let source = PointSource {
            stream: Stream {
                seed: 3,
                purpose: Purpose::Importance,
            },
            replicate: 0,
        };
        vec![LatticePoints::new(source, n, 3)]
    }

    fn round(share: f64, mean: [f64; 2], sd: f64) -> StudentComponent {
        StudentComponent {
            share,
            place: BatchGaussian {
                mean: mean.to_vec(),
                chol: vec![sd, 0.0, sd],
            },
        }
    }

    fn log_normal(x: &[f64], mean: [f64; 2], sd: f64) -> f64 {
        let square: f64 = x.iter().zip(mean).map(|(x, m)| (x - m).powi(2)).sum();
        -0.5 * square / (sd * sd) - 2.0 * sd.ln() - (2.0 * std::f64::consts::PI).ln()
    }

    /// Draws of a wide mixture, weighted by two narrow peaks of unequal mass.
    fn peaks() -> (Vec<f64>, Vec<f64>) {
        let wide = StudentMixture {
            components: vec![round(0.5, [0.0, 0.0], 2.0), round(0.5, [1.0, 0.0], 1.0)],
        };
        let (draws, logs) = wide.draw(&lattices(4096), 0);
        let weight = |(x, log): (&[f64], &f64)| {
            let one = (0.7f64).ln() + log_normal(x, [-2.0, 1.0], 0.2) - log;
            let two = (0.3f64).ln() + log_normal(x, [2.0, -1.0], 0.3) - log;
            one.exp() + two.exp()
        };
        let weights = draws.chunks_exact(2).zip(&logs).map(weight).collect();
        (draws, weights)
    }

    #[test]
    fn the_density_is_that_of_the_draws() {
        let (_, weights) = peaks();
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
    }

    #[test]
    fn two_peaks_are_found_with_their_mass() {
        let (draws, weights) = peaks();
        let total: f64 = weights.iter().sum();
        let weights: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let found = StudentMixture::fitted(&draws, &weights, 2).unwrap();
        let near = |mean: [f64; 2]| -> f64 {
            let close = |c: &&StudentComponent| {
                let distance = c.place.mean.iter().zip(mean).map(|(a, b)| (a - b).powi(2));
                distance.sum::<f64>() < 0.25
            };
            let own = found.components.iter().filter(close);
            own.map(|c| c.share).sum()
        };
        let (one, two) = (near([-2.0, 1.0]), near([2.0, -1.0]));
        assert!(
            (one - 0.7).abs() < 0.05 && (two - 0.3).abs() < 0.05,
            "{one} {two}"
        );
    }

    #[test]
    fn draws_in_a_plane_have_no_mixture() {
        let draws = [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0];
        assert!(StudentMixture::fitted(&draws, &[0.25; 4], 2).is_none());
    }
}
