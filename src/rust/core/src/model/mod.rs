//! Compile the user's model: names, shapes and families checked, statements turned into one program.

mod call;
mod censored;
mod compile;
pub mod covariance;
mod declared;
mod matrix_log;
mod outcome;
pub mod parameter;
mod random;
mod rate;
mod scale;
mod scope;
mod sequence;
mod shape;
mod start;
mod statements;
mod stick;
mod value;

pub use compile::compile;

use crate::ir::graph::{Graph, Node};
use parameter::Parameter;

/// A compiled model, before it meets data.
#[derive(Debug, Clone)]
pub struct Model {
    pub graph: Graph,
    pub parameters: Vec<Parameter>,
    /// Number of coordinates of `theta` (transformed scale).
    pub n_theta: usize,
    pub effects: Vec<Effect>,
    pub blocks: Vec<EffectBlock>,
    /// The grouping column named in `random()`.
    pub group: Option<String>,
    /// Data columns the program reads; `Op::Data(i)` is `columns[i]`.
    pub columns: Vec<Column>,
    pub outcomes: Vec<Outcome>,
    /// Variables the user assigned: name and elements, the last assignment of each name.
    pub assigned: Vec<(String, Vec<Node>)>,
}

/// A data column and the first statement that reads it.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub statement: String,
    /// True when the column is an outcome that nothing but its own distribution reads: it may be missing.
    pub outcome: bool,
    pub source: Source,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The data column of that name.
    Data,
    /// Time of the subject's previous row at which the outcome in this column is present; 0 before the first.
    PreviousTime(u32),
    /// How an outcome value is censored: 0 not at all, 1 from above by itself, -1 from below by itself; 2 or -2 if there
    /// is a limit on the other side as well.
    Censoring,
    /// The limit on the other side; 0 where there is none.
    Limit,
    /// Time since the subject's previous row, 0 at its first one.
    TimeStep,
    /// 1 where the outcome in this column is present, else 0.
    Present(u32),
}

impl Model {
    /// Whether a row depends on the subject's earlier rows, so that all of them are needed together and in order.
    pub fn is_sequential(&self) -> bool {
        !self.graph.carries().is_empty()
    }
}

/// One coordinate of the random effects.
#[derive(Debug, Clone)]
pub struct Effect {
    /// As the user reads it: `eta[1]` or `eta_ka`.
    pub name: String,
    /// True when the effect is `exp(phi)` (lognormal family), false when it is `phi`.
    pub lognormal: bool,
}

/// Random effects that share one distribution: `phi[first..first + len] ~ N(mean, covariance)`.
#[derive(Debug, Clone)]
pub struct EffectBlock {
    pub first: usize,
    pub mean: Vec<Node>,
    pub covariance: Covariance,
    pub text: String,
}

/// The covariance of a block, as it was written.
#[derive(Debug, Clone)]
pub enum Covariance {
    /// Standard deviations of independent effects.
    Sd(Vec<Node>),
    /// Full symmetric matrix, row-major.
    Matrix(Vec<Node>),
}

impl EffectBlock {
    pub fn len(&self) -> usize {
        self.mean.len()
    }

    pub fn is_empty(&self) -> bool {
        self.mean.is_empty()
    }

    /// Means and covariance.
    pub fn arguments(&self) -> impl Iterator<Item = &Node> {
        self.mean.iter().chain(match &self.covariance {
            Covariance::Sd(nodes) | Covariance::Matrix(nodes) => nodes,
        })
    }
}

/// What kind of values an outcome column may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    Real,
    Positive,
    NonNegative,
    /// Between 0 and 1, both excluded.
    Share,
    ZeroOne,
    Count,
    /// One of `1..K`.
    Category(u32),
}

/// A Markov chain over the rows of a subject.
#[derive(Debug, Clone)]
pub struct OutcomeChain {
    /// The carried values of the graph that hold the probabilities of its states.
    pub carries: std::ops::Range<u32>,
    /// How a series is drawn from the arguments of the density.
    pub draws: crate::distributions::chain::Chain,
}

/// One outcome of the model.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Index among the data columns.
    pub column: u32,
    pub family: String,
    pub support: Support,
    pub density: crate::distributions::Density,
    /// True when a value may stand for all values beyond a limit: then the family's closed forms do not hold.
    pub censored: bool,
    /// The Markov chain behind the outcome, if there is one.
    pub chain: Option<OutcomeChain>,
    pub text: String,
}
