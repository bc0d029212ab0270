//! Small data frames with dosing records, and what their stops do to a state that decays.

use nlmers_core::data::{Events, Frame, Records};
use nlmers_core::error::{Error, Result};
use nlmers_core::ir::graph::Node;
use nlmers_core::model::{Equation, Model};
use nlmers_core::ode::{Act, Agenda, Dosing, Failure, Planner, Stop, Stops};

/// A model with the states `depot` and `center`, whose equations do not matter.
pub fn model(dosing: [Dosing; 2]) -> Model {
    let mut model = super::model(
        "fixed a = 1\nfixed o = positive(0.5)\nfixed s = positive(0.4)\nrandom e ~ normal(0, o) | id\ny ~ normal(a + e, s)",
    );
    let zero = model.graph.constant(0.0);
    // They lose what they hold: states that only add up come to no steady state.
    let losses = [0, 1].map(|k| {
        let state = model.graph.state(k);
        model.graph.neg(state)
    });
    let equation = |(rhs, (name, says)): (Node, (&str, Dosing))| Equation {
        name: name.into(),
        rhs,
        initial: None,
        fraction: says.fraction.map(|_| zero),
        lag: says.lag.map(|_| zero),
        rate: says.rate.map(|_| zero),
        duration: says.duration.map(|_| zero),
        feed: None,
        hazard: None,
        text: format!("d/dt({name}) <- -{name}"),
    };
    let named = ["depot", "center"].into_iter().zip(dosing);
    model.equations = losses.into_iter().zip(named).map(equation).collect();
    model
}

/// One subject; items by their names in lower case, `y` and `time` among them.
pub fn frame(columns: &[(&str, &[f64])]) -> Frame {
    let n_rows = columns[0].1.len();
    let reserved = |name: &str| match name {
        "y" | "time" => name.to_string(),
        item => format!(".{item}"),
    };
    let mut columns: Vec<(String, Vec<f64>)> = columns
        .iter()
        .map(|(name, values)| (reserved(name), values.to_vec()))
        .collect();
    if columns.iter().all(|(name, _)| name != "y") {
        columns.push(("y".into(), vec![1.0; n_rows]));
    }
    Frame {
        n_rows,
        columns,
        group: "id".into(),
        labels: vec!["7".into()],
        codes: vec![0; n_rows],
        time: Some("time".into()),
        ..Frame::default()
    }
}

/// # Errors
/// Those of the data.
pub fn try_events(model: &Model, frame: &Frame) -> Result<Events> {
    let records = Records::all(model, frame, false)?;
    Ok(Events::clone(records[0].events.as_ref().expect("events")))
}

pub fn events(model: &Model, frame: &Frame) -> Events {
    try_events(model, frame).unwrap_or_else(|error| panic!("{error}"))
}

pub fn error(model: &Model, columns: &[(&str, &[f64])]) -> Error {
    match try_events(model, &frame(columns)) {
        Ok(events) => panic!("read although it must not be: {events:?}"),
        Err(error) => error,
    }
}

/// Stops of the only subject; its rows are the observations.
///
/// # Errors
/// Those of the planner.
pub fn try_stops(
    events: &Events,
    dosing: [Dosing; 2],
    inputs: &[f64],
) -> std::result::Result<Stops, Failure> {
    let mut rows: Vec<usize> = (0..events.time.len()).collect();
    rows.sort_by_key(|row| events.position[*row]);
    let observations = events.observations(&rows);
    let agenda = Agenda {
        schedule: &events.schedules[0],
        observations: &observations,
        lines: &[],
        dosing: &dosing,
        variants: &[],
    };
    let mut stops = Stops::new();
    Planner::default().plan(&agenda, |j| inputs[j], &mut stops)?;
    Ok(stops)
}

pub fn stops(columns: &[(&str, &[f64])], dosing: [Dosing; 2], inputs: &[f64]) -> Stops {
    let events = events(&model(dosing), &frame(columns));
    try_stops(&events, dosing, inputs).expect("stops")
}

/// `x' = -k x + rate` from `x(start) = x0`, for the state that is dosed.
pub struct Decay<'a> {
    pub k: f64,
    pub x0: f64,
    pub inputs: &'a [f64],
    x: f64,
    rate: f64,
    time: f64,
    seen: Vec<(usize, f64)>,
}

impl<'a> Decay<'a> {
    pub fn new(k: f64, x0: f64, inputs: &'a [f64]) -> Self {
        Self {
            k,
            x0,
            inputs,
            x: x0,
            rate: 0.0,
            time: 0.0,
            seen: Vec::new(),
        }
    }

    /// The state at each row.
    pub fn rows(mut self, start: f64, stops: &[Stop]) -> Vec<f64> {
        self.time = start;
        self.meet(stops);
        self.seen.sort_by_key(|(row, _)| *row);
        self.seen.into_iter().map(|(_, x)| x).collect()
    }

    fn run(&mut self, to: f64) {
        let decay = (-self.k * (to - self.time)).exp();
        let level = self.rate / self.k;
        self.x = level + (self.x - level) * decay;
        self.time = to;
    }

    fn meet(&mut self, stops: &[Stop]) {
        for stop in stops {
            assert!(stop.time >= self.time - 1e-9, "back in time: {stops:?}");
            self.run(stop.time.max(self.time));
            match &stop.act {
                Act::Observe(row) => self.seen.push((*row, self.x)),
                Act::Bolus {
                    amount, fraction, ..
                } => self.x += amount * fraction.map_or(1.0, |j| self.inputs[j]),
                Act::Rate { change, .. } => self.rate += change,
                Act::Reset => (self.x, self.rate) = (self.x0, 0.0),
                Act::Signals(_) => {}
                Act::Steady {
                    interval,
                    cycle,
                    adds,
                } => {
                    let steady = self.steady(*interval, cycle);
                    if *adds {
                        self.x += steady;
                    } else {
                        (self.x, self.rate) = (steady, 0.0);
                    }
                }
            }
        }
    }

    /// The affine map of a cycle has one fixed point.
    fn steady(&self, interval: f64, cycle: &[Stop]) -> f64 {
        let mut inner = Decay::new(self.k, 0.0, self.inputs);
        inner.meet(cycle);
        if interval.is_infinite() {
            return inner.rate / self.k;
        }
        inner.run(interval);
        assert!(inner.rate.abs() < 1e-9, "a cycle ends at rest: {cycle:?}");
        inner.x / (1.0 - (-self.k * interval).exp())
    }
}

/// What a dose `since` ago leaves; a duration of 0 is a bolus.
pub fn left_of(amount: f64, duration: f64, since: f64, k: f64) -> f64 {
    if since < 0.0 {
        0.0
    } else if duration == 0.0 {
        amount * (-k * since).exp()
    } else {
        let on = since.min(duration);
        amount / duration / k * -(-k * on).exp_m1() * (-k * (since - on)).exp()
    }
}
