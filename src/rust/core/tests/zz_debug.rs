#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod common;
use common::data::{Data, Generator};
use common::{joint, pharmacokinetics};
use nlmers_core::inference::posterior::Batches;
use nlmers_core::monitor::Silent;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::Joint;
use nlmers_core::vem::options::{Family, RuleKind};
use nlmers_core::vem::{bound, fit, Rule, VemOptions};
fn counts() -> Joint {
    let mut draw = Generator(14);
    let effects: Vec<f64> = (0..25).map(|_| 1.5 * draw.normal()).collect();
    let data = Data::new(25, |_| 2).with("y", |_, i| draw.poisson((effects[i] - 0.5).exp()));
    println!("{:?}", data.column("y"));
    joint(
        "fixed m = 0
        fixed o = positive(1)
        random b ~ normal(0, o) | id
        y ~ poisson(exp(m + b))",
        &data,
    )
}
fn look(joint: &Joint, points: usize) {
    let options = VemOptions {
        family: Family::PlanarFlow,
        rule: RuleKind::Qmc,
        points: Some(points),
        polish: false,
        ..VemOptions::default()
    };
    let found = fit(joint, &options, (3, 1), None, &Silent).unwrap();
    let rule = Rule::new(&options, &Batches::new(joint), 3);
    let many = VemOptions {
        points: Some(8192),
        ..options.clone()
    };
    let true_rule = Rule::new(&many, &Batches::new(joint), 9);
    let w = Workers::single();
    let a = bound(
        joint,
        &found.fit.theta,
        (&found.q, &found.flows),
        (&rule, 0),
        &w,
    )
    .unwrap();
    let b = bound(
        joint,
        &found.fit.theta,
        (&found.q, &found.flows),
        (&true_rule, 1),
        &w,
    )
    .unwrap();
    println!(
        "theta {:?} elbo {} {}",
        found.fit.theta,
        found.elbo.value(),
        found.elbo.error
    );
    for i in 0..a.len() {
        println!(
            "{i}: {:.4} {:.4} d {:.4} mean {:.3?} chol {:.3?}",
            a[i],
            b[i],
            a[i] - b[i],
            found.q[i].mean,
            found.q[i].chol
        );
        for l in &found.flows[i] {
            println!("      {:.3?}", l.numbers());
        }
    }
}
#[test]
fn debug() {
    look(&counts(), 128);
    look(&pharmacokinetics::problem(), 128);
}
