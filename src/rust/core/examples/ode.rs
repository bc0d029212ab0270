//! Measure the explicit solver of differential equations beside diffsol's.
//!
//! Eleven observations to 24.4 h, relative tolerance 1e-6, absolute 1e-8, 512 random sets of parameters. Times are CPU
//! times of one thread, medians over rounds, microseconds a subject; the ratios are what travels between machines.

use std::hint::black_box;

use cpu_time::ThreadTime;
use diffsol::{NalgebraMat, OdeBuilder, OdeEquations, OdeSolverMethod, Vector};
use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::ir::graph::Graph;
use nlmers_core::ir::vmath::Isa;
use nlmers_core::ode::explicit::{Adjoint, BackwardMemory, ExplicitScratch, Record};
use nlmers_core::ode::{
    Act, Control, Deliveries, Dosing, Explicit, LaneTask, Signals, Stop, Stops, System, Task,
};

type Failure = Box<dyn std::error::Error>;
type Matrix = NalgebraMat<f64>;

const TIMES: [f64; 11] = [
    0.25, 0.57, 1.12, 2.02, 3.82, 5.1, 7.03, 9.05, 12.12, 18.0, 24.4,
];
const DOSE: f64 = 320.0;
const SETS: usize = 512;
const ROUNDS: usize = 15;

fn main() -> Result<(), Failure> {
    let sets = parameters(&[1.5, 0.08]);
    let mut own = Own::new(&oral(), &sets, false);
    let other = diffsol_oral(&sets)?;
    compare("one compartment, oral", || own.round(), other)?;
    println!("  {}", own.steps());
    println!("  largest relative error {:.1e}", oral_error(&sets));
    let sets = parameters(&[1.2, 30.0, 4.0, 20.0, 0.3, 0.2]);
    let mut own = Own::new(&saturable(), &sets, false);
    let other = diffsol_saturable(&sets)?;
    compare("Michaelis-Menten, two compartments", || own.round(), other)?;
    println!("  {}", own.steps());
    let mut slopes = Own::new(&saturable(), &sets, true);
    let ratios = (0..ROUNDS).map(|_| slopes.round() / own.round());
    println!(
        "  derivatives in 6 directions: {:.2} solutions",
        median(ratios.collect())
    );
    let mut back = Backward::new(&saturable());
    let ratios = (0..ROUNDS).map(|_| back.round(&own) / own.round());
    println!(
        "  there and back: {:.2} solutions",
        median(ratios.collect())
    );
    Ok(())
}

/// Rounds of both solvers take turns, so that what else runs on the machine meets both.
fn compare(
    name: &str,
    mut own: impl FnMut() -> f64,
    mut other: impl FnMut() -> Result<f64, Failure>,
) -> Result<(), Failure> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push((own(), other()?));
    }
    let middle = |f: fn(&(f64, f64)) -> f64| median(rounds.iter().map(f).collect());
    println!(
        "{name}: {:.2} us, diffsol {:.2} us, ratio 1/{:.1}",
        middle(|r| r.0),
        middle(|r| r.1),
        middle(|r| r.1 / r.0)
    );
    Ok(())
}

/// Lognormal sets around typical values, with a standard deviation of 0.3; input after input.
fn parameters(typical: &[f64]) -> Vec<Vec<f64>> {
    let mut seed = 20_240_607u64;
    let mut uniform = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    (0..SETS)
        .map(|_| typical.iter().map(|x| x * (0.3 * normal()).exp()).collect())
        .collect()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn system(graph: Graph, names: &[&str], n_inputs: usize) -> System {
    System {
        graph,
        states: names.iter().map(|name| (*name).to_string()).collect(),
        rhs: Vec::new(),
        initial: vec![None; names.len()],
        dosing: vec![Dosing::default(); names.len()],
        accrual: Vec::new(),
        varied: false,
        n_inputs,
        flow: vec![None; names.len()],
        matrix: None,
        signals: Vec::new(),
        control: Control::default(),
    }
}

fn oral() -> System {
    let mut g = Graph::new();
    let [depot, central] = [g.state(0), g.state(1)];
    let [ka, ke] = [g.phi(0), g.phi(1)];
    let absorbed = g.mul(ka, depot);
    let eliminated = g.mul(ke, central);
    let rhs = vec![g.neg(absorbed), g.sub(absorbed, eliminated)];
    System {
        rhs,
        ..system(g, &["depot", "central"], 2)
    }
}

fn saturable() -> System {
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
    System {
        rhs,
        ..system(g, &["depot", "central", "tissue"], 6)
    }
}

fn stops() -> Stops {
    let dose = Stop {
        time: 0.0,
        act: Act::Bolus {
            state: 0,
            amount: DOSE,
            fraction: None,
        },
        moves: Vec::new(),
    };
    let observed = TIMES.iter().enumerate().map(|(row, time)| Stop {
        time: *time,
        act: Act::Observe(row),
        moves: Vec::new(),
    });
    std::iter::once(dose).chain(observed).collect()
}

/// Blocks of 64 sets, and what a solver needs beside them.
fn blocks(system: &System, sets: &[Vec<f64>]) -> Vec<Vec<Column>> {
    let column = |block: &[Vec<f64>], j: usize| Column(std::array::from_fn(|l| block[l][j]));
    let block = |block: &[Vec<f64>]| (0..system.n_inputs).map(|j| column(block, j)).collect();
    sets.chunks(LANES).map(block).collect()
}

/// The explicit solver with all it needs.
struct Own {
    explicit: Explicit,
    scratch: ExplicitScratch,
    blocks: Vec<Vec<Column>>,
    stops: Stops,
    signals: Signals,
    out: Vec<Column>,
}

impl Own {
    fn new(system: &System, sets: &[Vec<f64>], slopes: bool) -> Self {
        let wanted = Deliveries {
            states: vec![1],
            inputs: (0..if slopes { system.n_inputs } else { 0 }).collect(),
        };
        let explicit = Explicit::new(system, &wanted);
        Self {
            scratch: explicit.scratch(),
            explicit,
            blocks: blocks(system, sets),
            stops: stops(),
            signals: Signals::default(),
            out: vec![Column::ZERO; TIMES.len() * wanted.width()],
        }
    }

    fn solve(&mut self, block: usize) {
        let lane = LaneTask {
            start: 0.0,
            stops: &self.stops,
            signals: &self.signals,
        };
        let task = Task {
            inputs: &self.blocks[block],
            lanes: &[lane; LANES],
        };
        let (out, scratch) = (&mut self.out, &mut self.scratch);
        black_box(self.explicit.solve(Isa::detect(), &task, out, scratch));
    }

    /// Microseconds a set.
    fn round(&mut self) -> f64 {
        let start = ThreadTime::now();
        for block in 0..self.blocks.len() {
            self.solve(block);
        }
        1e6 * start.elapsed().as_secs_f64() / SETS as f64
    }

    fn steps(&mut self) -> String {
        let (mut steps, mut slots) = (0u32, 0);
        for block in 0..self.blocks.len() {
            self.solve(block);
            steps += self.scratch.steps().iter().sum::<u32>();
            slots += self.scratch.slots();
        }
        let steps = f64::from(steps);
        format!(
            "{:.1} steps, {:.0} % of the lanes at work",
            steps / SETS as f64,
            100.0 * steps / slots as f64
        )
    }
}

/// A solution with a record, and the way back.
struct Backward {
    adjoint: Adjoint,
    scratch: ExplicitScratch,
    record: Record,
    back: BackwardMemory,
    gradients: Vec<Column>,
    out: Vec<Column>,
}

impl Backward {
    fn new(system: &System) -> Self {
        let adjoint = Adjoint::new(system, &[1]);
        Self {
            scratch: adjoint.scratch(),
            record: Record::default(),
            back: adjoint.back(),
            adjoint,
            gradients: vec![Column::ZERO; system.n_inputs],
            out: vec![Column::ZERO; TIMES.len()],
        }
    }

    /// Microseconds a set.
    fn round(&mut self, own: &Own) -> f64 {
        let start = ThreadTime::now();
        let seeds = [Column::splat(1.0); TIMES.len()];
        for inputs in &own.blocks {
            let lane = LaneTask {
                start: 0.0,
                stops: &own.stops,
                signals: &own.signals,
            };
            let task = Task {
                inputs,
                lanes: &[lane; LANES],
            };
            let memory = (&mut self.scratch, &mut self.record);
            let isa = Isa::detect();
            self.adjoint.record(isa, &task, &mut self.out, memory);
            let (record, gradients) = (&self.record, &mut self.gradients);
            self.adjoint
                .pull(isa, record, &seeds, gradients, &mut self.back);
            black_box(gradients);
        }
        1e6 * start.elapsed().as_secs_f64() / SETS as f64
    }
}

fn oral_error(sets: &[Vec<f64>]) -> f64 {
    let mut own = Own::new(&oral(), sets, false);
    let mut worst: f64 = 0.0;
    for block in 0..own.blocks.len() {
        own.solve(block);
        for (l, set) in sets[block * LANES..(block + 1) * LANES].iter().enumerate() {
            for (column, t) in own.out.iter().zip(TIMES) {
                let (ka, ke) = (set[0], set[1]);
                let truth = DOSE * ka / (ka - ke) * ((-ke * t).exp() - (-ka * t).exp());
                worst = worst.max((column.0[l] / truth - 1.0).abs());
            }
        }
    }
    worst
}

/// A round with a problem that stays and parameters that change.
macro_rules! round {
    ($problem:ident, $sets:ident) => {
        Ok(move || {
            let start = ThreadTime::now();
            for set in $sets {
                let context = *$problem.context();
                let parameters = Vector::from_slice(set, context);
                $problem.eqn_mut().set_params(&parameters);
                let mut solver = $problem.tsit45()?;
                black_box(solver.solve_dense(&TIMES)?);
            }
            Ok(1e6 * start.elapsed().as_secs_f64() / SETS as f64)
        })
    };
}

fn diffsol_oral(
    sets: &[Vec<f64>],
) -> Result<impl FnMut() -> Result<f64, Failure> + use<'_>, Failure> {
    let mut problem = OdeBuilder::<Matrix>::new()
        .rtol(1e-6)
        .atol([1e-8])
        .p(sets[0].clone())
        .rhs(|x, p, _t, y| {
            y[0] = -p[0] * x[0];
            y[1] = p[0] * x[0] - p[1] * x[1];
        })
        .init(
            |_p, _t, y| {
                y[0] = DOSE;
                y[1] = 0.0;
            },
            2,
        )
        .build()?;
    round!(problem, sets)
}

fn diffsol_saturable(
    sets: &[Vec<f64>],
) -> Result<impl FnMut() -> Result<f64, Failure> + use<'_>, Failure> {
    let mut problem = OdeBuilder::<Matrix>::new()
        .rtol(1e-6)
        .atol([1e-8])
        .p(sets[0].clone())
        .rhs(|x, p, _t, y| {
            let conc = x[1] / p[3];
            let exchanged = p[5] * x[2] - p[4] * x[1];
            y[0] = -p[0] * x[0];
            y[1] = p[0] * x[0] - p[1] * conc / (p[2] + conc) + exchanged;
            y[2] = -exchanged;
        })
        .init(
            |_p, _t, y| {
                y[0] = DOSE;
                y[1] = 0.0;
                y[2] = 0.0;
            },
            3,
        )
        .build()?;
    round!(problem, sets)
}
