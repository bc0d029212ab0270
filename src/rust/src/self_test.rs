//! Prove the promises of the boundary: values, errors, panics, progress, interrupts and questions.

use std::panic::resume_unwind;
use std::thread::{scope, sleep, spawn};
use std::time::{Duration, Instant};

use nlmers_core::error::{Error, Result};
use nlmers_core::monitor::{HookQuestion, Monitor, Progress};
use nlmers_core::reply::ReplyValue;
use nlmers_core::request::FrameColumns;
use serde::Deserialize;

/// The request `{"protocol": ..., "request": {"task": "self_test", "what": ...}}`.
#[derive(Deserialize)]
struct Envelope {
    request: Request,
}

#[derive(Deserialize)]
#[serde(tag = "task")]
enum Request {
    #[serde(rename = "self_test")]
    SelfTest(SelfTest),
}

#[derive(Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum SelfTest {
    /// Answer with the columns, the number of missing values in them, one value of each kind, and `numbers`.
    Echo {
        #[serde(default)]
        numbers: Vec<f64>,
    },
    /// Answer with an error that has every field.
    Refuse,
    /// Panic on the worker thread.
    Panic,
    /// Panic on a thread the worker waits for.
    ThreadPanic,
    /// Report progress until the time is over or the user interrupts.
    Sleep { seconds: f64 },
    /// Ask the front end so many times, each time about `numbers` plus what came back before.
    Ask { times: usize, numbers: Vec<f64> },
    /// Ask from so many threads at once, each about its own number.
    AskTogether { threads: usize },
}

impl SelfTest {
    /// `None` when the request is for the core.
    pub fn from_request(request: &str) -> Option<Self> {
        let envelope: Envelope = serde_json::from_str(request).ok()?;
        let Request::SelfTest(test) = envelope.request;
        Some(test)
    }

    #[expect(clippy::panic, reason = "a panic is what the test asks for")]
    pub fn run(self, columns: FrameColumns, monitor: &dyn Monitor) -> Result<ReplyValue> {
        match self {
            Self::Echo { numbers } => Ok(echo(columns, numbers)),
            Self::Refuse => Err(Error::data("self_test", "The problem.")
                .at("the place")
                .hint("The way out.")
                .field("row", 3)
                .field("column", "dose")),
            Self::Panic => panic!("a panic on the worker"),
            Self::ThreadPanic => {
                let joined = spawn(|| panic!("a panic on another thread")).join();
                joined.map_err(|payload| resume_unwind(payload))
            }
            Self::Sleep { seconds } => Ok(wait(Duration::from_secs_f64(seconds), monitor)),
            Self::Ask { times, numbers } => ask(times, numbers, monitor).map(ReplyValue::Numbers),
            Self::AskTogether { threads } => {
                ask_together(threads, monitor).map(ReplyValue::Numbers)
            }
        }
    }
}

fn ask(times: usize, mut numbers: Vec<f64>, monitor: &dyn Monitor) -> Result<Vec<f64>> {
    for iteration in 0..times {
        monitor.report(&Progress {
            iteration,
            total: times,
            phase: "asking",
            gain: 1.0,
            objective: 0.0,
        });
        numbers = monitor.ask(HookQuestion {
            hook: "self_test",
            arguments: vec![("numbers".to_string(), ReplyValue::Numbers(numbers))],
        })?;
    }
    Ok(numbers)
}

fn ask_together(threads: usize, monitor: &dyn Monitor) -> Result<Vec<f64>> {
    scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|i| scope.spawn(move || ask(20, vec![i as f64], monitor)))
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            let answer = worker
                .join()
                .unwrap_or_else(|payload| resume_unwind(payload));
            all.extend(answer?);
        }
        Ok(all)
    })
}

fn echo(columns: FrameColumns, numbers: Vec<f64>) -> ReplyValue {
    let missing = columns
        .iter()
        .flat_map(|(_, column)| column)
        .filter(|x| x.is_nan())
        .count();
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, ReplyValue::Numbers(column)));
    let items = [
        ("columns", ReplyValue::List(columns.collect())),
        ("missing", ReplyValue::Number(missing as f64)),
        ("numbers", ReplyValue::Numbers(numbers)),
        ("null", ReplyValue::Null),
        ("flag", ReplyValue::Flag(true)),
        ("text", ReplyValue::Text("µ".to_string())),
        ("integers", ReplyValue::Integers(vec![1, 2])),
        (
            "texts",
            ReplyValue::Texts(vec!["a".to_string(), "b".to_string()]),
        ),
        ("flags", ReplyValue::Flags(vec![true, false])),
        (
            "matrix",
            ReplyValue::Matrix {
                rows: 2,
                cols: 3,
                data: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            },
        ),
    ];
    ReplyValue::List(items.map(|(name, item)| (name.to_string(), item)).to_vec())
}

/// Iterations of a millisecond, as a fit would run them.
fn wait(time: Duration, monitor: &dyn Monitor) -> ReplyValue {
    let start = Instant::now();
    let mut iteration = 0;
    while start.elapsed() < time && !monitor.interrupted() {
        iteration += 1;
        monitor.report(&Progress {
            iteration,
            total: time.as_millis() as usize,
            phase: "waiting",
            gain: 1.0,
            objective: start.elapsed().as_secs_f64(),
        });
        sleep(Duration::from_millis(1));
    }
    ReplyValue::List(vec![
        (
            "interrupted".to_string(),
            ReplyValue::Flag(monitor.interrupted()),
        ),
        (
            "iterations".to_string(),
            ReplyValue::Number(iteration as f64),
        ),
    ])
}
