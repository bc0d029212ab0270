//! Check that a dosing record says something, and turn it into a dose.

use super::event_record::{EventColumns, EventRecord, RecordKind};
use crate::error::{Error, Result};
use crate::model::{Equation, Feed, Model};
use crate::ode::{Administration, EventKind, Steady};

/// What the record of a row gives; nothing for a record that is no dose, and for an amount of zero.
///
/// # Errors
/// Items that contradict each other, or that the model has no states, rates or durations for.
pub fn dose(
    model: &Model,
    columns: &EventColumns,
    row: usize,
    record: &EventRecord,
) -> Result<Option<EventKind>> {
    let check = Check {
        model,
        columns,
        row,
        record,
    };
    if !record.kind.doses() {
        check.no_dose()?;
        return Ok(None);
    }
    check.amount()?;
    check.repetition()?;
    let state = check.state()?;
    let course = check.course(&model.equations[state])?;
    check.input(state)?;
    if record.amt == 0.0 && record.ss == 0.0 {
        return Ok(None);
    }
    let steady = (record.ss != 0.0).then_some(Steady {
        interval: if record.is_endless() {
            f64::INFINITY
        } else {
            record.ii
        },
        adds: record.ss == 2.0,
    });
    Ok(Some(EventKind::Dose {
        state,
        amount: record.amt,
        course,
        steady,
    }))
}

struct Check<'a> {
    model: &'a Model,
    columns: &'a EventColumns<'a>,
    row: usize,
    record: &'a EventRecord,
}

impl Check<'_> {
    fn error(&self, item: &str, value: f64, problem: String, hint: impl Into<String>) -> Error {
        let reason = match item {
            "CMT" => "unknown_state",
            _ => "bad_dose",
        };
        let error = self.columns.error(reason, item, self.row, value, problem);
        error.hint(hint)
    }

    fn name(&self, item: &str) -> String {
        self.columns.name(item)
    }

    /// A row without a dose has no items of one.
    fn no_dose(&self) -> Result<()> {
        let what = match self.record.kind {
            RecordKind::Observation => "an observation",
            RecordKind::Reset => "a reset",
            _ => "no dose",
        };
        if let Some((item, value)) = self.record.dose_item() {
            let problem = format!("{} is {value}, but the row is {what}.", self.name(item));
            let evid = self.name("EVID");
            let hint = format!(
                "A dose has an amount and, where there is {evid}, the value 1 or 4 of it. A column that says nothing of doses is left out by `events = c({} = NA)`.",
                item.to_lowercase()
            );
            return Err(self.error(item, value, problem, hint));
        }
        let cmt = self.record.cmt;
        if cmt < 0.0 && self.record.kind != RecordKind::Observation {
            let problem = format!(
                "{} is {cmt}: states cannot be switched off.",
                self.name("CMT")
            );
            let hint = "Let the model say so: multiply the rates of the state by a covariate.";
            return Err(self.error("CMT", cmt, problem, hint));
        }
        Ok(())
    }

    fn amount(&self) -> Result<()> {
        let EventRecord { amt, rate, ss, .. } = *self.record;
        if amt < 0.0 {
            let problem = format!("{} is {amt}; a dose cannot be negative.", self.name("AMT"));
            let hint = "Write what leaves a state into its equation.";
            return Err(self.error("AMT", amt, problem, hint));
        }
        if rate < 0.0 && rate != -1.0 && rate != -2.0 {
            let problem = format!("{} is {rate}.", self.name("RATE"));
            return Err(self.error("RATE", rate, problem, RATES));
        }
        self.duration()?;
        if rate != 0.0 && amt == 0.0 && ss == 0.0 {
            let problem = format!(
                "{} is {rate}, but there is no amount ({}).",
                self.name("RATE"),
                self.name("AMT")
            );
            let hint = "Only an infusion at steady state (SS = 1 or 2, II = 0) has no amount; it ends at the time of the record.";
            return Err(self.error("RATE", rate, problem, hint));
        }
        Ok(())
    }

    fn duration(&self) -> Result<()> {
        let EventRecord { dur, rate, .. } = *self.record;
        let problem = match (dur, rate) {
            (dur, _) if dur < 0.0 => {
                format!("{} is {dur}; it takes a positive time.", self.name("DUR"))
            }
            (dur, rate) if dur > 0.0 && rate != 0.0 => format!(
                "{} is {dur} and {} is {rate}; one of them says how fast the amount comes in.",
                self.name("DUR"),
                self.name("RATE")
            ),
            _ => return Ok(()),
        };
        let hint = "Leave the other out, as in `events = c(dur = NA)`.";
        Err(self.error("DUR", dur, problem, hint))
    }

    fn repetition(&self) -> Result<()> {
        let record = self.record;
        let EventRecord { ii, addl, ss, .. } = *record;
        if ![0.0, 1.0, 2.0].contains(&ss) {
            let problem = format!("{} is {ss}; it must be 0, 1 or 2.", self.name("SS"));
            let hint = "1: the dose is the last of infinitely many, which take the place of what is there; 2: they are added to it.";
            return Err(self.error("SS", ss, problem, hint));
        }
        if addl < 0.0 || addl.fract() != 0.0 {
            let problem = format!(
                "{} is {addl}, which is no number of doses.",
                self.name("ADDL")
            );
            let hint = "It counts the doses after this one, II apart.";
            return Err(self.error("ADDL", addl, problem, hint));
        }
        if ii < 0.0 {
            let problem = format!(
                "{} is {ii}; doses are apart by a positive time.",
                self.name("II")
            );
            return Err(self.error("II", ii, problem, "Give the time between two doses."));
        }
        if record.is_endless() {
            return self.endless();
        }
        let needs = match (addl > 0.0, ss != 0.0) {
            (true, _) => Some(("ADDL", addl)),
            (_, true) => Some(("SS", ss)),
            _ => None,
        };
        match needs {
            Some((item, value)) if ii == 0.0 => {
                let problem = format!(
                    "{} is {value}, but {} is 0.",
                    self.name(item),
                    self.name("II")
                );
                let hint = "Give the time between two doses in II.";
                Err(self.error("II", ii, problem, hint))
            }
            None if ii > 0.0 => {
                let problem = format!("{} is {ii}, but nothing is repeated.", self.name("II"));
                let hint = "Say how many doses follow in ADDL, or that there were infinitely many before by SS = 1; for a single dose II is 0.";
                Err(self.error("II", ii, problem, hint))
            }
            _ if record.amt == 0.0 && record.rate != 0.0 => {
                let problem = format!(
                    "{} is {ii} for an infusion without an amount, which never pauses.",
                    self.name("II")
                );
                let hint = "For repeated infusions give their amount; for a constant one II is 0.";
                Err(self.error("II", ii, problem, hint))
            }
            _ => Ok(()),
        }
    }

    fn endless(&self) -> Result<()> {
        let EventRecord { addl, rate, .. } = *self.record;
        if addl > 0.0 {
            let problem = format!(
                "{} is {addl}, but the record is an infusion at steady state, which ends there.",
                self.name("ADDL")
            );
            let hint = "Give further doses in records of their own.";
            return Err(self.error("ADDL", addl, problem, hint));
        }
        if rate == -2.0 {
            let problem = format!(
                "{} is -2, but an infusion without an amount has no duration.",
                self.name("RATE")
            );
            return Err(self.error("RATE", rate, problem, RATES));
        }
        Ok(())
    }

    /// The state that is dosed: the first unless CMT says which.
    fn state(&self) -> Result<usize> {
        let cmt = self.record.cmt;
        if cmt == 0.0 {
            return Ok(0);
        }
        let states = self.model.visible().iter().enumerate();
        let mut found = states.clone().filter(|(k, _)| (*k as f64) + 1.0 == cmt);
        if let Some((k, _)) = found.next() {
            return Ok(k);
        }
        let listed = states.map(|(k, e)| format!("{} `{}`", k + 1, e.name));
        let listed: Vec<String> = listed.collect();
        let problem = format!("{} is {cmt}, which is no state.", self.name("CMT"));
        let hint = format!(
            "States, in the order of their equations: {}.",
            listed.join(", ")
        );
        Err(self.error("CMT", cmt, problem, hint))
    }

    /// Input functions take what comes in at once, each at its time.
    fn input(&self, state: usize) -> Result<()> {
        let EventRecord { rate, ss, .. } = *self.record;
        let feeds: Vec<Feed> = self.model.inputs(state).map(|(_, feed)| feed).collect();
        let name = &self.model.equations[state].name;
        let Some(other) = feeds.iter().find(|feed| feed.word != "first_order") else {
            if feeds.len() > 1 && ss != 0.0 {
                let problem = format!(
                    "{} is {ss}, but doses into `{name}` come in by several input functions.",
                    self.name("SS")
                );
                return Err(self.error("SS", ss, problem, HISTORY));
            }
            return Ok(());
        };
        let word = other.word;
        if rate != 0.0 {
            let problem = format!(
                "{} is {rate}, but doses into `{name}` come in by {word}().",
                self.name("RATE")
            );
            let hint = format!("Infusions go into a state whose equation has no {word}().");
            return Err(self.error("RATE", rate, problem, hint));
        }
        if ss != 0.0 {
            let problem = format!(
                "{} is {ss}, but doses into `{name}` come in by {word}(), which has no steady state here.",
                self.name("SS")
            );
            return Err(self.error("SS", ss, problem, HISTORY));
        }
        Ok(())
    }

    fn course(&self, equation: &Equation) -> Result<Administration> {
        let rate = self.record.rate;
        let endless = self.record.is_endless();
        let missing = |word: &str, what: &str| {
            let name = &equation.name;
            let problem = format!(
                "{} is {rate}, but the model does not say the {what} of doses into `{name}`.",
                self.name("RATE")
            );
            let hint = format!("Add a line `{word}({name}) <- ...` to the model.");
            self.error("RATE", rate, problem, hint)
        };
        if rate == -1.0 {
            return match (equation.rate, endless) {
                (None, _) => Err(missing("rate", "rate")),
                (Some(_), true) => Ok(Administration::EndlessModeled),
                (Some(_), false) => Ok(Administration::ModeledRate),
            };
        }
        if rate == -2.0 {
            return match equation.duration {
                None => Err(missing("dur", "duration")),
                Some(_) => Ok(Administration::ModeledDuration),
            };
        }
        Ok(if endless {
            Administration::Endless(rate)
        } else if rate > 0.0 {
            Administration::Rate(rate)
        } else if self.record.dur > 0.0 && self.record.amt > 0.0 {
            Administration::Duration(self.record.dur)
        } else {
            Administration::Bolus
        })
    }
}

const HISTORY: &str =
    "Give the doses that led to the steady state as records, or in one record with ADDL and II.";
const RATES: &str = "0: bolus; above 0: the rate of an infusion; -1: the rate is `rate(state)` of the model; -2: its duration is `dur(state)`.";
