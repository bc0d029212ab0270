//! Multiply small square matrices, one in each of eight lanes, over the elements that can be other than zero.

use crate::ir::vmath::double::madd;
use crate::ir::vmath::{per_isa, Isa};

/// Lanes that are computed together: a vector of the widest instruction set.
pub const EIGHT: usize = 8;

/// One value a lane.
pub type Eight = [f64; EIGHT];

/// Row-major.
pub type Square = Vec<Eight>;

/// Where sums and products of matrices may be other than zero.
#[derive(Debug, Clone)]
pub struct Pattern {
    pub size: usize,
    /// For each row its columns.
    rows: Vec<Vec<usize>>,
    /// The same of the matrix itself and one.
    own: Vec<Vec<usize>>,
}

impl Pattern {
    /// Of all powers of a matrix with these elements and of one.
    pub fn of(size: usize, elements: &[usize]) -> Self {
        let mut reads: Vec<Vec<usize>> = (0..size).map(|row| vec![row]).collect();
        for at in elements {
            if !reads[at / size].contains(&(at % size)) {
                reads[at / size].push(at % size);
            }
        }
        let all = |row: usize| {
            let mut seen = vec![row];
            let mut next = 0;
            while let Some(at) = seen.get(next).copied() {
                for column in &reads[at] {
                    if !seen.contains(column) {
                        seen.push(*column);
                    }
                }
                next += 1;
            }
            seen.sort_unstable();
            seen
        };
        Self {
            size,
            rows: (0..size).map(all).collect(),
            own: reads,
        }
    }

    pub fn rows(&self) -> &[Vec<usize>] {
        &self.rows
    }

    pub fn own(&self) -> &[Vec<usize>] {
        &self.own
    }

    pub fn zero(&self) -> Square {
        vec![[0.0; EIGHT]; self.size * self.size]
    }

    /// `c += a b`
    pub fn add_product(&self, isa: Isa, a: &[Eight], b: &[Eight], c: &mut [Eight]) {
        add_product(isa, self, a, b, c);
    }

    /// `c = a b`
    pub fn product(&self, isa: Isa, a: &[Eight], b: &[Eight], c: &mut [Eight]) {
        c.fill([0.0; EIGHT]);
        add_product(isa, self, a, b, c);
    }
}

#[inline(always)]
fn add_product_body<const FMA: bool>(pattern: &Pattern, a: &[Eight], b: &[Eight], c: &mut [Eight]) {
    let n = pattern.size;
    let rows = pattern.rows.iter().zip(a.chunks_exact(n));
    for ((columns, a), c) in rows.zip(c.chunks_exact_mut(n)) {
        for k in columns {
            let factor = a[*k];
            let b = &b[k * n..(k + 1) * n];
            for j in &pattern.rows[*k] {
                let (b, c) = (&b[*j], &mut c[*j]);
                for l in 0..EIGHT {
                    c[l] = madd::<FMA>(factor[l], b[l], c[l]);
                }
            }
        }
    }
}

per_isa! {
    fn add_product(pattern: &Pattern, a: &[Eight], b: &[Eight], c: &mut [Eight]) = add_product_body, fused;
}

#[inline(always)]
fn add_scaled_body<const FMA: bool>(weight: f64, a: &[Eight], c: &mut [Eight]) {
    for (a, c) in a.iter().zip(c) {
        for l in 0..EIGHT {
            c[l] = madd::<FMA>(weight, a[l], c[l]);
        }
    }
}

per_isa! {
    /// `c += weight a`
    pub fn add_scaled(weight: f64, a: &[Eight], c: &mut [Eight]) = add_scaled_body, fused;
}

#[inline(always)]
fn scale_body<const FMA: bool>(factor: &Eight, c: &mut [Eight]) {
    for c in c {
        for l in 0..EIGHT {
            c[l] *= factor[l];
        }
    }
}

per_isa! {
    /// Multiply each lane by a factor of its own.
    pub fn scale(factor: &Eight, c: &mut [Eight]) = scale_body, plain;
}

#[inline(always)]
fn times_body<const FMA: bool>(rows: &[Vec<usize>], a: &[Eight], x: &[Eight], y: &mut [Eight]) {
    for ((columns, a), y) in rows.iter().zip(a.chunks_exact(x.len())).zip(y) {
        for j in columns {
            let (a, x) = (&a[*j], &x[*j]);
            for l in 0..EIGHT {
                y[l] = madd::<FMA>(a[l], x[l], y[l]);
            }
        }
    }
}

per_isa! {
    /// `y += a x`, `a` being zero elsewhere than in the columns of the rows.
    pub fn times(rows: &[Vec<usize>], a: &[Eight], x: &[Eight], y: &mut [Eight]) = times_body, fused;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_elements_that_can_be_reached_are_multiplied() {
        // A chain: state 1 reads 0, state 2 reads 1.
        let pattern = Pattern::of(3, &[3, 7]);
        assert_eq!(pattern.rows, [vec![0], vec![0, 1], vec![0, 1, 2]]);
        let mut a = pattern.zero();
        for (at, value) in [(0, 2.0), (3, 3.0), (4, 5.0), (6, 7.0), (7, 11.0), (8, 13.0)] {
            a[at] = [value; EIGHT];
        }
        for isa in Isa::available() {
            let mut c = pattern.zero();
            pattern.product(isa, &a, &a, &mut c);
            let first: Vec<f64> = c.iter().map(|x| x[0]).collect();
            let dense = [4.0, 0.0, 0.0, 21.0, 25.0, 0.0, 138.0, 198.0, 169.0];
            assert_eq!(first, dense);
        }
    }
}
