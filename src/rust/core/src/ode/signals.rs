//! Hold the data of one subject that change while its equations are solved.

use super::interpolate::Interpolant;
use crate::language::specification::Interpolation;

/// Values of all signals at the records, and the courses of those that do not jump.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// `[line][signal]`; a stop [`super::Act::Signals`] says from when on a line holds. The first line holds from the
    /// start.
    pub lines: Vec<Vec<f64>>,
    /// Signals with a smooth course, by their index: evaluated at every time instead of read from a line.
    pub courses: Vec<(usize, Interpolant)>,
}

impl Signals {
    /// From the subject's records in the order of time: `kinds` says how each signal runs, `values[signal][record]`.
    /// The second part are the times from which on the lines after the first hold, for [`super::Agenda::lines`].
    pub fn new(
        kinds: &[Interpolation],
        times: &[f64],
        values: &[impl AsRef<[f64]>],
    ) -> (Self, Vec<f64>) {
        let line = |record: usize| -> Vec<f64> {
            let at_record = values.iter().map(|v| v.as_ref().get(record).copied());
            at_record.map(|v| v.unwrap_or(f64::NAN)).collect()
        };
        let steps = |a: &[f64], b: &[f64]| {
            let mut pairs = kinds.iter().zip(a.iter().zip(b));
            pairs.any(|(kind, (x, y))| {
                *kind == Interpolation::Constant && x.to_bits() != y.to_bits()
            })
        };
        let (mut lines, mut from): (Vec<Vec<f64>>, Vec<f64>) = (Vec::new(), Vec::new());
        for record in 0..times.len() {
            // Of records at one time the last counts.
            if times.get(record + 1) == Some(&times[record]) {
                continue;
            }
            let next = line(record);
            match lines.last() {
                None => lines.push(next),
                Some(last) if steps(last, &next) => {
                    lines.push(next);
                    from.push(times[record]);
                }
                Some(_) => {}
            }
        }
        let smooth = kinds.iter().enumerate().zip(values);
        let smooth = smooth.filter(|((_, kind), _)| **kind != Interpolation::Constant);
        let courses = smooth
            .map(|((m, kind), values)| (m, Interpolant::new(*kind, times, values.as_ref())))
            .collect();
        (Self { lines, courses }, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_change_where_a_step_does() {
        let kinds = [Interpolation::Constant, Interpolation::Linear];
        let times = [0.0, 1.0, 2.0, 2.0, 5.0];
        let values = [[3.0, 3.0, 7.0, 4.0, 4.0], [0.0, 1.0, 2.0, 2.0, 8.0]];
        let (signals, from) = Signals::new(&kinds, &times, &values);
        assert_eq!(from, [2.0]);
        assert_eq!(signals.lines.len(), 2);
        assert_eq!((signals.lines[0][0], signals.lines[1][0]), (3.0, 4.0));
        assert_eq!(signals.courses.len(), 1);
        let (m, course) = &signals.courses[0];
        assert_eq!((*m, course.at(3.5)), (1, 5.0));
    }

    #[test]
    fn a_smooth_signal_needs_one_line() {
        let (signals, from) = Signals::new(
            &[Interpolation::Akima],
            &[0.0, 1.0, 2.0],
            &[[1.0, 2.0, 1.0]],
        );
        assert_eq!((signals.lines.len(), from.len()), (1, 0));
        let (none, from) = Signals::new(&[], &[0.0, 1.0], &[] as &[Vec<f64>]);
        assert_eq!((none.lines, from), (vec![Vec::<f64>::new()], vec![]));
    }
}
