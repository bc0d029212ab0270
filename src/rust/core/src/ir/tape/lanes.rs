//! Loop over the 64 lanes of columns in chunks of eight.

use super::AdjointTarget;
use crate::ir::column::LANES;
use crate::ir::vmath::double::select;

pub(super) const CHUNK: usize = 8;

// SAFETY (all loops below): every pointer is a column of 64 values behind `Pointers`, which `Bases::enter` gives to a tape
// whose places all lie in columns that it borrows, alone where the tape writes. A chunk is read whole before it is
// written, so a destination may be one of the operands. `lanes` is at most `LANES`.

#[inline(always)]
pub(super) fn read(p: *const f64, at: usize) -> [f64; CHUNK] {
    // SAFETY: see above.
    unsafe { p.add(at).cast::<[f64; CHUNK]>().read() }
}

#[inline(always)]
pub(super) fn write(p: *mut f64, at: usize, values: [f64; CHUNK]) {
    // SAFETY: see above.
    unsafe { p.add(at).cast::<[f64; CHUNK]>().write(values) }
}

/// What an operation does to one lane. Not a closure: those of long kernels are left out of line, outside the function
/// compiled for the instruction set, where every fused operation becomes a call.
pub(super) trait Map1 {
    fn value(&self, x: f64) -> f64;
}

pub(super) trait Map2 {
    fn value(&self, x: f64, y: f64) -> f64;
}

/// A slope at the operands `x`, `z` and the value `y`.
pub(super) trait OperandSlope {
    fn slope(&self, x: f64, z: f64, y: f64) -> f64;
}

/// Both slopes.
pub(super) trait OperandSlopes {
    fn slopes(&self, x: f64, z: f64, y: f64) -> (f64, f64);
}

/// A chunk of terms from lane `at` on.
pub(super) trait SumTerm {
    fn chunk(&self, at: usize) -> [f64; CHUNK];
}

/// A term that is short.
pub(super) struct Plain<F>(pub F);

impl<F: Fn(usize) -> [f64; CHUNK]> SumTerm for Plain<F> {
    #[inline(always)]
    fn chunk(&self, at: usize) -> [f64; CHUNK] {
        self.0(at)
    }
}

#[inline(always)]
pub(super) fn map1(dst: *mut f64, a: *const f64, lanes: usize, f: impl Map1) {
    for at in (0..lanes).step_by(CHUNK) {
        let x = read(a, at);
        let mut y = [0.0; CHUNK];
        for i in 0..CHUNK {
            y[i] = f.value(x[i]);
        }
        write(dst, at, y);
    }
}

#[inline(always)]
pub(super) fn map2(dst: *mut f64, a: *const f64, b: *const f64, lanes: usize, f: impl Map2) {
    for at in (0..lanes).step_by(CHUNK) {
        let (x, y) = (read(a, at), read(b, at));
        let mut z = [0.0; CHUNK];
        for i in 0..CHUNK {
            z[i] = f.value(x[i], y[i]);
        }
        write(dst, at, z);
    }
}

#[inline(always)]
pub(super) fn map3(
    dst: *mut f64,
    [a, b, c]: [*const f64; 3],
    lanes: usize,
    f: impl Fn(f64, f64, f64) -> f64,
) {
    for at in (0..lanes).step_by(CHUNK) {
        let (x, y, z) = (read(a, at), read(b, at), read(c, at));
        let mut w = [0.0; CHUNK];
        for i in 0..CHUNK {
            w[i] = f(x[i], y[i], z[i]);
        }
        write(dst, at, w);
    }
}

#[inline(always)]
pub(super) fn deposit(target: AdjointTarget, adjoint: *mut f64, term: impl SumTerm) {
    match target {
        AdjointTarget::None => {}
        AdjointTarget::Set(i) => {
            let dst = adjoint.wrapping_add(i as usize * LANES);
            for at in (0..LANES).step_by(CHUNK) {
                write(dst, at, term.chunk(at));
            }
        }
        AdjointTarget::Add(i) => {
            let dst = adjoint.wrapping_add(i as usize * LANES);
            for at in (0..LANES).step_by(CHUNK) {
                let (mut sum, x) = (read(dst, at), term.chunk(at));
                for i in 0..CHUNK {
                    sum[i] += x[i];
                }
                write(dst, at, sum);
            }
        }
    }
}

/// `adjoint * slope`, where zero times infinity is zero: a value that does not count (masked, in the branch not taken)
/// may have an infinite slope, and a value that does not move (`(dose/v)^h` at dose zero) an infinite adjoint.
#[inline(always)]
fn times(adjoint: f64, slope: f64) -> f64 {
    // A selection, not a branch: the loop must stay one of vectors.
    select((adjoint == 0.0) | (slope == 0.0), 0.0, adjoint * slope)
}

/// The products of what comes along (`here`) with the slopes at operands `a`, `b` and value `y`.
pub(super) struct Product<R> {
    here: *const f64,
    a: *const f64,
    b: *const f64,
    y: *const f64,
    rule: R,
}

impl<R> Product<R> {
    #[inline(always)]
    pub fn new(here: *const f64, [a, b, y]: [*mut f64; 3], rule: R) -> Self {
        Self {
            here,
            a,
            b,
            y,
            rule,
        }
    }
}

impl<R: OperandSlope> SumTerm for Product<R> {
    #[inline(always)]
    fn chunk(&self, at: usize) -> [f64; CHUNK] {
        let (g, x) = (read(self.here, at), read(self.a, at));
        let (z, y) = (read(self.b, at), read(self.y, at));
        let mut out = [0.0; CHUNK];
        for i in 0..CHUNK {
            out[i] = times(g[i], self.rule.slope(x[i], z[i], y[i]));
        }
        out
    }
}

impl<R: OperandSlopes> Product<R> {
    /// The products with both slopes.
    #[inline(always)]
    fn both(&self, at: usize) -> ([f64; CHUNK], [f64; CHUNK]) {
        let (g, x) = (read(self.here, at), read(self.a, at));
        let (z, y) = (read(self.b, at), read(self.y, at));
        let (mut first, mut second) = ([0.0; CHUNK], [0.0; CHUNK]);
        for i in 0..CHUNK {
            let (da, db) = self.rule.slopes(x[i], z[i], y[i]);
            first[i] = times(g[i], da);
            second[i] = times(g[i], db);
        }
        (first, second)
    }
}

/// Deposit two terms that are computed together.
#[inline(always)]
pub(super) fn deposit_both(
    to_a: AdjointTarget,
    to_b: AdjointTarget,
    adjoint: *mut f64,
    terms: Product<impl OperandSlopes>,
) {
    let place = |target: AdjointTarget| match target {
        AdjointTarget::None => (0, false),
        AdjointTarget::Set(i) => (i, false),
        AdjointTarget::Add(i) => (i, true),
    };
    let ((i, keep_a), (j, keep_b)) = (place(to_a), place(to_b));
    let first = adjoint.wrapping_add(i as usize * LANES);
    let second = adjoint.wrapping_add(j as usize * LANES);
    for at in (0..LANES).step_by(CHUNK) {
        let (x, z) = terms.both(at);
        add_to(first, at, x, keep_a);
        add_to(second, at, z, keep_b);
    }
}

/// `dst = x`, or `dst += x` to keep what is there.
#[inline(always)]
pub(super) fn add_to(dst: *mut f64, at: usize, x: [f64; CHUNK], keep: bool) {
    if !keep {
        write(dst, at, x);
    } else {
        let mut sum = read(dst, at);
        for i in 0..CHUNK {
            sum[i] += x[i];
        }
        write(dst, at, sum);
    }
}

/// `condition != 0 ? yes : no`
#[inline(always)]
pub(super) fn choose(condition: [f64; CHUNK], yes: [f64; CHUNK], no: [f64; CHUNK]) -> [f64; CHUNK] {
    let mut out = [0.0; CHUNK];
    for i in 0..CHUNK {
        out[i] = if condition[i] != 0.0 { yes[i] } else { no[i] };
    }
    out
}
