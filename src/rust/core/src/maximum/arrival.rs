//! Bring an estimate to the maximum.

use super::arrive::{MaximumSearch, Watch};
use super::findings::Arrival;
use super::look::Look;
use super::sense;
use super::stance::Stance;
use super::zero::{spreads, SpreadCoordinate};
use crate::error::Result;
use crate::inference::posterior::BatchPosteriors;

/// Turns of climbs and of trials with variances at 0 or above.
const TURNS: usize = 5;

/// Log-likelihood by which a place is another, where a variance that has left 0 and went back is asked again.
const ELSEWHERE: f64 = 2.0;

/// Where a search stands.
pub struct SearchPoint {
    pub look: Look,
    pub stance: Stance,
    pub spreads: Vec<SpreadCoordinate>,
    /// Which variances are 0, and the log-likelihood where they have last left it.
    pub zero: Vec<bool>,
    revived: Vec<f64>,
    round: usize,
}

impl MaximumSearch<'_> {
    /// Judge `theta` and go on from it; `q`: distributions of the effects to start from.
    ///
    /// # Errors
    /// A population distribution that does not exist, a batch without any draw of finite density, too many parameters.
    pub fn arrive(&self, theta: &[f64], q: &BatchPosteriors, watch: &mut Watch) -> Result<Arrival> {
        let mut at = self.begin(theta, q)?;
        // A variance on its way to 0 gets there by ever shorter steps; far from the data all of them may be 0.
        if self.rounds > 0 && at.look.is_close() {
            self.lower(&mut at)?;
        }
        let (mut stopped, mut climbed) = (false, self.hurries);
        for _ in 0..TURNS {
            let search = self.of(&at.stance);
            // Of a likelihood that is another's the maximum is not searched.
            if sense::hidden(&search, &at.look).is_some() {
                break;
            }
            let hurried = search.hurried();
            (at.look, stopped) = hurried.go_on(at.look, &at.stance.bounds, &mut at.round, watch);
            if stopped || self.rounds == 0 {
                break;
            }
            // Climbs would follow errors of the solver.
            if !at.look.is_there() && sense::is_rough(&search, &at.look) {
                break;
            }
            if self.lower(&mut at)? || self.raise(&mut at)? {
                continue;
            }
            // Climbs cost most: what they could be needed for is settled first.
            if climbed || at.look.is_there() {
                break;
            }
            let search = self.of(&at.stance);
            (at.look, stopped) = search.go_on(at.look, &at.stance.bounds, &mut at.round, watch);
            climbed = true;
            if stopped {
                break;
            }
        }
        Ok(self.arrival(at, stopped))
    }

    /// The same without climbs.
    #[must_use]
    pub fn hurried(self) -> Self {
        Self {
            hurries: true,
            ..self
        }
    }

    fn begin(&self, theta: &[f64], q: &BatchPosteriors) -> Result<SearchPoint> {
        let spreads = spreads(self.joint);
        let zero: Vec<bool> = spreads.iter().map(|s| s.is_zero(theta)).collect();
        let round = 1;
        let stance = self.stance(theta, q, (&spreads, &zero))?;
        Ok(SearchPoint {
            look: self.look_from(&stance, theta, round)?,
            stance,
            revived: vec![f64::NEG_INFINITY; spreads.len()],
            spreads,
            zero,
            round,
        })
    }

    /// Set variances to 0 that the likelihood does not miss; whether there are any.
    fn lower(&self, at: &mut SearchPoint) -> Result<bool> {
        let (next, now) = self.vanish(&at.look, &at.spreads, &mut at.round);
        let some = now != at.zero;
        if some {
            at.zero = now;
            self.go_to(at, &next)?;
        }
        Ok(some)
    }

    /// Raise variances from 0 where the likelihood asks for it; whether there are any. One that has left 0 and goes back
    /// stays there, unless the estimates have gone to a much likelier place.
    fn raise(&self, at: &mut SearchPoint) -> Result<bool> {
        let value = at.look.log_lik();
        let each = at.zero.iter().zip(&at.revived);
        let mut shut: Vec<bool> = each
            .map(|(zero, revived)| *zero && value > revived + ELSEWHERE)
            .collect();
        let asked = shut.clone();
        let Some(next) = self.revive(&at.look, (&at.spreads, &mut shut), &mut at.round) else {
            return Ok(false);
        };
        for i in (0..shut.len()).filter(|i| asked[*i] && !shut[*i]) {
            at.revived[i] = value;
            at.zero[i] = false;
        }
        self.go_to(at, &next)?;
        Ok(true)
    }

    /// Other estimates: the form for them, and what draws of a new round say.
    fn go_to(&self, at: &mut SearchPoint, theta: &[f64]) -> Result<()> {
        at.round += 1;
        let q = self.laplace(theta, None)?;
        at.stance = self.stance(theta, &q, (&at.spreads, &at.zero))?;
        at.look = self.look_from(&at.stance, theta, at.round)?;
        Ok(())
    }

    fn look_from(&self, stance: &Stance, theta: &[f64], round: usize) -> Result<Look> {
        self.of(stance)
            .look(theta, &stance.q, &stance.bounds, round)
    }

    pub fn of<'s>(&'s self, stance: &'s Stance) -> MaximumSearch<'s> {
        MaximumSearch {
            joint: stance.joint.as_ref().unwrap_or(self.joint),
            penalty: &stance.penalty,
            absent: &stance.absent,
            ..*self
        }
    }
}
