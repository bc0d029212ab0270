//! Say what a walk goes along, and what it leaves.

use super::field::{CourseSlot, LanesField};
use super::record::{Prescribed, Record};
use super::steady::NO_SIGNALS;
use super::step::ErrorLimits;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::ode::signals::Signals;
use crate::ode::task::{Deliveries, Failure};
use crate::ode::timeline::Stop;

/// What a lane meets.
#[derive(Debug, Clone, Copy)]
pub struct LaneCourse<'a> {
    pub start: f64,
    pub stops: &'a [Stop],
    /// Where a lane ends that has no observations to wait for; infinite: with its last observation.
    pub end: f64,
    pub signals: &'a Signals,
}

impl LaneCourse<'static> {
    pub const NONE: Self = Self {
        start: 0.0,
        stops: &[],
        end: f64::INFINITY,
        signals: &NO_SIGNALS,
    };
}

/// Which columns an observation delivers.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// Column of the states for each column of a row.
    pub columns: Vec<usize>,
    /// Integrated ones: position among these, column of the row.
    pub moving: Vec<usize>,
    pub moving_to: Vec<usize>,
    /// The same for those in closed form.
    pub flowing: Vec<(usize, usize)>,
}

impl Delivery {
    pub fn new(field: &LanesField, wanted: &Deliveries) -> Self {
        let mut delivery = Self::default();
        delivery.columns.extend(&wanted.states);
        for state in &wanted.states {
            let along = (0..wanted.inputs.len()).map(|j| field.along(j, *state));
            delivery.columns.extend(along);
        }
        for (to, column) in delivery.columns.iter().enumerate() {
            match field.slots[*column] {
                CourseSlot::Moving(i) => {
                    delivery.moving.push(i);
                    delivery.moving_to.push(to);
                }
                CourseSlot::Flowing(i) => delivery.flowing.push((i, to)),
                CourseSlot::Zero => {}
            }
        }
        delivery
    }
}

/// What stays the same during a walk.
#[derive(Clone, Copy)]
pub struct WalkSetting<'a> {
    pub field: &'a LanesField,
    /// The same with directions for the states at the beginning of a cycle.
    pub cycle: &'a LanesField,
    pub delivery: &'a Delivery,
    pub isa: Isa,
    pub limits: ErrorLimits,
    /// What too many steps mean.
    pub exhausted: Failure,
    pub courses: &'a [LaneCourse<'a>],
    /// The equations see the time of `Clock::wall`.
    pub frozen: bool,
}

/// What a walk leaves.
pub struct Sink<'a> {
    /// Row after row.
    pub out: &'a mut [Column],
    pub failures: &'a mut [Option<Failure>; LANES],
    pub record: Option<&'a mut Record>,
    /// Steps to take instead of those that the error allows.
    pub prescribed: Option<Prescribed<'a>>,
}

pub fn first_bits(n: usize) -> u64 {
    if n >= LANES {
        u64::MAX
    } else {
        (1 << n) - 1
    }
}

/// Positions of the bits that are set.
pub fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let next = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (next < LANES).then_some(next)
    })
}
