//! Split linear equations into components: states that read each other, directly or through others.

use std::collections::BTreeMap;

use super::detect::LinearRow;

/// States of one component, and all states outside that they read, directly or through others.
#[derive(Debug, Clone)]
pub struct StrongComponent {
    pub states: Vec<usize>,
    pub above: Vec<usize>,
}

/// All components, those that are read before those that read them.
pub fn components(rows: &BTreeMap<usize, LinearRow>) -> Vec<StrongComponent> {
    let reads = closure(rows);
    let mut found: Vec<StrongComponent> = Vec::new();
    for k in rows.keys() {
        if found.iter().any(|c| c.states.contains(k)) {
            continue;
        }
        let of = |l: &usize| l == k || (reads[k].contains(l) && reads[l].contains(k));
        found.push(StrongComponent {
            states: rows.keys().copied().filter(|l| of(l)).collect(),
            above: reads[k].iter().copied().filter(|l| !of(l)).collect(),
        });
    }
    // Who reads a component reads more than it.
    found.sort_by_key(|c| c.above.len());
    found
}

/// For each state the states it reads, directly or through others.
fn closure(rows: &BTreeMap<usize, LinearRow>) -> BTreeMap<usize, Vec<usize>> {
    let all = |k: &usize| {
        let mut seen: Vec<usize> = Vec::new();
        let mut pending = vec![*k];
        while let Some(at) = pending.pop() {
            for l in rows[&at].terms.keys() {
                if !seen.contains(l) {
                    seen.push(*l);
                    pending.push(*l);
                }
            }
        }
        seen.sort_unstable();
        seen
    };
    rows.keys().map(|k| (*k, all(k))).collect()
}
