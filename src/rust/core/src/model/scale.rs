//! Map one number between its natural scale and the unbounded scale on which it is estimated.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use crate::language::specification::ParameterScale;

pub fn to_coordinate(scale: ParameterScale, x: f64) -> f64 {
    match scale {
        ParameterScale::Identity => x,
        ParameterScale::Log => x.ln(),
        ParameterScale::Logit => x.ln() - (-x).ln_1p(),
        ParameterScale::Probit => Unary::QNorm.value::<false>(x),
    }
}

pub fn from_coordinate(scale: ParameterScale, x: f64) -> f64 {
    match scale {
        ParameterScale::Identity => x,
        ParameterScale::Log => x.exp(),
        ParameterScale::Logit => Unary::Logistic.value::<false>(x),
        ParameterScale::Probit => Unary::PNorm.value::<false>(x),
    }
}

pub fn natural_node(g: &mut Graph, scale: ParameterScale, x: Node) -> Node {
    match scale {
        ParameterScale::Identity => x,
        ParameterScale::Log => g.exp(x),
        ParameterScale::Logit => g.unary(Unary::Logistic, x),
        ParameterScale::Probit => g.unary(Unary::PNorm, x),
    }
}
