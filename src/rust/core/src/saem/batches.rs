//! Choose the batches of levels that an iteration draws for.

use super::options::UpdateSchedule;
use crate::error::Result;
use crate::problem::Joint;
use crate::random::{Purpose, Stream};

/// The batches of iteration `k`, in increasing order; `None` stands for all. `ask` is the user's function.
///
/// # Errors
/// The user's function fails.
pub fn choose(
    schedule: UpdateSchedule,
    n: usize,
    (k, seed): (usize, u64),
    ask: impl FnOnce() -> Result<Vec<usize>>,
) -> Result<Option<Vec<usize>>> {
    match schedule {
        UpdateSchedule::All => Ok(None),
        UpdateSchedule::Minibatch(m) if m >= n => Ok(None),
        UpdateSchedule::Minibatch(m) => Ok(Some(drawn(m, n, k, seed))),
        UpdateSchedule::Function => ask().map(Some),
    }
}

/// For every grouping which of its levels are in the chosen batches.
pub fn levels(joint: &Joint, chosen: &[usize]) -> Vec<Vec<bool>> {
    let mut taken = vec![false; joint.n_batches];
    for b in chosen {
        taken[*b] = true;
    }
    let each = joint.batches.iter();
    each.map(|batches| batches.iter().map(|b| taken[*b]).collect())
        .collect()
}

/// `m` of `n` batches without replacement: those with the smallest of `n` uniform numbers.
fn drawn(m: usize, n: usize, k: usize, seed: u64) -> Vec<usize> {
    let stream = Stream {
        seed,
        purpose: Purpose::Minibatch,
    };
    let iteration = u32::try_from(k).unwrap_or(u32::MAX);
    let mut chosen = stream.order(n, iteration);
    chosen.truncate(m);
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_22_a_minibatch_has_distinct_batches_and_covers_all_in_time() {
        let mut seen = [0usize; 7];
        for k in 1..=700 {
            let chosen = choose(UpdateSchedule::Minibatch(2), 7, (k, 1), || Ok(vec![])).unwrap();
            let chosen = chosen.unwrap();
            assert!(chosen.len() == 2 && chosen[0] < chosen[1], "{chosen:?}");
            for b in chosen {
                seen[b] += 1;
            }
        }
        // 200 expected, standard deviation 12.
        assert!(seen.iter().all(|n| (150..250).contains(n)), "{seen:?}");
        let all = choose(UpdateSchedule::Minibatch(9), 7, (1, 1), || Ok(vec![])).unwrap();
        assert_eq!(all, None);
    }
}
