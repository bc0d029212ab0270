//! Hold a small data frame and simulate one from a deterministic generator.

use nlmers_core::request::FrameColumns;

/// Columns in row order; `subject` counts from zero.
#[derive(Debug, Clone, Default)]
pub struct Data {
    pub subject: Vec<usize>,
    pub columns: FrameColumns,
    pub time: Option<String>,
}

impl Data {
    /// `n_rows(i)` rows for each of `n` subjects, one after another.
    pub fn new(n: usize, n_rows: impl Fn(usize) -> usize) -> Self {
        Self {
            subject: (0..n).flat_map(|i| vec![i; n_rows(i)]).collect(),
            ..Self::default()
        }
    }

    pub fn n_rows(&self) -> usize {
        self.subject.len()
    }

    pub fn n_subjects(&self) -> usize {
        self.subject.iter().max().map_or(0, |last| last + 1)
    }

    pub fn labels(&self) -> Vec<String> {
        (1..=self.n_subjects()).map(|i| format!("s{i}")).collect()
    }

    /// Add a column computed from the row and its subject.
    pub fn with(mut self, name: &str, mut value: impl FnMut(usize, usize) -> f64) -> Self {
        let rows = self.subject.iter().enumerate();
        let values = rows.map(|(row, subject)| value(row, *subject)).collect();
        self.columns.retain(|(known, _)| known != name);
        self.columns.push((name.to_string(), values));
        self
    }

    pub fn timed(mut self, name: &str) -> Self {
        self.time = Some(name.to_string());
        self
    }

    pub fn column(&self, name: &str) -> &[f64] {
        let found = self.columns.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no column `{name}`")).1
    }

    /// Rows of a subject in the order of the frame.
    pub fn rows_of(&self, subject: usize) -> Vec<usize> {
        (0..self.n_rows())
            .filter(|row| self.subject[*row] == subject)
            .collect()
    }

    /// Position of a row within its subject.
    pub fn within(&self, row: usize) -> usize {
        let earlier = &self.subject[..row];
        earlier.iter().filter(|i| **i == self.subject[row]).count()
    }

    /// The same rows in another order.
    pub fn permuted(&self, order: &[usize]) -> Self {
        let pick = |values: &[f64]| order.iter().map(|row| values[*row]).collect();
        Self {
            subject: order.iter().map(|row| self.subject[*row]).collect(),
            columns: self
                .columns
                .iter()
                .map(|(name, values)| (name.clone(), pick(values)))
                .collect(),
            time: self.time.clone(),
        }
    }

    /// The columns of a request: those of the data and the codes of the groups, from one.
    pub fn request_columns(&self) -> FrameColumns {
        let codes = self.subject.iter().map(|i| *i as f64 + 1.0).collect();
        let mut columns = self.columns.clone();
        columns.push((".group".into(), codes));
        columns
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014).
#[derive(Debug, Clone)]
pub struct Generator(pub u64);

impl Generator {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    pub fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n - 1)
    }

    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// By inversion.
    pub fn poisson(&mut self, rate: f64) -> f64 {
        let u = self.uniform();
        let (mut count, mut term) = (0.0, (-rate).exp());
        let mut sum = term;
        while u > sum && count < 10_000.0 {
            count += 1.0;
            term *= rate / count;
            sum += term;
        }
        count
    }

    /// A permutation of `0..n`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}
