//! Maximize by Adam (Kingma & Ba 2015, algorithm 1), the rate falling to zero over the iterations.

use super::scaled::Scaled;

const DECAY: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// `rate`: length of the first steps, in sizes of the coordinates.
pub fn run(scaled: &mut Scaled, rate: f64, maxiters: usize) {
    let n = scaled.len();
    let (mut first, mut second) = (vec![0.0; n], vec![0.0; n]);
    let mut z = scaled.best_z();
    let (mut first_decay, mut second_decay) = (1.0, 1.0);
    for t in 0..maxiters {
        let gradient = scaled.gradient(&z);
        let rate = rate * (1.0 - t as f64 / maxiters as f64);
        first_decay *= DECAY.0;
        second_decay *= DECAY.1;
        for k in 0..n {
            first[k] = DECAY.0 * first[k] + (1.0 - DECAY.0) * gradient[k];
            second[k] = DECAY.1 * second[k] + (1.0 - DECAY.1) * gradient[k] * gradient[k];
            let mean = first[k] / (1.0 - first_decay);
            let square = second[k] / (1.0 - second_decay);
            z[k] -= rate * mean / (square.sqrt() + EPSILON);
        }
        z = scaled.inside(&z);
        if scaled.cost(&z) == f64::MAX {
            // Nothing to go by here.
            z = scaled.best_z();
            first.fill(0.0);
        }
    }
}
