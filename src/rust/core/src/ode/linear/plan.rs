//! Bring the stops of all lanes into steps that they take together.
//!
//! Lanes without an observation next meet what changes them; then those whose next row is the lowest deliver it, and so
//! on: lanes with other doses still deliver a row in one step. Times since the segment began are put down once, so that
//! a plan whose times do not depend on inputs serves all evaluations.

use crate::ir::column::{Column, LANES};
use crate::ode::task::LaneTask;
use crate::ode::timeline::Act;

/// What lanes meet, in steps. Made again it allocates nothing new.
#[derive(Debug, Clone, Default)]
pub struct StepPlan {
    pub(super) steps: Vec<LanesStep>,
    /// Time since the segment began, a column a step.
    pub(super) elapsed: Vec<Column>,
    pub(super) meetings: Vec<Meeting>,
    /// For each row, whether one step delivers it to all lanes that have it.
    pub(super) whole: Vec<bool>,
    pub(super) lanes: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct LanesStep {
    /// A bit for each lane that takes part.
    pub lanes: u64,
    pub does: Does,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Does {
    /// Deliver this row.
    Observe(usize),
    /// Go to the end of the segment, if any lane has a way to go; then meet what `meetings` says.
    Meet {
        moves: bool,
        first: usize,
        last: usize,
    },
}

/// Stops of one lane at one time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meeting {
    pub lane: usize,
    pub first: usize,
    pub last: usize,
}

/// How far the lanes are.
struct PlanProgress<'a> {
    lanes: &'a [LaneTask<'a>],
    next: [usize; LANES],
    origin: [f64; LANES],
}

impl StepPlan {
    pub fn new(lanes: &[LaneTask]) -> Self {
        let mut plan = Self::default();
        plan.make(lanes);
        plan
    }

    /// Put the steps of these lanes in the place of those before.
    pub fn make(&mut self, lanes: &[LaneTask]) {
        let lanes = &lanes[..lanes.len().min(LANES)];
        self.steps.clear();
        self.elapsed.clear();
        self.meetings.clear();
        self.whole.clear();
        self.lanes = lanes.len();
        let mut progress = PlanProgress {
            lanes,
            next: [0; LANES],
            origin: [0.0; LANES],
        };
        for (origin, lane) in progress.origin.iter_mut().zip(lanes) {
            *origin = lane.start;
        }
        while self.meet(&mut progress) || self.observe(&mut progress) {}
    }

    /// One step of all lanes that are next met by something else than an observation; `false` if there is none.
    fn meet(&mut self, progress: &mut PlanProgress) -> bool {
        let (mut set, mut elapsed, mut moves) = (0u64, Column::ZERO, false);
        let from = self.meetings.len();
        for (l, lane) in progress.lanes.iter().enumerate() {
            let first = progress.next[l];
            let time = match lane.stops.get(first) {
                Some(stop) if !matches!(stop.act, Act::Observe(_)) => stop.time,
                _ => continue,
            };
            let together = lane.stops[first..]
                .iter()
                .take_while(|stop| stop.time == time && !matches!(stop.act, Act::Observe(_)));
            let last = first + together.count();
            self.meetings.push(Meeting {
                lane: l,
                first,
                last,
            });
            elapsed.0[l] = time - progress.origin[l];
            moves |= elapsed.0[l] != 0.0;
            progress.origin[l] = time;
            progress.next[l] = last;
            set |= 1 << l;
        }
        if set != 0 {
            let does = Does::Meet {
                moves,
                first: from,
                last: self.meetings.len(),
            };
            self.push(set, elapsed, does);
        }
        set != 0
    }

    /// Deliver the lowest row that is next in some lane; `false` if there is none.
    fn observe(&mut self, progress: &mut PlanProgress) -> bool {
        let mut lowest: Option<usize> = None;
        let next = |progress: &PlanProgress, l: usize| {
            let stop = progress.lanes[l].stops.get(progress.next[l])?;
            match stop.act {
                Act::Observe(row) => Some((row, stop.time)),
                _ => None,
            }
        };
        for l in 0..progress.lanes.len() {
            if let Some((row, _)) = next(progress, l) {
                lowest = Some(lowest.map_or(row, |known| known.min(row)));
            }
        }
        let Some(lowest) = lowest else { return false };
        let (mut set, mut elapsed) = (0u64, Column::ZERO);
        for l in 0..progress.lanes.len() {
            if let Some((row, time)) = next(progress, l) {
                if row == lowest {
                    elapsed.0[l] = time - progress.origin[l];
                    progress.next[l] += 1;
                    set |= 1 << l;
                }
            }
        }
        let known = self
            .steps
            .iter()
            .any(|step| matches!(step.does, Does::Observe(row) if row == lowest));
        if self.whole.len() <= lowest {
            self.whole.resize(lowest + 1, false);
        }
        self.whole[lowest] = !known;
        self.push(set, elapsed, Does::Observe(lowest));
        true
    }

    fn push(&mut self, lanes: u64, elapsed: Column, does: Does) {
        self.steps.push(LanesStep { lanes, does });
        self.elapsed.push(elapsed);
    }
}
