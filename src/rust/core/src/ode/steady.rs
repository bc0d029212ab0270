//! Put a dose that is the last of infinitely many among the stops of a lane.
//!
//! Doses came every `II`, the last one comes at `time + L` with the lag `L = m II + l`, `0 <= l < II`. The cycle runs from
//! the time of the record to `II` later, and its dose comes at `l`. An infusion may last longer than the cycle: with
//! `l + D = p II + e` it ends at `e`, and `p` earlier ones are under way when a cycle begins and when it ends. After the
//! steady state is reached, those `p` end at `e, e + II, ...` after the record, and doses still come at
//! `l, l + II, ..., l + m II`.

use super::agenda::{Dose, Planner, StopTurn};
use super::dual::Dual;
use super::inflow::Inflow;
use super::schedule::{Event, Steady};
use super::timeline::{Act, Stop};

/// Ends of infusions this close to the beginning of a cycle, relative to its length, are at its beginning: rounding puts
/// an infusion as long as the interval on either side.
const ROUNDING: f64 = 1e-12;

/// Where the infusions of a cycle end, and how many others are under way at its beginning.
struct Overlap {
    end: Dual,
    others: f64,
}

impl Overlap {
    /// `end`: `l + D`, the end of the infusion that begins in this cycle.
    fn new(end: Dual, interval: f64) -> Self {
        let cycles = end.value / interval;
        let near = cycles.round();
        let whole = if (cycles - near).abs() <= ROUNDING * near.max(1.0) {
            near
        } else {
            cycles.floor()
        };
        // An end at the beginning of a cycle is one at the end of the cycle before.
        let others = if whole > 0.0 && end.value - whole * interval <= ROUNDING * interval * whole {
            whole - 1.0
        } else {
            whole
        };
        let within = (end.value - others * interval).clamp(0.0, interval);
        Self {
            end: end.at(within),
            others,
        }
    }
}

impl Planner {
    /// An infusion since ever, which ends at the time of the event.
    pub(super) fn rest(&mut self, event: &Event, state: usize, rate: Dual, adds: bool) {
        let mut cycle = self.kept_cycle();
        let flow = self.rate(state, rate);
        cycle.push(self.stop(Dual::constant(0.0), flow));
        let act = Act::Steady {
            interval: f64::INFINITY,
            cycle,
            adds,
        };
        let turn = StopTurn::Record(event.record);
        self.put(Dual::constant(event.time), turn, act);
    }

    pub(super) fn steady(&mut self, dose: &Dose, steady: Steady) {
        let interval = steady.interval;
        let waiting = (dose.lag.value / interval).floor();
        let within = (dose.lag.value - waiting * interval).clamp(0.0, interval);
        let phase = dose.lag.at(within);
        let overlap = match dose.inflow {
            Inflow::Infusion { rate, duration } => {
                Some((rate, Overlap::new(phase + duration, interval)))
            }
            Inflow::Bolus { .. } => None,
        };
        let cycle = self.cycle(dose, phase, interval, overlap.as_ref());
        let turn = StopTurn::Record(dose.record);
        let at_record = Dual::constant(dose.time);
        let act = Act::Steady {
            interval,
            cycle,
            adds: steady.adds,
        };
        self.put(at_record, turn, act);
        if let Some((rate, overlap)) = overlap.filter(|(_, overlap)| overlap.others > 0.0) {
            self.put_rate(at_record, turn, dose.state, rate * overlap.others);
            let mut end = overlap.end + dose.time;
            let mut left = overlap.others;
            while left > 0.0 && self.is_within(end.value) {
                self.put_rate(end, StopTurn::Ahead, dose.state, rate * -1.0);
                end = end + interval;
                left -= 1.0;
            }
        }
        let (mut after, mut left) = (phase, waiting);
        while left >= 0.0 && self.is_within(dose.time + after.value) {
            self.give(dose, after);
            after = after + interval;
            left -= 1.0;
        }
    }

    fn cycle(
        &mut self,
        dose: &Dose,
        phase: Dual,
        interval: f64,
        overlap: Option<&(Dual, Overlap)>,
    ) -> Vec<Stop> {
        let mut cycle = self.kept_cycle();
        let Some((rate, Overlap { end, others })) = overlap else {
            if let Inflow::Bolus { amount, fraction } = dose.inflow {
                let act = Act::Bolus {
                    state: dose.state,
                    amount,
                    fraction,
                };
                cycle.push(self.stop(phase, act));
            }
            return cycle;
        };
        let ends = [
            (Dual::constant(0.0), *others),
            (phase, 1.0),
            (*end, -1.0),
            (Dual::constant(interval), -others),
        ];
        for (time, count) in ends.into_iter().filter(|(_, count)| *count != 0.0) {
            let act = self.rate(dose.state, *rate * count);
            cycle.push(self.stop(time, act));
        }
        // Three or four stops; equal times keep their order.
        cycle.sort_by(|a, b| a.time.total_cmp(&b.time));
        cycle
    }
}
