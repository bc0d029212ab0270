//! Draw the outcomes of a subject that follow a Markov chain, row after row.

use rand::Rng;
use rand_distr::{Distribution, Open01};

use super::Family;

/// What is needed to draw: the arguments of an outcome at a row are the transition into it (`k x k`, row-major, row
/// the state before), the distribution before the first row (`k`), then the arguments of the emissions, state by state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub n_states: usize,
    /// Family and number of arguments of each emission; empty where the state itself is the outcome.
    pub emissions: Vec<(&'static Family, usize)>,
}

impl Chain {
    /// Number of arguments at a row.
    pub fn n_arguments(&self) -> usize {
        let k = self.n_states;
        k * k + k + self.emissions.iter().map(|(_, n)| n).sum::<usize>()
    }

    /// Draw the series of one subject; `rows`: the arguments at each of its rows, in the order of time. An observed state
    /// counts from one.
    pub fn draw(&self, rows: &[Vec<f64>], rng: &mut dyn Rng) -> Vec<f64> {
        let k = self.n_states;
        let mut state = rows
            .first()
            .map_or(0, |arguments| category(&arguments[k * k..k * k + k], rng));
        rows.iter()
            .map(|arguments| {
                state = category(&arguments[state * k..state * k + k], rng);
                match self.emission(state, arguments) {
                    Some((family, own)) => family.draw(own, rng),
                    None => (state + 1) as f64,
                }
            })
            .collect()
    }

    fn emission<'a>(
        &self,
        state: usize,
        arguments: &'a [f64],
    ) -> Option<(&'static Family, &'a [f64])> {
        let (family, n) = self.emissions.get(state)?;
        let before: usize = self.emissions[..state].iter().map(|(_, n)| n).sum();
        let first = self.n_states * (self.n_states + 1) + before;
        Some((family, &arguments[first..first + n]))
    }
}

/// A category, from zero.
fn category(probabilities: &[f64], rng: &mut dyn Rng) -> usize {
    let total: f64 = probabilities.iter().sum();
    let uniform: f64 = Open01.sample(rng);
    let mut below = 0.0;
    let found = probabilities.iter().position(|p| {
        below += p;
        uniform * total < below
    });
    found.unwrap_or(probabilities.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_philox::Philox;

    fn rng() -> Philox {
        Philox::from_u64_seed(1)
    }

    #[test]
    fn the_state_is_propagated_before_the_first_outcome() {
        let chain = Chain {
            n_states: 2,
            emissions: Vec::new(),
        };
        let rows = vec![vec![0.0, 1.0, 1.0, 0.0, 1.0, 0.0]; 4];
        assert_eq!(chain.draw(&rows, &mut rng()), [2.0, 1.0, 2.0, 1.0]);
    }

    #[test]
    fn each_state_has_its_own_arguments() {
        let normal = |n| (&super::super::normal::FAMILY, n);
        let chain = Chain {
            n_states: 3,
            emissions: vec![(&super::super::poisson::FAMILY, 1), normal(2), normal(2)],
        };
        let stay = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let row = |first: [f64; 3]| [&stay[..], &first, &[0.0, 6.0, 0.0, 7.0, 0.0]].concat();
        assert_eq!(row([0.0; 3]).len(), chain.n_arguments());
        let draw = |first| chain.draw(&[row(first)], &mut rng())[0];
        assert_eq!(draw([1.0, 0.0, 0.0]), 0.0);
        assert_eq!(draw([0.0, 1.0, 0.0]), 6.0);
        assert_eq!(draw([0.0, 0.0, 1.0]), 7.0);
    }

    /// Shares of the states after each state, to four standard errors.
    #[test]
    fn states_follow_each_other_with_their_probabilities() {
        let chain = Chain {
            n_states: 2,
            emissions: Vec::new(),
        };
        let drawn = chain.draw(
            &vec![vec![0.9, 0.1, 0.3, 0.7, 0.5, 0.5]; 20_000],
            &mut rng(),
        );
        for (state, p) in [(1.0, 0.1), (2.0, 0.7)] {
            let after: Vec<f64> = drawn
                .windows(2)
                .filter(|pair| pair[0] == state)
                .map(|pair| pair[1] - 1.0)
                .collect();
            let n = after.len() as f64;
            let share = after.iter().sum::<f64>() / n;
            assert!(
                (share - p).abs() < 4.0 * (p * (1.0 - p) / n).sqrt(),
                "{share} {p}"
            );
        }
    }
}
