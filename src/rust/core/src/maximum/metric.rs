//! Keep an inverse of the second derivatives that learns from steps: a matrix, or the last few steps alone.
//!
//! `H <- H + ..` by the formula of Broyden, Fletcher, Goldfarb and Shanno (Nocedal & Wright 2006, equation 6.17), or its
//! product with a vector from the last pairs (their algorithm 7.4), whose memory does not grow with the square of the
//! number of parameters.

use nalgebra::{DMatrix, DVector};

/// Pairs of curvature this small relative to their lengths teach nothing.
const FLAT: f64 = 1e-10;

/// A positive definite matrix.
#[derive(Debug, Clone)]
pub enum Metric {
    Dense(DMatrix<f64>),
    /// Without a pair: the diagonal.
    Limited {
        diagonal: DVector<f64>,
        /// Changes of the point and of minus the gradient, the oldest first.
        pairs: Vec<(DVector<f64>, DVector<f64>)>,
        memory: usize,
    },
}

impl Metric {
    pub fn limited(diagonal: DVector<f64>, memory: usize) -> Self {
        Self::Limited {
            diagonal,
            pairs: Vec::new(),
            memory: memory.max(1),
        }
    }

    /// Whether its size means anything, so that a promised gain can be believed.
    pub fn is_informed(&self) -> bool {
        match self {
            Self::Dense(_) => true,
            Self::Limited { pairs, .. } => !pairs.is_empty(),
        }
    }

    pub fn times(&self, vector: &DVector<f64>) -> DVector<f64> {
        match self {
            Self::Dense(matrix) => matrix * vector,
            Self::Limited {
                diagonal, pairs, ..
            } => two_loops(diagonal, pairs, vector),
        }
    }

    /// Learn from a step `s` over which minus the gradient changed by `y`.
    pub fn update(&mut self, s: DVector<f64>, y: DVector<f64>) {
        let curvature = s.dot(&y);
        if curvature.is_nan() || curvature <= FLAT * s.norm() * y.norm() {
            return;
        }
        match self {
            Self::Dense(inverse) => {
                let hy = &*inverse * &y;
                let scale = (1.0 + y.dot(&hy) / curvature) / curvature;
                let cross = &hy * s.transpose() / curvature;
                *inverse += &s * s.transpose() * scale - &cross - cross.transpose();
            }
            Self::Limited { pairs, memory, .. } => {
                if pairs.len() == *memory {
                    pairs.remove(0);
                }
                pairs.push((s, y));
            }
        }
    }
}

fn two_loops(
    diagonal: &DVector<f64>,
    pairs: &[(DVector<f64>, DVector<f64>)],
    vector: &DVector<f64>,
) -> DVector<f64> {
    let mut rest = vector.clone();
    let mut parts = Vec::with_capacity(pairs.len());
    for (s, y) in pairs.iter().rev() {
        let part = s.dot(&rest) / s.dot(y);
        rest.axpy(-part, y, 1.0);
        parts.push(part);
    }
    let scale = pairs
        .last()
        .map_or(1.0, |(s, y)| s.dot(y) / y.dot(&y.component_mul(diagonal)));
    let mut out = rest.component_mul(diagonal) * scale;
    for ((s, y), part) in pairs.iter().zip(parts.into_iter().rev()) {
        let back = y.dot(&out) / s.dot(y);
        out.axpy(part - back, s, 1.0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps along independent directions of a quadratic teach both forms its inverse.
    #[test]
    fn both_forms_learn_the_inverse_of_a_quadratic() {
        let h = DMatrix::from_row_slice(3, 3, &[4.0, 1.0, 0.0, 1.0, 3.0, 0.5, 0.0, 0.5, 2.0]);
        let steps = [[1.0, 0.0, 0.0], [-0.25, 1.0, 0.0], [0.05, -0.2, 1.0]];
        let forms = [
            Metric::Dense(DMatrix::identity(3, 3)),
            Metric::limited(DVector::from_element(3, 1.0), 3),
        ];
        for mut metric in forms {
            for step in steps {
                let s = DVector::from_column_slice(&step);
                metric.update(s.clone(), &h * s);
            }
            let (s, y) = (
                DVector::from_column_slice(&steps[2]),
                &h * DVector::from_column_slice(&steps[2]),
            );
            assert!((metric.times(&y) - s).norm() < 1e-12, "{metric:?}");
            let v = DVector::from_column_slice(&[1.0, -2.0, 0.5]);
            assert!(metric.times(&v).dot(&v) > 0.0);
        }
    }

    #[test]
    fn the_short_memory_agrees_with_the_matrix_it_stands_for() {
        let h = DMatrix::from_row_slice(2, 2, &[4.0, 1.0, 1.0, 3.0]);
        let s = DVector::from_column_slice(&[0.3, -0.7]);
        let y = &h * &s;
        let scale = s.dot(&y) / y.dot(&y);
        let mut dense = Metric::Dense(DMatrix::identity(2, 2) * scale);
        let mut limited = Metric::limited(DVector::from_element(2, 1.0), 5);
        dense.update(s.clone(), y.clone());
        limited.update(s, y);
        let v = DVector::from_column_slice(&[1.0, 2.0]);
        assert!((dense.times(&v) - limited.times(&v)).norm() < 1e-12);
    }
}
