//! Factor and solve small symmetric systems in all lanes at once.
//!
//! A matrix is its lower triangle by rows, one column an element: `(i, j)` stands at `i (i + 1) / 2 + j`.

use super::column::{Column, LANES};
use super::vmath::per_isa;

/// Position of element `(i, j)`, `j <= i`.
#[inline(always)]
pub fn at(i: usize, j: usize) -> usize {
    i * (i + 1) / 2 + j
}

#[inline(always)]
fn cholesky_body<const FMA: bool>(a: &mut [Column], dim: usize, shifted: &mut Column) {
    for i in 0..dim {
        for j in 0..=i {
            let mut sum = a[at(i, j)].0;
            for k in 0..j {
                let (x, y) = (&a[at(i, k)].0, &a[at(j, k)].0);
                for l in 0..LANES {
                    sum[l] -= x[l] * y[l];
                }
            }
            if i == j {
                let original = a[at(i, i)].0;
                for l in 0..LANES {
                    // A pivot that cancelled to nothing is replaced by its own scale: a damped direction.
                    let floor = 1e-10 * original[l].abs() + f64::MIN_POSITIVE;
                    let bad = sum[l].is_nan() || sum[l] <= floor;
                    let pivot = if bad {
                        original[l].abs().max(1e-8)
                    } else {
                        sum[l]
                    };
                    shifted.0[l] = if bad { 1.0 } else { shifted.0[l] };
                    a[at(i, i)].0[l] = pivot.sqrt();
                }
            } else {
                let pivot = a[at(j, j)].0;
                for l in 0..LANES {
                    a[at(i, j)].0[l] = sum[l] / pivot[l];
                }
            }
        }
    }
}

per_isa! {
    /// Replace `a` by its lower Cholesky factor. Lanes whose matrix is not positive definite get a damped one and
    /// a 1 in `shifted`.
    pub fn cholesky(a: &mut [Column], dim: usize, shifted: &mut Column) = cholesky_body, fused;
}

#[inline(always)]
fn solve_lower_body<const FMA: bool>(factor: &[Column], x: &mut [Column]) {
    for i in 0..x.len() {
        let mut sum = x[i].0;
        for j in 0..i {
            let (f, y) = (&factor[at(i, j)].0, &x[j].0);
            for l in 0..LANES {
                sum[l] -= f[l] * y[l];
            }
        }
        let pivot = &factor[at(i, i)].0;
        for l in 0..LANES {
            x[i].0[l] = sum[l] / pivot[l];
        }
    }
}

per_isa! {
    /// Solve `L x = b` in place.
    pub fn solve_lower(factor: &[Column], x: &mut [Column]) = solve_lower_body, fused;
}

#[inline(always)]
fn solve_upper_body<const FMA: bool>(factor: &[Column], x: &mut [Column]) {
    for i in (0..x.len()).rev() {
        let mut sum = x[i].0;
        for j in i + 1..x.len() {
            let (f, y) = (&factor[at(j, i)].0, &x[j].0);
            for l in 0..LANES {
                sum[l] -= f[l] * y[l];
            }
        }
        let pivot = &factor[at(i, i)].0;
        for l in 0..LANES {
            x[i].0[l] = sum[l] / pivot[l];
        }
    }
}

per_isa! {
    /// Solve `L' x = b` in place.
    pub fn solve_upper(factor: &[Column], x: &mut [Column]) = solve_upper_body, fused;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::vmath::Isa;

    #[test]
    fn a_factor_solves_its_system_in_every_lane() {
        // Lane l holds A = M M' + l I for a fixed M.
        let m = [[2.0, 0.0, 0.0], [0.5, 1.5, 0.0], [-1.0, 0.3, 1.0]];
        let full = |i: usize, j: usize, l: usize| {
            let sum: f64 = (0..3).map(|k| m[i][k] * m[j][k]).sum();
            sum + if i == j { l as f64 } else { 0.0 }
        };
        let x = [1.0, -2.0, 0.5];
        let mut a: Vec<Column> = (0..3)
            .flat_map(|i| (0..=i).map(move |j| (i, j)))
            .map(|(i, j)| Column(std::array::from_fn(|l| full(i, j, l))))
            .collect();
        let mut b: Vec<Column> = (0..3)
            .map(|i| {
                Column(std::array::from_fn(|l| {
                    (0..3).map(|j| full(i, j, l) * x[j]).sum()
                }))
            })
            .collect();
        let mut shifted = Column::ZERO;
        cholesky(Isa::detect(), &mut a, 3, &mut shifted);
        solve_lower(Isa::detect(), &a, &mut b);
        solve_upper(Isa::detect(), &a, &mut b);
        for (i, column) in b.iter().enumerate() {
            for value in column.0 {
                assert!((value - x[i]).abs() < 1e-12);
            }
        }
        assert_eq!(shifted, Column::ZERO);
    }
}
