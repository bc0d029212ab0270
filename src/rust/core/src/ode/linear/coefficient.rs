//! Hold a coefficient as a sum of signed products, so that what flows from one state to another cancels exactly.
//!
//! `sum_m factor_m * product of above_m / product of below_m`, every factor being a node that neither states nor time
//! touch.

use crate::ir::graph::{Graph, Node};

/// Sums longer than this are kept as one node.
const LONGEST: usize = 12;

#[derive(Debug, Clone, PartialEq)]
struct Monomial {
    factor: f64,
    /// Sorted.
    above: Vec<Node>,
    below: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Coefficient(Vec<Monomial>);

impl Monomial {
    fn new(factor: f64) -> Self {
        Self {
            factor,
            above: Vec::new(),
            below: Vec::new(),
        }
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = Self::new(self.factor * other.factor);
        product.above = [self.above.as_slice(), &other.above].concat();
        product.below = [self.below.as_slice(), &other.below].concat();
        product.reduce();
        product
    }

    fn inverse(&self) -> Option<Self> {
        (self.factor != 0.0).then(|| Self {
            factor: 1.0 / self.factor,
            above: self.below.clone(),
            below: self.above.clone(),
        })
    }

    /// Sort the factors; what stands above and below is dropped.
    fn reduce(&mut self) {
        self.above.sort_unstable();
        self.below.sort_unstable();
        let mut i = 0;
        while i < self.above.len() {
            match self.below.binary_search(&self.above[i]) {
                Ok(j) => {
                    self.below.remove(j);
                    self.above.remove(i);
                }
                Err(_) => i += 1,
            }
        }
    }

    /// The product without its sign.
    fn size(&self, g: &mut Graph) -> Node {
        let product = |g: &mut Graph, nodes: &[Node], first: f64| {
            let first = g.constant(first);
            nodes.iter().fold(first, |p, node| g.mul(p, *node))
        };
        let above = product(g, &self.above, self.factor.abs());
        let below = product(g, &self.below, 1.0);
        g.div(above, below)
    }
}

impl Coefficient {
    pub fn zero() -> Self {
        Self::default()
    }

    pub fn constant(value: f64) -> Self {
        if value == 0.0 {
            return Self::zero();
        }
        Self(vec![Monomial::new(value)])
    }

    /// A node as it is.
    pub fn of(node: Node) -> Self {
        let mut one = Monomial::new(1.0);
        one.above.push(node);
        Self(vec![one])
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_product(&self) -> bool {
        self.0.len() == 1
    }

    pub fn is_long(&self) -> bool {
        self.0.len() > LONGEST
    }

    /// Whether some term is subtracted; whether some term is added.
    pub fn has_minus(&self) -> bool {
        self.0.iter().any(|m| m.factor < 0.0)
    }

    pub fn has_plus(&self) -> bool {
        self.0.iter().any(|m| m.factor > 0.0)
    }

    pub fn minus(mut self) -> Self {
        for m in &mut self.0 {
            m.factor = -m.factor;
        }
        self
    }

    /// The sum; equal products are added, and vanish where they cancel.
    pub fn plus(mut self, other: &Self) -> Self {
        for m in &other.0 {
            let same = |n: &Monomial| n.above == m.above && n.below == m.below;
            match self.0.iter().position(same) {
                None => self.0.push(m.clone()),
                Some(at) => {
                    self.0[at].factor += m.factor;
                    if self.0[at].factor == 0.0 {
                        self.0.remove(at);
                    }
                }
            }
        }
        self
    }

    /// Every term of one times every term of the other.
    pub fn times(&self, other: &Self) -> Self {
        self.0.iter().fold(Self::zero(), |sum, a| {
            let row = other.0.iter().map(|b| a.times(b)).collect();
            sum.plus(&Self(row))
        })
    }

    /// `1 / self` of a product; `None` for a sum.
    pub fn inverse(&self) -> Option<Self> {
        match self.0.as_slice() {
            [one] => Some(Self(vec![one.inverse()?])),
            _ => None,
        }
    }

    /// The value.
    pub fn node(&self, g: &mut Graph) -> Node {
        let (mut plus, mut minus) = (Vec::new(), Vec::new());
        for m in &self.0 {
            let size = m.size(g);
            if m.factor < 0.0 {
                &mut minus
            } else {
                &mut plus
            }
            .push(size);
        }
        let (plus, minus) = (g.sum(&plus), g.sum(&minus));
        g.sub(plus, minus)
    }
}
