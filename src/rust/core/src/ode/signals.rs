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

/// From when on a line of the signals holds: at that time before its records, or behind them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    pub time: f64,
    pub behind: bool,
}

impl Signals {
    /// From the subject's records in the order of time: `kinds` says how each signal runs, `values[signal][record]`.
    /// The second part says from when on the lines after the first hold, for [`super::Agenda::lines`].
    pub fn new(
        kinds: &[Interpolation],
        times: &[f64],
        values: &[impl AsRef<[f64]>],
    ) -> (Self, Vec<Line>) {
        let mut found = Self::default();
        let mut from = Vec::new();
        let mut line: Vec<f64> = Vec::new();
        for (first, last) in at_one_time(times) {
            let value = |m: usize, record: usize| {
                let value = values[m].as_ref().get(record).copied();
                value.unwrap_or(f64::NAN)
            };
            // Of records at one time the last counts from there on, the first for what leads there.
            let at = |kind: Interpolation, record: usize, line: &mut Vec<f64>| {
                let own = (0..kinds.len()).filter(|m| kinds[*m] == kind);
                own.fold(false, |changes, m| {
                    let (old, new) = (line[m], value(m, record));
                    line[m] = new;
                    changes || old.to_bits() != new.to_bits()
                })
            };
            if found.lines.is_empty() {
                line = (0..kinds.len()).map(|m| value(m, last)).collect();
                at(Interpolation::Next, first, &mut line);
                found.lines.push(line.clone());
                continue;
            }
            if at(Interpolation::Next, first, &mut line) {
                found.lines.push(line.clone());
                from.push(Line {
                    time: times[first - 1],
                    behind: true,
                });
            }
            if at(Interpolation::Constant, last, &mut line) {
                found.lines.push(line.clone());
                from.push(Line {
                    time: times[last],
                    behind: false,
                });
            }
        }
        let stepwise =
            |kind: &Interpolation| matches!(kind, Interpolation::Constant | Interpolation::Next);
        let smooth = kinds.iter().enumerate().zip(values);
        let smooth = smooth.filter(|((_, kind), _)| !stepwise(kind));
        found.courses = smooth
            .map(|((m, kind), values)| (m, Interpolant::new(*kind, times, values.as_ref())))
            .collect();
        (found, from)
    }
}

/// The first and the last record of each time.
fn at_one_time(times: &[f64]) -> Vec<(usize, usize)> {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for (record, time) in times.iter().enumerate() {
        match groups
            .last_mut()
            .filter(|(first, _)| times[*first] == *time)
        {
            Some((_, last)) => *last = record,
            None => groups.push((record, record)),
        }
    }
    groups
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
        let at = Line {
            time: 2.0,
            behind: false,
        };
        assert_eq!(from, [at]);
        assert_eq!(signals.lines.len(), 2);
        assert_eq!((signals.lines[0][0], signals.lines[1][0]), (3.0, 4.0));
        assert_eq!(signals.courses.len(), 1);
        let (m, course) = &signals.courses[0];
        assert_eq!((*m, course.at(3.5)), (1, 5.0));
    }

    #[test]
    fn the_record_that_ends_an_interval_governs_it_where_it_is_asked_to() {
        let kinds = [Interpolation::Next, Interpolation::Constant];
        let times = [0.0, 1.0, 1.0, 3.0];
        let values = [[5.0, 6.0, 7.0, 8.0], [1.0, 1.0, 1.0, 2.0]];
        let (signals, from) = Signals::new(&kinds, &times, &values);
        let expected = [[5.0, 1.0], [6.0, 1.0], [8.0, 1.0], [8.0, 2.0]];
        assert_eq!(signals.lines, expected);
        let at = |time, behind| Line { time, behind };
        assert_eq!(from, [at(0.0, true), at(1.0, true), at(3.0, false)]);
        assert!(signals.courses.is_empty());
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
