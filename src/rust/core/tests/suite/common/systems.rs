//! Systems with known solutions, courses of lanes, and a solver around them.

use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::ir::graph::{Graph, Node};
use nlmers_core::ir::op::Unary;
use nlmers_core::ir::vmath::Isa;
use nlmers_core::language::specification::Interpolation;
use nlmers_core::ode::explicit::{Adjoint, Record};
use nlmers_core::ode::system::{ELAPSED, SIGNALS, TIME};
use nlmers_core::ode::{
    Act, Control, Deliveries, Dosing, Explicit, Failure, InputSlopes, LaneTask, Signals, Solver,
    Stop, Stops, System, Task,
};

pub fn close(a: f64, b: f64, tolerance: f64, what: &str) {
    assert!(
        (a - b).abs() <= tolerance * (1.0 + b.abs()),
        "{what}: {a} instead of {b}"
    );
}

/// States without names of their own, initial values, doses and signals.
pub fn system(graph: Graph, rhs: Vec<Node>, n_inputs: usize) -> System {
    let n = rhs.len();
    System {
        graph,
        states: (0..n).map(|k| format!("x{k}")).collect(),
        rhs,
        initial: vec![None; n],
        dosing: vec![Dosing::default(); n],
        accrual: Vec::new(),
        varied: false,
        n_inputs,
        flow: vec![None; n],
        matrix: None,
        signals: Vec::new(),
        control: Control::default(),
    }
}

pub fn tight(mut system: System, rtol: f64) -> System {
    system.control.rtol = rtol;
    system.control.atol = 1e-2 * rtol;
    system.control.solver = Solver::Explicit;
    system
}

/// Depot, central; inputs `ka`, `ke`.
pub fn oral() -> System {
    let mut g = Graph::new();
    let [depot, central] = [g.state(0), g.state(1)];
    let [ka, ke] = [g.phi(0), g.phi(1)];
    let absorbed = g.mul(ka, depot);
    let eliminated = g.mul(ke, central);
    let rhs = vec![g.neg(absorbed), g.sub(absorbed, eliminated)];
    system(g, rhs, 2)
}

/// `x' = r x (1 - x / k)`; inputs: initial value, `r`, `k`.
pub fn logistic() -> System {
    let mut g = Graph::new();
    let x = g.state(0);
    let [r, k] = [g.phi(1), g.phi(2)];
    let ratio = g.div(x, k);
    let one = g.constant(1.0);
    let rest = g.sub(one, ratio);
    let growth = g.mul(r, x);
    let rhs = vec![g.mul(growth, rest)];
    System {
        initial: vec![Some(0)],
        ..system(g, rhs, 3)
    }
}

/// `x' = x^2`; input: initial value.
pub fn quadratic() -> System {
    let mut g = Graph::new();
    let x = g.state(0);
    let rhs = vec![g.square(x)];
    System {
        initial: vec![Some(0)],
        ..system(g, rhs, 1)
    }
}

/// `x' = a cos(t) - s0`, `y' = s1`
pub fn driven() -> System {
    let mut g = Graph::new();
    let (time, a) = (g.data(TIME), g.phi(0));
    let (step, line) = (g.data(SIGNALS), g.data(SIGNALS + 1));
    let cosine = g.unary(Unary::Cos, time);
    let swing = g.mul(a, cosine);
    let rhs = vec![g.sub(swing, step), line];
    System {
        signals: vec![Interpolation::Constant, Interpolation::Linear],
        ..system(g, rhs, 1)
    }
}

/// Depot, central with Michaelis-Menten elimination, tissue; inputs `ka`, `vm`, `km`, `v`, `k12`, `k21`.
pub fn saturable() -> System {
    let mut g = Graph::new();
    let [depot, central, tissue] = [g.state(0), g.state(1), g.state(2)];
    let [ka, vm, km, v, k12, k21] = std::array::from_fn(|j| g.phi(j as u32));
    let absorbed = g.mul(ka, depot);
    let conc = g.div(central, v);
    let above = g.mul(vm, conc);
    let below = g.add(km, conc);
    let eliminated = g.div(above, below);
    let (out, back) = (g.mul(k12, central), g.mul(k21, tissue));
    let into = g.sub(absorbed, eliminated);
    let exchanged = g.sub(back, out);
    let minus = g.neg(exchanged);
    let rhs = vec![g.neg(absorbed), g.add(into, exchanged), minus];
    system(g, rhs, 6)
}

/// The same with inputs for doses: fraction, lag, rate, initial value of the tissue.
pub fn dosed() -> System {
    System {
        n_inputs: 10,
        initial: vec![None, None, Some(9)],
        ..saturable()
    }
}

/// A lagged bolus of a fraction, an infusion of 30 at a modeled rate, a reset, another lagged bolus.
pub fn moving(set: &[f64], times: &[f64]) -> Stops {
    let dose = |t: f64, state: usize| Stop {
        time: t + set[7],
        act: Act::Bolus {
            state,
            amount: 100.0,
            fraction: Some(6),
        },
        moves: vec![InputSlopes {
            input: 7,
            slope: 1.0,
        }],
    };
    let flow = |time: f64, sign: f64, moves: Vec<InputSlopes>| Stop {
        time,
        act: Act::Rate {
            state: 1,
            change: sign * set[8],
            slopes: vec![InputSlopes {
                input: 8,
                slope: sign,
            }],
        },
        moves,
    };
    let end = InputSlopes {
        input: 8,
        slope: -30.0 / (set[8] * set[8]),
    };
    let events = vec![
        dose(0.0, 0),
        dose(0.5, 1),
        flow(0.0, 1.0, Vec::new()),
        flow(30.0 / set[8], -1.0, vec![end]),
        reset(10.5),
        dose(11.0, 0),
    ];
    course(&sorted(events), times)
}

/// Depot and central, linear, and an effect `e' = kin - kout e c / (1 + c)`; inputs `ka`, `ke`, `kout`, `kin`.
pub fn effect(closed: bool) -> System {
    let mut g = Graph::new();
    let [depot, central, e] = [g.state(0), g.state(1), g.state(2)];
    let [ka, ke, kout, kin] = std::array::from_fn(|j| g.phi(j as u32));
    let (tau, rate) = (g.data(ELAPSED), g.theta(1));
    let absorbed = g.mul(ka, depot);
    let eliminated = g.mul(ke, central);
    let (first, second) = (g.neg(absorbed), g.sub(absorbed, eliminated));
    let decay = |g: &mut Graph, k: Node| {
        let exponent = g.mul(k, tau);
        let minus = g.neg(exponent);
        g.exp(minus)
    };
    let (fast, slow) = (decay(&mut g, ka), decay(&mut g, ke));
    let depot_flow = g.mul(depot, fast);
    let own = g.mul(central, slow);
    let gap = g.sub(ka, ke);
    let share = g.div(absorbed, gap);
    let difference = g.sub(slow, fast);
    let from_depot = g.mul(share, difference);
    let one = g.constant(1.0);
    let filled = g.sub(one, slow);
    let level = g.div(rate, ke);
    let infused = g.mul(level, filled);
    let central_flow = g.sum(&[own, from_depot, infused]);
    let driver = if closed { central_flow } else { central };
    let below = g.add(one, driver);
    let ratio = g.div(driver, below);
    let lost = g.mul(kout, e);
    let lost = g.mul(lost, ratio);
    let third = g.sub(kin, lost);
    let flow = if closed {
        vec![Some(depot_flow), Some(central_flow), None]
    } else {
        vec![None; 3]
    };
    System {
        flow,
        ..system(g, vec![first, second, third], 4)
    }
}

pub fn stop(time: f64, act: Act) -> Stop {
    Stop {
        time,
        act,
        moves: Vec::new(),
    }
}

pub fn moved(stop: Stop, input: usize, slope: f64) -> Stop {
    Stop {
        moves: vec![InputSlopes { input, slope }],
        ..stop
    }
}

pub fn bolus(time: f64, state: usize, amount: f64) -> Stop {
    let act = Act::Bolus {
        state,
        amount,
        fraction: None,
    };
    stop(time, act)
}

pub fn rate(time: f64, state: usize, change: f64) -> Stop {
    let act = Act::Rate {
        state,
        change,
        slopes: Vec::new(),
    };
    stop(time, act)
}

pub fn reset(time: f64) -> Stop {
    stop(time, Act::Reset)
}

pub fn steady(time: f64, interval: f64, cycle: &[Stop], adds: bool) -> Stop {
    let act = Act::Steady {
        interval,
        cycle: sorted(cycle.to_vec()),
        adds,
    };
    stop(time, act)
}

pub fn sorted(mut stops: Vec<Stop>) -> Stops {
    stops.sort_by(|a, b| a.time.total_cmp(&b.time));
    stops
}

/// Observations, row after row, among events; of one time the event comes first, a second observation last.
pub fn course(events: &[Stop], times: &[f64]) -> Stops {
    let seen = times.iter().enumerate();
    let seen = seen.map(|(row, time)| stop(*time, Act::Observe(row)));
    sorted(events.iter().cloned().chain(seen).collect())
}

/// Observations of one time before its events.
pub fn after(mut stops: Stops) -> Stops {
    stops.sort_by(|a, b| {
        let last = |stop: &Stop| matches!(stop.act, Act::Observe(_));
        a.time.total_cmp(&b.time).then(last(a).cmp(&last(b)))
    });
    stops
}

/// What is solved, and what is wanted.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub system: &'a System,
    pub states: &'a [usize],
    pub inputs: &'a [usize],
    pub signals: &'a Signals,
    pub isa: Isa,
}

pub struct Rows {
    pub out: Vec<Column>,
    pub width: usize,
    pub failures: [Option<Failure>; LANES],
}

impl Rows {
    pub fn at(&self, row: usize, column: usize, lane: usize) -> f64 {
        self.out[row * self.width + column].0[lane]
    }
}

static NONE: Signals = Signals {
    lines: Vec::new(),
    courses: Vec::new(),
};

impl<'a> Case<'a> {
    pub fn new(system: &'a System, states: &'a [usize]) -> Self {
        Self {
            system,
            states,
            inputs: &[],
            signals: &NONE,
            isa: Isa::detect(),
        }
    }

    pub fn wanted(&self) -> Deliveries {
        Deliveries {
            states: self.states.to_vec(),
            inputs: self.inputs.to_vec(),
        }
    }

    pub fn solve(&self, sets: &[Vec<f64>], courses: &[Stops]) -> Rows {
        let wanted = self.wanted();
        let explicit = Explicit::new(self.system, &wanted);
        let lanes: Vec<LaneTask> = courses
            .iter()
            .map(|stops| LaneTask {
                start: 0.0,
                stops,
                signals: self.signals,
            })
            .collect();
        let inputs = columns(sets, self.system.n_inputs);
        let task = Task {
            inputs: &inputs,
            lanes: &lanes,
        };
        let mut out = vec![Column::splat(-1.0); rows(courses) * wanted.width()];
        let mut scratch = explicit.scratch();
        let outcome = explicit.solve(self.isa, &task, &mut out, &mut scratch);
        Rows {
            out,
            width: wanted.width(),
            failures: outcome.failures,
        }
    }
}

/// Solutions with a way back.
impl Case<'_> {
    fn lanes<'b>(&'b self, courses: &'b [Stops]) -> Vec<LaneTask<'b>> {
        let lane = |stops| LaneTask {
            start: 0.0,
            stops,
            signals: self.signals,
        };
        courses.iter().map(lane).collect()
    }

    /// Values, gradients of the seeded sum, the record.
    pub fn adjoint(
        &self,
        sets: &[Vec<f64>],
        courses: &[Stops],
        seeds: &[Column],
    ) -> (Rows, Vec<Column>, Record) {
        let adjoint = Adjoint::new(self.system, self.states);
        let inputs = columns(sets, self.system.n_inputs);
        let task = Task {
            inputs: &inputs,
            lanes: &self.lanes(courses),
        };
        let width = self.states.len();
        let mut out = vec![Column::ZERO; rows(courses) * width];
        let (mut scratch, mut record) = (adjoint.scratch(), Record::default());
        let outcome = adjoint.record(self.isa, &task, &mut out, (&mut scratch, &mut record));
        let mut gradients = vec![Column::ZERO; self.system.n_inputs];
        let mut back = adjoint.back();
        // Twice, so that nothing of the first time may be left.
        for _ in 0..2 {
            adjoint.pull(self.isa, &record, seeds, &mut gradients, &mut back);
        }
        let failures = outcome.failures;
        let rows = Rows {
            out,
            width,
            failures,
        };
        (rows, gradients, record)
    }

    /// Values at the steps of a record.
    pub fn replay(&self, sets: &[Vec<f64>], courses: &[Stops], record: &Record) -> Rows {
        let adjoint = Adjoint::new(self.system, self.states);
        let inputs = columns(sets, self.system.n_inputs);
        let task = Task {
            inputs: &inputs,
            lanes: &self.lanes(courses),
        };
        let width = self.states.len();
        let mut out = vec![Column::ZERO; rows(courses) * width];
        let mut scratch = adjoint.scratch();
        let outcome = adjoint.replay(self.isa, &task, &mut out, (&mut scratch, record));
        Rows {
            out,
            width,
            failures: outcome.failures,
        }
    }
}

pub fn columns(sets: &[Vec<f64>], n: usize) -> Vec<Column> {
    let value = |l: usize, j: usize| sets.get(l).map_or(1.0, |set| set[j]);
    (0..n)
        .map(|j| Column(std::array::from_fn(|l| value(l, j))))
        .collect()
}

pub fn rows(courses: &[Stops]) -> usize {
    let seen = courses.iter().flatten().filter_map(|stop| match stop.act {
        Act::Observe(row) => Some(row + 1),
        _ => None,
    });
    seen.max().unwrap_or(0)
}

pub fn solve(system: &System, states: &[usize], sets: &[Vec<f64>], courses: &[Stops]) -> Rows {
    Case::new(system, states).solve(sets, courses)
}
