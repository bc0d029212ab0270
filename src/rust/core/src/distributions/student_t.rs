//! Student's t outcome: `y = mean + sd * T`, `T ~ t(df)`. `sd` is the scale; the standard deviation is
//! `sd sqrt(df/(df - 2))` for `df > 2` and infinite below.
//!
//! With `z = (y - mean)/sd`: `log p = ln Gamma((df + 1)/2) - ln Gamma(df/2) - ln(df pi)/2 - ln(sd) - (df + 1)/2 ln(1 + z^2/df)`.
//! Information: about the mean `(df + 1)/((df + 3) sd^2)`; about `sd` and `df` Lange, Little & Taylor (1989), Robust
//! statistical modeling using the t distribution, appendix B, here completed to squares: about
//! `ln(sd) + ln((df + 1)/df)` `2 df/(df + 3)`, about `df`
//! `(psi'(df/2) - psi'((df + 1)/2))/4 - (df + 5)/(2 df (df + 1)(df + 3)) - 2/(df (df + 1)^2 (df + 3))`.

use super::effects::{EffectDensity, EffectFamily, Transform};
use super::{Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};
use rand_distr::{Distribution, StudentT};

pub const FAMILY: Family = Family {
    name: "student_t",
    arguments: &["df", "mean", "sd"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, [a[0], a[1], a[2]])),
    support: Support::Real,
    draw: |a, rng| StudentT::new(a[0]).map_or(f64::NAN, |t| a[1] + a[2] * t.sample(rng)),
    effect: Some(EffectFamily {
        transform: Transform::Identity,
        density: |g, phi, a| of_effect(g, phi, [a[0], a[1], a[2]]),
        // A variance that is infinite, or nearly so, gives way to that of three degrees of freedom.
        reference: |a| {
            let df = a[0].max(3.0);
            (a[1], a[2] * (df / (df - 2.0)).sqrt())
        },
    }),
    ..Family::BLANK
};

fn density(g: &mut Graph, y: Node, [df, mean, sd]: [Node; 3]) -> OutcomeDensity {
    let residual = g.sub(y, mean);
    let z = g.div(residual, sd);
    let ratio = squared_over(g, z, df);
    let tail = g.unary(Unary::Log1p, ratio);
    let one = g.constant(1.0);
    let next = g.add(df, one);
    let exponent = g.scale(0.5, next);
    let kernel = g.mul(exponent, tail);
    let log_sd = g.ln(sd);
    let norm = norm(g, df, exponent);
    let log_density = g.sub(norm, log_sd);
    OutcomeDensity {
        log_density: g.sub(log_density, kernel),
        prediction: Some(mean),
        sd: Some(standard_deviation(g, df, sd)),
        information: Some(information(g, [df, mean, sd])),
        arguments: vec![df, mean, sd],
    }
}

fn squared_over(g: &mut Graph, z: Node, df: Node) -> Node {
    let z2 = g.square(z);
    g.div(z2, df)
}

/// `ln Gamma((df + 1)/2) - ln Gamma(df/2) - ln(df pi)/2`
fn norm(g: &mut Graph, df: Node, exponent: Node) -> Node {
    let half = g.scale(0.5, df);
    let upper = g.unary(Unary::LGamma, exponent);
    let lower = g.unary(Unary::LGamma, half);
    let ratio = g.sub(upper, lower);
    let area = g.scale(std::f64::consts::PI, df);
    let log = g.ln(area);
    let log = g.scale(0.5, log);
    g.sub(ratio, log)
}

/// `sd sqrt(df/(df - 2))`, infinite for `df <= 2`.
fn standard_deviation(g: &mut Graph, df: Node, sd: Node) -> Node {
    let two = g.constant(2.0);
    let rest = g.sub(df, two);
    let ratio = g.div(df, rest);
    let root = g.unary(Unary::Sqrt, ratio);
    let finite = g.mul(sd, root);
    let infinite = g.constant(f64::INFINITY);
    let exists = g.binary(Binary::Less, two, df);
    g.select(exists, finite, infinite)
}

/// Pairs about `mean`, `sd` and `df`.
fn information(g: &mut Graph, [df, mean, sd]: [Node; 3]) -> Vec<(Node, Node)> {
    let (one, three, five) = (g.constant(1.0), g.constant(3.0), g.constant(5.0));
    let (next, third, fifth) = (g.add(df, one), g.add(df, three), g.add(df, five));
    let inverse = g.unary(Unary::Recip, sd);
    let precision = g.square(inverse);
    let share = g.div(next, third);
    let about_mean = g.mul(share, precision);
    let twice = g.scale(2.0, df);
    let about_scale = g.div(twice, third);
    let (log_sd, ratio) = (g.ln(sd), g.div(next, df));
    let log_ratio = g.ln(ratio);
    let scale = g.add(log_sd, log_ratio);
    let (half, upper) = (g.scale(0.5, df), g.scale(0.5, next));
    let (first, second) = (
        g.unary(Unary::Trigamma, half),
        g.unary(Unary::Trigamma, upper),
    );
    let curve = g.sub(first, second);
    let curve = g.scale(0.25, curve);
    let product = g.mul(df, next);
    let product = g.mul(product, third);
    let known = g.div(fifth, product);
    let known = g.scale(0.5, known);
    let square = g.mul(product, next);
    let two = g.constant(2.0);
    let crossed = g.div(two, square);
    let about_df = g.sub(curve, known);
    let about_df = g.sub(about_df, crossed);
    vec![(mean, about_mean), (scale, about_scale), (df, about_df)]
}

fn of_effect(g: &mut Graph, phi: Node, [df, mean, sd]: [Node; 3]) -> EffectDensity {
    let outcome = density(g, phi, [df, mean, sd]);
    let mut information = information(g, [df, mean, sd]);
    // Only the difference of effect and mean matters.
    information[0].0 = g.sub(phi, mean);
    EffectDensity {
        log_density: outcome.log_density,
        information,
        sd: standard_deviation(g, df, sd),
        mean,
    }
}
