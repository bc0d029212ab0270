//! Give a time-varying covariate a value between its records.
//!
//! Before the first and after the last record it keeps the value it has there. Cubic splines are natural ones (zero
//! second derivative at both ends); Akima's are those of Akima (1970, J. ACM 17, 589-602), whose slope at a knot is the
//! mean of the neighboring slopes weighted by how little the slopes beyond them change.

use crate::language::specification::Interpolation;

/// The course of one covariate in one subject.
#[derive(Debug, Clone)]
pub struct Interpolant {
    times: Vec<f64>,
    values: Vec<f64>,
    /// Slopes at the knots; empty where the course has steps.
    slopes: Vec<f64>,
}

impl Interpolant {
    /// `times` are not decreasing, `values` as many; of records at one time the last counts.
    pub fn new(kind: Interpolation, times: &[f64], values: &[f64]) -> Self {
        let (mut knots, mut heights): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for (t, v) in times.iter().zip(values) {
            match (knots.last(), heights.last_mut()) {
                (Some(last), Some(height)) if last == t => *height = *v,
                _ => {
                    knots.push(*t);
                    heights.push(*v);
                }
            }
        }
        let secants: Vec<f64> = (1..knots.len())
            .map(|i| (heights[i] - heights[i - 1]) / (knots[i] - knots[i - 1]))
            .collect();
        let slopes = match kind {
            _ if secants.is_empty() => Vec::new(),
            Interpolation::Constant | Interpolation::Next => Vec::new(),
            Interpolation::Linear => return Self::linear(knots, heights),
            Interpolation::CubicSpline => natural_slopes(&knots, &secants),
            Interpolation::Akima => akima_slopes(&secants),
        };
        Self {
            times: knots,
            values: heights,
            slopes,
        }
    }

    fn linear(times: Vec<f64>, values: Vec<f64>) -> Self {
        // A slope that is no number marks straight pieces.
        let slopes = vec![f64::NAN; times.len()];
        Self {
            times,
            values,
            slopes,
        }
    }

    /// The value at a time; NaN without records.
    pub fn at(&self, time: f64) -> f64 {
        let next = self.times.partition_point(|t| *t <= time);
        let n = self.times.len();
        if n == 0 {
            return f64::NAN;
        }
        if next == 0 {
            return self.values[0];
        }
        let i = next - 1;
        if next == n || self.slopes.is_empty() {
            return self.values[i];
        }
        let width = self.times[next] - self.times[i];
        let s = (time - self.times[i]) / width;
        let (a, b) = (self.values[i], self.values[next]);
        if self.slopes[i].is_nan() {
            return a + s * (b - a);
        }
        // Cubic Hermite polynomial.
        let (p, q) = (self.slopes[i] * width, self.slopes[next] * width);
        let r = 1.0 - s;
        a * (1.0 + 2.0 * s) * r * r + p * s * r * r + b * s * s * (3.0 - 2.0 * s) - q * s * s * r
    }
}

/// Slopes at the knots of the natural cubic spline: a tridiagonal system, `2 m_0 + m_1 = 3 s_0` at the ends.
fn natural_slopes(knots: &[f64], secants: &[f64]) -> Vec<f64> {
    let n = knots.len();
    let inverse: Vec<f64> = (1..n).map(|i| 1.0 / (knots[i] - knots[i - 1])).collect();
    let (mut diagonal, mut right) = (vec![0.0; n], vec![0.0; n]);
    for (i, (h, s)) in inverse.iter().zip(secants).enumerate() {
        for k in [i, i + 1] {
            diagonal[k] += 2.0 * h;
            right[k] += 3.0 * h * s;
        }
    }
    for i in 1..n {
        let factor = inverse[i - 1] / diagonal[i - 1];
        diagonal[i] -= factor * inverse[i - 1];
        right[i] -= factor * right[i - 1];
    }
    let mut slopes = vec![0.0; n];
    for i in (0..n).rev() {
        let after = if i + 1 < n {
            inverse[i] * slopes[i + 1]
        } else {
            0.0
        };
        slopes[i] = (right[i] - after) / diagonal[i];
    }
    slopes
}

fn akima_slopes(secants: &[f64]) -> Vec<f64> {
    let n = secants.len();
    let (first, last) = (secants[0], secants[n - 1]);
    let second = secants.get(1).copied().unwrap_or(first);
    let before = if n > 1 { secants[n - 2] } else { last };
    // Two secants beyond each end, continued as parabolas.
    let mut m = vec![3.0 * first - 2.0 * second, 2.0 * first - second];
    m.extend(secants);
    m.extend([2.0 * last - before, 3.0 * last - 2.0 * before]);
    (0..=n)
        .map(|i| {
            let (left, right) = ((m[i + 3] - m[i + 2]).abs(), (m[i + 1] - m[i]).abs());
            if left + right > 0.0 {
                (left * m[i + 1] + right * m[i + 2]) / (left + right)
            } else {
                0.5 * (m[i + 1] + m[i + 2])
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Interpolation; 4] = [
        Interpolation::Constant,
        Interpolation::Linear,
        Interpolation::CubicSpline,
        Interpolation::Akima,
    ];

    #[test]
    fn records_are_met_and_ends_are_kept() {
        let (times, values) = ([0.0, 1.0, 2.5, 4.0], [1.0, 3.0, 2.0, 5.0]);
        for kind in ALL {
            let course = Interpolant::new(kind, &times, &values);
            for (t, v) in times.iter().zip(&values) {
                assert!((course.at(*t) - v).abs() < 1e-12, "{kind:?} at {t}");
            }
            assert_eq!((course.at(-1.0), course.at(9.0)), (1.0, 5.0));
            assert_eq!(Interpolant::new(kind, &[2.0], &[7.0]).at(3.0), 7.0);
        }
    }

    #[test]
    fn steps_carry_forward_and_lines_are_lines() {
        let steps = Interpolant::new(Interpolation::Constant, &[0.0, 2.0], &[1.0, 5.0]);
        assert_eq!((steps.at(1.9), steps.at(2.0)), (1.0, 5.0));
        let line = Interpolant::new(Interpolation::Linear, &[0.0, 2.0], &[1.0, 5.0]);
        assert_eq!(line.at(0.5), 2.0);
        let last = Interpolant::new(Interpolation::Constant, &[0.0, 1.0, 1.0], &[1.0, 2.0, 3.0]);
        assert_eq!(last.at(1.0), 3.0);
    }

    /// Every curve reproduces a straight line, and the natural spline has no second derivative at its ends.
    #[test]
    fn splines_are_the_natural_ones() {
        let times = [0.0, 1.0, 3.0, 4.0, 7.0];
        let line: Vec<f64> = times.iter().map(|t| 2.0 - 3.0 * t).collect();
        for kind in &ALL[1..] {
            let course = Interpolant::new(*kind, &times, &line);
            for t in [0.3, 2.2, 3.9, 5.0] {
                assert!((course.at(t) - (2.0 - 3.0 * t)).abs() < 1e-12, "{kind:?}");
            }
        }
        let hat = Interpolant::new(
            Interpolation::CubicSpline,
            &[0.0, 1.0, 2.0],
            &[0.0, 1.0, 0.0],
        );
        // On [0, 1]: 1.5 x - 0.5 x^3, by symmetry with slope 0 in the middle.
        assert!((hat.at(0.5) - (0.75 - 0.0625)).abs() < 1e-12);
    }

    /// Akima's curve does not swing where the records are flat.
    #[test]
    fn akima_stays_flat_beside_a_step() {
        let times: Vec<f64> = (0..8).map(f64::from).collect();
        let values = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        let course = Interpolant::new(Interpolation::Akima, &times, &values);
        for t in [0.5, 1.5, 2.5, 4.5, 5.5] {
            assert!((course.at(t) - course.at(t).round()).abs() < 1e-12, "{t}");
        }
        assert!((course.at(3.5) - 0.5).abs() < 1e-12);
    }
}
