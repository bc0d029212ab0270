//! Learn the inverse curvature of every lane from its steps: BFGS, from a first guess.
//!
//! `H <- (I - r s y') H (I - r y s') + r s s'`, `r = 1 / (s' y)`, with the step `s` and the fall `y` of the gradient. One
//! gradient a step tells what second derivatives would take two for every effect to say. Source: Nocedal & Wright (2006),
//! equation 6.17.

use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::{at, solve_lower, solve_upper};
use crate::ir::vmath::Isa;

/// Part of the product of the lengths of `s` and `y` below which a step teaches nothing.
const FLAT: f64 = 1e-10;

/// The inverse curvature, lower triangle by rows, one column an element.
pub struct LaneMetric {
    inverse: Vec<Column>,
}

impl LaneMetric {
    /// From the Cholesky factor of a first guess at the curvature.
    pub fn new(isa: Isa, factor: &[Column], d: usize) -> Self {
        let mut inverse = vec![Column::ZERO; d * (d + 1) / 2];
        for j in 0..d {
            let mut unit = vec![Column::ZERO; d];
            unit[j] = Column::splat(1.0);
            solve_lower(isa, factor, &mut unit);
            solve_upper(isa, factor, &mut unit);
            for i in j..d {
                inverse[at(i, j)] = unit[i];
            }
        }
        Self { inverse }
    }

    /// `H g` of every lane.
    pub fn times(&self, gradient: &[Column]) -> Vec<Column> {
        let d = gradient.len();
        let mut product = vec![Column::ZERO; d];
        for i in 0..d {
            for j in 0..=i {
                let element = &self.inverse[at(i, j)].0;
                for l in 0..LANES {
                    product[i].0[l] += element[l] * gradient[j].0[l];
                }
                if i != j {
                    for l in 0..LANES {
                        product[j].0[l] += element[l] * gradient[i].0[l];
                    }
                }
            }
        }
        product
    }

    /// Learn steps and the falls of the gradients along them; lanes whose curvature is not positive stay as they are.
    pub fn learn(&mut self, steps: &[Column], falls: &[Column]) {
        let d = steps.len();
        let ahead = self.times(falls);
        let dot = |a: &[Column], b: &[Column], l: usize| -> f64 {
            a.iter().zip(b).map(|(a, b)| a.0[l] * b.0[l]).sum()
        };
        let (mut rate, mut stretch) = (Column::ZERO, Column::ZERO);
        for l in 0..LANES {
            let along = dot(steps, falls, l);
            let size = (dot(steps, steps, l) * dot(falls, falls, l)).sqrt();
            if along > FLAT * size {
                rate.0[l] = 1.0 / along;
                stretch.0[l] = 1.0 + dot(falls, &ahead, l) / along;
            }
        }
        for i in 0..d {
            for j in 0..=i {
                let element = &mut self.inverse[at(i, j)].0;
                for l in 0..LANES {
                    let both = steps[i].0[l] * steps[j].0[l];
                    let mixed = ahead[i].0[l] * steps[j].0[l] + steps[i].0[l] * ahead[j].0[l];
                    element[l] += rate.0[l] * (stretch.0[l] * both - mixed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steepest line searches on `x' C x / 2` end at its minimum once every direction is learned.
    #[test]
    fn a_quadratic_function_is_learned_in_as_many_steps_as_it_has_dimensions() {
        let curvature = [[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 9.0]];
        let unit: Vec<Column> = (0..6)
            .map(|k| Column::splat(f64::from(u8::from([0, 2, 5].contains(&k)))))
            .collect();
        let mut metric = LaneMetric::new(Isa::detect(), &unit, 3);
        let slope = |x: &[f64]| -> Vec<f64> {
            let row = |i: usize| -(0..3).map(|j| curvature[i][j] * x[j]).sum::<f64>();
            (0..3).map(row).collect()
        };
        let columns = |x: &[f64]| -> Vec<Column> { x.iter().map(|x| Column::splat(*x)).collect() };
        let mut x = vec![1.0, -2.0, 0.5];
        for _ in 0..3 {
            let g = slope(&x);
            let p: Vec<f64> = metric.times(&columns(&g)).iter().map(|p| p.0[7]).collect();
            let bent: Vec<f64> = slope(&p).iter().map(|b| -b).collect();
            let length = g.iter().zip(&p).map(|(g, p)| g * p).sum::<f64>()
                / p.iter().zip(&bent).map(|(p, b)| p * b).sum::<f64>();
            let new: Vec<f64> = x.iter().zip(&p).map(|(x, p)| x + length * p).collect();
            let s: Vec<f64> = p.iter().map(|p| length * p).collect();
            let y: Vec<f64> = g.iter().zip(slope(&new)).map(|(g, new)| g - new).collect();
            metric.learn(&columns(&s), &columns(&y));
            x = new;
        }
        assert!(x.iter().all(|x| x.abs() < 1e-12), "{x:?}");
    }
}
