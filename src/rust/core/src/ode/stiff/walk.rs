//! Take one lane from stop to stop: what each of them does to states, sensitivities and rates.

use super::bdf;
use super::field::{Direction, Setting};
use super::lane::{row, Stiff};
use super::Stats;
use crate::ode::task::{Deliveries, Failure, LaneTask};
use crate::ode::timeline::{Act, InputSlopes, Stop};

/// The local error of a step is kept to this part of the tolerance, because errors of steps add up: with it the error
/// at observations is 0.2 to 0.7 times `rtol` on Robertson's equations, on target-mediated disposition and on absorption
/// at `rtol = 1e-6`.
const STRICTER: f64 = 0.1;

/// Where a lane is.
#[derive(Debug, Clone, Default)]
pub struct SolverPoint {
    pub x: Vec<f64>,
    /// `dx / d direction`, direction after direction.
    pub s: Vec<f64>,
}

/// A way between two stops, with the times of the observations on it.
pub struct Segment {
    pub from: f64,
    pub to: f64,
    pub times: Vec<f64>,
    pub rtol: f64,
    pub atol: f64,
}

/// Steps taken and allowed.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub steps: Stats,
    /// Of cycles that are over.
    before: Stats,
    max_steps: usize,
}

impl Budget {
    pub fn check(&self) -> Result<(), Failure> {
        if self.steps.steps + self.steps.rejected > self.max_steps {
            return Err(Failure::TooManySteps);
        }
        Ok(())
    }

    /// All steps, those of cycles included.
    pub fn stats(&self) -> Stats {
        Stats {
            steps: self.before.steps + self.steps.steps,
            rejected: self.before.rejected + self.steps.rejected,
            starts: self.before.starts + self.steps.starts,
        }
    }
}

/// One lane on its way.
pub struct StiffWalk<'a> {
    pub stiff: &'a Stiff,
    pub setting: Setting<'a>,
    pub point: SolverPoint,
    pub budget: Budget,
    pub time: f64,
}

/// Gets the row, states and sensitivities.
pub type Deliver<'d> = &'d mut dyn FnMut(usize, &[f64], &[f64]);

impl<'a> StiffWalk<'a> {
    pub fn new(stiff: &'a Stiff, inputs: &[f64], lane: &LaneTask<'a>, wanted: &Deliveries) -> Self {
        let mut walk = Self {
            stiff,
            setting: Setting::new(&stiff.field, inputs, lane.signals),
            point: SolverPoint::default(),
            budget: Budget {
                steps: Stats::default(),
                before: Stats::default(),
                max_steps: stiff.control.max_steps,
            },
            time: lane.start,
        };
        let directions = wanted.inputs.iter().map(|j| Direction::Input(*j));
        walk.setting.directions = directions.collect();
        walk.begin();
        walk
    }

    /// Meet the stops in order.
    pub fn follow(&mut self, stops: &[Stop], deliver: Deliver) -> Result<(), Failure> {
        let mut rest = stops;
        while !rest.is_empty() {
            let n = rest
                .iter()
                .position(|stop| self.changes(stop))
                .unwrap_or(rest.len());
            let (passed, next) = rest.split_at(n);
            let to = next.first().or(passed.last()).map_or(self.time, |s| s.time);
            self.pass(passed, to, deliver)?;
            rest = next;
            if let Some((stop, after)) = next.split_first() {
                self.meet(stop)?;
                rest = after;
            }
        }
        Ok(())
    }

    fn changes(&self, stop: &Stop) -> bool {
        match stop.act {
            Act::Observe(_) => false,
            Act::Signals(line) => self.setting.differs(line),
            _ => true,
        }
    }

    /// Go to a time and deliver the observations on the way.
    pub fn pass(&mut self, stops: &[Stop], to: f64, deliver: Deliver) -> Result<(), Failure> {
        let mut observed = stops
            .iter()
            .filter_map(|stop| Some((stop.time, row(stop)?)));
        let from = self.time;
        let control = &self.stiff.control;
        let mut segment = Segment {
            from,
            to,
            times: Vec::new(),
            rtol: STRICTER * control.rtol,
            // A state that stays at zero needs something to be measured by.
            atol: (STRICTER * control.atol).max(1e-100),
        };
        let mut rows = Vec::new();
        for (time, row) in observed.by_ref() {
            if time > from {
                segment.times.push(time);
                rows.push(row);
            } else {
                deliver(row, &self.point.x, &self.point.s);
            }
        }
        if !(to.is_finite() && from.is_finite()) {
            return Err(Failure::NotFinite);
        }
        if to > from {
            self.budget.steps.starts += 1;
            let mut by_position = |i: usize, x: &[f64], s: &[f64]| deliver(rows[i], x, s);
            bdf::integrate(
                &mut self.setting,
                &mut self.point,
                &segment,
                &mut self.budget,
                &mut by_position,
            )?;
            self.time = to;
        }
        Ok(())
    }

    /// Do what a stop says.
    pub fn meet(&mut self, stop: &Stop) -> Result<(), Failure> {
        self.shift(&stop.moves, 1.0);
        match &stop.act {
            Act::Observe(_) => {}
            Act::Bolus {
                state,
                amount,
                fraction,
            } => self.bolus(*state, *amount, *fraction),
            Act::Rate {
                state,
                change,
                slopes,
            } => {
                self.setting.rates[*state] += change;
                for (d, slope) in self.along(slopes) {
                    let n = self.point.x.len();
                    self.setting.rate_slopes[d * n + state] += slope;
                }
            }
            Act::Reset => {
                let before = self.point.clone();
                self.begin();
                self.restore(&before);
            }
            Act::Signals(line) => self.setting.read_line(*line),
            Act::Steady {
                interval,
                cycle,
                adds,
            } => self.steady(*interval, cycle, *adds)?,
        }
        self.shift(&stop.moves, -1.0);
        Ok(())
    }

    /// `S += sign f dtime/dinput`: before a stop with a plus, after it with a minus.
    fn shift(&mut self, moves: &[InputSlopes], sign: f64) {
        let moved = self.along(moves);
        if moved.is_empty() {
            return;
        }
        let n = self.point.x.len();
        let mut f = vec![0.0; n];
        self.setting.call(&self.point.x, self.time, &mut f);
        for (d, slope) in moved {
            for (s, f) in self.point.s[d * n..(d + 1) * n].iter_mut().zip(&f) {
                *s += sign * slope * f;
            }
        }
    }

    /// Slopes by inputs as slopes by directions.
    fn along(&self, slopes: &[InputSlopes]) -> Vec<(usize, f64)> {
        let direction =
            |slope: &InputSlopes| Some((self.setting.direction(slope.input)?, slope.slope));
        slopes.iter().filter_map(direction).collect()
    }

    fn bolus(&mut self, state: usize, amount: f64, fraction: Option<usize>) {
        let factor = fraction.map_or(1.0, |j| self.setting.input(j));
        self.point.x[state] += amount * factor;
        if let Some(d) = fraction.and_then(|j| self.setting.direction(j)) {
            self.point.s[d * self.stiff.initial.len() + state] += amount;
        }
    }

    /// States to their initial values, rates to zero.
    pub fn begin(&mut self) {
        self.clear();
        let n = self.stiff.initial.len();
        for (k, input) in self.stiff.initial.iter().enumerate() {
            if let Some(j) = input {
                self.point.x[k] = self.setting.input(*j);
                if let Some(d) = self.setting.direction(*j) {
                    self.point.s[d * n + k] = 1.0;
                }
            }
        }
    }

    /// Lasting states as they were.
    pub fn restore(&mut self, before: &SolverPoint) {
        let n = self.point.x.len();
        let lasts = |column: usize| self.stiff.lasting[column % n];
        for (c, x) in self
            .point
            .x
            .iter_mut()
            .enumerate()
            .filter(|(c, _)| lasts(*c))
        {
            *x = before.x[c];
        }
        for (c, s) in self
            .point
            .s
            .iter_mut()
            .enumerate()
            .filter(|(c, _)| lasts(*c))
        {
            *s = before.s[c];
        }
    }

    /// States and rates to zero.
    pub fn clear(&mut self) {
        let (n, p) = (self.stiff.initial.len(), self.setting.directions.len());
        self.point = SolverPoint {
            x: vec![0.0; n],
            s: vec![0.0; n * p],
        };
        self.setting.rates = vec![0.0; n];
        self.setting.rate_slopes = vec![0.0; n * p];
    }

    /// Begin to count steps anew, as every cycle may take as many as a whole solution.
    pub fn count_anew(&mut self) {
        self.budget.before = self.budget.stats();
        self.budget.steps = Stats::default();
    }
}
