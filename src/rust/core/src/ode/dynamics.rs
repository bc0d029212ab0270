//! Hold the equations of a model with all that the data say of its subjects, and choose who solves them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::agenda::Variant;
use super::block::BlockSolver;
use super::counts::Counts;
use super::lanes::Lanes;
use super::linear::{by_matrix, linearize, FEW};
use super::schedule::{Administration, DosingSchedule, EventKind};
use super::signals::{Line, Signals};
use super::stiff::{self, Stiff};
use super::system::{Control, Solver, System};
use super::task::Deliveries;

/// The equations with all that the data say of the subjects.
#[derive(Debug)]
pub struct Dynamics {
    /// As the model has them.
    pub system: System,
    /// With linear states in closed form, where there are any.
    flowing: System,
    /// With the matrix of all equations, for lanes that are too stiff for steps, where they are linear.
    by_matrix: Option<System>,
    engine: Engine,
    pub(super) subjects: Vec<Subject>,
    /// For each row of the data frame.
    pub(super) records: Vec<RecordTime>,
    /// States of which rows read what came up since an earlier row.
    pub since: Vec<Since>,
    counts: Arc<Counts>,
    stiff: OnceLock<Arc<Stiff>>,
    /// Whether the solver for stiff equations is asked first.
    is_stiff: AtomicBool,
    /// Compiled for what was wanted so far.
    solvers: Mutex<Vec<Arc<BlockSolver>>>,
}

/// What the data say of one subject.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    pub schedule: DosingSchedule,
    pub signals: Signals,
    /// From when on the lines of the signals hold, the first left out.
    pub lines: Vec<Line>,
    /// Records whose doses have other properties than the model gives to all.
    pub variants: Vec<Variant>,
}

/// Time of a row of the data frame, and its position among the subject's.
#[derive(Debug, Clone, Copy)]
pub struct RecordTime {
    pub time: f64,
    pub position: usize,
}

/// A state of which a row of the data frame reads what came up since another row, or since the beginning.
#[derive(Debug, Clone, Default)]
pub struct Since {
    pub state: usize,
    pub row: Vec<Option<usize>>,
}

/// Who solves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// Every state in closed form, or by the exponential of a matrix.
    March,
    /// Step by step, what is linear in closed form.
    Explicit,
    /// Step by step, all of it.
    Implicit,
}

impl Dynamics {
    /// `records`: one for each row of the data frame.
    pub fn new(mut system: System, subjects: Vec<Subject>, records: Vec<RecordTime>) -> Self {
        if system.control.solver == Solver::Auto && !stiff::AVAILABLE {
            system.control.solver = Solver::Explicit;
        }
        let infused = infused(&system, &subjects);
        let linear = system.control.linear;
        let mut flowing = (linear.then(|| linearize(&system, &infused)).flatten())
            .unwrap_or_else(|| system.clone());
        let closed = flowing.flow.iter().all(Option::is_some);
        let mut by_matrix = (linear && !closed).then(|| by_matrix(&system)).flatten();
        let is_stiff = system.control.solver == Solver::Stiff;
        let at_once = |system: &mut System| is_stiff || system.states.len() <= FEW;
        if let Some(system) = by_matrix.take_if(at_once) {
            flowing = system;
        }
        let engine = if closed || flowing.matrix.is_some() {
            Engine::March
        } else if is_stiff {
            Engine::Implicit
        } else {
            Engine::Explicit
        };
        Self {
            system,
            flowing,
            by_matrix,
            engine,
            subjects,
            records,
            since: Vec::new(),
            counts: Arc::default(),
            stiff: OnceLock::new(),
            is_stiff: AtomicBool::new(engine == Engine::Implicit),
            solvers: Mutex::default(),
        }
    }

    /// The same with other choices for the solver.
    pub fn solved_by(&self, choose: impl Fn(&mut Control)) -> Self {
        let mut system = self.system.clone();
        choose(&mut system.control);
        Self {
            since: self.since.clone(),
            ..Self::new(system, self.subjects.clone(), self.records.clone())
        }
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine
    }

    pub(super) fn flowing(&self) -> &System {
        &self.flowing
    }

    pub(super) fn by_matrix(&self) -> Option<&System> {
        self.by_matrix.as_ref()
    }

    /// Solutions so far, and how they ended.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn shared_counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }

    /// Relative error that solutions may have, 0 in closed form.
    pub fn error(&self) -> f64 {
        match self.engine {
            Engine::March => 0.0,
            Engine::Explicit | Engine::Implicit => self.system.control.rtol,
        }
    }

    /// What solves the equations, in words.
    pub fn solver(&self) -> &'static str {
        let partly = self.flowing.flow.iter().any(Option::is_some);
        match self.engine {
            _ if self.is_stiff() && self.by_matrix.is_some() => {
                "by the exponential of their matrix, as too stiff for steps"
            }
            _ if self.is_stiff() && self.engine != Engine::Implicit => {
                "by an implicit method, as too stiff for an explicit one"
            }
            Engine::March if self.flowing.matrix.is_some() => "by the exponential of their matrix",
            Engine::March => "in closed form",
            Engine::Explicit if partly => "partly in closed form, else by Tsitouras' method",
            Engine::Explicit => "by Tsitouras' method",
            Engine::Implicit => "by an implicit method",
        }
    }

    /// Whether the solver for stiff equations is asked first.
    pub(super) fn is_stiff(&self) -> bool {
        self.is_stiff.load(Ordering::Relaxed)
    }

    /// From here on ask the solver for stiff equations first, if nearly all solutions so far needed it: a lane that needs it is soon
    /// seen, and one that does not is solved several times as fast beside others. Asked once, at the start of a
    /// fit: what solves must not depend on the order in which threads come.
    pub fn settle(&self) {
        if self.engine == Engine::Explicit && 10 * self.counts.implicit() > 9 * self.counts.solved()
        {
            self.is_stiff.store(true, Ordering::Relaxed);
        }
    }

    /// The implicit solver of the equations as the model has them.
    pub(super) fn stiff(&self) -> Arc<Stiff> {
        self.stiff
            .get_or_init(|| Arc::new(Stiff::new(&self.system)))
            .clone()
    }

    /// Up to how many inputs derivatives are carried forward. Only the explicit solver has a way back.
    pub fn max_forward(&self) -> usize {
        match self.engine {
            Engine::Explicit => self.system.control.max_forward,
            Engine::March | Engine::Implicit => usize::MAX,
        }
    }

    /// Prepare a block; each lane is a subject with the rows (of the data frame) at which it is observed.
    pub fn meet(&self, lanes: &[(usize, &[usize])]) -> Lanes {
        Lanes::new(self, lanes)
    }

    /// The solver for what is wanted, compiled on first use; `backward`: whether its solutions are recorded.
    pub fn block_solver(&self, wanted: &Deliveries, backward: bool) -> Arc<BlockSolver> {
        let mut solvers = self.solvers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = solvers
            .iter()
            .find(|s| s.wanted == *wanted && s.backward == backward)
        {
            return known.clone();
        }
        let solver = Arc::new(BlockSolver::new(self, wanted, backward));
        solvers.push(solver.clone());
        solver
    }
}

/// States that some subject gets infusions into.
fn infused(system: &System, subjects: &[Subject]) -> Vec<bool> {
    let mut infused = vec![false; system.states.len()];
    let events = subjects.iter().flat_map(|s| &s.schedule.events);
    for event in events {
        if let EventKind::Dose { state, course, .. } = &event.kind {
            infused[*state] |= *course != Administration::Bolus;
        }
    }
    infused
}
