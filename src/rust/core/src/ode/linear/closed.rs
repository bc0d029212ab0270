//! Write the course of linear states in closed form, component after component.
//!
//! A state is `sum_j D(p_j) v_j`: divided differences of the exponential over rates, times vectors of the values when
//! the segment began. What flows from a component into the next adds the rates of that one to the points (a
//! convolution), and multiplies the vectors by Newton's basis of it.

use std::collections::BTreeMap;

use super::coefficient::Coefficient;
use super::detect::LinearRow;
use super::divided::{Divided, MOST_POINTS};
use super::spectrum::{spectrum, CoefficientMatrix, RateSpectrum};
use super::structure::StrongComponent;
use crate::ir::graph::{Graph, Node};
use crate::ode::tangent::narrow;

/// `D(points) * values`, the first `ascending` points being sorted.
#[derive(Debug, Clone)]
struct DividedTerm {
    points: Vec<Node>,
    ascending: usize,
    values: BTreeMap<usize, Node>,
}

/// Courses of the states that have a closed form.
pub struct Closed<'a> {
    pub g: &'a mut Graph,
    pub rows: &'a BTreeMap<usize, LinearRow>,
    /// What flows in at a constant rate, by state; absent: nothing.
    pub inputs: &'a BTreeMap<usize, Node>,
    pub divided: Divided,
    terms: BTreeMap<usize, Vec<DividedTerm>>,
}

impl<'a> Closed<'a> {
    pub fn new(
        g: &'a mut Graph,
        rows: &'a BTreeMap<usize, LinearRow>,
        inputs: &'a BTreeMap<usize, Node>,
        time: Node,
    ) -> Self {
        Self {
            g,
            rows,
            inputs,
            divided: Divided::new(time),
            terms: BTreeMap::new(),
        }
    }

    /// Values of the component's states after the time; `None` if it, or what it reads, has no closed form.
    pub fn flow(&mut self, component: &StrongComponent) -> Option<Vec<Node>> {
        let states = &component.states;
        let known = component.above.iter().all(|l| self.terms.contains_key(l));
        let block: CoefficientMatrix = states
            .iter()
            .map(|k| states.iter().map(|l| self.coefficient(*k, *l)).collect())
            .collect();
        let found = known.then(|| spectrum(self.g, &block)).flatten()?;
        let mut terms = self.own_terms(states, &found);
        for source in self.sources(states) {
            terms.extend(self.driven_terms(states, &found, &source)?);
        }
        let terms = self.merged(terms);
        if terms.iter().any(|term| term.points.len() > MOST_POINTS) {
            return None;
        }
        let flows = states.iter().map(|k| self.sum(&terms, *k)).collect();
        for k in states {
            self.terms.insert(*k, terms.clone());
        }
        Some(flows)
    }

    fn coefficient(&self, k: usize, l: usize) -> Coefficient {
        self.rows[&k].terms.get(&l).cloned().unwrap_or_default()
    }

    /// What the values at the beginning and constant inputs leave.
    fn own_terms(&mut self, states: &[usize], found: &RateSpectrum) -> Vec<DividedTerm> {
        let nothing = DividedTerm {
            points: Vec::new(),
            ascending: 0,
            values: BTreeMap::new(),
        };
        let mut start = nothing.clone();
        for k in states {
            let leaf = self.g.state(narrow(*k));
            start.values.insert(*k, leaf);
        }
        let mut input = nothing;
        input.points.push(self.g.constant(0.0));
        let given = states
            .iter()
            .filter_map(|k| Some((*k, *self.inputs.get(k)?)));
        input.values = given.collect();
        let mut terms = self.convolved(states, found, &start);
        if !input.values.is_empty() {
            terms.extend(self.convolved(states, found, &input));
        }
        terms
    }

    /// Components that these states read, as their terms.
    fn sources(&self, states: &[usize]) -> Vec<DividedTerm> {
        let mut read: Vec<usize> = states
            .iter()
            .flat_map(|k| self.rows[k].terms.keys().copied())
            .filter(|l| !states.contains(l))
            .collect();
        read.sort_unstable();
        read.dedup();
        let mut sources = Vec::new();
        for l in read {
            for term in self.terms.get(&l).into_iter().flatten() {
                let mut only = term.clone();
                only.values.retain(|k, _| *k == l);
                sources.push(only);
            }
        }
        sources
    }

    fn driven_terms(
        &mut self,
        states: &[usize],
        found: &RateSpectrum,
        source: &DividedTerm,
    ) -> Option<Vec<DividedTerm>> {
        let mut into = source.clone();
        into.values.clear();
        for (l, value) in &source.values {
            for k in states {
                let flow = self.coefficient(*k, *l);
                if !flow.is_zero() {
                    let flow = flow.node(self.g);
                    let product = self.g.mul(flow, *value);
                    into.values.insert(*k, product);
                }
            }
        }
        (into.points.len() < MOST_POINTS).then(|| self.convolved(states, found, &into))
    }

    /// `source` through the component: for each element of Newton's basis the points of the source and the largest rates.
    fn convolved(
        &mut self,
        states: &[usize],
        found: &RateSpectrum,
        source: &DividedTerm,
    ) -> Vec<DividedTerm> {
        let mut terms = Vec::new();
        for (k, basis) in found.basis.iter().enumerate() {
            let rates = &found.rates[found.rates.len() - 1 - k..];
            let mut values = BTreeMap::new();
            for (i, state) in states.iter().enumerate() {
                let at = |l: &usize| states.iter().position(|s| s == l);
                let factors = source
                    .values
                    .iter()
                    .filter_map(|(l, value)| Some((at(l)?, *value)));
                let products: Vec<Node> = factors
                    .map(|(j, value)| self.g.mul(basis[i][j], value))
                    .collect();
                let sum = self.g.sum(&products);
                if self.g.as_constant(sum) != Some(0.0) {
                    values.insert(*state, sum);
                }
            }
            if !values.is_empty() {
                let (points, ascending) = joined(source, rates);
                terms.push(DividedTerm {
                    points,
                    ascending,
                    values,
                });
            }
        }
        terms
    }

    /// Terms over the same points are added.
    fn merged(&mut self, terms: Vec<DividedTerm>) -> Vec<DividedTerm> {
        let mut merged: Vec<DividedTerm> = Vec::new();
        for term in terms {
            match merged.iter_mut().find(|known| known.points == term.points) {
                None => merged.push(term),
                Some(known) => {
                    for (k, value) in term.values {
                        let sum = match known.values.get(&k) {
                            Some(there) => self.g.add(*there, value),
                            None => value,
                        };
                        known.values.insert(k, sum);
                    }
                }
            }
        }
        merged
    }

    fn sum(&mut self, terms: &[DividedTerm], k: usize) -> Node {
        let mut sum = self.g.constant(0.0);
        for term in terms {
            if let Some(value) = term.values.get(&k) {
                let over = self.divided.over(self.g, &term.points, term.ascending);
                let product = self.g.mul(over, *value);
                sum = self.g.add(sum, product);
            }
        }
        sum
    }
}

/// Points of both, the longer sorted list first.
fn joined(source: &DividedTerm, rates: &[Node]) -> (Vec<Node>, usize) {
    let sorted = rates.len().max(source.ascending);
    let mut points = rates.to_vec();
    if source.ascending > rates.len() {
        points = source.points.clone();
        points.extend(rates);
    } else {
        points.extend(&source.points);
    }
    if points.len() == 2 && sorted < 2 {
        points.sort_unstable();
    }
    (points, sorted)
}
