//! Evaluate the target and its gradient in `phi`: `log p(y_i | phi) + log N(phi; m_i, Omega)`.

use super::{Context, LaneDraws};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::per_isa;

impl Context<'_> {
    /// Log-likelihood and log prior at `phi`; the gradient of their sum is written to `slope`, one column a coordinate.
    /// All are NaN when nobody prepared the derivatives.
    pub(super) fn slope(
        &self,
        state: &mut LaneDraws,
        phi: &[Column],
        slope: &mut [Column],
    ) -> (Column, Column) {
        let Some(slopes) = self.slopes else {
            let nothing = Column::splat(f64::NAN);
            slope.fill(nothing);
            return (nothing, nothing);
        };
        let log_lik = slopes.gradient_phi(state.block, phi, slope, &mut state.scratch);
        let log_prior = self.prior.log_density(self.isa, phi, &state.mean);
        pull(
            self.isa,
            self.prior.precision.as_slice(),
            phi,
            &state.mean,
            slope,
        );
        (log_lik, log_prior)
    }
}

#[inline(always)]
fn pull_body<const FMA: bool>(
    precision: &[f64],
    phi: &[Column],
    mean: &[Column],
    slope: &mut [Column],
) {
    let d = phi.len();
    for i in 0..d {
        for j in 0..d {
            let weight = precision[i * d + j];
            for l in 0..LANES {
                slope[i].0[l] -= weight * (phi[j].0[l] - mean[j].0[l]);
            }
        }
    }
}

per_isa! {
    /// Add the gradient of `log N(phi; mean, Omega)`.
    fn pull(precision: &[f64], phi: &[Column], mean: &[Column], slope: &mut [Column])
        = pull_body, fused;
}
