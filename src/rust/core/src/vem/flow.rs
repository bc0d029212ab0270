//! Bend `q` by planar layers.
//!
//! `phi = mean + L T(z)` with standard normal `z` and `T` a composition of layers `T(z) = z + u tanh(w'z + b)`. The density of
//! `q` needs `ln |det dT/dz| = sum ln(1 + w'u (1 - tanh^2))` over the layers, which exists for `w'u > -1`. A layer keeps
//! `v` in place of `u`: `u = v + (m(w'v) - w'v) w / |w|^2` with `m(x) = ln(1 + (e - 1) exp(x)) - 1`, so that `w'u = m(w'v)` is
//! above -1 for every `v`, and no `v` is no layer. With steep layers, or with large ones that take back what others do,
//! the points of a rule can be moved without the determinant noticing it in the gaps between them; so `w` is no longer
//! than 1, `v` and `b` have bounds as well, and a weak ridge keeps them from wandering where the bound is flat. Source: Rezende & Mohamed (2015), section 4.1 and appendix A.1.

use super::bound::LN_2PI;
use crate::inference::posterior::Gaussian;
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::at;
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

/// Precision of the ridge on `v` and `b` before their bounds.
const RIDGE: f64 = 1e-3;

/// A planar layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub v: Vec<f64>,
    pub w: Vec<f64>,
    pub b: f64,
}

/// The layers of a batch, the first nearest to `z`.
pub type Flow = Vec<Layer>;

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
pub fn start(dim: usize, layers: usize, (seed, batch): (u64, usize)) -> Flow {
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

    /// `v`, `w` and `b` without their bounds.
    fn free(&self) -> Vec<f64> {
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

fn dot(a: &[f64], b: &[f64]) -> f64 {
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
struct LayerSlope {
    u: Vec<f64>,
    fold: f64,
    v: Vec<f64>,
    w: Vec<f64>,
    b: f64,
}

impl LayerSlope {
    fn new(dim: usize) -> Self {
        Self {
            u: vec![0.0; dim],
            fold: 0.0,
            v: vec![0.0; dim],
            w: vec![0.0; dim],
            b: 0.0,
        }
    }

    /// Take the adjoint `out` of what a layer makes of `z` back to `z`; `weight`: that of `ln |det|`.
    fn back(&mut self, layer: &Planar, z: &[f64], out: &mut [f64], weight: f64) {
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

/// A distribution of a batch near another: `mean + L (delta + C T(z))`, in coordinates where small is small.
///
/// The coordinates: `delta`; the lower triangle of `C` by rows, its diagonal as logarithms; `v`, `w`, `b` of each layer without
/// their bounds.
#[derive(Debug, Clone)]
pub struct Bent {
    pub delta: Vec<f64>,
    /// Lower triangle by rows.
    pub c: Vec<f64>,
    pub flow: Flow,
}

impl Bent {
    /// The other one itself, bent by a flow.
    pub fn new(flow: &Flow, dim: usize) -> Self {
        let diagonal = |(i, j)| if i == j { 1.0 } else { 0.0 };
        Self {
            delta: vec![0.0; dim],
            c: pairs(dim).map(diagonal).collect(),
            flow: flow.clone(),
        }
    }

    pub fn dim(&self) -> usize {
        self.delta.len()
    }

    pub fn coordinates(&self) -> Vec<f64> {
        let mut x = self.delta.clone();
        let each = pairs(self.dim()).zip(&self.c);
        x.extend(each.map(|((i, j), c)| if i == j { c.ln() } else { *c }));
        for layer in &self.flow {
            x.extend(layer.free());
        }
        x
    }

    /// The one at other coordinates.
    pub fn at(&self, x: &[f64]) -> Self {
        let d = self.dim();
        let (delta, rest) = x.split_at(d);
        let (c, rest) = rest.split_at(self.c.len());
        let layer = |own: &[f64]| Layer {
            v: bounded(&own[..d], FARTHEST),
            w: bounded(&own[d..2 * d], STEEPEST),
            b: bounded(&own[2 * d..], REMOTEST)[0],
        };
        let each = pairs(d).zip(c);
        Self {
            delta: delta.to_vec(),
            c: each
                .map(|((i, j), c)| if i == j { c.exp() } else { *c })
                .collect(),
            flow: rest.chunks_exact(2 * d + 1).map(layer).collect(),
        }
    }

    /// `delta + C t`
    pub fn shift(&self, t: &[f64]) -> Vec<f64> {
        let row = |i: usize| self.delta[i] + dot(&self.c[at(i, 0)..=at(i, i)], t);
        (0..t.len()).map(row).collect()
    }

    /// `mean + L delta` and `L C`.
    pub fn around(&self, q: &Gaussian) -> Gaussian {
        let d = self.dim();
        let mut mean = vec![0.0; d];
        q.place(&self.delta, &mut mean);
        let product = |(i, j)| (j..=i).map(|k| q.chol[at(i, k)] * self.c[at(k, j)]).sum();
        Gaussian {
            mean,
            chol: pairs(d).map(product).collect(),
        }
    }

    /// The ridge, to be taken from the bound, and its slope in the coordinates.
    pub fn ridge(&self) -> (f64, Vec<f64>) {
        let d = self.dim();
        let mut slope = vec![0.0; d + self.c.len()];
        for layer in &self.flow {
            let free = layer.free().into_iter().enumerate();
            let kept = |k: usize| !(d..2 * d).contains(&k);
            slope.extend(free.map(|(k, f)| if kept(k) { RIDGE * f } else { 0.0 }));
        }
        (0.5 * dot(&slope, &slope) / RIDGE, slope)
    }

    /// `ln det L C` and the entropy of the standard normal distribution.
    pub fn entropy(&self, q: &Gaussian) -> f64 {
        let d = self.dim();
        let stretch: f64 = (0..d).map(|i| self.c[at(i, i)].ln()).sum();
        q.log_det() + stretch + 0.5 * d as f64 * (1.0 + LN_2PI)
    }
}

/// Derivatives of the bound in the coordinates of a [`Bent`], added up over points.
pub struct Slope<'b> {
    bent: &'b Bent,
    layers: Vec<Planar<'b>>,
    delta: Vec<f64>,
    c: Vec<f64>,
    own: Vec<LayerSlope>,
}

impl<'b> Slope<'b> {
    pub fn new(bent: &'b Bent) -> Self {
        let d = bent.dim();
        Self {
            layers: bent.flow.iter().map(Layer::planar).collect(),
            delta: vec![0.0; d],
            c: vec![0.0; bent.c.len()],
            own: vec![LayerSlope::new(d); bent.flow.len()],
            bent,
        }
    }

    /// Add a point `z` at which the derivative in `delta + C T(z)` is `slope`; `weight`: that of `ln |det dT/dz|`, which is
    /// returned.
    pub fn add(&mut self, z: &[f64], slope: &[f64], weight: f64) -> f64 {
        let d = z.len();
        let mut stops = vec![z.to_vec()];
        let mut t = z.to_vec();
        let mut log_det = 0.0;
        for layer in &self.layers {
            log_det += layer.bend(&mut t);
            stops.push(t.clone());
        }
        let mut back = vec![0.0; d];
        for i in 0..d {
            self.delta[i] += slope[i];
            for j in 0..=i {
                self.c[at(i, j)] += slope[i] * t[j];
                back[j] += slope[i] * self.bent.c[at(i, j)];
            }
        }
        for ((layer, own), z) in self.layers.iter().zip(&mut self.own).zip(&stops).rev() {
            own.back(layer, z, &mut back, weight);
        }
        log_det
    }

    /// With the derivative of `ln det C`.
    pub fn finish(mut self) -> Vec<f64> {
        let d = self.bent.dim();
        for i in 0..d {
            let place = at(i, i);
            self.c[place] = self.c[place] * self.bent.c[place] + 1.0;
        }
        let mut x = self.delta;
        x.extend(self.c);
        for (layer, mut slope) in self.bent.flow.iter().zip(self.own) {
            layer.back(&mut slope);
            x.extend(unbounded_slope(&layer.v, &slope.v, FARTHEST));
            x.extend(unbounded_slope(&layer.w, &slope.w, STEEPEST));
            x.extend(unbounded_slope(&[layer.b], &[slope.b], REMOTEST));
        }
        x
    }
}

/// Elements of a lower triangle, by rows.
fn pairs(d: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const Z: [[f64; 2]; 3] = [[0.3, -1.2], [1.7, 0.4], [-0.8, -0.1]];

    fn bent() -> Bent {
        let mut flow = start(2, 2, (5, 3));
        flow[0].v = vec![0.8, -0.4];
        flow[1].v = vec![-3.0, 1.5];
        Bent {
            delta: vec![0.2, -0.1],
            c: vec![1.1, 0.3, 0.8],
            flow,
        }
    }

    /// `-(e1^2 + e1 e2^2) / 2 + ln det` at some points, and `ln det C`.
    fn value(bent: &Bent) -> f64 {
        let layers: Vec<Planar> = bent.flow.iter().map(Layer::planar).collect();
        let mut total: f64 = (0..2).map(|i| bent.c[at(i, i)].ln()).sum();
        for z in Z {
            let mut t = z.to_vec();
            let log_det = bend(&layers, &mut t);
            let e = bent.shift(&t);
            total += (log_det - 0.5 * (e[0] * e[0] + e[0] * e[1] * e[1])) / 3.0;
        }
        total
    }

    #[test]
    fn slopes_agree_with_differences() {
        let bent = bent();
        let mut slope = Slope::new(&bent);
        let layers: Vec<Planar> = bent.flow.iter().map(Layer::planar).collect();
        for z in Z {
            let mut t = z.to_vec();
            bend(&layers, &mut t);
            let e = bent.shift(&t);
            let by = [-(e[0] + 0.5 * e[1] * e[1]) / 3.0, -e[0] * e[1] / 3.0];
            slope.add(&z, &by, 1.0 / 3.0);
        }
        let found = slope.finish();
        let x = bent.coordinates();
        for k in 0..x.len() {
            let side = |h: f64| {
                let mut moved = x.clone();
                moved[k] += h;
                value(&bent.at(&moved))
            };
            let exact = (side(1e-5) - side(-1e-5)) / 2e-5;
            assert!((found[k] - exact).abs() < 1e-8, "{k}: {} {exact}", found[k]);
        }
    }

    /// The determinant of the differences of `T`.
    #[test]
    fn the_determinant_is_that_of_the_map_and_positive() {
        let bent = bent();
        let layers: Vec<Planar> = bent.flow.iter().map(Layer::planar).collect();
        for z in Z {
            let map = |k: usize, h: f64| {
                let mut t = z.to_vec();
                t[k] += h;
                bend(&layers, &mut t);
                t
            };
            let column = |k: usize| {
                let (up, down) = (map(k, 1e-5), map(k, -1e-5));
                [(up[0] - down[0]) / 2e-5, (up[1] - down[1]) / 2e-5]
            };
            let (a, b) = (column(0), column(1));
            let exact = a[0] * b[1] - a[1] * b[0];
            let found = bend(&layers, &mut z.to_vec());
            assert!(
                exact > 0.0 && (found - exact.ln()).abs() < 1e-8,
                "{found} {exact}"
            );
        }
    }

    #[test]
    fn a_flow_begins_as_none_and_coordinates_go_there_and_back() {
        let mut z = Z[0].to_vec();
        let flow = start(2, 3, (1, 0));
        let layers: Vec<Planar> = flow.iter().map(Layer::planar).collect();
        assert!(bend(&layers, &mut z).abs() < 1e-14);
        assert!(z.iter().zip(Z[0]).all(|(a, b)| (a - b).abs() < 1e-14));
        assert_ne!(start(2, 1, (1, 0)), start(2, 1, (1, 1)));
        let bent = bent();
        let same = bent.at(&bent.coordinates());
        let (a, b) = (same.coordinates(), bent.coordinates());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-13));
        assert!(same
            .c
            .iter()
            .zip(&bent.c)
            .all(|(a, b)| (a - b).abs() < 1e-15));
    }
}
