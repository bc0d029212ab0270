//! Stiff systems built by hand, and how to run them.

use super::systems;
use nlmers_core::ir::graph::{Graph, Node};
use nlmers_core::ode::stiff::Stiff;
use nlmers_core::ode::system::{SIGNALS, TIME};
use nlmers_core::ode::{
    Act, Control, Deliveries, Failure, InputSlopes, LaneTask, Signals, Stop, Stops, System,
};

/// `rtol` and `atol`.
pub type Tolerance = (f64, f64);

pub type Rhs = fn(&mut Graph, &[Node], &[Node]) -> Vec<Node>;

/// `initial`: for each state the input that holds its initial value; `n_inputs` inputs.
pub fn build(
    initial: &[Option<usize>],
    n_inputs: u32,
    (rtol, atol): Tolerance,
    rhs: Rhs,
) -> System {
    let mut graph = Graph::new();
    let n = initial.len();
    let x: Vec<Node> = (0u32..).take(n).map(|k| graph.state(k)).collect();
    let p: Vec<Node> = (0..n_inputs).map(|j| graph.phi(j)).collect();
    let rhs = rhs(&mut graph, &x, &p);
    System {
        initial: initial.to_vec(),
        control: Control {
            rtol,
            atol,
            ..Control::default()
        },
        ..systems::system(graph, rhs, n_inputs as usize)
    }
}

/// Rates 0.04, 1e4 and 3e7; the fourth input is the initial value of the first state.
pub const ROBERTSON: [f64; 4] = [0.04, 1e4, 3e7, 1.0];

pub fn robertson(tolerance: Tolerance) -> System {
    build(&[Some(3), None, None], 4, tolerance, |g, x, p| {
        let a = g.mul(p[0], x[0]);
        let product = g.mul(x[1], x[2]);
        let b = g.mul(p[1], product);
        let square = g.square(x[1]);
        let c = g.mul(p[2], square);
        let first = g.sub(b, a);
        let back = g.sub(a, b);
        let second = g.sub(back, c);
        vec![first, second, c]
    })
}

/// Elimination, binding, dissociation, synthesis, degradation, internalization, receptors at the start.
pub const TMDD: [f64; 7] = [0.05, 5000.0, 5.0, 1.0, 0.1, 0.3, 10.0];

/// Drug, receptor, complex and peripheral drug.
pub fn tmdd(tolerance: Tolerance) -> System {
    build(&[None, Some(6), None, None], 7, tolerance, |g, x, p| {
        let pair = g.mul(x[0], x[1]);
        let on = g.mul(p[1], pair);
        let off = g.mul(p[2], x[2]);
        let bound = g.sub(on, off);
        let cleared = g.mul(p[0], x[0]);
        let (there, back) = (g.scale(0.2, x[0]), g.scale(0.1, x[3]));
        let spread = g.sub(there, back);
        let lost = g.sum(&[cleared, bound, spread]);
        let drug = g.neg(lost);
        let made = g.sub(p[3], bound);
        let degraded = g.mul(p[4], x[1]);
        let receptor = g.sub(made, degraded);
        let taken = g.mul(p[5], x[2]);
        let complex = g.sub(bound, taken);
        vec![drug, receptor, complex, spread]
    })
}

/// `x'' = mu (1 - x^2) x' - x` from `x = 2`; the inputs are `mu` and 2.
pub fn van_der_pol(tolerance: Tolerance) -> System {
    build(&[Some(1), None], 2, tolerance, |g, x, p| {
        let one = g.constant(1.0);
        let square = g.square(x[0]);
        let rest = g.sub(one, square);
        let product = g.mul(rest, x[1]);
        let damped = g.mul(p[0], product);
        let force = g.sub(damped, x[0]);
        vec![x[1], force]
    })
}

/// Absorption and elimination at rates `p[0]` and `p[1]`.
pub fn oral(tolerance: Tolerance) -> System {
    build(&[None, None], 2, tolerance, |g, x, p| {
        let absorbed = g.mul(p[0], x[0]);
        let cleared = g.mul(p[1], x[1]);
        let first = g.neg(absorbed);
        let second = g.sub(absorbed, cleared);
        vec![first, second]
    })
}

/// `x' = p ln(x)` and the like: one state that begins at input 0.
pub fn single(rhs: Rhs) -> System {
    build(&[Some(0)], 2, (1e-6, 1e-8), rhs)
}

/// `x' = signal - p[1] x + 0 time`, from zero.
pub fn followed(kind: nlmers_core::language::specification::Interpolation) -> System {
    let mut system = build(&[None], 2, (1e-9, 1e-12), |g, x, p| {
        let signal = g.data(SIGNALS);
        let time = g.data(TIME);
        let timed = g.mul(p[0], time);
        let lost = g.mul(p[1], x[0]);
        let gained = g.add(signal, timed);
        vec![g.sub(gained, lost)]
    });
    system.signals = vec![kind];
    system
}

pub fn stop(time: f64, act: Act) -> Stop {
    Stop {
        time,
        act,
        moves: vec![],
    }
}

pub fn moving(time: f64, act: Act, moves: &[(usize, f64)]) -> Stop {
    Stop {
        time,
        act,
        moves: slopes(moves),
    }
}

pub fn slopes(pairs: &[(usize, f64)]) -> Vec<InputSlopes> {
    pairs
        .iter()
        .map(|(input, slope)| InputSlopes {
            input: *input,
            slope: *slope,
        })
        .collect()
}

pub fn bolus(time: f64, state: usize, amount: f64) -> Stop {
    let fraction = None;
    stop(
        time,
        Act::Bolus {
            state,
            amount,
            fraction,
        },
    )
}

pub fn rate(time: f64, state: usize, change: f64) -> Stop {
    let slopes = vec![];
    stop(
        time,
        Act::Rate {
            state,
            change,
            slopes,
        },
    )
}

/// Observations at these times put in between, after what happens at the same time; rows in the order of time.
pub fn observed(mut stops: Stops, times: &[f64]) -> Stops {
    stops.extend(times.iter().map(|time| stop(*time, Act::Observe(0))));
    stops.sort_by(|a, b| a.time.total_cmp(&b.time));
    let mut row = 0;
    for stop in &mut stops {
        if let Act::Observe(r) = &mut stop.act {
            *r = row;
            row += 1;
        }
    }
    stops
}

/// What a solution delivers: rows of all states, then all derivatives; NaN after a failure.
pub struct Solution {
    pub rows: Vec<Vec<f64>>,
    pub wanted: Deliveries,
    pub failure: Option<Failure>,
}

impl Solution {
    pub fn slope(&self, row: usize, state: usize, input: usize) -> f64 {
        self.rows[row][self.wanted.slope(state, input)]
    }
}

pub fn solve(system: &System, inputs: &[f64], stops: &Stops, by: &[usize]) -> Solution {
    solve_with(system, inputs, stops, by, &Signals::default())
}

pub fn solve_with(
    system: &System,
    inputs: &[f64],
    stops: &Stops,
    by: &[usize],
    signals: &Signals,
) -> Solution {
    let wanted = Deliveries {
        states: (0..system.rhs.len()).collect(),
        inputs: by.to_vec(),
    };
    let lane = LaneTask {
        start: 0.0,
        stops,
        signals,
    };
    let n_rows = stops
        .iter()
        .filter(|stop| matches!(stop.act, Act::Observe(_)))
        .count();
    // Every value has to be written.
    let mut rows = vec![vec![f64::INFINITY; wanted.width()]; n_rows];
    let mut out = |row: usize, column: usize, value: f64| rows[row][column] = value;
    let result = Stiff::new(system).solve_lane(inputs, &lane, &wanted, &mut out);
    assert!(rows.iter().flatten().all(|value| !value.is_infinite()));
    Solution {
        rows,
        wanted,
        failure: result.err(),
    }
}

/// Derivatives of all rows by one input: `(value(up) - value(down)) / (2 step)` of a solution that `at` gives.
pub fn differences(at: &dyn Fn(&[f64]) -> Solution, inputs: &[f64], j: usize) -> Vec<Vec<f64>> {
    let step = 1e-4 * inputs[j].abs().max(1e-3);
    let shifted = |sign: f64| {
        let mut inputs = inputs.to_vec();
        inputs[j] += sign * step;
        at(&inputs).rows
    };
    let (up, down) = (shifted(1.0), shifted(-1.0));
    up.iter()
        .zip(&down)
        .map(|(up, down)| {
            let pairs = up.iter().zip(down);
            pairs.map(|(a, b)| (a - b) / (2.0 * step)).collect()
        })
        .collect()
}
