//! Write divided differences of the exponential over rates, exact where rates coincide.
//!
//! `D(p) = e^(-p t)`, `D(p_0 .. p_m) = (D(p_0 .. p_(m-1)) - D(p_1 .. p_m)) / (p_m - p_0)`: the convolution of
//! `e^(-p_0 t) .. e^(-p_m t)`, whatever their order. Where the outer rates are close the quotient has no digits; there
//! `D = t^m e^(-p_1 t) sum_n h_n((p_1 - p_0) t .. (p_1 - p_m) t) / (n + m)!` with the complete homogeneous symmetric
//! polynomials `h_n`, by Horner's rule for divided differences. McCurdy, Ng & Parlett (1984). Points are sorted, so
//! that the quotient has the largest of all gaps below.

use std::collections::HashMap;

use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};

/// Points of one difference: more lose too many digits, and cost too much.
pub const MOST_POINTS: usize = 4;

/// Up to which `(p_m - p_0) t` the series is taken, and its degree; truncation is below `1e-13`.
const SERIES: [(f64, usize); MOST_POINTS] = [(0.0, 0), (0.1, 7), (0.1, 7), (0.3, 10)];

/// The same for two points that are not part of more: no further quotient magnifies the error of theirs.
const PAIR: (f64, usize) = (0.02, 5);

/// A rate and its exponential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct RatePoint {
    rate: Node,
    decay: Node,
}

/// Divided differences over the time `t`.
#[derive(Debug)]
pub struct Divided {
    time: Node,
    known: HashMap<Vec<RatePoint>, Node>,
    pairs: HashMap<(RatePoint, RatePoint), Node>,
}

impl Divided {
    pub fn new(time: Node) -> Self {
        Self {
            time,
            known: HashMap::new(),
            pairs: HashMap::new(),
        }
    }

    /// `D(rates)`. The first `ascending` rates are known to be sorted.
    pub fn over(&mut self, g: &mut Graph, rates: &[Node], ascending: usize) -> Node {
        let mut points: Vec<RatePoint> = Vec::new();
        for (i, rate) in rates.iter().enumerate() {
            let point = self.point(g, *rate);
            if i < ascending || rates.len() == 2 {
                points.push(point);
            } else {
                insert(g, &mut points, point);
            }
        }
        match points.as_slice() {
            [first, last] if first != last => self.pair(g, &points, *first, *last),
            _ => self.sorted(g, &points),
        }
    }

    /// Two points by themselves, in any order.
    fn pair(
        &mut self,
        g: &mut Graph,
        points: &[RatePoint],
        first: RatePoint,
        last: RatePoint,
    ) -> Node {
        if let Some(node) = self.pairs.get(&(first, last)) {
            return *node;
        }
        let node = self.difference(g, points, PAIR);
        self.pairs.insert((first, last), node);
        node
    }

    fn point(&self, g: &mut Graph, rate: Node) -> RatePoint {
        let minus = g.neg(rate);
        let exponent = g.mul(minus, self.time);
        let decay = g.exp(exponent);
        RatePoint { rate, decay }
    }

    fn sorted(&mut self, g: &mut Graph, points: &[RatePoint]) -> Node {
        if let Some(node) = self.known.get(points) {
            return *node;
        }
        let node = match points {
            [] => g.constant(0.0),
            [one] => one.decay,
            [first, .., last] if first == last => self.confluent(g, *first, points.len() - 1),
            _ => self.difference(g, points, SERIES[points.len().min(MOST_POINTS) - 1]),
        };
        self.known.insert(points.to_vec(), node);
        node
    }

    /// `t^m / m! e^(-p t)`
    fn confluent(&self, g: &mut Graph, point: RatePoint, m: usize) -> Node {
        let scaled = self.power(g, point, m);
        g.scale(1.0 / factorial(m), scaled)
    }

    /// `t^m e^(-p t)`
    fn power(&self, g: &mut Graph, point: RatePoint, m: usize) -> Node {
        (0..m).fold(point.decay, |product, _| g.mul(self.time, product))
    }

    fn difference(
        &mut self,
        g: &mut Graph,
        points: &[RatePoint],
        (up_to, degree): (f64, usize),
    ) -> Node {
        let m = points.len() - 1;
        let before = self.sorted(g, &points[..m]);
        let behind = self.sorted(g, &points[1..]);
        let gap = g.sub(points[m].rate, points[0].rate);
        let (inverse, change) = (g.unary(Unary::Recip, gap), g.sub(before, behind));
        let quotient = g.mul(change, inverse);
        let series = self.series(g, points, degree);
        let width = g.mul(gap, self.time);
        let square = g.square(width);
        let up_to = g.constant(up_to * up_to);
        let is_wide = g.binary(Binary::Less, up_to, square);
        g.select(is_wide, quotient, series)
    }

    /// About the second point.
    fn series(&self, g: &mut Graph, points: &[RatePoint], degree: usize) -> Node {
        let m = points.len() - 1;
        let others = points.iter().enumerate().filter(|(i, _)| *i != 1);
        let offsets: Vec<Node> = others
            .map(|(_, p)| {
                let gap = g.sub(points[1].rate, p.rate);
                g.mul(gap, self.time)
            })
            .collect();
        let coefficient = |n: usize| 1.0 / factorial(n + m);
        let mut sums = vec![g.constant(coefficient(degree)); offsets.len()];
        for n in (0..degree).rev() {
            let mut carried = g.constant(coefficient(n));
            for (sum, offset) in sums.iter_mut().zip(&offsets) {
                let moved = g.mul(*sum, *offset);
                *sum = g.add(moved, carried);
                carried = *sum;
            }
        }
        let scale = self.power(g, points[1], m);
        sums.last().map_or(scale, |sum| g.mul(scale, *sum))
    }
}

fn factorial(n: usize) -> f64 {
    (1..=n).map(|k| k as f64).product()
}

/// Put a point among sorted ones. Selections on one condition: their derivatives agree at a tie.
fn insert(g: &mut Graph, points: &mut Vec<RatePoint>, point: RatePoint) {
    let mut low = point;
    for there in points.iter_mut().rev() {
        let is_below = g.binary(Binary::Less, low.rate, there.rate);
        let mut choose = |yes: RatePoint, no: RatePoint| RatePoint {
            rate: g.select(is_below, yes.rate, no.rate),
            decay: g.select(is_below, yes.decay, no.decay),
        };
        let (least, most) = (choose(low, *there), choose(*there, low));
        (low, *there) = (least, most);
    }
    points.insert(0, low);
}
