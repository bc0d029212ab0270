use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::monitor::Silent;
use nlmers_core::problem::Joint;
use nlmers_core::request::{Columns, Request};
use nlmers_core::vem;
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let opts: vem::VemOptions = serde_json::from_str(&args[0]).unwrap();
    for case in &args[1..] {
        let dir = "/tmp/w/vemcases/";
        let text = std::fs::read_to_string(format!("{dir}{case}.json")).unwrap();
        let csv = std::fs::read_to_string(format!("{dir}{case}.csv")).unwrap();
        let mut lines = csv.lines();
        let names: Vec<String> = lines
            .next()
            .unwrap()
            .split(',')
            .map(|s| s.to_string())
            .collect();
        let mut columns: Columns = names.iter().map(|n| (n.clone(), vec![])).collect();
        for line in lines {
            for (c, v) in columns.iter_mut().zip(line.split(',')) {
                c.1.push(v.parse().unwrap_or(f64::NAN));
            }
        }
        let request = Request::parse(&text).unwrap();
        let model = request.compiled().unwrap();
        let frame = request.frame(columns).unwrap();
        let joint = Joint::new(&model, &frame, &request.given().unwrap()).unwrap();
        let nodes: usize = std::env::var("NODES")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(15);
        let mut times = vec![];
        let mut last = None;
        for _ in 0..3 {
            let t = Instant::now();
            last = Some(vem::fit(&joint, &opts, 1, 1, &Silent).unwrap());
            times.push(t.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let f = last.unwrap();
        let q = quadrature(joint.main(), &f.fit.theta, nodes).unwrap();
        let nat = nlmers_core::problem::natural(joint.model(), &f.fit.theta);
        println!("{case}: {:?} {:.1} ms  -2LL {:.4}  -2ELBO {:.4} (fit {:.4}, err {:.4})\n   {:?}\n   {:?}", f.fit.status, 1e3*times[1], -2.0*q.log_lik, -2.0*f.elbo.value(), -2.0*f.elbo.fitted, 2.0*f.elbo.error, nat, f.fit.evidence);
        let phases: std::collections::BTreeMap<&str, usize> =
            f.fit
                .trace
                .phase
                .iter()
                .fold(Default::default(), |mut m, p| {
                    *m.entry(*p).or_insert(0) += 1;
                    m
                });
        println!("   {phases:?}");
        if std::env::var("TRACE").is_ok() {
            for i in 0..f.fit.trace.len() {
                println!(
                    "     {} {:.6} {:?}",
                    f.fit.trace.phase[i],
                    -2.0 * f.fit.trace.objective[i],
                    f.fit.trace.theta[i]
                        .iter()
                        .map(|x| (x * 1e4).round() / 1e4)
                        .collect::<Vec<_>>()
                );
            }
        }
    }
}
