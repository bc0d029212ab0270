//! Measure fits of many subjects: time, threads, memory.
//!
//! `scale` prints the whole table, `scale SUBJECTS EXPLORATION SMOOTHING THREADS ERROR` one fit (for a profiler). The
//! model has one compartment with oral absorption and three lognormal effects; the data, six observations a subject,
//! are simulated here from a fixed seed. One chain. Times of one thread are CPU times, in the unit of the example
//! `bench`; times of several threads are wall times, taken side by side.

use std::hint::black_box;
use std::time::Instant;

use cpu_time::ProcessTime;
use nlmers_core::monitor::Silent;
use nlmers_core::problem::{Given, Joint};
use nlmers_core::reply::ReplyValue;
use nlmers_core::request::{run, FrameColumns, Request, PROTOCOL};
use nlmers_core::saem::{fit, SaemOptions};
use serde_json::{json, Value as Json};

type Failure = Box<dyn std::error::Error>;

const TIMES: [f64; 6] = [0.5, 1.5, 3.0, 6.0, 12.0, 24.0];
const DOSE: f64 = 320.0;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [subjects, exploration, smoothing, threads, error] = arguments.as_slice() {
        let plan = (exploration.parse()?, smoothing.parse()?);
        let case = Case::new(subjects.parse()?, error, plan)?;
        let (cpu, wall) = case.time(threads.parse()?)?;
        println!("{cpu:.3} s CPU, {wall:.3} s wall, {:.2} GiB", peak_gib());
        return Ok(());
    }
    let unit = unit();
    println!("unit: {:.3} ms", 1e3 * unit);
    for error in ["additive", "proportional"] {
        many(error, unit)?;
    }
    large()
}

/// CPU seconds of one million scalar exponentials.
fn unit() -> f64 {
    let points: Vec<f64> = (0..1000).map(|i| -5.0 + 0.01 * f64::from(i)).collect();
    let times = (0..15).map(|_| {
        let start = ProcessTime::now();
        for _ in 0..1000 {
            for x in &points {
                black_box(x.exp());
            }
        }
        start.elapsed().as_secs_f64()
    });
    median(times.collect())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// 2,000 subjects on one thread and on two.
fn many(error: &str, unit: f64) -> Result<(), Failure> {
    let case = Case::new(2_000, error, (300, 100))?;
    let mut rounds = Vec::new();
    for _ in 0..5 {
        let (cpu, one) = case.time(1)?;
        rounds.push([
            cpu,
            one,
            case.time(2)?.1,
            case.inference(1)?,
            case.inference(2)?,
        ]);
    }
    let middle = |k: usize| median(rounds.iter().map(|round| round[k]).collect());
    let gain = median(rounds.iter().map(|round| round[1] / round[2]).collect());
    println!(
        "2000 subjects, {error} error, 300+100 iterations, one chain: {:.0} units on one thread ({:.2} s); two threads \
         {gain:.2} times as fast; modes and quadrature {:.0} units, on two threads {:.0}",
        middle(0) / unit,
        middle(0),
        middle(3) / unit,
        middle(4) / unit
    );
    Ok(())
}

/// 100,000 subjects: time of an iteration against that of 2,000, and memory.
fn large() -> Result<(), Failure> {
    const PLAN: (usize, usize) = (15, 5);
    let small = Case::new(2_000, "additive", PLAN)?;
    let times: Result<Vec<f64>, Failure> = (0..9).map(|_| Ok(small.time(1)?.0)).collect();
    let small = median(times?);
    let case = Case::new(100_000, "additive", PLAN)?;
    let large = case.time(1)?.0;
    let fitted = peak_gib();
    let started = Instant::now();
    black_box(run(&case.request, case.columns, &Silent)?);
    println!(
        "100000 subjects, {}+{} iterations: {:.1} ms an iteration, {:.2} times that of 2000 subjects a subject; peak \
         memory {fitted:.2} GiB, with the whole request {:.2} GiB ({:.1} s)",
        PLAN.0,
        PLAN.1,
        1e3 * large / (PLAN.0 + PLAN.1) as f64,
        large / small / 50.0,
        peak_gib(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A problem and the plan of its fit.
struct Case {
    request: String,
    columns: FrameColumns,
    joint: Joint,
    options: SaemOptions,
}

impl Case {
    fn new(subjects: usize, error: &str, plan: (usize, usize)) -> Result<Self, Failure> {
        let columns = simulate(subjects, error);
        let options = json!({
            "schedule": {"exploration": plan.0, "smoothing": plan.1},
            "chains": {"n_chains": 1, "auto_small_n_chains": false}
        });
        let mut method = options.clone();
        method["name"] = "saem".into();
        let labels: Vec<String> = (1..=subjects).map(|i| i.to_string()).collect();
        let request = json!({"protocol": PROTOCOL, "request": {
            "task": "fit", "model": model(error), "method": method, "seed": 1,
            "data": {"group": "id", "labels": labels, "time": "t", "n_rows": subjects * TIMES.len()}
        }})
        .to_string();
        let Request::Fit(parsed) = Request::parse(&request)? else {
            return Err("no request of a fit".into());
        };
        let frame = parsed.frame(columns.clone())?;
        Ok(Self {
            joint: Joint::new(&parsed.compiled()?, &frame, &Given::default())?,
            options: serde_json::from_value(options)?,
            request,
            columns,
        })
    }

    /// CPU and wall seconds of a fit.
    fn time(&self, threads: usize) -> Result<(f64, f64), Failure> {
        let (cpu, wall) = (ProcessTime::now(), Instant::now());
        let fit = fit(&self.joint, &self.options, 1, threads, &Silent)?;
        black_box(&fit.theta);
        Ok((cpu.elapsed().as_secs_f64(), wall.elapsed().as_secs_f64()))
    }

    /// Wall seconds that a whole request spends after the iterations.
    fn inference(&self, threads: usize) -> Result<f64, Failure> {
        let mut request: Json = serde_json::from_str(&self.request)?;
        request["method"]["exploration"] = json!(60);
        request["method"]["smoothing"] = json!(20);
        request["threads"] = json!(threads);
        let reply = run(&request.to_string(), self.columns.clone(), &Silent)?;
        let seconds = entry(&reply, "timing").and_then(|timing| entry(timing, "seconds"));
        match seconds {
            Some(ReplyValue::Numbers(seconds)) => Ok(seconds[2]),
            _ => Err("no timing".into()),
        }
    }
}

fn entry<'a>(list: &'a ReplyValue, name: &str) -> Option<&'a ReplyValue> {
    let ReplyValue::List(entries) = list else {
        return None;
    };
    let found = entries.iter().find(|(entry, _)| entry == name);
    found.map(|(_, value)| value)
}

fn call(name: &str, args: &[Json]) -> Json {
    json!({"call": name, "args": args})
}

fn symbol(name: &str) -> Json {
    json!({"sym": name})
}

/// `ka, V, Cl ~ lognormal`, `y ~ normal(f, a)` or `normal(f, b f)`.
fn model(error: &str) -> Json {
    let starts = [("ka", 1.0), ("V", 20.0), ("Cl", 1.0)];
    let mut parameters = vec![json!({"name": "a", "type": "real", "scale": "log", "value": [1.0]})];
    let mut random = Vec::new();
    for (effect, start) in starts {
        let (center, sd) = (format!("log_{effect}"), format!("omega_{effect}"));
        parameters.push(json!({"name": center, "type": "real", "value": [f64::ln(start)]}));
        parameters.push(json!({"name": sd, "type": "real", "scale": "log", "value": [1.0]}));
        let dist = call("lognormal", &[symbol(&center), symbol(&sd)]);
        random.push(json!({"names": [effect], "group": "id", "text": effect, "dist": dist}));
    }
    let [ka, v, k, t] = ["ka", "V", "k", "t"].map(symbol);
    let decay = |rate: &Json| {
        call(
            "exp",
            &[call(
                "*",
                &[call("-", std::slice::from_ref(rate)), t.clone()],
            )],
        )
    };
    let scale = call(
        "/",
        &[
            call("*", &[json!({"num": DOSE}), ka.clone()]),
            call("*", &[v.clone(), call("-", &[ka.clone(), k.clone()])]),
        ],
    );
    let f = call("*", &[scale, call("-", &[decay(&k), decay(&ka)])]);
    let sd = match error {
        "additive" => symbol("a"),
        _ => call("*", &[symbol("a"), symbol("f")]),
    };
    let y = call("normal", &[symbol("f"), sd]);
    json!({"parameters": parameters, "random": random, "statements": [
        {"kind": "assign", "target": "k", "text": "k", "value": call("/", &[symbol("Cl"), v])},
        {"kind": "assign", "target": "f", "text": "f", "value": f},
        {"kind": "outcome", "column": "y", "text": "y", "dist": y}
    ]})
}

/// Concentrations of subjects whose parameters vary.
fn simulate(subjects: usize, error: &str) -> FrameColumns {
    let mut draw = Draws(1);
    let (mut group, mut time, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..subjects {
        let [ka, v, cl] = [(1.5f64, 0.6), (32.0, 0.15), (2.8, 0.27)]
            .map(|(center, sd)| center * (sd * draw.normal()).exp());
        let k = cl / v;
        for t in TIMES {
            let f = DOSE * ka / (v * (ka - k)) * ((-k * t).exp() - (-ka * t).exp());
            let sd = if error == "additive" { 0.7 } else { 0.15 * f };
            group.push(i as f64 + 1.0);
            time.push(t);
            y.push(f + sd * draw.normal());
        }
    }
    let named = [(".group", group), ("t", time), ("y", y)];
    named
        .map(|(name, values)| (name.to_string(), values))
        .into()
}

/// Normal numbers from splitmix64 by the method of Box and Muller.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Largest memory this process has held, in GiB; NaN where the system does not say.
fn peak_gib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / f64::from(1 << 20))
}
