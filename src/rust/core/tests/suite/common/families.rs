//! List the families of outcomes with their formulas, means, and where their values lie.

use nlmers_core::ir::vmath::{gamma, lgamma, pnorm};

pub fn lg(x: f64) -> f64 {
    lgamma::<false>(x)
}

pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Where the outcome lives, as a transform of a number near zero.
#[derive(Clone, Copy)]
pub enum Space {
    Line,
    Half,
    Unit,
    Whole { from: usize, to: usize },
}

pub struct Family {
    /// The statement in `A`, `B`, `C` of `PARAMETERS`.
    pub statement: &'static str,
    /// Log density at `y` given `A`, `B`, `C`.
    pub log_density: fn(f64, [f64; 3]) -> f64,
    pub mean: Option<fn([f64; 3]) -> f64>,
    pub space: Space,
    /// Error of the integrals: more where the density has a kink.
    pub tolerance: f64,
}

pub const PARAMETERS: &str = "
    fixed th = 0.4
    fixed o = positive(0.5, 0.5, 0.5)
    random e ~ normal(0, o) | id
    A <- exp(th + sin(e[1]))
    B <- exp(sin(e[2]) - 0.3)
    C <- 0.8 + sin(e[3])";

pub fn arguments(theta: f64, phi: [f64; 3]) -> [f64; 3] {
    // The sine keeps the program from changing the variable to mean + effect.
    let [a, b, c] = phi.map(f64::sin);
    [(theta + a).exp(), (b - 0.3).exp(), 0.8 + c]
}

pub fn continuous() -> Vec<Family> {
    let family = |statement, log_density, mean, space| Family {
        statement,
        log_density,
        mean,
        space,
        tolerance: if statement == "laplace(C, A)" {
            1e-3
        } else {
            1e-7
        },
    };
    vec![
        family(
            "student_t(4 + A, C, B)",
            |y, [a, b, c]| {
                let (df, z) = (4.0 + a, (y - c) / b);
                lg((df + 1.0) / 2.0)
                    - lg(df / 2.0)
                    - 0.5 * (df * std::f64::consts::PI).ln()
                    - b.ln()
                    - (df + 1.0) / 2.0 * (z * z / df).ln_1p()
            },
            Some(|[_, _, c]| c),
            Space::Line,
        ),
        family(
            "laplace(C, A)",
            |y, [a, _, c]| -(y - c).abs() / a - (2.0 * a).ln(),
            Some(|[_, _, c]| c),
            Space::Line,
        ),
        family(
            "logistic(C, A)",
            |y, [a, _, c]| {
                let z = (y - c) / a;
                logistic(z).ln() + logistic(-z).ln() - a.ln()
            },
            Some(|[_, _, c]| c),
            Space::Line,
        ),
        family(
            "gamma(A, B)",
            |y, [a, b, _]| (a - 1.0) * y.ln() - y / b - a * b.ln() - lg(a),
            Some(|[a, b, _]| a * b),
            Space::Half,
        ),
        family(
            "exponential(A)",
            |y, [a, _, _]| -y / a - a.ln(),
            Some(|[a, _, _]| a),
            Space::Half,
        ),
        family(
            "weibull(A, B)",
            |y, [a, b, _]| (a / b * (y / b).powf(a - 1.0)).ln() - (y / b).powf(a),
            Some(|[a, b, _]| b * gamma::<false>(1.0 + 1.0 / a)),
            Space::Half,
        ),
        family(
            "beta(A, 1 + B)",
            |y, [a, b, _]| {
                (a - 1.0) * y.ln() + b * (1.0 - y).ln() + lg(a + b + 1.0) - lg(a) - lg(b + 1.0)
            },
            Some(|[a, b, _]| a / (a + b + 1.0)),
            Space::Unit,
        ),
    ]
}

/// `log N(h(y); h(m), s) + ln h'(y)`
fn moved(h: impl Fn(f64) -> f64, slope: f64, y: f64, m: f64, s: f64) -> f64 {
    let z = (h(y) - h(m)) / s;
    -0.5 * z * z - s.ln() - 0.5 * (2.0 * std::f64::consts::PI).ln() + slope.ln()
}

/// The normal quantile by bisection, from the tail in which `p` lies.
fn quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    let (mut low, mut high) = (-40.0, 0.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if pnorm::<false>(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Families that are normal on another scale; `th` is 0.4.
pub fn transformed() -> Vec<Family> {
    let family = |statement, log_density, space| Family {
        statement,
        log_density,
        mean: None,
        space,
        // The density of yeo_johnson() has a kink at 0.
        tolerance: if matches!(space, Space::Line) {
            1e-3
        } else {
            1e-7
        },
    };
    vec![
        family(
            "box_cox(A, 0.2 * B, th)",
            |y, [a, b, _]| {
                let h = |x: f64| (x.powf(0.4) - 1.0) / 0.4;
                moved(h, y.powf(-0.6), y, a, 0.2 * b)
            },
            Space::Half,
        ),
        family(
            "yeo_johnson(C, 0.5 * B, 2 * th)",
            |y, [_, b, c]| {
                let h = |x: f64| {
                    if x < 0.0 {
                        -((1.0 - x).powf(1.2) - 1.0) / 1.2
                    } else {
                        ((1.0 + x).powf(0.8) - 1.0) / 0.8
                    }
                };
                let slope = (1.0 + y.abs()).powf(if y < 0.0 { 0.2 } else { -0.2 });
                moved(h, slope, y, c, 0.5 * b)
            },
            Space::Line,
        ),
        family(
            "logit_normal(plogis(C), B)",
            |y, [_, b, c]| {
                let h = |x: f64| (x / (1.0 - x)).ln();
                moved(h, 1.0 / (y * (1.0 - y)), y, logistic(c), b)
            },
            Space::Unit,
        ),
        family(
            "probit_normal(plogis(C), B)",
            |y, [_, b, c]| {
                let density =
                    (-0.5 * quantile(y).powi(2)).exp() / (2.0 * std::f64::consts::PI).sqrt();
                moved(quantile, 1.0 / density, y, logistic(c), b)
            },
            Space::Unit,
        ),
    ]
}

fn choose(n: f64, y: f64) -> f64 {
    lg(n + 1.0) - lg(y + 1.0) - lg(n - y + 1.0)
}

pub fn discrete() -> Vec<Family> {
    let family = |statement, log_density, mean, to| Family {
        statement,
        log_density,
        mean,
        space: Space::Whole {
            from: usize::from(statement.starts_with('c') || statement.starts_with('o')),
            to,
        },
        tolerance: 1e-9,
    };
    vec![
        family(
            "poisson(A)",
            |y, [a, _, _]| y * a.ln() - a - lg(y + 1.0),
            Some(|[a, _, _]| a),
            60,
        ),
        family(
            "bernoulli(plogis(C))",
            |y, [_, _, c]| (if y == 1.0 { logistic(c) } else { logistic(-c) }).ln(),
            Some(|[_, _, c]| logistic(c)),
            1,
        ),
        family(
            "binomial(9, plogis(C))",
            |y, [_, _, c]| choose(9.0, y) + y * logistic(c).ln() + (9.0 - y) * logistic(-c).ln(),
            Some(|[_, _, c]| 9.0 * logistic(c)),
            9,
        ),
        family(
            "binomial(9, 0.1 * A)",
            |y, [a, _, _]| choose(9.0, y) + y * (0.1 * a).ln() + (9.0 - y) * (1.0 - 0.1 * a).ln(),
            Some(|[a, _, _]| 0.9 * a),
            9,
        ),
        family(
            "neg_binomial(A, 1.7)",
            |y, [a, _, _]| {
                lg(y + 1.7) - lg(1.7) - lg(y + 1.0)
                    + 1.7 * (1.7 / (1.7 + a)).ln()
                    + y * (a / (1.7 + a)).ln()
            },
            Some(|[a, _, _]| a),
            200,
        ),
        family(
            "categorical(c(A, 2 * B, 1))",
            |y, [a, b, _]| [a, 2.0 * b, 1.0][y as usize - 1].ln() - (a + 2.0 * b + 1.0).ln(),
            None,
            3,
        ),
        family(
            "ordered(C, c(-1, -1 + A, -1 + A + B))",
            |y, [a, b, c]| {
                let cuts = [f64::NEG_INFINITY, -1.0, a - 1.0, a + b - 1.0, f64::INFINITY];
                let k = y as usize;
                (logistic(cuts[k] - c) - logistic(cuts[k - 1] - c)).ln()
            },
            Some(|[a, b, c]| {
                [-1.0, a - 1.0, a + b - 1.0]
                    .iter()
                    .map(|cut| logistic(c - cut))
                    .sum::<f64>()
                    + 1.0
            }),
            4,
        ),
        family(
            "ordered(C, B)",
            |y, [_, b, c]| logistic((b - c) * (3.0 - 2.0 * y)).ln(),
            None,
            2,
        ),
    ]
}

pub fn families() -> Vec<Family> {
    let all = continuous().into_iter().chain(transformed());
    all.chain(discrete()).collect()
}

/// Values of the outcome and their weights in a sum that stands for the integral.
pub fn grid(space: Space) -> (Vec<f64>, Vec<f64>) {
    // The kink at 0.8 lies in the middle between two points.
    let steps = |h: f64, n: i32| (-n..=n).map(move |k| f64::from(k) * h);
    match space {
        Space::Line => steps(0.02, 700)
            .map(|t| t + 0.01)
            .map(|t| (0.8 + t.sinh(), 0.02 * t.cosh()))
            .unzip(),
        Space::Half => steps(0.04, 1500).map(|t| (t.exp(), 0.04 * t.exp())).unzip(),
        Space::Unit => steps(0.02, 1700)
            .map(|t| (logistic(t), 0.02 * logistic(t) * logistic(-t)))
            .filter(|(y, _)| *y < 1.0)
            .unzip(),
        Space::Whole { from, to } => (from..=to).map(|k| (k as f64, 1.0)).unzip(),
    }
}
