//! Solve small linear systems in which some unknowns may be left open.

/// A part of the matrix that counts as zero, and a right-hand side that does, relative to the largest.
const OPEN: f64 = 1e-14;
const NOTHING: f64 = 1e-9;

/// `matrix x = right`, row-major; the memory is used again.
#[derive(Debug, Clone, Default)]
pub struct Elimination {
    pub matrix: Vec<f64>,
    /// Right-hand sides of one length, one after the other; then the solutions.
    pub right: Vec<f64>,
    /// For each unknown the row that determines it.
    owner: Vec<Option<usize>>,
    is_used: Vec<bool>,
    known: Vec<f64>,
}

impl Elimination {
    /// Put a system in the place of the last one.
    pub fn set(&mut self, matrix: impl Iterator<Item = f64>, right: impl Iterator<Item = f64>) {
        self.matrix.clear();
        self.matrix.extend(matrix);
        self.right.clear();
        self.right.extend(right);
    }

    /// Gauss-Jordan elimination for `n` unknowns. One that no row determines is zero; false if a row without unknowns
    /// has a right-hand side, or something is not finite.
    pub fn solve(&mut self, n: usize) -> bool {
        let largest = self.matrix.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let size = self.right.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        self.owner.clear();
        self.owner.resize(n, None);
        self.is_used.clear();
        self.is_used.resize(n, false);
        let mut all = self.matrix.iter().chain(&self.right);
        let mut is_found = all.all(|x| x.is_finite());
        for i in 0..n {
            let element = |row: &usize| self.matrix[row * n + i].abs();
            let free = (0..n).filter(|row| !self.is_used[*row]);
            let pivot = free.max_by(|a, b| element(a).total_cmp(&element(b)));
            let Some(pivot) = pivot.filter(|row| element(row) > OPEN * largest) else {
                continue;
            };
            (self.owner[i], self.is_used[pivot]) = (Some(pivot), true);
            for row in (0..n).filter(|row| *row != pivot) {
                self.subtract(n, row, pivot, i);
            }
        }
        for right in self.right.chunks_mut(n) {
            self.known.clear();
            self.known.extend_from_slice(right);
            let mut open = (0..n).filter(|row| !self.is_used[*row]);
            is_found &= open.all(|row| self.known[row].abs() <= NOTHING * size);
            for (i, x) in right.iter_mut().enumerate() {
                let of = |row: usize| self.known[row] / self.matrix[row * n + i];
                *x = self.owner[i].map_or(0.0, of);
            }
        }
        is_found
    }

    /// Remove unknown `i` from a row.
    fn subtract(&mut self, n: usize, row: usize, pivot: usize, i: usize) {
        let factor = self.matrix[row * n + i] / self.matrix[pivot * n + i];
        if factor == 0.0 {
            return;
        }
        for j in 0..n {
            self.matrix[row * n + j] -= factor * self.matrix[pivot * n + j];
        }
        for right in self.right.chunks_mut(n) {
            right[row] -= factor * right[pivot];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solved(matrix: &[f64], right: &[f64], n: usize) -> Option<Vec<f64>> {
        let mut system = Elimination::default();
        system.set(matrix.iter().copied(), right.iter().copied());
        system.solve(n).then_some(system.right)
    }

    #[test]
    fn rows_in_any_order_are_solved() {
        let matrix = [0.0, 2.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 4.0];
        let x = solved(&matrix, &[4.0, 4.0, 14.0, 2.0, 1.0, 1.0], 3);
        assert_eq!(x, Some(vec![1.0, 2.0, 3.0, 1.0, 1.0, 0.0]));
    }

    #[test]
    fn what_nothing_determines_stays_unless_something_pushes() {
        let matrix = [2.0, 0.0, 0.0, 0.0];
        assert_eq!(solved(&matrix, &[3.0, 0.0], 2), Some(vec![1.5, 0.0]));
        assert_eq!(solved(&matrix, &[3.0, 1.0], 2), None);
        assert_eq!(solved(&[f64::NAN], &[1.0], 1), None);
    }
}
