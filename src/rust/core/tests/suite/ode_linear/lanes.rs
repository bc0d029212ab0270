//! Subjects with doses, solved together as the lanes of blocks.

use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::ode::linear::{March, StepPlan};
use nlmers_core::ode::{
    Administration, Agenda, Deliveries, DosingSchedule, Event, EventKind, Failure, LaneTask, Line,
    Observation, Planner, Signals, Steady, Stops, System, Task,
};

/// One subject.
#[derive(Debug, Clone, Default)]
pub struct Case {
    pub schedule: DosingSchedule,
    pub times: Vec<f64>,
    pub inputs: Vec<f64>,
    pub signals: Signals,
    /// From when on the lines of the signals hold.
    pub lines: Vec<Line>,
}

pub fn dose(time: f64, record: usize, state: usize, amount: f64, course: Administration) -> Event {
    let kind = EventKind::Dose {
        state,
        amount,
        course,
        steady: None,
    };
    Event {
        time,
        record,
        additional: false,
        kind,
    }
}

pub fn steadily(mut event: Event, interval: f64, adds: bool) -> Event {
    if let EventKind::Dose { steady, .. } = &mut event.kind {
        *steady = Some(Steady { interval, adds });
    }
    event
}

pub fn additional(event: &Event, n: usize, interval: f64) -> Vec<Event> {
    (1..=n)
        .map(|i| {
            let mut later = event.clone();
            later.time += i as f64 * interval;
            later.additional = true;
            if let EventKind::Dose { steady, .. } = &mut later.kind {
                *steady = None;
            }
            later
        })
        .collect()
}

/// What one lane delivered: a row an observation; and why it failed.
pub type Delivered = (Vec<Vec<f64>>, Option<Failure>);

/// Stops of a case.
pub fn stops(system: &System, case: &Case) -> Stops {
    let observations: Vec<Observation> = case
        .times
        .iter()
        .enumerate()
        .map(|(row, time)| Observation {
            time: *time,
            record: 1000 + row,
            row,
        })
        .collect();
    let agenda = Agenda {
        schedule: &case.schedule,
        observations: &observations,
        lines: &case.lines,
        dosing: &system.dosing,
        variants: &[],
    };
    let mut stops = Stops::new();
    Planner::default()
        .plan(&agenda, |j| case.inputs[j], &mut stops)
        .unwrap();
    stops
}

/// All cases, 64 at a time.
pub fn solve(system: &System, cases: &[Case], wanted: &Deliveries) -> Vec<Delivered> {
    let march = March::new(system, wanted).unwrap();
    let mut scratch = march.scratch();
    let mut delivered = Vec::new();
    for block in cases.chunks(LANES) {
        let stops: Vec<Stops> = block.iter().map(|case| stops(system, case)).collect();
        let lanes: Vec<LaneTask> = block
            .iter()
            .zip(&stops)
            .map(|(case, stops)| LaneTask {
                start: case.schedule.start,
                stops,
                signals: &case.signals,
            })
            .collect();
        let mut inputs = vec![Column::splat(1.0); system.n_inputs];
        for (l, case) in block.iter().enumerate() {
            for (column, value) in inputs.iter_mut().zip(&case.inputs) {
                column.0[l] = *value;
            }
        }
        let rows = block.iter().map(|case| case.times.len()).max().unwrap();
        let mut out = vec![Column::splat(-7.0); rows * wanted.width()];
        let task = Task {
            inputs: &inputs,
            lanes: &lanes,
        };
        let plan = StepPlan::new(&lanes);
        let outcome = march.solve(Isa::detect(), &plan, &task, &mut out, &mut scratch);
        for (l, case) in block.iter().enumerate() {
            let row = |r: usize| -> Vec<f64> {
                let columns = r * wanted.width()..(r + 1) * wanted.width();
                out[columns].iter().map(|column| column.0[l]).collect()
            };
            for r in case.times.len()..rows {
                assert!(
                    row(r).iter().all(|x| *x == 0.0),
                    "a row that lane {l} does not have"
                );
            }
            delivered.push((
                (0..case.times.len()).map(row).collect(),
                outcome.failures[l],
            ));
        }
    }
    delivered
}

/// Values of one state only.
pub fn course(system: &System, cases: &[Case], state: usize) -> Vec<Vec<f64>> {
    let wanted = Deliveries {
        states: vec![state],
        inputs: Vec::new(),
    };
    let all = solve(system, cases, &wanted).into_iter();
    all.map(|(rows, failure)| {
        assert_eq!(failure, None);
        rows.into_iter().map(|row| row[0]).collect()
    })
    .collect()
}
