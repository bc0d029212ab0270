//! Describe the differential equations: a graph of their own with leaves for what changes while they are solved.

use super::linear::Coefficients;
use crate::ir::graph::{Graph, Node};
use crate::language::specification::Interpolation;

/// The equations and what doses do to them.
///
/// Leaves of `graph`:
///
/// | leaf | value |
/// |---|---|
/// | `Op::State(k)` | state `k`, in the order of `states` |
/// | `Op::Phi(j)` | input `j`, constant for the subject |
/// | `Op::Data(TIME)` | the time |
/// | `Op::Data(SIGNALS + m)` | signal `m` at the time |
/// | `Op::Data(ELAPSED)` | time since the segment began; engines put it in, the user cannot |
/// | `Op::Theta(k)` | rate at which infusions flow into state `k`; engines put it in |
#[derive(Debug, Clone)]
pub struct System {
    pub graph: Graph,
    /// Names in the order of compartment numbers.
    pub states: Vec<String>,
    /// `dx/dt` of each state, without infusions.
    pub rhs: Vec<Node>,
    /// For each state the input that holds its initial value; `None` is zero.
    pub initial: Vec<Option<usize>>,
    pub dosing: Vec<Dosing>,
    /// For each state whether it only adds up; states beyond the end of the list do not.
    pub accrual: Vec<Accrual>,
    /// Whether other inputs say so at some records.
    pub varied: bool,
    pub n_inputs: usize,
    /// States that run in closed form between two stops, as nodes of `Op::State` (their values when the segment began),
    /// `ELAPSED`, rates, inputs and signals. `rhs` of the other states reads them through these nodes; `rhs` of the
    /// states themselves holds at the beginning of a segment. `None`: integrated.
    pub flow: Vec<Option<Node>>,
    /// All equations as a matrix, where its exponential solves them.
    pub matrix: Option<Coefficients>,
    /// How each signal runs between its records.
    pub signals: Vec<Interpolation>,
    pub control: Control,
}

/// Whether a state only adds up what flows into it, as an area under a curve does: repeated doses lead it nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accrual {
    /// It does not.
    #[default]
    None,
    /// It does, from its initial value on at a steady state that takes the place of what was there, as at a reset.
    Anew,
    /// It goes on over resets and steady states.
    Lasting,
}

impl System {
    /// States that keep their value while the steady state of the others is found.
    pub fn held(&self) -> Vec<bool> {
        self.accruing(|accrual| accrual != Accrual::None)
    }

    /// States that resets and steady states leave alone.
    pub fn lasting(&self) -> Vec<bool> {
        self.accruing(|accrual| accrual == Accrual::Lasting)
    }

    fn accruing(&self, is: impl Fn(Accrual) -> bool) -> Vec<bool> {
        let of = |k: usize| self.accrual.get(k).copied().unwrap_or_default();
        (0..self.states.len()).map(|k| is(of(k))).collect()
    }
}

pub const TIME: u32 = 0;
pub const ELAPSED: u32 = 1;
pub const SIGNALS: u32 = 2;

/// What the model says of doses into one state: inputs that hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dosing {
    /// Bioavailability; absent: 1.
    pub fraction: Option<usize>,
    /// Lag; absent: 0.
    pub lag: Option<usize>,
    /// Modeled rate of infusions (`RATE = -1`).
    pub rate: Option<usize>,
    /// Modeled duration of infusions (`RATE = -2`).
    pub duration: Option<usize>,
}

/// How the equations are solved.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    pub solver: Solver,
    /// Relative and absolute tolerance of the local error of a step.
    pub rtol: f64,
    pub atol: f64,
    /// Steps of a solution, rejected ones included, after which it has failed.
    pub max_steps: usize,
    /// Steps of the explicit solver after which [`Solver::Auto`] takes the one for stiff equations.
    pub stiff_after: usize,
    /// Whether linear equations are recognized and solved in closed form.
    pub linear: bool,
    /// Up to how many inputs derivatives are carried forward; beyond, the adjoint goes backward.
    pub max_forward: usize,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            solver: Solver::Auto,
            rtol: 1e-6,
            atol: 1e-8,
            max_steps: 20_000,
            stiff_after: 3_000,
            linear: true,
            max_forward: 8,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Solver {
    /// Explicit, implicit where that takes too many steps.
    #[default]
    Auto,
    Explicit,
    Stiff,
}
