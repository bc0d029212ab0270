//! Find the state that repeated doses, or an infusion without end, lead to.
//!
//! `Phi(x)` is the state after one cycle that began in `x`; sought is `x = Phi(x)`. With `M = dPhi/dx`, carried as
//! sensitivities by the states at the beginning, Newton's step is `(I - M)^-1 (Phi(x) - x)`; where it leads away, the
//! cycle is repeated instead. The derivatives by inputs are `S = (I - M)^-1 dPhi/dinput`.
//!
//! For an infusion without end it is `f(x) = 0`: the course is followed until Newton's method agrees with it, for there
//! may be other roots that no course leads to. `S = -J^-1 df/dinput`.
//!
//! States that only add up keep the value from which they start.

use nalgebra::{DMatrix, DVector};

use super::field::Direction;
use super::walk::{SolverPoint, StiffWalk};
use crate::ode::task::Failure;
use crate::ode::timeline::Stop;

/// Cycles after which there is no steady state.
const MAX_CYCLES: usize = 200;

/// Stretches, each four times as long as the one before, after which nothing comes to rest.
const MAX_STRETCHES: usize = 60;

const MAX_POLISH: usize = 5;

/// How far `x` may be from the steady state, in units of the tolerance.
const CLOSE: f64 = 0.1;

/// What one cycle makes of a state, and its derivatives.
struct Cycle {
    x: DVector<f64>,
    after: DVector<f64>,
    matrix: DMatrix<f64>,
}

impl Cycle {
    fn change(&self) -> DVector<f64> {
        &self.after - &self.x
    }

    /// `(I - M)^-1`, and the step of Newton's method.
    fn newton(&self) -> Option<(DMatrix<f64>, DVector<f64>)> {
        let n = self.x.len();
        let inverse = (DMatrix::identity(n, n) - &self.matrix).try_inverse()?;
        let step = &inverse * self.change();
        finite(&step).then_some((inverse, step))
    }
}

impl StiffWalk<'_> {
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
        self.restore(&before.0);
        Ok(())
    }

    fn held(&self) -> impl Iterator<Item = usize> + 'static {
        let held = self.stiff.held.iter().enumerate();
        let held: Vec<usize> = held.filter_map(|(k, held)| held.then_some(k)).collect();
        held.into_iter()
    }

    /// Derivatives of states that only add up, `slopes[direction][state]`, as they are at the start.
    fn hold_slopes(&self, start: &[f64], slopes: &mut [f64]) {
        let n = self.stiff.held.len();
        for k in self.held() {
            let column =
                |list: &[f64]| -> Vec<f64> { list.iter().skip(k).step_by(n).copied().collect() };
            for (d, slope) in column(start).into_iter().enumerate() {
                slopes[d * n + k] = slope;
            }
        }
    }

    /// The state before a dose that comes again and again.
    fn repeat(&mut self, interval: f64, cycle: &[Stop]) -> Result<SolverPoint, Failure> {
        let directions = self.setting.directions.clone();
        let n = self.point.x.len();
        let start = self.point.s.clone();
        self.setting.directions = (0..n).map(Direction::Start).collect();
        let found = self.fixed_point(interval, cycle);
        self.setting.directions = directions;
        let (x, inverse) = found?;
        let p = self.setting.directions.len();
        let mut point = SolverPoint {
            x,
            s: vec![0.0; n * p],
        };
        if p > 0 {
            self.point = point.clone();
            self.cycle(interval, cycle)?;
            let mut after = std::mem::take(&mut self.point.s);
            self.hold_slopes(&start, &mut after);
            let slopes = inverse * DMatrix::from_column_slice(n, p, &after);
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
        let mut x = DVector::from_column_slice(&self.point.x);
        let mut last: Option<Cycle> = None;
        for _ in 0..MAX_CYCLES {
            let cycle = match (self.tried(&x, interval, stops), &last) {
                (Ok(cycle), Some(good)) if x == good.after || self.is_nearer(&cycle, good) => cycle,
                (_, Some(good)) if x != good.after => {
                    // Newton's method led away: the end if only rounding is left, else on as the doses would.
                    if let Some((inverse, step)) = good.newton().filter(|_| self.size(good) <= 1.0)
                    {
                        return Ok(((&good.x + step).as_slice().to_vec(), inverse));
                    }
                    x = good.after.clone();
                    continue;
                }
                (tried, _) => tried?,
            };
            let straight = last
                .as_ref()
                .is_some_and(|last| self.foresees(last, &cycle));
            x = match cycle.newton() {
                Some((inverse, step)) if straight => {
                    let next = &cycle.x + &step;
                    let (step, size) = (self.measure(&step, &next), self.size(&cycle));
                    if step <= CLOSE || (size <= CLOSE && step <= 1e4 * CLOSE) {
                        return Ok((next.as_slice().to_vec(), inverse));
                    }
                    next
                }
                _ => cycle.after.clone(),
            };
            last = Some(cycle);
        }
        Err(Failure::NoSteadyState)
    }

    fn tried(&mut self, x: &DVector<f64>, interval: f64, stops: &[Stop]) -> Result<Cycle, Failure> {
        let n = x.len();
        self.point.x = x.as_slice().to_vec();
        self.point.s = DMatrix::<f64>::identity(n, n).as_slice().to_vec();
        self.cycle(interval, stops)?;
        let mut cycle = Cycle {
            x: x.clone(),
            after: DVector::from_column_slice(&self.point.x),
            matrix: DMatrix::from_column_slice(n, n, &self.point.s),
        };
        for k in self.held() {
            cycle.after[k] = x[k];
            cycle.matrix.row_mut(k).fill(0.0);
        }
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
    fn rest(&mut self, stops: &[Stop]) -> Result<SolverPoint, Failure> {
        for stop in stops {
            self.meet(stop)?;
        }
        let directions = std::mem::take(&mut self.setting.directions);
        let slopes = std::mem::take(&mut self.setting.rate_slopes);
        let start = std::mem::take(&mut self.point.s);
        let found = self.come_to_rest();
        self.setting.directions = directions;
        self.setting.rate_slopes = slopes;
        let jacobian = found?;
        let (n, p) = (self.point.x.len(), self.setting.directions.len());
        let mut slopes = vec![0.0; n * p];
        self.setting.slopes(&self.point.x, self.time, &mut slopes);
        slopes.iter_mut().for_each(|slope| *slope = -*slope);
        self.hold_slopes(&start, &mut slopes);
        let slopes = DMatrix::from_column_slice(n, p, &slopes);
        let slopes = jacobian.lu().solve(&slopes).ok_or(Failure::NoSteadyState)?;
        Ok(SolverPoint {
            x: self.point.x.clone(),
            s: slopes.as_slice().to_vec(),
        })
    }

    /// Follow the course for longer and longer stretches, until Newton's method has nothing to add; `J` there.
    fn come_to_rest(&mut self) -> Result<DMatrix<f64>, Failure> {
        let t = self.time;
        let start = self.point.x.clone();
        self.setting.forget();
        let steepest = self.setting.jacobian(&self.point.x, t);
        let steepest = steepest.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        let mut stretch = if steepest.is_normal() {
            1.0 / steepest
        } else {
            1.0
        };
        for _ in 0..MAX_STRETCHES {
            self.count_anew();
            self.time = 0.0;
            let followed = self.pass(&[], stretch, &mut |_, _, _| {});
            followed.map_err(|_| Failure::NoSteadyState)?;
            self.time = t;
            for k in self.held() {
                self.point.x[k] = start[k];
            }
            if let Some(jacobian) = self.polished() {
                return Ok(jacobian);
            }
            stretch *= 4.0;
        }
        Err(Failure::NoSteadyState)
    }

    /// Newton's method on `f(x) = 0`, if that is within the tolerance.
    fn polished(&mut self) -> Option<DMatrix<f64>> {
        let (n, t) = (self.point.x.len(), self.time);
        let mut x = DVector::from_column_slice(&self.point.x);
        let mut f = DVector::zeros(n);
        for _ in 0..MAX_POLISH {
            self.setting.call(x.as_slice(), t, f.as_mut_slice());
            let jacobian = self.setting.jacobian(x.as_slice(), t);
            let mut jacobian = DMatrix::from_column_slice(n, n, jacobian);
            for k in self.held() {
                f[k] = 0.0;
                jacobian.row_mut(k).fill(0.0);
                jacobian[(k, k)] = 1.0;
            }
            let step = jacobian.clone().lu().solve(&f).filter(finite)?;
            if self.measure(&step, &x) > 1.0 {
                return None;
            }
            x -= &step;
            if self.measure(&step, &x) <= 1e-3 * CLOSE {
                self.point.x.copy_from_slice(x.as_slice());
                return Some(jacobian);
            }
        }
        None
    }

    /// How far a cycle leads from where it began, in units of the tolerance.
    fn size(&self, cycle: &Cycle) -> f64 {
        self.measure(&cycle.change(), &cycle.x)
    }

    /// Whether a cycle changes less than an earlier one did.
    fn is_nearer(&self, cycle: &Cycle, earlier: &Cycle) -> bool {
        self.measure(&cycle.change(), &earlier.x) < self.size(earlier)
    }

    /// Whether the derivatives of one cycle tell what the next one does: only then are they worth following, for there
    /// may be fixed points that no doses lead to.
    fn foresees(&self, last: &Cycle, cycle: &Cycle) -> bool {
        let moved = &cycle.x - &last.x;
        let foreseen = last.change() + &last.matrix * &moved - &moved;
        let error = self.measure(&(cycle.change() - foreseen), &last.x);
        error <= (0.1 * self.size(last)).max(1.0)
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
