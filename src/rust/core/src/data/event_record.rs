//! Read the event items of one row: what they say, and whether they can say it.
//!
//! Items mean what they mean to PREDPP (NONMEM Users Guide VI, chapter V). A missing item is 0.

use super::frame::Frame;
use crate::error::{Error, Result};

/// Columns of the frame that hold the event items, by their names here; `.` before them.
pub const ITEMS: [&str; 9] = [
    "AMT", "EVID", "CMT", "RATE", "II", "ADDL", "SS", "MDV", "DUR",
];

/// Event items of all rows.
#[derive(Debug, Clone, Copy)]
pub struct EventColumns<'a> {
    frame: &'a Frame,
    columns: [Option<&'a [f64]>; 9],
}

impl<'a> EventColumns<'a> {
    pub fn new(frame: &'a Frame) -> Self {
        let column = |item: &str| {
            let name = format!(".{}", item.to_lowercase());
            let found = frame.columns.iter().find(|(column, _)| *column == name);
            found.map(|(_, values)| values.as_slice())
        };
        Self {
            frame,
            columns: ITEMS.map(column),
        }
    }

    /// # Errors
    /// Items that are infinite, and kinds of records that there are not.
    pub fn record(&self, row: usize) -> Result<EventRecord> {
        let mut values = [0.0; 9];
        for (i, column) in self.columns.iter().enumerate() {
            let value = column.map_or(0.0, |c| c[row]);
            if value.is_infinite() {
                let problem = format!("{} is infinite.", self.name(ITEMS[i]));
                return Err(self.error("bad_event", ITEMS[i], row, value, problem));
            }
            values[i] = if value.is_nan() { 0.0 } else { value };
        }
        let [amt, evid, cmt, rate, ii, addl, ss, mdv, dur] = values;
        let mut record = EventRecord {
            kind: RecordKind::Observation,
            cmt,
            amt,
            rate,
            ii,
            addl,
            ss,
            dur,
            observed: mdv == 0.0,
        };
        if mdv != 0.0 && mdv != 1.0 {
            let problem = format!("{} is {mdv}; it must be 0 or 1.", self.name("MDV"));
            return Err(self
                .error("bad_event", "MDV", row, mdv, problem)
                .hint("0: the row holds an outcome; 1: it does not."));
        }
        record.kind = if self.columns[1].is_some() {
            self.kind(row, evid)?
        } else if amt != 0.0 || (ss != 0.0 && rate != 0.0) {
            RecordKind::Dose
        } else {
            RecordKind::Observation
        };
        // Without EVID a row with an amount may hold an outcome beside it.
        let both = self.columns[1].is_none() && record.kind == RecordKind::Dose;
        record.observed &= both || record.kind == RecordKind::Observation;
        Ok(record)
    }

    fn kind(&self, row: usize, evid: f64) -> Result<RecordKind> {
        let kinds = [
            RecordKind::Observation,
            RecordKind::Dose,
            RecordKind::Other,
            RecordKind::Reset,
            RecordKind::ResetDose,
        ];
        let mut known = kinds.into_iter().enumerate();
        let found = known.find(|(code, _)| *code as f64 == evid);
        let Some((_, kind)) = found else {
            let problem = format!(
                "{} is {evid}, which is no kind of record.",
                self.name("EVID")
            );
            return Err(self
                .error("unknown_evid", "EVID", row, evid, problem)
                .hint("0: observation; 1: dose; 2: other; 3: reset; 4: reset, then dose."));
        };
        Ok(kind)
    }

    /// The user's name of an item.
    pub fn name(&self, item: &str) -> String {
        let named = self.frame.events.iter().find(|(known, _)| known == item);
        match named {
            Some((_, column)) if column.to_uppercase() != item => format!("`{column}` ({item})"),
            Some((_, column)) => format!("`{column}`"),
            None => format!("`{item}`"),
        }
    }

    pub fn error(
        &self,
        reason: &'static str,
        item: &str,
        row: usize,
        value: f64,
        problem: String,
    ) -> Error {
        let frame = self.frame;
        let named = frame.events.iter().find(|(known, _)| known == item);
        let column = named.map_or(item, |(_, column)| column.as_str());
        Error::data(reason, problem)
            .at(frame.place(row))
            .field("column", column)
            .field("row", row + 1)
            .field("subject", &frame.labels[frame.codes[row]])
            .field("value", value)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    Observation,
    Dose,
    /// Neither; it marks a time.
    Other,
    Reset,
    ResetDose,
}

impl RecordKind {
    pub fn resets(self) -> bool {
        matches!(self, Self::Reset | Self::ResetDose)
    }

    pub fn doses(self) -> bool {
        matches!(self, Self::Dose | Self::ResetDose)
    }
}

/// The event items of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventRecord {
    pub kind: RecordKind,
    pub cmt: f64,
    pub amt: f64,
    pub rate: f64,
    pub ii: f64,
    pub addl: f64,
    pub ss: f64,
    /// Time over which the amount comes in, which is no item of PREDPP; read at doses alone.
    pub dur: f64,
    /// Whether the row may hold an outcome.
    pub observed: bool,
}

impl EventRecord {
    /// The first item that only a dose has.
    pub fn dose_item(&self) -> Option<(&'static str, f64)> {
        let items = [
            ("AMT", self.amt),
            ("RATE", self.rate),
            ("II", self.ii),
            ("ADDL", self.addl),
            ("SS", self.ss),
        ];
        items.into_iter().find(|(_, value)| *value != 0.0)
    }

    /// A constant infusion at steady state, which has no amount.
    pub fn is_endless(&self) -> bool {
        self.amt == 0.0 && self.ss != 0.0 && self.ii == 0.0
    }
}
