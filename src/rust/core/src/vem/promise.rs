//! Say what a step along a gradient would gain, given the curvature at a point.
//!
//! The gain in twice the value is `g' I^-1 g`. With few parameters `I` is Louis' information; with many, the gain is that
//! of the first steps of conjugate gradients (Nocedal & Wright 2006, algorithm 5.2), their products with `I` differences
//! of gradients: no matrix is made, and more steps could only gain more.

use nalgebra::{DMatrix, DVector};

use crate::maximum::{sizes, Surface};
use crate::mstep::MAX_PARAMETERS;
use crate::problem::Theta;

/// Steps of conjugate gradients.
const STEPS: usize = 10;

/// They end where one adds less than this part.
const SMALL: f64 = 0.01;

/// Largest change of a coordinate in a difference of gradients, in sizes.
const DIFFERENCE: f64 = 1e-3;

/// A point of a surface and its curvature.
pub struct SurfacePoint<'p> {
    surface: &'p mut dyn Surface,
    free: &'p [usize],
    theta: Vec<f64>,
    gradient: DVector<f64>,
    sizes: DVector<f64>,
    /// Coordinates that no bound holds.
    open: Vec<bool>,
    inverse: Option<DMatrix<f64>>,
}

impl<'p> SurfacePoint<'p> {
    /// At `theta`, where the surface has just been asked and found this gradient.
    pub fn new(
        surface: &'p mut dyn Surface,
        (bounds, free): (&Theta, &'p [usize]),
        theta: &[f64],
        gradient: Vec<f64>,
    ) -> Self {
        let open = free.iter().zip(&gradient);
        let open = open.map(|(k, g)| !bounds.presses(*k, theta[*k], *g));
        let few = free.len() <= MAX_PARAMETERS;
        Self {
            open: open.collect(),
            sizes: DVector::from_vec(sizes(bounds, free, theta)),
            inverse: if few {
                surface.precondition().map(|found| found.inverse)
            } else {
                None
            },
            surface,
            free,
            theta: theta.to_vec(),
            gradient: DVector::from_vec(gradient),
        }
    }

    /// The gain that the gradient at the point itself promises.
    pub fn here(&mut self) -> f64 {
        let gradient = self.gradient.clone();
        self.of(gradient.as_slice())
    }

    /// The gain that another gradient would promise here; infinite where the surface is not curved downward along it.
    pub fn of(&mut self, gradient: &[f64]) -> f64 {
        let open = gradient.iter().zip(&self.open);
        let masked = open.map(|(g, open)| if *open { *g } else { 0.0 });
        let masked = DVector::from_iterator(gradient.len(), masked);
        match &self.inverse {
            Some(inverse) => (inverse * &masked).dot(&masked),
            None => self.conjugate(masked.component_mul(&self.sizes)),
        }
    }

    /// `right`: in units of the sizes.
    fn conjugate(&mut self, right: DVector<f64>) -> f64 {
        let mut rest = right;
        let mut direction = rest.clone();
        let mut gain = 0.0;
        for _ in 0..STEPS.min(self.free.len()) {
            let square = rest.norm_squared();
            if square == 0.0 {
                break;
            }
            let Some(bent) = self.product(&direction) else {
                return f64::INFINITY;
            };
            let curvature = direction.dot(&bent);
            if curvature.is_nan() || curvature <= 0.0 {
                return f64::INFINITY;
            }
            let length = square / curvature;
            let added = length * square;
            gain += added;
            if added < SMALL * gain {
                break;
            }
            rest -= bent * length;
            direction = &rest + direction * (rest.norm_squared() / square);
        }
        gain
    }

    /// Minus the second derivatives times a direction, both in units of the sizes.
    fn product(&mut self, direction: &DVector<f64>) -> Option<DVector<f64>> {
        let h = DIFFERENCE / direction.amax();
        let mut theta = self.theta.clone();
        for (i, k) in self.free.iter().enumerate() {
            theta[*k] += h * self.sizes[i] * direction[i];
        }
        let (_, gradient) = self.surface.at(&theta)?;
        let change = (&self.gradient - DVector::from_vec(gradient)) / h;
        let each = change.iter().zip(&self.sizes).zip(&self.open);
        let each = each.map(|((c, size), open)| if *open { c * size } else { 0.0 });
        Some(DVector::from_iterator(self.free.len(), each))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mstep::Preconditioner;

    /// `-x' C x / 2`, whose curvature is given away or not.
    struct Bowl {
        curvature: DMatrix<f64>,
    }

    impl Surface for Bowl {
        fn at(&mut self, theta: &[f64]) -> Option<(f64, Vec<f64>)> {
            let x = DVector::from_column_slice(theta);
            let slope = -&self.curvature * &x;
            Some((0.5 * slope.dot(&x), slope.as_slice().to_vec()))
        }

        fn precondition(&mut self) -> Option<Preconditioner> {
            None
        }

        fn take(&mut self) {}
    }

    #[test]
    fn conjugate_gradients_promise_what_newton_would() {
        let curvature =
            DMatrix::from_row_slice(3, 3, &[4.0, 1.0, 0.0, 1.0, 3.0, 0.5, 0.0, 0.5, 200.0]);
        let mut bowl = Bowl {
            curvature: curvature.clone(),
        };
        let theta = [0.3, -0.2, 0.1];
        let gradient = bowl.at(&theta).unwrap().1;
        let mut promise = SurfacePoint {
            surface: &mut bowl,
            free: &[0, 1, 2],
            theta: theta.to_vec(),
            gradient: DVector::from_vec(gradient),
            sizes: DVector::from_column_slice(&[1.0, 2.0, 0.1]),
            open: vec![true; 3],
            inverse: None,
        };
        let x = DVector::from_column_slice(&theta);
        let exact = x.dot(&(&curvature * &x));
        let found = promise.here();
        assert!((found - exact).abs() < 0.01 * exact, "{found} {exact}");
    }
}
