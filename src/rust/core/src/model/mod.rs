//! Compile the user's model: names, shapes and families checked, statements turned into one program.

mod arguments;
mod call;
mod censored;
mod clock;
mod compartments;
mod compile;
mod control;
pub mod covariance;
mod covariates;
mod declared;
mod equations;
mod event;
pub mod functions;
mod index;
mod inputs;
mod joint;
mod learned;
mod matrix;
mod matrix_log;
mod mixture;
mod outcome;
pub mod parameter;
mod random;
mod rate;
mod scale;
mod scope;
mod sequence;
mod serial;
mod shape;
mod solver;
mod special;
mod spread;
mod start;
mod statements;
mod stick;
mod sums;
mod value;

pub use compile::compile;
pub use mixture::SubjectClasses;

use crate::distributions::effects::EffectDensity;
pub use crate::distributions::effects::Transform;
use crate::distributions::Family;
pub use crate::distributions::Support;
use crate::ir::graph::{Graph, Node, Op};
use crate::language::specification::Interpolation;
use parameter::ModelParameter;

/// A compiled model, before it meets data.
#[derive(Debug, Clone)]
pub struct Model {
    pub graph: Graph,
    pub parameters: Vec<ModelParameter>,
    /// Number of coordinates of `theta` (transformed scale).
    pub n_theta: usize,
    /// Random effects, those of one grouping after those of another.
    pub effects: Vec<Effect>,
    pub blocks: Vec<EffectBlock>,
    /// The groupings named in `random()` in the order of their first lines, as `id` or `id:occ`; `None` where no
    /// group is named.
    pub groups: Vec<Option<String>>,
    /// Data columns the program reads; `Op::Data(i)` is `columns[i]`.
    pub columns: Vec<DataColumn>,
    pub outcomes: Vec<ModelOutcome>,
    /// Columns of which `covariates()` says something.
    pub covariates: Vec<CheckedCovariate>,
    /// Variables the user assigned: name and elements, the last assignment of each name.
    pub assigned: Vec<(String, Vec<Node>)>,
    /// The differential equations, in the order of compartment numbers; empty without.
    pub equations: Vec<Equation>,
    /// Whether a hazard without a closed form is integrated by a rule.
    pub ruled: bool,
    /// The classes of the subjects, where the model has any.
    pub mixture: Option<SubjectClasses>,
    /// How the equations are solved.
    pub control: crate::ode::Control,
}

/// `d/dt(name) <- rhs`, and what else the model says of the state. Nodes are those of the model's graph, where
/// `Op::State(k)` is the state of the `k`-th equation: the current value in right-hand sides, the value at the row
/// elsewhere.
#[derive(Debug, Clone)]
pub struct Equation {
    pub name: String,
    pub rhs: Node,
    /// `name(0)`; absent: zero.
    pub initial: Option<Node>,
    /// Bioavailability, lag, modeled rate and modeled duration of doses into the state.
    pub fraction: Option<Node>,
    pub lag: Option<Node>,
    pub rate: Option<Node>,
    pub duration: Option<Node>,
    /// What takes doses of another state; `None` for a state of the user.
    pub feed: Option<Feed>,
    /// For the hidden state that adds up a hazard the column of its outcome. At a row it is what came up since the
    /// subject's row before that holds the outcome.
    pub hazard: Option<u32>,
    pub text: String,
}

/// A hidden state that takes doses of another, for an input function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feed {
    /// The state whose equation has the function.
    pub owner: usize,
    /// The function.
    pub word: &'static str,
    /// Which dose of a subject into `owner` it takes; `None`: all of them.
    pub slot: Option<usize>,
    /// Whether it is the owner, or what takes its doses, in a class of subjects but the first.
    pub copy: bool,
    /// By how much its doses are later than those of `owner`, and by what their amounts are multiplied.
    pub lag: Option<Node>,
    pub per: Option<Node>,
}

impl Feed {
    fn new(owner: usize, word: &'static str) -> Self {
        Self {
            owner,
            word,
            slot: None,
            copy: false,
            lag: None,
            per: None,
        }
    }
}

/// A data column and the first statement that reads it.
#[derive(Debug, Clone)]
pub struct DataColumn {
    pub name: String,
    pub statement: String,
    /// True when the column is an outcome that nothing but its own distribution reads: it may be missing.
    pub outcome: bool,
    pub source: ColumnSource,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSource {
    /// The data column of that name.
    Data,
    /// The same at the subject's next row at which the outcome in this column is present. Its value at a record holds
    /// since the record before.
    Ahead(u32),
    /// 1 from time 0 on, where the outcome in this column can happen, else 0.
    AtRisk(u32),
    /// Time of the subject's previous row at which the outcome in this column is present; 0 before the first.
    PreviousTime(u32),
    /// How an outcome value is censored: 0 not at all, 1 from above by itself, -1 from below by itself; 2 or -2 if there
    /// is a limit on the other side as well.
    Censoring,
    /// The limit on the other side; 0 where there is none.
    Limit,
    /// The class of the subject among those of `mix()`, 0 where the data do not tell.
    Class,
    /// Time since the subject's previous row, 0 at its first one.
    TimeStep,
    /// 1 where the outcome in this column is present, else 0.
    Present(u32),
    /// Number of the subject's earlier rows at which the outcome in this column is present.
    Earlier(u32),
    /// By how much the second column has risen since the last of them, 0 where there is none.
    Gap(u32, u32),
    /// Time of the dose that the subject gets into this state, which is hidden and takes one; 0 where there is none.
    DoseTime(u32),
    /// Time of the subject's last dose (into this state), of the first before it.
    LastDose(Option<u32>),
    FirstDose(Option<u32>),
}

impl ColumnSource {
    /// Whether no column that comes with the data is read for it.
    pub fn is_derived(self) -> bool {
        !matches!(
            self,
            Self::Data | Self::Censoring | Self::Limit | Self::Class
        )
    }
}

/// What the user declared of a data column, to be checked against the data.
#[derive(Debug, Clone)]
pub struct CheckedCovariate {
    /// Index among the data columns.
    pub column: u32,
    pub kind: CovariateKind,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CovariateKind {
    /// Has one value within each level of a grouping column, by default that of the random effects.
    Constant { on: Option<String> },
    /// Has a value between its records.
    TimeVarying(Interpolation),
    /// Holds positions among this many levels, from one.
    Factor { levels: usize },
}

/// One coordinate of the random effects.
#[derive(Debug, Clone)]
pub struct Effect {
    /// As the user reads it: `eta[1]` or `eta_ka`.
    pub name: String,
    /// The effect as a function of `phi`.
    pub transform: Transform,
    /// False for a distribution that is Gaussian on no scale.
    pub gaussian: bool,
    /// Which grouping it belongs to.
    pub group: usize,
}

/// Random effects that share one distribution: `phi[first..first + len] ~ N(mean, covariance)`.
#[derive(Debug, Clone)]
pub struct EffectBlock {
    pub first: usize,
    pub group: usize,
    pub mean: Vec<Node>,
    pub covariance: WrittenCovariance,
    /// The distribution when it is not Gaussian; `mean` and `covariance` then stand for nothing.
    pub law: Option<Law>,
    pub text: String,
}

/// A distribution of effects that is not Gaussian.
#[derive(Debug, Clone)]
pub struct Law {
    pub family: &'static Family,
    /// Arguments of each effect.
    pub arguments: Vec<Vec<Node>>,
    /// Density of each effect.
    pub densities: Vec<EffectDensity>,
}

/// The covariance of a block, as it was written.
#[derive(Debug, Clone)]
pub enum WrittenCovariance {
    /// Standard deviations of independent effects.
    Sd(Vec<Node>),
    /// Full symmetric matrix, row-major.
    Matrix(Vec<Node>),
}

impl Model {
    /// The states of the user, in the order of compartment numbers; hidden ones stand behind them.
    pub fn visible(&self) -> &[Equation] {
        let n = self
            .equations
            .iter()
            .take_while(|e| e.feed.is_none() && e.hazard.is_none())
            .count();
        &self.equations[..n]
    }

    /// Hidden states that take the doses of a state.
    pub fn feeds(&self, owner: usize) -> impl Iterator<Item = (usize, Feed)> + '_ {
        let hidden = self.equations.iter().enumerate();
        let hidden = hidden.filter_map(|(k, e)| e.feed.map(|feed| (k, feed)));
        hidden.filter(move |(_, feed)| feed.owner == owner)
    }

    /// For each effect whether the differential equations read it.
    pub fn in_equations(&self) -> Vec<bool> {
        let nodes: Vec<Node> = self.equations.iter().flat_map(Equation::nodes).collect();
        let needed = self.graph.reachable(&nodes);
        let mut read = vec![false; self.effects.len()];
        for node in self.graph.nodes().filter(|node| needed[node.index()]) {
            if let Op::Phi(k) = self.graph.op(node) {
                read[k as usize] = true;
            }
        }
        read
    }

    /// Coordinates of `phi` of one grouping.
    pub fn effects_of(&self, group: usize) -> std::ops::Range<usize> {
        let mine = |e: &&Effect| e.group == group;
        let first = self.effects.iter().take_while(|e| e.group != group).count();
        first..first + self.effects.iter().filter(mine).count()
    }
}

impl Equation {
    /// All that is said of the state.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        let more = [
            self.initial,
            self.fraction,
            self.lag,
            self.rate,
            self.duration,
        ];
        [self.rhs].into_iter().chain(more.into_iter().flatten())
    }
}

impl EffectBlock {
    pub fn len(&self) -> usize {
        self.mean.len()
    }

    pub fn is_empty(&self) -> bool {
        self.mean.is_empty()
    }

    /// Means and covariance, or the arguments of the distribution.
    pub fn arguments(&self) -> impl Iterator<Item = &Node> {
        let law = self
            .law
            .iter()
            .flat_map(|law| law.arguments.iter().flatten());
        let covariance = match &self.covariance {
            WrittenCovariance::Sd(nodes) | WrittenCovariance::Matrix(nodes) => nodes,
        };
        self.mean.iter().chain(covariance).chain(law)
    }
}

/// What follows a subject through its rows: a Markov chain, or residuals that correlate.
#[derive(Debug, Clone)]
pub struct OutcomeChain {
    /// The carried values of the graph that hold the probabilities of its states; none where it has no states.
    pub carries: std::ops::Range<u32>,
    /// How a series is drawn from the arguments of the density.
    pub draws: SeriesDraws,
}

/// How the series of a subject is drawn.
#[derive(Debug, Clone)]
pub enum SeriesDraws {
    Chain(crate::distributions::chain::Chain),
    Serial(crate::distributions::serial::Serial),
}

/// An outcome that has its distribution together with others, which stand one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    /// Number of the first of them among the outcomes.
    pub first: usize,
    /// Its place among them.
    pub position: usize,
}

impl ModelOutcome {
    /// Whether an observed value has the density of the family itself, alone.
    pub fn is_plain(&self) -> bool {
        !self.censored && !self.mixed && self.chain.is_none() && self.together.is_none()
    }
}

/// One outcome of the model.
#[derive(Debug, Clone)]
pub struct ModelOutcome {
    /// Index among the data columns.
    pub column: u32,
    pub family: &'static Family,
    pub support: Support,
    pub density: crate::distributions::OutcomeDensity,
    /// True when a value may stand for all values beyond a limit: then the family's closed forms do not hold.
    pub censored: bool,
    /// True when the density is a mixture over the classes of subjects: then the family is that of each class.
    pub mixed: bool,
    /// What makes its rows depend on earlier ones, if anything does.
    pub chain: Option<OutcomeChain>,
    /// Where it stands among outcomes that are distributed together.
    pub together: Option<Together>,
    pub text: String,
}
