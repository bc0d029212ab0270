//! Measure the engine and a whole fit in units that travel between machines.
//!
//! `bench FOLDER`: fit requests (JSON) and their data (CSV), as `bench/theophylline.R` writes them. Times are
//! CPU times of this thread, medians over several runs; ratios compare what was measured in the same run.

use std::hint::black_box;
use std::sync::Arc;

use cpu_time::ThreadTime;
use nlmers_core::data::{Frame, Layout};
use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::ir::vmath::{map, Function, Isa};
use nlmers_core::model::compile;
use nlmers_core::monitor::Silent;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::{
    BoundProgram, DerivativeScratch, Derivatives, Given, Joint, Known, Problem, Stored,
};
use nlmers_core::request::{run, FrameColumns, Request};
use nlmers_core::saem::options::{ChainOptions, ScheduleOptions};
use nlmers_core::saem::{fit, SaemOptions};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let points: Vec<f64> = (0..1000).map(|i| -5.0 + 0.01 * f64::from(i)).collect();
    let unit = median(15, || {
        for _ in 0..1000 {
            for x in &points {
                // Independent calls: their throughput is the unit, not their latency.
                black_box(x.exp());
            }
        }
    });
    println!("unit: one million scalar exp = {:.3} ms", 1e3 * unit);
    if let [_, folder] = arguments.as_slice() {
        whole_fit(
            &format!("{folder}/theophylline.json"),
            &format!("{folder}/theophylline.csv"),
            unit,
        )?;
        // The same model in closed form, as equations that are recognized as linear, and integrated.
        for name in ["saem", "equations", "steps"] {
            whole_request(&format!("{folder}/{name}-theophylline"), unit)?;
        }
        for name in ["equations", "steps"] {
            beside(folder, name)?;
        }
        for name in ["vem-theophylline", "vem-steps-theophylline", "vem-warfarin"] {
            whole_request(&format!("{folder}/{name}"), unit)?;
        }
    }
    engine()?;
    moving_theta()
}

/// Median CPU seconds of a run of `work`, after one run to warm up.
fn median(runs: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = ThreadTime::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn whole_fit(request: &str, columns: &str, unit: f64) -> Result<(), Failure> {
    let Request::Fit(request) = Request::parse(&std::fs::read_to_string(request)?)? else {
        return Err("no request of a fit".into());
    };
    let frame = request.frame(read_columns(columns)?)?;
    let problem = Joint::new(&request.compiled()?, &frame, &request.given())?;
    let defaults = SaemOptions::default();
    let cases = [
        (
            "5 chains",
            SaemOptions {
                chains: ChainOptions {
                    n_chains: 5,
                    auto_small_n_chains: false,
                    ..defaults.chains
                },
                ..defaults.clone()
            },
        ),
        (
            "phases that end by themselves",
            SaemOptions {
                schedule: ScheduleOptions {
                    adaptive: true,
                    ..defaults.schedule.clone()
                },
                ..defaults.clone()
            },
        ),
        ("phases of fixed length", defaults),
    ];
    for (name, options) in cases {
        let mut failed = false;
        let time = median(21, || {
            failed |= fit(&problem, &options, 1, 1, &Silent).is_err()
        });
        println!(
            "SAEM on theophylline, {name}, at most {}+{} iterations, one thread: {:.2} ms = {:.2} units{}",
            options.schedule.exploration,
            options.schedule.smoothing,
            1e3 * time,
            time / unit,
            if failed { " (failed)" } else { "" }
        );
    }
    Ok(())
}

/// A request from its text to its reply: estimates, likelihood, standard errors, modes. Absent files are passed over.
fn whole_request(path: &str, unit: f64) -> Result<(), Failure> {
    let Ok(request) = std::fs::read_to_string(format!("{path}.json")) else {
        return Ok(());
    };
    let columns = read_columns(&format!("{path}.csv"))?;
    let mut failed = false;
    let time = median(21, || {
        failed |= run(&request, columns.clone(), &Silent).is_err();
    });
    println!(
        "{path}, estimates, likelihood, standard errors and modes, one thread: {:.2} ms = {:.2} units{}",
        1e3 * time,
        time / unit,
        if failed { " (failed)" } else { "" }
    );
    Ok(())
}

/// How many times longer a way to write the model takes than the closed form: one run beside the other.
fn beside(folder: &str, name: &str) -> Result<(), Failure> {
    let read = |name: &str| -> Result<(String, FrameColumns), Failure> {
        let path = format!("{folder}/{name}-theophylline");
        let request = std::fs::read_to_string(format!("{path}.json"))?;
        Ok((request, read_columns(&format!("{path}.csv"))?))
    };
    let (closed, other) = (read("saem")?, read(name)?);
    let seconds = |(request, columns): &(String, FrameColumns)| {
        let start = ThreadTime::now();
        let made = run(request, columns.clone(), &Silent).is_ok();
        (start.elapsed().as_secs_f64(), made)
    };
    let mut ratios = Vec::new();
    for _ in 0..9 {
        let (own, others) = (seconds(&closed), seconds(&other));
        if !(own.1 && others.1) {
            println!("{name}: failed");
            return Ok(());
        }
        ratios.push(others.0 / own.0);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "theophylline, {name}: {:.2} times the closed form",
        ratios[4]
    );
    Ok(())
}

fn read_columns(path: &str) -> Result<FrameColumns, Failure> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let mut columns: FrameColumns = header
        .split(',')
        .map(|name| (name.trim_matches('"').to_string(), Vec::new()))
        .collect();
    for line in lines {
        for ((_, values), cell) in columns.iter_mut().zip(line.split(',')) {
            values.push(cell.parse().unwrap_or(f64::NAN));
        }
    }
    Ok(columns)
}

/// Two exponentials, one logarithm, one division at every observation: oral absorption with combined error.
const MODEL: &str = r#"{"protocol": 1, "request": {"task": "describe", "model": {
  "parameters": [
    {"name": "mu", "type": "real", "value": [0.5, 3.4, 1.0], "vector": true},
    {"name": "omega", "type": "real", "scale": "log", "value": [0.4, 0.1, 0.1], "vector": true},
    {"name": "a", "type": "real", "scale": "log", "value": [0.5]},
    {"name": "b", "type": "real", "scale": "log", "value": [0.1]}],
  "random": [{"names": ["phi"], "group": "id", "text": "phi",
    "dist": {"call": "mvnormal", "args": [{"sym": "mu"}, {"call": "diag", "args": [{"sym": "omega"}]}]}}],
  "statements": [
    {"kind": "assign", "target": "ka", "text": "ka",
     "value": {"call": "exp", "args": [{"call": "[", "args": [{"sym": "phi"}, {"num": 1}]}]}},
    {"kind": "assign", "target": "v", "text": "v",
     "value": {"call": "exp", "args": [{"call": "[", "args": [{"sym": "phi"}, {"num": 2}]}]}},
    {"kind": "assign", "target": "k", "text": "k", "value": {"call": "/", "args": [
     {"call": "exp", "args": [{"call": "[", "args": [{"sym": "phi"}, {"num": 3}]}]}, {"sym": "v"}]}},
    {"kind": "assign", "target": "f", "text": "f", "value": {"call": "*", "args": [
     {"call": "/", "args": [{"call": "*", "args": [{"num": 320}, {"sym": "ka"}]},
       {"call": "*", "args": [{"sym": "v"}, {"call": "-", "args": [{"sym": "ka"}, {"sym": "k"}]}]}]},
     {"call": "-", "args": [
       {"call": "exp", "args": [{"call": "*", "args": [{"call": "-", "args": [{"sym": "k"}]}, {"sym": "t"}]}]},
       {"call": "exp", "args": [{"call": "*", "args": [{"call": "-", "args": [{"sym": "ka"}]}, {"sym": "t"}]}]}]}]}},
    {"kind": "outcome", "column": "y", "text": "y", "dist": {"call": "normal", "args": [{"sym": "f"},
     {"call": "add_prop", "args": [{"sym": "a"}, {"sym": "b"}]}]}}]}}}"#;

/// The model with some subjects and observations of each.
fn oral(subjects: usize, rows: usize) -> Result<Joint, Failure> {
    let n = subjects * rows;
    let time: Vec<f64> = (0..n).map(|r| 0.25 + 2.2 * (r % rows) as f64).collect();
    let frame = Frame {
        n_rows: n,
        columns: vec![
            ("t".into(), time.clone()),
            (
                "y".into(),
                time.iter().map(|t| 9.0 * (-0.08 * t).exp()).collect(),
            ),
        ],
        group: "id".into(),
        labels: (1..=subjects).map(|i| i.to_string()).collect(),
        codes: (0..n).map(|r| r / rows).collect(),
        time: Some("t".into()),
        ..Frame::default()
    };
    let Request::Describe(task) = Request::parse(MODEL)? else {
        return Err("no request for a description".into());
    };
    let model = compile(&task.model)?;
    Ok(Joint::new(&model, &frame, &Given::default())?)
}

/// Individual vectors of the lanes of a block.
fn individuals() -> Vec<Column> {
    let lanes = |m: &f64| {
        Column(std::array::from_fn(|l| {
            m + 0.01 * (l as f64 - 0.5 * LANES as f64)
        }))
    };
    [0.45, 3.4, 1.0].iter().map(lanes).collect()
}

/// 12 subjects with 11 observations, 64 chains.
fn engine() -> Result<(), Failure> {
    const ROWS: usize = 11;
    let joint = oral(12, ROWS)?;
    let problem = joint.main();
    let layout = problem.layout(64);
    let phi = individuals();
    let per_obs = 1e9 / (layout.blocks.len() * ROWS * LANES) as f64;
    for isa in Isa::available() {
        let mut values = BoundProgram::on(isa, problem, &layout, &problem.programs.likelihood);
        values.prepare(&problem.theta.start);
        let mut derivatives = Derivatives::on(isa, problem, &layout, &problem.programs.phi);
        derivatives.prepare(&problem.theta.start);
        let (mut work, mut scratch) = (Vec::new(), DerivativeScratch::default());
        let mut gradient = vec![Column::ZERO; 3];
        // What is compared is timed side by side in every round.
        let rounds: Vec<[f64; 4]> = (0..31)
            .map(|_| {
                let value = median(9, || {
                    for b in 0..layout.blocks.len() {
                        black_box(values.log_lik(b, &phi, &mut work));
                    }
                });
                let both = median(9, || {
                    for b in 0..layout.blocks.len() {
                        black_box(derivatives.gradient_phi(b, &phi, &mut gradient, &mut scratch));
                    }
                });
                let mathematics = 2.0 * vector(isa, Function::Exp) + vector(isa, Function::Ln);
                let value = per_obs * value;
                [
                    value,
                    mathematics,
                    value / mathematics,
                    per_obs * both / value,
                ]
            })
            .collect();
        let middle = |k: usize| {
            let mut column: Vec<f64> = rounds.iter().map(|round| round[k]).collect();
            column.sort_by(f64::total_cmp);
            column[column.len() / 2]
        };
        println!(
            "{isa:?}: {:.2} ns per observation; two vector exp and one ln {:.2} ns: ratio {:.2}; \
             value and gradient: {:.2} values",
            middle(0),
            middle(1),
            middle(2),
            middle(3)
        );
    }
    Ok(())
}

/// 32 subjects with 8 observations, 256 draws that stay while `theta` moves: with the structural model computed at
/// every `theta`, and once.
fn moving_theta() -> Result<(), Failure> {
    const ROWS: usize = 8;
    let joint = oral(32, ROWS)?;
    let original = joint.main();
    let stored = Stored::new(original).ok_or("nothing to store")?;
    let layout = original.layout(256);
    let phi = vec![individuals(); layout.blocks.len()];
    let theta = &original.theta.start;
    let columns = || stored.columns(&layout, theta, &phi, &Workers::single());
    let per_obs = 1e9 / (layout.blocks.len() * ROWS * LANES) as f64;
    let once = per_obs
        * median(9, || {
            black_box(columns());
        });
    let known = Arc::new(columns());
    let mut passes = [(original, Arc::default()), (&stored.problem, known)]
        .map(|(problem, known)| Pass::new(problem, &layout, known, theta));
    let mut rounds: Vec<[f64; 4]> = (0..31)
        .map(|_| {
            let [full, rest] = &mut passes;
            let (a, b) = (full.seconds(&phi), rest.seconds(&phi));
            [a.0, b.0, a.1, b.1].map(|time| per_obs * time)
        })
        .collect();
    let mut middle = |k: usize| {
        rounds.sort_by(|a, b| a[k].total_cmp(&b[k]));
        rounds[rounds.len() / 2][k]
    };
    let [full, rest, full_slope, rest_slope] = [0, 1, 2, 3].map(&mut middle);
    println!(
        "theta moves, draws stay: likelihood {full:.2} ns per observation, stored {rest:.2}: ratio {:.2}; \
         with gradient {full_slope:.2} ns, stored {rest_slope:.2}: ratio {:.2}; storing once {once:.2} ns",
        full / rest,
        full_slope / rest_slope
    );
    Ok(())
}

/// Likelihood and gradient in `theta` over all blocks.
struct Pass<'a> {
    values: BoundProgram<'a>,
    derivatives: Derivatives<'a>,
    theta: &'a [f64],
    work: Vec<Column>,
    scratch: DerivativeScratch,
}

impl<'a> Pass<'a> {
    fn new(
        problem: &'a Problem,
        layout: &'a Layout,
        known: Arc<Vec<Known>>,
        theta: &'a [f64],
    ) -> Self {
        let mut values = BoundProgram::new(problem, layout, &problem.programs.likelihood);
        let mut derivatives = Derivatives::new(problem, layout, &problem.programs.theta);
        values.set_known(known.clone());
        derivatives.set_known(known);
        Self {
            values,
            derivatives,
            theta,
            work: Vec::new(),
            scratch: DerivativeScratch::default(),
        }
    }

    /// CPU seconds of the likelihood, and of the likelihood with its gradient.
    fn seconds(&mut self, phi: &[Vec<Column>]) -> (f64, f64) {
        let value = median(3, || {
            self.values.prepare(self.theta);
            for (b, phi) in phi.iter().enumerate() {
                black_box(self.values.log_lik(b, phi, &mut self.work));
            }
        });
        let both = median(3, || {
            self.derivatives.prepare(self.theta);
            for (b, phi) in phi.iter().enumerate() {
                black_box(
                    self.derivatives
                        .population_adjoints(b, phi, &mut self.scratch),
                );
            }
        });
        (value, both)
    }
}

/// ns per element of a function over 1024 values.
fn vector(isa: Isa, function: Function) -> f64 {
    let x: Vec<f64> = (0..1024).map(|i| 0.01 + 0.005 * f64::from(i)).collect();
    let mut y = vec![0.0; x.len()];
    let time = median(9, || {
        for _ in 0..16 {
            map(isa, function, black_box(&x), &mut y);
            black_box(&y);
        }
    });
    1e9 * time / (16 * x.len()) as f64
}
