//! Make the stops of a lane from the doses of its subject, its observations and the values of its inputs.
//!
//! A dose of `amount` into a state with bioavailability `F` and lag `L` comes in at `time + L`: as a bolus of `F amount`,
//! or at a rate `R` for `F amount / R`, where `R` stands in the data, is an input, or is `F amount / D` with a duration
//! `D` that is an input.
//!
//! Of one time, doses that have no record there (additional and lagged ones) and ends of infusions come first, then
//! records in their order; the states at a record that gives a dose are those after it. This is the order of PREDPP
//! (NONMEM Users Guide VI, chapter V). Resets and doses at steady state that take the place of what is there cancel what
//! earlier records still have to give.

use std::cmp::Ordering;

use super::dual::Dual;
use super::inflow::{above_zero, inflow, lag, Inflow};
use super::schedule::{Administration, DosingSchedule, Event, EventKind};
use super::signals::Line;
use super::system::Dosing;
use super::task::Failure;
use super::timeline::{Act, InputSlopes, Stop, Stops};

/// A row of a block at which states are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    pub time: f64,
    /// Position of its record among the subject's.
    pub record: usize,
    /// Row of the block.
    pub row: usize,
}

/// What a lane meets.
#[derive(Debug, Clone, Copy)]
pub struct Agenda<'a> {
    pub schedule: &'a DosingSchedule,
    pub observations: &'a [Observation],
    /// From when on the lines of the signals hold, the first left out.
    pub lines: &'a [Line],
    /// `System::dosing`
    pub dosing: &'a [Dosing],
    /// Records whose doses have other values than the subject's others.
    pub variants: &'a [Variant],
}

/// What holds for the doses of one record: a bioavailability, say, that differs between occasions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variant {
    pub record: usize,
    /// Input functions put the dose of a record into several states.
    pub state: usize,
    pub dosing: Dosing,
}

impl Agenda<'_> {
    /// What the model says of a dose.
    fn dosing(&self, event: &Event, state: usize) -> Dosing {
        let of = |v: &&Variant| v.record == event.record && v.state == state;
        let own = self.variants.iter().find(of);
        let own = own.map(|variant| variant.dosing);
        let usual = || self.dosing.get(state).copied().unwrap_or_default();
        own.unwrap_or_else(usual)
    }

    /// Whether the stops are the same for all values of the inputs, so that they need be made only once.
    pub fn is_constant(&self) -> bool {
        let fixed = |event: &Event| match &event.kind {
            EventKind::Reset => true,
            EventKind::Dose { state, course, .. } => {
                let dosing = self.dosing(event, *state);
                match course {
                    Administration::Endless(_) => true,
                    Administration::ModeledRate
                    | Administration::ModeledDuration
                    | Administration::EndlessModeled => false,
                    Administration::Bolus => dosing.lag.is_none(),
                    Administration::Rate(_) | Administration::Duration(_) => {
                        dosing.lag.is_none() && dosing.fraction.is_none()
                    }
                }
            }
        };
        self.schedule.events.iter().all(fixed)
    }
}

/// Among what happens at one time: what has no record of its own, then the records, then what holds behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StopTurn {
    Ahead,
    Record(usize),
    Behind,
}

#[derive(Debug)]
struct AgendaEntry {
    turn: StopTurn,
    sequence: usize,
    stop: Stop,
}

impl AgendaEntry {
    fn order(&self, other: &Self) -> Ordering {
        let by_time = self.stop.time.total_cmp(&other.stop.time);
        let by_turn = by_time.then(self.turn.cmp(&other.turn));
        by_turn.then(self.sequence.cmp(&other.sequence))
    }
}

/// A dose of which everything is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dose {
    pub time: f64,
    pub record: usize,
    pub additional: bool,
    pub state: usize,
    pub lag: Dual,
    pub inflow: Inflow,
}

/// Makes stops. It keeps what it allocated: making the stops of the same subject again allocates nothing.
#[derive(Debug, Default)]
pub struct Planner {
    entries: Vec<AgendaEntry>,
    slopes: Vec<Vec<InputSlopes>>,
    cycles: Vec<Vec<Stop>>,
    /// Time and record of what cancels earlier doses.
    cancels: Vec<(f64, usize)>,
    /// Nothing later is needed.
    horizon: f64,
    /// What cancels the dose at hand.
    until: Option<(f64, usize)>,
}

impl Planner {
    /// Put the stops of a lane, up to its last observation, in the place of `stops`; `input` are the values of its inputs.
    ///
    /// # Errors
    /// Lags, rates and durations that are no such thing; `stops` is empty then.
    pub fn plan(
        &mut self,
        agenda: &Agenda,
        input: impl Fn(usize) -> f64,
        stops: &mut Stops,
    ) -> Result<(), Failure> {
        self.recycle(stops);
        let times = agenda.observations.iter().map(|o| o.time);
        self.horizon = times.fold(f64::NEG_INFINITY, f64::max);
        self.cancels.clear();
        let events = || agenda.schedule.events.iter();
        let cancels = events().filter(|e| e.kind.cancels());
        self.cancels.extend(cancels.map(|e| (e.time, e.record)));
        self.until = None;
        for (i, line) in agenda.lines.iter().enumerate() {
            let turn = if line.behind {
                StopTurn::Behind
            } else {
                StopTurn::Ahead
            };
            self.put(Dual::constant(line.time), turn, Act::Signals(i + 1));
        }
        let horizon = self.horizon;
        for event in events().filter(|e| e.time <= horizon) {
            let put = self.event(event, agenda, &input);
            if let Err(failure) = put {
                self.discard();
                return Err(failure);
            }
        }
        self.until = None;
        for Observation { time, record, row } in agenda.observations {
            let turn = StopTurn::Record(*record);
            self.put(Dual::constant(*time), turn, Act::Observe(*row));
        }
        self.entries.sort_unstable_by(AgendaEntry::order);
        stops.extend(self.entries.drain(..).map(|entry| entry.stop));
        Ok(())
    }

    fn event(
        &mut self,
        event: &Event,
        agenda: &Agenda,
        input: &impl Fn(usize) -> f64,
    ) -> Result<(), Failure> {
        let later = self.cancels.partition_point(|c| c.1 <= event.record);
        self.until = self.cancels.get(later).copied();
        let EventKind::Dose {
            state,
            amount,
            course,
            steady,
        } = &event.kind
        else {
            let turn = StopTurn::Record(event.record);
            self.put(Dual::constant(event.time), turn, Act::Reset);
            return Ok(());
        };
        let dosing = agenda.dosing(event, *state);
        let read = |j: usize| Dual::input(j, input(j));
        if let Administration::Endless(_) | Administration::EndlessModeled = course {
            let rate = match (course, dosing.rate) {
                (Administration::Endless(rate), _) => Dual::constant(*rate),
                (_, rate) => above_zero(rate.map(read))?,
            };
            let adds = steady.is_some_and(|s| s.adds);
            self.rest(event, *state, rate, adds);
            return Ok(());
        }
        let dose = Dose {
            time: event.time,
            record: event.record,
            additional: event.additional,
            state: *state,
            lag: lag(dosing.lag.map(read))?,
            inflow: inflow(*amount, *course, dosing, read)?,
        };
        match steady {
            Some(steady) => self.steady(&dose, *steady),
            None => self.give(&dose, dose.lag),
        }
        Ok(())
    }

    /// The dose at `dose.time + after`.
    pub(super) fn give(&mut self, dose: &Dose, after: Dual) {
        let start = after + dose.time;
        let turn = if dose.additional || after.value > 0.0 {
            StopTurn::Ahead
        } else {
            StopTurn::Record(dose.record)
        };
        match dose.inflow {
            Inflow::Bolus { amount, fraction } => {
                let bolus = Act::Bolus {
                    state: dose.state,
                    amount,
                    fraction,
                };
                self.put(start, turn, bolus);
            }
            Inflow::Infusion { rate, duration } => {
                let end = start + duration;
                // The end of an infusion that has no length stays behind its start.
                let last = if end.value > start.value {
                    StopTurn::Ahead
                } else {
                    turn
                };
                self.put_rate(start, turn, dose.state, rate);
                self.put_rate(end, last, dose.state, rate * -1.0);
            }
        }
    }

    pub(super) fn put_rate(&mut self, time: Dual, turn: StopTurn, state: usize, change: Dual) {
        let act = self.rate(state, change);
        self.put(time, turn, act);
    }

    pub(super) fn put(&mut self, time: Dual, turn: StopTurn, act: Act) {
        let stop = self.stop(time, act);
        if self.is_needed(stop.time, turn) {
            self.entries.push(AgendaEntry {
                turn,
                sequence: self.entries.len(),
                stop,
            });
        } else {
            self.keep(stop);
        }
    }

    fn is_needed(&self, time: f64, turn: StopTurn) -> bool {
        let cancelled = self.until.is_some_and(|(until, record)| {
            time > until || (time == until && turn >= StopTurn::Record(record))
        });
        !cancelled && self.is_within(time)
    }

    pub(super) fn is_within(&self, time: f64) -> bool {
        time <= self.horizon
    }

    pub(super) fn stop(&mut self, time: Dual, act: Act) -> Stop {
        Stop {
            time: time.value,
            act,
            moves: self.kept_slopes(&time),
        }
    }

    pub(super) fn rate(&mut self, state: usize, change: Dual) -> Act {
        Act::Rate {
            state,
            change: change.value,
            slopes: self.kept_slopes(&change),
        }
    }

    /// An empty vector needs no memory and none from the store.
    fn kept_slopes(&mut self, dual: &Dual) -> Vec<InputSlopes> {
        if dual.slopes().is_empty() {
            return Vec::new();
        }
        let mut list = self.slopes.pop().unwrap_or_default();
        list.extend_from_slice(dual.slopes());
        list
    }

    pub(super) fn kept_cycle(&mut self) -> Vec<Stop> {
        self.cycles.pop().unwrap_or_default()
    }

    fn recycle(&mut self, stops: &mut Stops) {
        for stop in stops.drain(..) {
            self.keep(stop);
        }
    }

    fn discard(&mut self) {
        while let Some(entry) = self.entries.pop() {
            self.keep(entry.stop);
        }
    }

    fn keep(&mut self, stop: Stop) {
        self.keep_slopes(stop.moves);
        match stop.act {
            Act::Rate { slopes, .. } => self.keep_slopes(slopes),
            Act::Steady { mut cycle, .. } => {
                for inner in cycle.drain(..) {
                    self.keep(inner);
                }
                self.cycles.push(cycle);
            }
            Act::Observe(_) | Act::Bolus { .. } | Act::Reset | Act::Signals(_) => {}
        }
    }

    fn keep_slopes(&mut self, mut slopes: Vec<InputSlopes>) {
        if slopes.capacity() > 0 {
            slopes.clear();
            self.slopes.push(slopes);
        }
    }
}
