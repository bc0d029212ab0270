//! Residuals that correlate along the rows of a subject: autoregressive, or each with each other alike.
//!
//! With `z = (y - mean) / sd` standardized and `m`, `v` mean and variance of `z` given the subject's earlier outcomes,
//!
//! ```text
//! log p(y | past) = -(z - m)^2 / (2 v) - ln(v) / 2 - ln(sd) - ln(2 pi) / 2
//! ```
//!
//! | correlation | `m` | `v` |
//! |---|---|---|
//! | autoregressive | `phi z'`, `z'` that of the outcome before | `1 - phi^2` |
//! | exchangeable | `rho s / (1 + (n - 1) rho)`, `s` the sum of `n` earlier ones | `1 - n rho^2 / (1 + (n - 1) rho)` |
//!
//! `phi` is `rho` by order and `rho^gap` in time, 0 at the first outcome. Pinheiro & Bates (2000), section 5.3.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{Family, FamilyForm, OutcomeDensity, LN_SQRT_2PI};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Binary;

pub const AR1: Family = Family {
    name: "ar1",
    arguments: &["dist", "rho", "time"],
    form: FamilyForm::Serial,
    ..Family::BLANK
};

pub const EXCHANGEABLE: Family = Family {
    name: "exchangeable",
    arguments: &["dist", "rho"],
    ..AR1
};

/// How residuals hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serial {
    /// With the one before, by order.
    Order,
    /// With the one before, by the time between them.
    Time,
    /// All alike.
    Exchangeable,
}

/// What the density reads at a row. `past`: number of the subject's earlier outcomes, or with [`Serial::Time`] the time
/// since the last of them, 0 where there is none.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub y: Node,
    pub present: Node,
    pub past: Node,
    pub rho: Node,
}

/// Mean and variance of the standardized residual; `carried`: the last one, or the sum of all.
fn given_past(g: &mut Graph, serial: Serial, row: Row, carried: Node) -> (Node, Node) {
    let (zero, one) = (g.constant(0.0), g.constant(1.0));
    match serial {
        Serial::Order | Serial::Time => {
            let phi = if serial == Serial::Order {
                g.select(row.past, row.rho, zero)
            } else {
                let log = g.ln(row.rho);
                let power = g.mul(row.past, log);
                let power = g.exp(power);
                g.select(row.past, power, zero)
            };
            let square = g.square(phi);
            (g.mul(phi, carried), g.sub(one, square))
        }
        Serial::Exchangeable => {
            let others = g.sub(row.past, one);
            let more = g.mul(others, row.rho);
            let scale = g.add(one, more);
            let weight = g.div(row.rho, scale);
            let explained = g.mul(weight, row.rho);
            let explained = g.mul(explained, row.past);
            (g.mul(weight, carried), g.sub(one, explained))
        }
    }
}

/// The density of a normal outcome whose residuals correlate with the subject's earlier ones.
pub fn density(g: &mut Graph, serial: Serial, row: Row, mean: Node, sd: Node) -> OutcomeDensity {
    let zero = g.constant(0.0);
    let carried = g.carry(zero);
    let (expected, variance) = given_past(g, serial, row, carried);
    let residual = g.sub(row.y, mean);
    let z = g.div(residual, sd);
    let innovation = g.sub(z, expected);
    let square = g.square(innovation);
    let ratio = g.div(square, variance);
    let log_variance = g.ln(variance);
    let both = g.add(ratio, log_variance);
    let half = g.scale(-0.5, both);
    let log_sd = g.ln(sd);
    let constant = g.constant(LN_SQRT_2PI);
    let norm = g.add(log_sd, constant);
    let left = match serial {
        Serial::Exchangeable => g.binary(Binary::Add, carried, z),
        _ => z,
    };
    let next = g.select(row.present, left, carried);
    g.carry_on(carried, next);
    OutcomeDensity {
        log_density: g.sub(half, norm),
        prediction: Some(mean),
        sd: Some(sd),
        information: None,
        arguments: vec![mean, sd, row.rho, row.past, row.present],
    }
}

impl Serial {
    /// Draw the series of one subject; `rows`: the arguments of the density at each of its rows, in the order of time.
    /// Where none is marked as present, all are drawn as if they were.
    pub fn draw(self, rows: &[Vec<f64>], rng: &mut (impl Rng + ?Sized)) -> Vec<f64> {
        let none = rows.iter().all(|row| row.get(4) == Some(&0.0));
        let mut carried = 0.0;
        rows.iter()
            .map(|row| {
                let &[mean, sd, rho, past, present] = row.as_slice() else {
                    return f64::NAN;
                };
                let (expected, variance) = self.moments(rho, past, carried);
                let noise: f64 = StandardNormal.sample(rng);
                let z = expected + variance.sqrt() * noise;
                if none || present != 0.0 {
                    carried = if self == Self::Exchangeable {
                        carried + z
                    } else {
                        z
                    };
                }
                mean + sd * z
            })
            .collect()
    }

    fn moments(self, rho: f64, past: f64, carried: f64) -> (f64, f64) {
        if self == Self::Exchangeable {
            let weight = rho / (1.0 + (past - 1.0) * rho);
            return (weight * carried, 1.0 - weight * rho * past);
        }
        let phi = match self {
            _ if past == 0.0 => 0.0,
            Self::Time => rho.powf(past),
            _ => rho,
        };
        (phi * carried, 1.0 - phi * phi)
    }
}
