//! Hold the coefficients of Tsitouras' pair of orders 5 and 4.
//!
//! `Y_s = y + h sum a_sj k_j`, `k_s = f(t + c_s h, Y_s)`; the last stage is the new value, whose derivative is the first
//! one of the next step. `sum E_s k_s` estimates the local error, `y + h sum b_s(theta) k_s` the solution at `t + theta h`
//! to fourth order. Tsitouras (2011), Computers & Mathematics with Applications 62, 770-775.

use crate::ir::vmath::double::horner;

pub const STAGES: usize = 7;

pub const C: [f64; STAGES] = [0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0];

/// Row `s`: what stage `s` takes of the derivatives before it.
pub const A: [[f64; 6]; STAGES] = [
    [0.0; 6],
    [0.161, 0.0, 0.0, 0.0, 0.0, 0.0],
    [-0.008480655492356989, 0.335480655492357, 0.0, 0.0, 0.0, 0.0],
    [
        2.8971530571054935,
        -6.359448489975075,
        4.3622954328695815,
        0.0,
        0.0,
        0.0,
    ],
    [
        5.325864828439257,
        -11.748883564062828,
        7.4955393428898365,
        -0.09249506636175525,
        0.0,
        0.0,
    ],
    [
        5.86145544294642,
        -12.92096931784711,
        8.159367898576159,
        -0.071584973281401,
        -0.028269050394068383,
        0.0,
    ],
    [
        0.09646076681806523,
        0.01,
        0.4798896504144996,
        1.379008574103742,
        -3.290069515436081,
        2.324710524099774,
    ],
];

pub const E: [f64; STAGES] = [
    -0.001780011052225777,
    -0.0008164344596567469,
    0.007880878010261995,
    -0.1447110071732629,
    0.5823571654525552,
    -0.45808210592918697,
    1.0 / 66.0,
];

/// Coefficients of `theta`, `theta^2`, `theta^3`, `theta^4` in the weight of each stage.
pub const DENSE: [[f64; 4]; STAGES] = [
    [
        1.0,
        -2.763706197274826,
        2.9132554618219126,
        -1.0530884977290216,
    ],
    [0.0, 0.13169999999999998, -0.2234, 0.1017],
    [
        0.0,
        3.9302962368947516,
        -5.941033872131505,
        2.490627285651253,
    ],
    [
        0.0,
        -12.411077166933676,
        30.33818863028232,
        -16.548102889244902,
    ],
    [0.0, 37.50931341651104, -88.1789048947664, 47.37952196281928],
    [
        0.0,
        -27.896526289197286,
        65.09189467479366,
        -34.87065786149661,
    ],
    [0.0, 1.5, -4.0, 2.5],
];

/// The weight of stage `s` at `theta`.
#[inline(always)]
pub fn weight<const FMA: bool>(s: usize, theta: f64) -> f64 {
    let [a, b, c, d] = DENSE[s];
    theta * horner::<FMA, 4>(theta, &[d, c, b, a])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(s: usize, j: usize) -> f64 {
        A[s].get(j).copied().unwrap_or(0.0)
    }

    fn sum(f: impl Fn(usize) -> f64) -> f64 {
        (0..STAGES).map(f).sum()
    }

    fn near(x: f64, y: f64, what: &str) {
        assert!((x - y).abs() < 2e-14, "{what}: {x} {y}");
    }

    #[test]
    fn rows_add_up_to_their_times() {
        for s in 0..STAGES {
            near(sum(|j| a(s, j)), C[s], "row");
        }
    }

    /// The seventeen conditions of order five (Hairer, Norsett & Wanner 1993, table II.2.2) for the weights of the last
    /// row, those up to order four for the dense output.
    #[test]
    fn weights_have_their_orders() {
        let ac = |s: usize, p: i32| sum(|j| a(s, j) * C[j].powi(p));
        let aac = |s: usize, p: i32| sum(|j| a(s, j) * ac(j, p));
        let conditions = |b: &dyn Fn(usize) -> f64| {
            [
                sum(b),
                sum(|s| b(s) * C[s]),
                sum(|s| b(s) * C[s].powi(2)),
                sum(|s| b(s) * ac(s, 1)),
                sum(|s| b(s) * C[s].powi(3)),
                sum(|s| b(s) * C[s] * ac(s, 1)),
                sum(|s| b(s) * ac(s, 2)),
                sum(|s| b(s) * aac(s, 1)),
                sum(|s| b(s) * C[s].powi(4)),
                sum(|s| b(s) * C[s].powi(2) * ac(s, 1)),
                sum(|s| b(s) * C[s] * ac(s, 2)),
                sum(|s| b(s) * C[s] * aac(s, 1)),
                sum(|s| b(s) * ac(s, 1).powi(2)),
                sum(|s| b(s) * ac(s, 3)),
                sum(|s| b(s) * sum(|j| a(s, j) * C[j] * ac(j, 1))),
                sum(|s| b(s) * aac(s, 2)),
                sum(|s| b(s) * sum(|j| a(s, j) * aac(j, 1))),
            ]
        };
        let gamma = [
            1.0, 2.0, 3.0, 6.0, 4.0, 8.0, 12.0, 24.0, 5.0, 10.0, 15.0, 30.0, 20.0, 20.0, 40.0,
            60.0, 120.0,
        ];
        let order = [1, 2, 3, 3, 4, 4, 4, 4];
        for (found, gamma) in conditions(&|s| a(6, s)).iter().zip(gamma) {
            near(*found, 1.0 / gamma, "order five");
        }
        for theta in [0.2, 0.7, 1.0] {
            let dense = conditions(&|s| weight::<false>(s, theta));
            for ((found, gamma), order) in dense.iter().zip(gamma).zip(order) {
                near(*found, f64::powi(theta, order) / gamma, "dense output");
            }
        }
        for (found, _) in conditions(&|s| E[s]).iter().zip(order) {
            near(*found, 0.0, "error estimate");
        }
    }

    /// At the end of a step the dense output is the new value with its derivative.
    #[test]
    fn dense_output_meets_the_step() {
        for s in 0..STAGES {
            near(weight::<true>(s, 1.0), a(6, s), "value");
            let [p, q, r, t] = DENSE[s];
            let slope = p + 2.0 * q + 3.0 * r + 4.0 * t;
            near(slope, f64::from(u8::from(s == 6)), "slope");
        }
    }
}
