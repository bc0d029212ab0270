//! Solve with an explicit method of order five, every lane with steps of its own.
//!
//! Steps end where something changes; observations between come from the dense output. With inputs among what is wanted,
//! derivatives run along on the same steps and take no part in the control of the error.

mod adjoint;
mod back;
mod begin;
mod dense;
mod field;
mod leave;
mod meet;
mod observe;
mod record;
mod rest;
mod rough;
mod sparse;
mod start;
mod steady;
mod step;
mod tableau;
mod walk;
mod way;

pub use adjoint::Adjoint;
pub use back::BackwardMemory;
pub use record::Record;

use field::LanesField;
use record::Prescribed;
use step::ErrorLimits;
use walk::LanesWalk;
use way::{Delivery, LaneCourse, Sink, WalkSetting};

use super::system::{Control, Solver, System};
use super::task::{Deliveries, Failure, Task};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;

/// The explicit solver of one system.
#[derive(Debug, Clone)]
pub struct Explicit {
    field: LanesField,
    cycle: LanesField,
    delivery: Delivery,
    control: Control,
}

/// Memory of a solution; [`Explicit::scratch`] makes it.
#[derive(Debug, Clone)]
pub struct ExplicitScratch {
    walk: LanesWalk,
}

impl ExplicitScratch {
    /// Steps of each lane of the last solution, rejected ones included; those towards a steady state are left out.
    pub fn steps(&self) -> &[u32; LANES] {
        &self.walk.steps
    }

    /// Steps that lanes of the last solution took or waited for.
    pub fn slots(&self) -> usize {
        self.walk.slots
    }
}

/// How the lanes ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LanesOutcome {
    pub failures: [Option<Failure>; LANES],
}

impl Explicit {
    /// Compile the equations and, for the inputs wanted, those of the derivatives.
    pub fn new(system: &System, wanted: &Deliveries) -> Self {
        let field = LanesField::new(system, &wanted.inputs);
        Self {
            delivery: Delivery::new(&field, wanted),
            control: system.control.clone(),
            cycle: field.with_states(system),
            field,
        }
    }

    pub fn scratch(&self) -> ExplicitScratch {
        ExplicitScratch {
            walk: LanesWalk::new(&self.field, &self.delivery),
        }
    }

    /// Solve one block. Row `r` of a lane is delivered to the columns from `r * wanted.width()` on; rows that a lane does
    /// not have are zero, those behind a failure NaN.
    pub fn solve(
        &self,
        isa: Isa,
        task: &Task,
        out: &mut [Column],
        scratch: &mut ExplicitScratch,
    ) -> LanesOutcome {
        self.walk(isa, task, out, scratch, (None, None))
    }

    fn walk<'a>(
        &'a self,
        isa: Isa,
        task: &'a Task,
        out: &'a mut [Column],
        scratch: &mut ExplicitScratch,
        (record, prescribed): (Option<&'a mut Record>, Option<Prescribed<'a>>),
    ) -> LanesOutcome {
        let mut courses = [LaneCourse::NONE; LANES];
        for (course, lane) in courses.iter_mut().zip(task.lanes) {
            *course = LaneCourse {
                start: lane.start,
                stops: lane.stops,
                end: f64::INFINITY,
                signals: lane.signals,
            };
        }
        let way = self.way(isa, &courses[..task.lanes.len().min(LANES)]);
        out.fill(Column::ZERO);
        let mut failures = [None; LANES];
        let mut sink = Sink {
            out,
            failures: &mut failures,
            record,
            prescribed,
        };
        let walk = &mut scratch.walk;
        walk.leaves
            .inputs
            .copy_from_slice(&task.inputs[..self.field.n_inputs]);
        walk.clock.free = Column::ZERO;
        walk.begin(&way);
        // What was solved before leaves nothing behind, not even in states that last over resets.
        walk.x.fill(Column::ZERO);
        for p in 0..way.courses.len() {
            walk.reset(&way, p);
        }
        walk.first_signals(&way);
        walk.run(&way, &mut sink);
        LanesOutcome { failures }
    }

    fn way<'a>(&'a self, isa: Isa, courses: &'a [LaneCourse<'a>]) -> WalkSetting<'a> {
        let control = &self.control;
        let automatic = control.solver == Solver::Auto && control.stiff_after < control.max_steps;
        let (steps, exhausted) = if automatic {
            (control.stiff_after, Failure::LooksStiff)
        } else {
            (control.max_steps, Failure::TooManySteps)
        };
        WalkSetting {
            field: &self.field,
            cycle: &self.cycle,
            delivery: &self.delivery,
            isa,
            limits: ErrorLimits {
                rtol: control.rtol,
                atol: control.atol,
                max_steps: steps as f64,
            },
            exhausted,
            courses,
            frozen: false,
        }
    }
}
