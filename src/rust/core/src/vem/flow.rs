//! Bend `q` by planar layers.
//!
//! `phi = mean + L T(z)` with standard normal `z` and `T` a composition of layers `T(z) = z + u tanh(w'z + b)`. The density of
//! `q` needs `ln |det dT/dz| = sum ln(1 + w'u (1 - tanh^2))` over the layers, which exists for `w'u > -1`. A layer keeps
//! `v` in place of `u`: `u = v + (m(w'v) - w'v) w / |w|^2` with `m(x) = ln(1 + (e - 1) exp(x)) - 1`, so that `w'u = m(w'v)` is
//! above -1 for every `v`, and no `v` is no layer. With steep layers, or with large ones that take back what others do,
//! the points of a rule can be moved without the determinant noticing it in the gaps between them; so `w` is no longer
//! than 1, `v` and `b` have bounds as well, and a weak ridge keeps them from wandering where the bound is flat. Source: Rezende & Mohamed (2015), section 4.1 and appendix A.1.

use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::random::{LaneIds, Purpose, Stream};

/// `e - 1`
const GROWTH: f64 = std::f64::consts::E - 1.0;

/// Length of the first directions, on average, and standard deviation of the first offsets of the layers.
const SPREAD: f64 = 0.5;

/// Bounds of the lengths of `w` and of `v`, and of `b`.
const STEEPEST: f64 = 1.0;
const FARTHEST: f64 = 3.0;
const REMOTEST: f64 = 2.0;

/// A planar layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub v: Vec<f64>,
    pub w: Vec<f64>,
    pub b: f64,
}

/// The layers of a batch, the first nearest to `z`.
pub type FlowLayers = Vec<Layer>;

/// What a layer does to a point.
#[derive(Debug, Clone)]
pub struct Planar<'l> {
    pub u: Vec<f64>,
    w: &'l [f64],
    b: f64,
    /// `w'u`.
    fold: f64,
}

/// A flow that changes nothing, its directions drawn at random.
pub fn start(dim: usize, layers: usize, (seed, batch): (u64, usize)) -> FlowLayers {
    let stream = Stream {
        seed,
        purpose: Purpose::Bound,
    };
    let lanes = LaneIds {
        subject: [u32::try_from(batch).unwrap_or(u32::MAX); LANES],
        chain: std::array::from_fn(|l| u32::try_from(l).unwrap_or(u32::MAX)),
    };
    let mut columns = vec![Column::ZERO; dim + 1];
    let draw = |layer: usize| {
        let iteration = u32::MAX - u32::try_from(layer / LANES).unwrap_or(0);
        stream.normals(Isa::detect(), &lanes, iteration, 0, &mut columns);
        let number = |k: usize| SPREAD * columns[k].0[layer % LANES];
        let width = (dim.max(1) as f64).sqrt();
        let free: Vec<f64> = (0..dim).map(|k| number(k) / width).collect();
        Layer {
            v: vec![0.0; dim],
            w: bounded(&free, STEEPEST),
            b: bounded(&[number(dim)], REMOTEST)[0],
        }
    };
    (0..layers).map(draw).collect()
}

/// A vector shorter than `most` from any other: `f / (1 + |f|^2 / most^2)^(1/2)`.
fn bounded(free: &[f64], most: f64) -> Vec<f64> {
    let stretch = (1.0 + dot(free, free) / (most * most)).sqrt();
    free.iter().map(|f| f / stretch).collect()
}

/// `1 / (1 + |f|^2 / most^2)^(1/2)`
fn stretch(x: &[f64], most: f64) -> f64 {
    let rest = 1.0 - dot(x, x) / (most * most);
    rest.max(f64::EPSILON).sqrt()
}

/// The other vector.
fn unbounded(x: &[f64], most: f64) -> Vec<f64> {
    let stretch = stretch(x, most);
    x.iter().map(|x| x / stretch).collect()
}

/// Derivatives in the other vector from those in `x`.
fn unbounded_slope(x: &[f64], slope: &[f64], most: f64) -> Vec<f64> {
    let along = dot(x, slope) / (most * most);
    let stretch = stretch(x, most);
    let each = x.iter().zip(slope);
    each.map(|(x, s)| (s - along * x) * stretch).collect()
}

impl Layer {
    /// `u`, `w` and `b`, one after another.
    pub fn numbers(&self) -> Vec<f64> {
        let mut numbers = self.planar().u;
        numbers.extend_from_slice(&self.w);
        numbers.push(self.b);
        numbers
    }

    /// The layer with these.
    pub fn of(free: &[f64]) -> Self {
        let d = (free.len() - 1) / 2;
        Self {
            v: bounded(&free[..d], FARTHEST),
            w: bounded(&free[d..2 * d], STEEPEST),
            b: bounded(&free[2 * d..], REMOTEST)[0],
        }
    }

    /// Derivatives in these from those that were added up.
    pub fn free_slope(&self, mut slope: LayerSlope) -> Vec<f64> {
        self.back(&mut slope);
        let mut free = unbounded_slope(&self.v, &slope.v, FARTHEST);
        free.extend(unbounded_slope(&self.w, &slope.w, STEEPEST));
        free.extend(unbounded_slope(&[self.b], &[slope.b], REMOTEST));
        free
    }

    /// `v`, `w` and `b` without their bounds.
    pub fn free(&self) -> Vec<f64> {
        let mut free = unbounded(&self.v, FARTHEST);
        free.extend(unbounded(&self.w, STEEPEST));
        free.extend(unbounded(&[self.b], REMOTEST));
        free
    }

    pub fn planar(&self) -> Planar<'_> {
        let beta = dot(&self.w, &self.v);
        let fold = folded(beta);
        let scale = (fold - beta) / dot(&self.w, &self.w);
        Planar {
            u: self
                .v
                .iter()
                .zip(&self.w)
                .map(|(v, w)| v + scale * w)
                .collect(),
            w: &self.w,
            b: self.b,
            fold,
        }
    }

    /// Derivatives in `v`, `w` from those in `u`, in `w'u`, and in `w` itself.
    fn back(&self, slope: &mut LayerSlope) {
        let (w, v) = (&self.w, &self.v);
        let (beta, square) = (dot(w, v), dot(w, w));
        let fold = folded(beta);
        let scale = (fold - beta) / square;
        let by_scale = dot(&slope.u, w);
        let by_fold = slope.fold + by_scale / square;
        let by_beta = by_fold * sigmoid(beta) - by_scale / square;
        for i in 0..w.len() {
            slope.w[i] +=
                scale * slope.u[i] - 2.0 * by_scale * scale * w[i] / square + by_beta * v[i];
            slope.v[i] = slope.u[i] + by_beta * w[i];
        }
    }
}

/// `m(x)`, zero at zero.
fn folded(x: f64) -> f64 {
    // ln(1 + exp(y)) - 1 with y = x + ln(e - 1).
    let y = x + GROWTH.ln();
    y.max(0.0) + (-y.abs()).exp().ln_1p() - 1.0
}

/// `m'(x)`
fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x - GROWTH.ln()).exp())
}

/// `a'b`
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Planar<'_> {
    /// Move a point; `ln |det|` there.
    pub fn bend(&self, z: &mut [f64]) -> f64 {
        let h = (dot(self.w, z) + self.b).tanh();
        for (z, u) in z.iter_mut().zip(&self.u) {
            *z += u * h;
        }
        (self.fold * (1.0 - h * h)).ln_1p()
    }
}

/// `T(z)` into `z`; `ln |det dT/dz|`.
pub fn bend(layers: &[Planar], z: &mut [f64]) -> f64 {
    layers.iter().map(|layer| layer.bend(z)).sum()
}

/// Derivatives in a layer.
#[derive(Debug, Clone)]
pub struct LayerSlope {
    u: Vec<f64>,
    fold: f64,
    v: Vec<f64>,
    w: Vec<f64>,
    b: f64,
}

impl LayerSlope {
    pub fn new(dim: usize) -> Self {
        Self {
            u: vec![0.0; dim],
            fold: 0.0,
            v: vec![0.0; dim],
            w: vec![0.0; dim],
            b: 0.0,
        }
    }

    /// Take the adjoint `out` of what a layer makes of `z` back to `z`; `weight`: that of `ln |det|`.
    pub fn back(&mut self, layer: &Planar, z: &[f64], out: &mut [f64], weight: f64) {
        let h = (dot(layer.w, z) + layer.b).tanh();
        let g = 1.0 - h * h;
        let stretch = weight / (1.0 + layer.fold * g);
        let by_angle = dot(out, &layer.u) * g - 2.0 * stretch * layer.fold * h * g;
        self.fold += stretch * g;
        self.b += by_angle;
        for i in 0..z.len() {
            self.u[i] += out[i] * h;
            self.w[i] += by_angle * z[i];
            out[i] += by_angle * layer.w[i];
        }
    }
}
