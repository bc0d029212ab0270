//! Find the state that repeated doses, or an infusion without end, lead to.
//!
//! `Phi(x)` is the state after one cycle that began in `x`; sought is `x = Phi(x)`. With `M = dPhi/dx`, carried as
//! sensitivities by the states at the beginning, Newton's step is `(I - M)^-1 (Phi(x) - x)`; where it leads away, the
//! cycle is repeated instead. The derivatives by inputs are `S = (I - M)^-1 dPhi/dinput`.
//!
//! For an infusion without end it is `f(x) = 0`, approached by linearly implicit Euler steps
//! `x += (I/h - J)^-1 f(x)` with steps `h` that grow without bound; `S = -J^-1 df/dinput`.

use nalgebra::{DMatrix, DVector};

use super::field::Direction;
use super::walk::{Point, Walk};
use crate::ode::task::Failure;
use crate::ode::timeline::Stop;

/// Cycles after which there is no steady state.
const MAX_CYCLES: usize = 300;

/// Euler steps after which there is none; steps double, so that this spans 300 orders of magnitude.
const MAX_EULER: usize = 1_000;

/// How far `x` may be from the steady state, as a part of the tolerance of a step.
const CLOSE: f64 = 0.01;

/// What one cycle makes of a state, and its derivatives.
struct Cycle {
    x: DVector<f64>,
    after: DVector<f64>,
    matrix: DMatrix<f64>,
}

impl Walk<'_> {
    /// Go to the steady state of a cycle, or add it to where the lane is. The clock stands still.
    pub fn steady(&mut self, interval: f64, cycle: &[Stop], adds: bool) -> Result<(), Failure> {
        let before = (self.point.clone(), self.setting.rates.clone());
        let slopes_before = self.setting.rate_slopes.clone();
        let time = self.time;
        self.setting.held = Some(time);
        if adds {
            self.clear();
        } else {
            self.begin();
        }
        let found = if interval.is_finite() {
            self.repeat(interval, cycle)
        } else {
            self.rest(cycle)
        };
        self.setting.held = None;
        self.setting.forget();
        self.time = time;
        let mut point = found?;
        let n = point.x.len();
        if adds {
            for (x, y) in point.x.iter_mut().zip(&before.0.x) {
                *x += y;
            }
            for (s, r) in point.s.iter_mut().zip(&before.0.s) {
                *s += r;
            }
            self.setting.rates = before.1;
            self.setting.rate_slopes = slopes_before;
        } else {
            self.setting.rates = vec![0.0; n];
            self.setting.rate_slopes.fill(0.0);
        }
        self.point = point;
        Ok(())
    }

    /// The state before a dose that comes again and again.
    fn repeat(&mut self, interval: f64, cycle: &[Stop]) -> Result<Point, Failure> {
        let directions = self.setting.directions.clone();
        let n = self.point.x.len();
        self.setting.directions = (0..n).map(Direction::Start).collect();
        let found = self.fixed_point(interval, cycle);
        self.setting.directions = directions;
        let (x, inverse) = found?;
        let p = self.setting.directions.len();
        let mut point = Point {
            x,
            s: vec![0.0; n * p],
        };
        if p > 0 {
            self.point = point.clone();
            self.cycle(interval, cycle)?;
            let slopes = inverse * DMatrix::from_column_slice(n, p, &self.point.s);
            point.s.copy_from_slice(slopes.as_slice());
        }
        Ok(point)
    }

    /// The fixed point of a cycle, and `(I - M)^-1` there.
    fn fixed_point(
        &mut self,
        interval: f64,
        stops: &[Stop],
    ) -> Result<(Vec<f64>, DMatrix<f64>), Failure> {
        let n = self.point.x.len();
        let mut x = DVector::from_column_slice(&self.point.x);
        let mut last: Option<Cycle> = None;
        for _ in 0..MAX_CYCLES {
            let cycle = match (self.tried(&x, interval, stops), &last) {
                (Ok(cycle), None) => cycle,
                (Err(failure), None) => return Err(failure),
                // A step of Newton's method that led away: from there on as the doses would.
                (Ok(cycle), Some(good))
                    if x == good.after || self.size(&cycle) <= self.size(good) =>
                {
                    cycle
                }
                (Err(failure), Some(good)) if x == good.after => return Err(failure),
                (_, Some(good)) => {
                    x = good.after.clone();
                    continue;
                }
            };
            let inverse = (DMatrix::identity(n, n) - &cycle.matrix).try_inverse();
            let step = inverse.as_ref().map(|i| i * (&cycle.after - &cycle.x));
            let Some((inverse, step)) = inverse.zip(step).filter(|(_, step)| finite(step)) else {
                x = cycle.after.clone();
                last = Some(cycle);
                continue;
            };
            let next = &cycle.x + &step;
            if self.small(&step, &next, CLOSE) || self.size(&cycle) <= CLOSE {
                return Ok((next.as_slice().to_vec(), inverse));
            }
            x = next;
            last = Some(cycle);
        }
        Err(Failure::NoSteadyState)
    }

    fn tried(&mut self, x: &DVector<f64>, interval: f64, stops: &[Stop]) -> Result<Cycle, Failure> {
        let n = x.len();
        self.point.x = x.as_slice().to_vec();
        self.point.s = DMatrix::<f64>::identity(n, n).as_slice().to_vec();
        self.cycle(interval, stops)?;
        let cycle = Cycle {
            x: x.clone(),
            after: DVector::from_column_slice(&self.point.x),
            matrix: DMatrix::from_column_slice(n, n, &self.point.s),
        };
        if finite(&cycle.after) {
            Ok(cycle)
        } else {
            Err(Failure::NotFinite)
        }
    }

    /// Run one cycle from where the lane is, all rates at zero.
    fn cycle(&mut self, interval: f64, stops: &[Stop]) -> Result<(), Failure> {
        let (n, p) = (self.point.x.len(), self.setting.directions.len());
        self.setting.rates = vec![0.0; n];
        self.setting.rate_slopes = vec![0.0; n * p];
        self.count_anew();
        self.time = 0.0;
        self.follow(stops, &mut |_, _, _| {})?;
        self.pass(&[], interval, &mut |_, _, _| {})?;
        self.count_anew();
        Ok(())
    }

    /// The state in which nothing moves while the rates of the cycle are on.
    fn rest(&mut self, stops: &[Stop]) -> Result<Point, Failure> {
        for stop in stops {
            self.meet(stop)?;
        }
        let (n, p, t) = (self.point.x.len(), self.setting.directions.len(), self.time);
        let mut x = DVector::from_column_slice(&self.point.x);
        let mut f = DVector::zeros(n);
        let mut h = 0.0;
        for _ in 0..MAX_EULER {
            self.setting.call(x.as_slice(), t, f.as_mut_slice());
            let jacobian = DMatrix::from_column_slice(n, n, self.setting.jacobian(x.as_slice(), t));
            if h == 0.0 {
                h = 1.0 / jacobian.amax().max(f64::MIN_POSITIVE);
            }
            let step = (DMatrix::identity(n, n) / h - &jacobian).lu().solve(&f);
            let Some(step) = step.filter(finite) else {
                return Err(Failure::NoSteadyState);
            };
            x += &step;
            // With steps that long the next ones are Newton's, which square the error.
            if self.small(&step, &x, CLOSE) && h * jacobian.amax() > 1e12 {
                let mut slopes = vec![0.0; n * p];
                self.setting.slopes(x.as_slice(), t, &mut slopes);
                let slopes = jacobian
                    .lu()
                    .solve(&-DMatrix::from_column_slice(n, p, &slopes));
                let slopes = slopes.ok_or(Failure::NoSteadyState)?;
                return Ok(Point {
                    x: x.as_slice().to_vec(),
                    s: slopes.as_slice().to_vec(),
                });
            }
            h *= 2.0;
        }
        Err(Failure::NoSteadyState)
    }

    /// How far a cycle leads from where it began, in units of the tolerance.
    fn size(&self, cycle: &Cycle) -> f64 {
        self.measure(&(&cycle.after - &cycle.x), &cycle.x)
    }

    fn small(&self, step: &DVector<f64>, x: &DVector<f64>, bound: f64) -> bool {
        self.measure(step, x) <= bound
    }

    fn measure(&self, step: &DVector<f64>, x: &DVector<f64>) -> f64 {
        let control = &self.stiff.control;
        let terms = step
            .iter()
            .zip(x)
            .map(|(d, x)| d.abs() / (control.rtol * x.abs() + control.atol.max(1e-100)));
        terms.fold(0.0, f64::max)
    }
}

fn finite(v: &DVector<f64>) -> bool {
    v.iter().all(|value| value.is_finite())
}
