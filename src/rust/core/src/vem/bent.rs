//! Describe a bent distribution by coordinates in which small is small, and differentiate in them.

use super::bound::LN_2PI;
use super::flow::{dot, FlowLayers, Layer, LayerSlope, Planar};
use crate::inference::posterior::BatchGaussian;
use crate::ir::symmetric::at;

/// A distribution of a batch near another: `mean + L (delta + C T(z))`, in coordinates where small is small.
///
/// The coordinates: `delta`; the lower triangle of `C` by rows, its diagonal as logarithms; `v`, `w`, `b` of each layer without
/// their bounds.
#[derive(Debug, Clone)]
pub struct Bent {
    pub delta: Vec<f64>,
    /// Lower triangle by rows.
    pub c: Vec<f64>,
    pub flow: FlowLayers,
}

impl Bent {
    /// The other one itself, bent by a flow.
    pub fn new(flow: &FlowLayers, dim: usize) -> Self {
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
        let each = pairs(d).zip(c);
        Self {
            delta: delta.to_vec(),
            c: each
                .map(|((i, j), c)| if i == j { c.exp() } else { *c })
                .collect(),
            flow: rest.chunks_exact(2 * d + 1).map(Layer::of).collect(),
        }
    }

    /// `delta + C t`
    pub fn shift(&self, t: &[f64]) -> Vec<f64> {
        let row = |i: usize| self.delta[i] + dot(&self.c[at(i, 0)..=at(i, i)], t);
        (0..t.len()).map(row).collect()
    }

    /// `mean + L delta` and `L C`.
    pub fn around(&self, q: &BatchGaussian) -> BatchGaussian {
        let d = self.dim();
        let mut mean = vec![0.0; d];
        q.place(&self.delta, &mut mean);
        let product = |(i, j)| (j..=i).map(|k| q.chol[at(i, k)] * self.c[at(k, j)]).sum();
        BatchGaussian {
            mean,
            chol: pairs(d).map(product).collect(),
        }
    }

    /// A ridge of this precision on `v` and `b` before their bounds, to be taken from the bound, and its slope in the
    /// coordinates.
    pub fn ridge(&self, precision: f64) -> (f64, Vec<f64>) {
        let d = self.dim();
        let mut slope = vec![0.0; d + self.c.len()];
        for layer in &self.flow {
            let free = layer.free().into_iter().enumerate();
            let kept = |k: usize| !(d..2 * d).contains(&k);
            slope.extend(free.map(|(k, f)| if kept(k) { precision * f } else { 0.0 }));
        }
        (0.5 * dot(&slope, &slope) / precision, slope)
    }

    /// `ln det L C` and the entropy of the standard normal distribution.
    pub fn entropy(&self, q: &BatchGaussian) -> f64 {
        let d = self.dim();
        let stretch: f64 = (0..d).map(|i| self.c[at(i, i)].ln()).sum();
        q.log_det() + stretch + 0.5 * d as f64 * (1.0 + LN_2PI)
    }
}

/// Derivatives of the bound in the coordinates of a [`Bent`], added up over points.
pub struct BentSlope<'b> {
    bent: &'b Bent,
    layers: Vec<Planar<'b>>,
    delta: Vec<f64>,
    c: Vec<f64>,
    own: Vec<LayerSlope>,
}

impl<'b> BentSlope<'b> {
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
        for (layer, slope) in self.bent.flow.iter().zip(self.own) {
            x.extend(layer.free_slope(slope));
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
    use super::super::flow::{bend, start};
    use super::*;

    const Z: [[f64; 2]; 3] = [[0.3, -1.2], [1.7, 0.4], [-0.8, -0.1]];

    fn bent() -> Bent {
        let mut flow = start(2, 2, (5, 3));
        flow[0].v = vec![0.8, -0.4];
        flow[1].v = vec![-2.0, 1.0];
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
        let mut slope = BentSlope::new(&bent);
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
            assert!((found[k] - exact).abs() < 1e-6, "{k}: {} {exact}", found[k]);
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
