//! Hold the columns a tape runs on, and tapes with what they need of them.
//!
//! A [`Tape`] knows how many columns of each bank it reads and writes; [`Bases`] borrow the columns behind each bank,
//! shared where a tape only reads and alone where it writes. A tape runs only where all its places lie inside, so that
//! the loops may go by pointers.

use std::marker::PhantomData;
use std::ops::Deref;

use super::lanes::{read, CHUNK};
use super::{AdjointTarget, Bank, ColumnAddress, Instruction, Reverse, Tangent, N_BANKS};
use crate::ir::column::{Column, LANES};

const OUTSIDE: &str = "a tape runs on the columns of its program";

/// What a step of a tape touches.
pub trait Step {
    /// Visit each place that is read (`false`) or written (`true`).
    fn places(&self, visit: &mut dyn FnMut(ColumnAddress, bool));
}

impl Step for Instruction {
    fn places(&self, visit: &mut dyn FnMut(ColumnAddress, bool)) {
        for place in [self.a, self.b, self.c] {
            visit(place, false);
        }
        visit(self.dst, true);
    }
}

/// The values of a rule are only read.
fn read_all(forward: &Instruction, visit: &mut dyn FnMut(ColumnAddress, bool)) {
    forward.places(&mut |place, _| visit(place, false));
}

impl Step for Reverse {
    fn places(&self, visit: &mut dyn FnMut(ColumnAddress, bool)) {
        read_all(&self.forward, visit);
        visit(Bank::Adjoint.at(self.source), false);
        for target in self.targets {
            if let AdjointTarget::Set(i) | AdjointTarget::Add(i) = target {
                visit(Bank::Adjoint.at(i), true);
            }
        }
    }
}

impl Step for Tangent {
    fn places(&self, visit: &mut dyn FnMut(ColumnAddress, bool)) {
        read_all(&self.forward, visit);
        for source in self.sources.into_iter().flatten() {
            visit(Bank::Tangent.at(source), false);
        }
        visit(Bank::Tangent.at(self.dst), true);
    }
}

/// Columns of one bank that a tape needs.
#[derive(Debug, Clone, Copy)]
struct Need {
    bank: Bank,
    columns: usize,
    written: bool,
}

/// Steps in order, with the columns they need.
#[derive(Debug, Clone)]
pub struct Tape<T> {
    steps: Vec<T>,
    needs: Vec<Need>,
}

impl<T> Default for Tape<T> {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            needs: Vec::new(),
        }
    }
}

impl<T> Deref for Tape<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.steps
    }
}

impl<T: Step> Tape<T> {
    pub fn push(&mut self, step: T) {
        let needs = &mut self.needs;
        step.places(&mut |ColumnAddress { bank, index }, written| {
            let columns = index as usize + 1;
            match needs.iter_mut().find(|need| need.bank == bank) {
                Some(need) => {
                    need.columns = need.columns.max(columns);
                    need.written |= written;
                }
                None => needs.push(Need {
                    bank,
                    columns,
                    written,
                }),
            }
        });
        self.steps.push(step);
    }
}

impl<T: Step> Extend<T> for Tape<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, steps: I) {
        steps.into_iter().for_each(|step| self.push(step));
    }
}

impl<T: Step> FromIterator<T> for Tape<T> {
    fn from_iter<I: IntoIterator<Item = T>>(steps: I) -> Self {
        let mut tape = Self::default();
        tape.extend(steps);
        tape
    }
}

/// Columns behind one bank.
#[derive(Debug, Clone, Copy)]
struct Behind {
    columns: usize,
    written: bool,
}

/// The columns behind every bank, and how far the row banks move from one row to the next (in columns).
#[derive(Debug)]
pub struct Bases<'m> {
    pointers: Pointers,
    behind: [Behind; N_BANKS],
    columns: PhantomData<&'m mut [Column]>,
}

impl Default for Bases<'_> {
    #[inline(always)]
    fn default() -> Self {
        let none = Behind {
            columns: 0,
            written: false,
        };
        Self {
            pointers: Pointers {
                start: [std::ptr::null_mut(); N_BANKS],
                stride: [0; N_BANKS],
            },
            behind: [none; N_BANKS],
            columns: PhantomData,
        }
    }
}

impl<'m> Bases<'m> {
    #[inline(always)]
    fn set(&mut self, bank: Bank, start: *mut Column, columns: usize, written: bool) {
        self.pointers.start[bank as usize] = start.cast();
        self.behind[bank as usize] = Behind { columns, written };
    }

    /// Columns that tapes only read.
    #[inline(always)]
    pub fn read(&mut self, bank: Bank, columns: &'m [Column]) {
        self.set(bank, columns.as_ptr().cast_mut(), columns.len(), false);
    }

    /// Columns that tapes may write.
    #[inline(always)]
    pub fn write(&mut self, bank: Bank, columns: &'m mut [Column]) {
        self.set(bank, columns.as_mut_ptr(), columns.len(), true);
    }

    /// Read columns of which every row has `stride`.
    pub fn read_rows(&mut self, bank: Bank, columns: &'m [Column], stride: usize) {
        self.read(bank, columns);
        self.pointers.stride[bank as usize] = stride;
    }

    /// Write columns of which every row has `stride`.
    pub fn write_rows(&mut self, bank: Bank, columns: &'m mut [Column], stride: usize) {
        self.write(bank, columns);
        self.pointers.stride[bank as usize] = stride;
    }

    /// The values of one column.
    pub fn get(&self, place: ColumnAddress) -> Column {
        let columns = self.behind[place.bank as usize].columns;
        assert!((place.index as usize) < columns, "{OUTSIDE}");
        let column = self.pointers.column(place);
        let mut values = [0.0; LANES];
        for (k, chunk) in values.chunks_exact_mut(CHUNK).enumerate() {
            chunk.copy_from_slice(&read(column, k * CHUNK));
        }
        Column(values)
    }

    /// With the row banks at `row` instead of the first one.
    #[must_use]
    pub fn at(mut self, row: usize) -> Self {
        let strides = self.pointers.stride.iter();
        let starts = self.pointers.start.iter_mut().zip(strides);
        for ((start, stride), behind) in starts.zip(&mut self.behind) {
            let columns = row.saturating_mul(*stride).min(behind.columns);
            *start = start.wrapping_add(columns * LANES);
            behind.columns -= columns;
        }
        self
    }

    /// Where to run a tape for `rows` rows.
    ///
    /// # Panics
    /// Where a place of the tape lies outside: tape and columns were made for different programs.
    #[inline(always)]
    pub(super) fn enter<T>(&self, tape: &Tape<T>, rows: usize) -> &Pointers {
        let inside = tape.needs.iter().all(|need| {
            let bank = need.bank as usize;
            let further = rows
                .saturating_sub(1)
                .saturating_mul(self.pointers.stride[bank]);
            let behind = self.behind[bank];
            need.columns.saturating_add(further) <= behind.columns
                && (behind.written || !need.written)
        });
        assert!(inside || rows == 0, "{OUTSIDE}");
        &self.pointers
    }
}

/// Pointers that [`Bases`] have found right for a tape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pointers {
    start: [*mut f64; N_BANKS],
    stride: [usize; N_BANKS],
}

impl Pointers {
    #[inline(always)]
    pub fn column(&self, place: ColumnAddress) -> *mut f64 {
        self.first(place.bank)
            .wrapping_add(place.index as usize * LANES)
    }

    #[inline(always)]
    pub fn first(&self, bank: Bank) -> *mut f64 {
        self.start[bank as usize]
    }

    /// Move the row banks to the next row.
    #[inline(always)]
    pub fn next_row(&mut self) {
        for (start, stride) in self.start.iter_mut().zip(self.stride) {
            *start = start.wrapping_add(stride * LANES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::op::Unary;
    use crate::ir::tape::TapeCode;
    use crate::ir::vmath::Isa;

    /// `Work[to] = -Row[from]`
    fn negation(from: u32, to: u32) -> Tape<Instruction> {
        let a = Bank::Row.at(from);
        Tape::from_iter([Instruction {
            code: TapeCode::Unary(Unary::Neg),
            dst: Bank::Work.at(to),
            a,
            b: a,
            c: a,
        }])
    }

    /// Three rows of two columns.
    fn run(tape: &Tape<Instruction>, rows: usize, first: usize, work: &mut [Column]) {
        let data: Vec<Column> = (0..6).map(|k| Column::splat(f64::from(k))).collect();
        let mut bases = Bases::default();
        bases.read_rows(Bank::Row, &data, 2);
        bases.write(Bank::Work, work);
        tape.run(Isa::detect(), &mut bases.at(first), rows);
    }

    #[test]
    fn rows_are_read_one_after_another() {
        for (rows, first, last) in [(1, 0, 1.0), (3, 0, 5.0), (1, 2, 5.0), (2, 1, 5.0)] {
            let mut work = [Column::ZERO; 2];
            run(&negation(1, 1), rows, first, &mut work);
            assert_eq!(work, [Column::ZERO, Column::splat(-last)]);
        }
    }

    #[test]
    #[should_panic(expected = "columns of its program")]
    fn a_row_behind_the_last_one_is_not_read() {
        run(&negation(1, 0), 2, 2, &mut [Column::ZERO]);
    }

    #[test]
    #[should_panic(expected = "columns of its program")]
    fn a_column_behind_the_last_one_is_not_written() {
        run(&negation(0, 1), 1, 0, &mut [Column::ZERO]);
    }

    #[test]
    #[should_panic(expected = "columns of its program")]
    fn what_is_shared_is_not_written() {
        let work = [Column::ZERO];
        let mut bases = Bases::default();
        bases.read(Bank::Row, &work);
        bases.read(Bank::Work, &work);
        negation(0, 0).run(Isa::detect(), &mut bases, 1);
    }
}
