//! A random intercept in a balanced layout, whose likelihood has its maximum in closed form.

use super::data::{Data, Generator};

pub const MODEL: &str = "
    fixed m = 0
    fixed o = positive(1)
    fixed s = positive(1)
    random b ~ normal(0, o) | id
    y ~ normal(m + b, s)";

/// 30 subjects with 4 observations each.
pub fn data() -> Data {
    let mut draw = Generator(21);
    let effects: Vec<f64> = (0..30).map(|_| 1.5 * draw.normal()).collect();
    Data::new(30, |_| 4).with("y", |_, i| 3.0 + effects[i] + 0.8 * draw.normal())
}

/// Maximum likelihood in a balanced layout: grand mean, within and between mean squares.
pub fn maximum(data: &Data) -> [f64; 3] {
    let y = data.column("y");
    let (n, m) = (30.0, 4.0);
    let grand = y.iter().sum::<f64>() / (n * m);
    let means: Vec<f64> = y
        .chunks(4)
        .map(|rows| rows.iter().sum::<f64>() / m)
        .collect();
    let rows = y.iter().enumerate();
    let within: f64 = rows.map(|(r, y)| (y - means[r / 4]).powi(2)).sum();
    let between: f64 = means.iter().map(|mean| m * (mean - grand).powi(2)).sum();
    let residual = within / (n * (m - 1.0));
    let effect = (between / n - residual) / m;
    [grand, 0.5 * effect.ln(), 0.5 * residual.ln()]
}
