//! Map one number between its natural scale and the unbounded scale on which it is estimated.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use crate::language::specification::Scale;

pub fn to_coordinate(scale: Scale, x: f64) -> f64 {
    match scale {
        Scale::Identity => x,
        Scale::Log => x.ln(),
        Scale::Logit => x.ln() - (-x).ln_1p(),
        Scale::Probit => Unary::QNorm.value::<false>(x),
    }
}

pub fn from_coordinate(scale: Scale, x: f64) -> f64 {
    match scale {
        Scale::Identity => x,
        Scale::Log => x.exp(),
        Scale::Logit => Unary::Logistic.value::<false>(x),
        Scale::Probit => Unary::PNorm.value::<false>(x),
    }
}

pub fn natural_node(g: &mut Graph, scale: Scale, x: Node) -> Node {
    match scale {
        Scale::Identity => x,
        Scale::Log => g.exp(x),
        Scale::Logit => g.unary(Unary::Logistic, x),
        Scale::Probit => g.unary(Unary::PNorm, x),
    }
}
