//! The optimizers on functions whose maximum is known.

use super::*;

/// A function of the point, with or without its gradient.
struct TestFunction<F, G> {
    value: F,
    gradient: Option<G>,
}

impl<F: FnMut(&[f64]) -> f64, G: FnMut(&[f64]) -> Vec<f64>> Objective for TestFunction<F, G> {
    fn value(&mut self, x: &[f64]) -> f64 {
        (self.value)(x)
    }

    fn gradient(&mut self, x: &[f64]) -> Option<Vec<f64>> {
        self.gradient.as_mut().map(|gradient| gradient(x))
    }
}

fn all(maxiters: usize) -> [OptimizerOptions; 5] {
    let lbfgs = |adtype| OptimizerOptions::Lbfgs {
        maxiters,
        g_tol: 1e-10,
        memory: 10,
        adtype,
    };
    let adam = |adtype| OptimizerOptions::Adam {
        rate: 0.05,
        maxiters,
        adtype,
    };
    [
        lbfgs(Derivative::Reverse),
        lbfgs(Derivative::Finite),
        OptimizerOptions::NelderMead {
            maxiters,
            f_tol: 1e-15,
        },
        adam(Derivative::Reverse),
        adam(Derivative::Finite),
    ]
}

fn space(start: &[f64], lower: f64, upper: f64) -> Space {
    let n = start.len();
    Space {
        start: start.to_vec(),
        lower: vec![lower; n],
        upper: vec![upper; n],
        size: vec![1.0; n],
        weight: 1.0,
    }
}

fn banana(x: &[f64]) -> f64 {
    -(1.0 - x[0]).powi(2) - 20.0 * (x[1] - x[0] * x[0]).powi(2)
}

fn banana_gradient(x: &[f64]) -> Vec<f64> {
    let miss = x[1] - x[0] * x[0];
    vec![2.0 * (1.0 - x[0]) + 80.0 * x[0] * miss, -40.0 * miss]
}

#[test]
fn a_curved_ridge_is_climbed() {
    for options in all(5000) {
        let mut objective = TestFunction {
            value: banana,
            gradient: Some(banana_gradient),
        };
        let found = maximize(&mut objective, space(&[-1.2, 1.0], -10.0, 10.0), options);
        let miss = (found.x[0] - 1.0).abs().max((found.x[1] - 1.0).abs());
        assert!(miss < 1e-5, "{options:?} {found:?}");
    }
}

/// The free maximum (3, -1) of a correlated quadratic lies outside the box: inside it is at (1, 0.5).
fn bounded(x: &[f64]) -> f64 {
    let (a, b) = (x[0] - 3.0, x[1] + 1.0);
    -100.0 * (a * a + 1.5 * a * b + b * b)
}

#[test]
fn a_maximum_on_a_bound_is_found() {
    let gradient = |x: &[f64]| {
        let (a, b) = (x[0] - 3.0, x[1] + 1.0);
        vec![-100.0 * (2.0 * a + 1.5 * b), -100.0 * (1.5 * a + 2.0 * b)]
    };
    for start in [[-4.0, -4.0], [1.0, 1.0], [0.0, 1.0], [1.0, -5.0]] {
        for options in all(3000) {
            let mut objective = TestFunction {
                value: bounded,
                gradient: Some(gradient),
            };
            let mut space = space(&start, -5.0, 1.0);
            space.weight = 100.0;
            let found = maximize(&mut objective, space, options);
            let miss = (found.x[0] - 1.0).abs().max((found.x[1] - 0.5).abs());
            assert!(miss < 1e-5, "{start:?} {options:?} {found:?}");
        }
    }
}

#[test]
fn units_of_the_coordinates_and_of_the_objective_do_not_matter() {
    for options in all(2000) {
        let mut objective = TestFunction {
            value: |x: &[f64]| -1e6 * ((x[0] / 1e4 - 2.0).powi(2) + (x[1] * 1e3 - 1.0).powi(2)),
            gradient: Some(|x: &[f64]| vec![-2e2 * (x[0] / 1e4 - 2.0), -2e9 * (x[1] * 1e3 - 1.0)]),
        };
        let space = Space {
            size: vec![1e4, 1e-3],
            weight: 1e6,
            ..space(&[1e4, 5e-3], f64::NEG_INFINITY, f64::INFINITY)
        };
        let found = maximize(&mut objective, space, options);
        let miss = (found.x[0] / 1e4 - 2.0)
            .abs()
            .max((found.x[1] * 1e3 - 1.0).abs());
        assert!(miss < 1e-6, "{options:?} {found:?}");
    }
}

#[test]
fn points_without_a_finite_value_are_not_taken() {
    for options in all(2000) {
        // Falls off a cliff beyond 1; the maximum 0.8 is near it.
        let mut objective = TestFunction {
            value: |x: &[f64]| {
                if x[0] > 1.0 {
                    f64::NAN
                } else {
                    -50.0 * (x[0] - 0.8).powi(2)
                }
            },
            gradient: Some(|x: &[f64]| vec![-100.0 * (x[0] - 0.8)]),
        };
        let found = maximize(&mut objective, space(&[-3.0], -10.0, 10.0), options);
        assert!((found.x[0] - 0.8).abs() < 1e-5, "{options:?} {found:?}");
    }
}

#[test]
fn a_start_without_a_finite_value_stays() {
    let mut objective = TestFunction {
        value: |_: &[f64]| f64::NEG_INFINITY,
        gradient: None::<fn(&[f64]) -> Vec<f64>>,
    };
    for options in all(10) {
        let found = maximize(&mut objective, space(&[0.3], -1.0, 1.0), options);
        assert_eq!((found.x[0], found.not_finite), (0.3, 1));
    }
}

#[test]
fn a_value_alone_is_enough() {
    for options in all(2000) {
        let mut objective = TestFunction {
            value: banana,
            gradient: None::<fn(&[f64]) -> Vec<f64>>,
        };
        let found = maximize(&mut objective, space(&[0.0, 0.0], -10.0, 10.0), options);
        assert!(found.value > -1e-5, "{options:?} {found:?}");
    }
}
