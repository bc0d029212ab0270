//! Answer what the crate diffsol asks of equations.

use std::cell::RefCell;

use diffsol::{
    ConstantOp, ConstantOpSens, Matrix, NalgebraContext, NalgebraMat, NalgebraVec, NonLinearOp,
    NonLinearOpJacobian, NonLinearOpSens, OdeEquations, OdeEquationsRef, Op, UnitCallable, Vector,
    VectorCommon as _,
};

use super::field::Setting;

pub type V = NalgebraVec<f64>;
pub type M = NalgebraMat<f64>;

/// The field of one lane, from `start` on.
pub struct LaneEquations<'a, 'b> {
    pub setting: RefCell<&'b mut Setting<'a>>,
    pub start: Vec<f64>,
    pub n_directions: usize,
    pub context: NalgebraContext,
}

impl Op for LaneEquations<'_, '_> {
    type T = f64;
    type V = V;
    type M = M;
    type C = NalgebraContext;

    fn context(&self) -> &NalgebraContext {
        &self.context
    }

    fn nstates(&self) -> usize {
        self.start.len()
    }

    fn nout(&self) -> usize {
        self.start.len()
    }

    fn nparams(&self) -> usize {
        self.n_directions
    }
}

impl NonLinearOp for LaneEquations<'_, '_> {
    fn call_inplace(&self, x: &V, t: f64, y: &mut V) {
        let mut setting = self.setting.borrow_mut();
        setting.call(x.inner().as_slice(), t, y.inner_mut().as_mut_slice());
    }
}

impl NonLinearOpJacobian for LaneEquations<'_, '_> {
    /// One product a lane of `v`: the sensitivities of all directions stand side by side.
    fn jac_mul_inplace(&self, x: &V, t: f64, v: &V, y: &mut V) {
        let mut setting = self.setting.borrow_mut();
        let jacobian = setting.jacobian(x.inner().as_slice(), t);
        let (v, y) = (v.inner().as_slice(), y.inner_mut().as_mut_slice());
        multiply(jacobian, v, y, self.start.len());
    }

    fn jacobian_inplace(&self, x: &V, t: f64, y: &mut M) {
        let mut setting = self.setting.borrow_mut();
        let jacobian = setting.jacobian(x.inner().as_slice(), t);
        y.inner_mut().as_mut_slice().copy_from_slice(jacobian);
    }
}

impl NonLinearOpSens for LaneEquations<'_, '_> {
    fn sens_mul_inplace(&self, x: &V, t: f64, v: &V, y: &mut V) {
        let n = self.start.len();
        let mut slopes = vec![0.0; n * self.n_directions];
        let mut setting = self.setting.borrow_mut();
        setting.slopes(x.inner().as_slice(), t, &mut slopes);
        multiply_general(
            &slopes,
            v.inner().as_slice(),
            y.inner_mut().as_mut_slice(),
            n,
        );
    }

    fn sens_inplace(&self, x: &V, t: f64, y: &mut M) {
        let mut setting = self.setting.borrow_mut();
        setting.slopes(x.inner().as_slice(), t, y.inner_mut().as_mut_slice());
    }
}

impl ConstantOp for LaneEquations<'_, '_> {
    fn call_inplace(&self, _t: f64, y: &mut V) {
        y.inner_mut().as_mut_slice().copy_from_slice(&self.start);
    }
}

impl ConstantOpSens for LaneEquations<'_, '_> {
    /// Sensitivities at the start are handed over with the state.
    fn sens_mul_inplace(&self, _t: f64, _v: &V, y: &mut V) {
        y.fill(0.0);
    }
}

impl<'c> OdeEquationsRef<'c> for LaneEquations<'_, '_> {
    type Rhs = &'c Self;
    type Init = &'c Self;
    type Mass = UnitCallable<M>;
    type Root = UnitCallable<M>;
    type Out = UnitCallable<M>;
    type Reset = UnitCallable<M>;
}

impl OdeEquations for LaneEquations<'_, '_> {
    fn rhs(&self) -> &Self {
        self
    }

    fn init(&self) -> &Self {
        self
    }

    fn mass(&self) -> Option<UnitCallable<M>> {
        None
    }

    fn set_params(&mut self, _p: &V) {}

    fn get_params(&self, p: &mut V) {
        p.fill(0.0);
    }
}

/// `y = J v` for square `J` and as many columns as `v` has.
pub fn multiply(jacobian: &[f64], v: &[f64], y: &mut [f64], n: usize) {
    for (v, y) in v.chunks(n).zip(y.chunks_mut(n)) {
        multiply_general(jacobian, v, y, n);
    }
}

/// `y = A v` for a matrix of `n` rows, column after column.
fn multiply_general(matrix: &[f64], v: &[f64], y: &mut [f64], n: usize) {
    y.fill(0.0);
    for (column, v) in matrix.chunks(n).zip(v) {
        for (y, a) in y.iter_mut().zip(column) {
            *y += a * v;
        }
    }
}
