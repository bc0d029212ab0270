//! Build a rank-1 lattice of any number of points, component by component.
//!
//! The points are `{k z / n}`, `k = 0..n`. Given the components before it, `z_j` is the candidate with the smallest
//! squared worst-case error `(1/n) sum_k prod_{i <= j} (1 + omega({k z_i / n}) / i^2) - 1` for periodic integrands with
//! square-integrable first derivatives in each coordinate, `omega(x) = 2 pi^2 (x^2 - x + 1/6)`. Sources: Sloan & Reztsov
//! (2002), Component-by-component construction of good lattice rules; the weights `1/i^2` are those of Cools, Kuo &
//! Nuyens (2006), Constructing embedded lattice rules for multivariate integration.

use std::f64::consts::PI;

/// Candidates for a component; with more points they are spread over all numbers that would do.
const CANDIDATES: usize = 128;

/// A lattice in the unit cube.
#[derive(Debug, Clone)]
pub struct Lattice {
    n: u64,
    /// One component a dimension.
    generator: Vec<u64>,
}

impl Lattice {
    /// `n` points in `dim` dimensions; `n` is at least 1.
    pub fn new(n: usize, dim: usize) -> Self {
        let n = n.max(1) as u64;
        let candidates = candidates(n);
        let size = n as f64;
        let omega: Vec<f64> = (0..n)
            .map(|k| {
                let x = k as f64 / size;
                2.0 * PI * PI * (x * x - x + 1.0 / 6.0)
            })
            .collect();
        // The products at k and n - k are equal, and what stands at 0 and n / 2 is the same for all candidates.
        let mut products = vec![1.0; omega.len() / 2 + 1];
        let mut generator = Vec::with_capacity(dim);
        for j in 0..dim {
            let weight = 1.0 / ((j + 1) * (j + 1)) as f64;
            let error = |z: u64| -> f64 {
                let turns = products.iter().zip(0..);
                turns.map(|(p, k)| p * weight * omega[step(k, z, n)]).sum()
            };
            let z = if j == 0 { 1 } else { best(&candidates, error) };
            for (product, k) in products.iter_mut().zip(0..) {
                *product *= 1.0 + weight * omega[step(k, z, n)];
            }
            generator.push(z);
        }
        Self { n, generator }
    }

    pub fn dim(&self) -> usize {
        self.generator.len()
    }

    /// The points in the first `shift.len()` dimensions, moved by `shift` around the unit cube: `n x dim`, row-major,
    /// all within (0, 1).
    pub fn shifted(&self, shift: &[f64]) -> Vec<f64> {
        let size = self.n as f64;
        let axes = || self.generator.iter().zip(shift);
        (0..self.n)
            .flat_map(|k| {
                axes().map(move |(z, shift)| {
                    let x = (k * z % self.n) as f64 / size + shift;
                    let inside = if x < 1.0 { x } else { x - 1.0 };
                    inside.clamp(0.25 * f64::EPSILON, 1.0 - 0.5 * f64::EPSILON)
                })
            })
            .collect()
    }
}

fn best(candidates: &[u64], error: impl Fn(u64) -> f64) -> u64 {
    let errors = candidates.iter().map(|z| (error(*z), *z));
    let best = errors.min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(1, |(_, z)| z)
}

/// `k z mod n` as a position.
fn step(k: u64, z: u64, n: u64) -> usize {
    (k * z % n) as usize
}

/// Numbers without a common divisor with `n`, up to `n / 2`: beyond, the lattices come again mirrored.
fn candidates(n: u64) -> Vec<u64> {
    let all: Vec<u64> = (1..=(n / 2).max(1)).filter(|z| gcd(*z, n) == 1).collect();
    if all.len() <= CANDIDATES {
        return all;
    }
    (0..CANDIDATES)
        .map(|i| all[(2 * i + 1) * all.len() / (2 * CANDIDATES)])
        .collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In one dimension every lattice is the regular grid, in two the gaps between neighbors are even.
    #[test]
    fn points_of_each_coordinate_are_a_regular_grid() {
        for n in [1, 2, 7, 100, 128] {
            let points = Lattice::new(n, 5).shifted(&[0.5 / n as f64; 5]);
            for j in 0..5 {
                let mut column: Vec<f64> = points.iter().skip(j).step_by(5).copied().collect();
                column.sort_by(f64::total_cmp);
                for (k, x) in column.iter().enumerate() {
                    let grid = (k as f64 + 0.5) / n as f64;
                    assert!((x - grid).abs() < 1e-12, "{n} {j}: {x} {grid}");
                }
            }
        }
    }

    /// The best lattice of 89 points in two dimensions is that of Fibonacci, `z = (1, 34)` or a mirror image of it.
    #[test]
    fn in_two_dimensions_the_choice_is_as_good_as_fibonacci() {
        let error = |z: u64| -> f64 {
            let product = |k: u64| {
                let omega = |x: f64| 2.0 * PI * PI * (x * x - x + 1.0 / 6.0);
                let at = |z: u64| (k * z % 89) as f64 / 89.0;
                (1.0 + omega(at(1))) * (1.0 + 0.25 * omega(at(z)))
            };
            (0..89).map(product).sum::<f64>() / 89.0 - 1.0
        };
        let lattice = Lattice::new(89, 2);
        assert_eq!(lattice.generator[0], 1);
        let (chosen, fibonacci) = (error(lattice.generator[1]), error(34));
        assert!(chosen <= fibonacci * (1.0 + 1e-9), "{chosen} {fibonacci}");
        assert!(
            error(1) > 10.0 * chosen,
            "a lattice on the diagonal is no good"
        );
    }

    #[test]
    fn shifts_move_all_points_around_the_cube() {
        let lattice = Lattice::new(5, 1);
        assert_eq!(lattice.shifted(&[0.9])[0], 0.9);
        assert!((lattice.shifted(&[0.9])[1] - 0.1).abs() < 1e-15);
        let edge = lattice.shifted(&[1.0 - 0.5 * f64::EPSILON]);
        assert!(edge.iter().all(|x| *x > 0.0 && *x < 1.0));
    }
}
