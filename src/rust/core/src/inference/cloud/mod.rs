//! Evaluate the model at several draws of the random effects of every batch.
//!
//! A draw `c` of batch `b` is `phi_bc`; quantities of draws stand at `b * copies + c`. Every draw is a lane in the layout of
//! each grouping; lanes that a batch shares are added up.

mod density;
mod moments;
mod scores;

use std::ops::Range;
use std::sync::Arc;

pub use moments::{BatchMoments, LevelMoments};
pub use scores::Scored;

use super::posterior::Batches;
use crate::data::Layout;
use crate::error::Result;
use crate::ir::column::{Column, LANES};
use crate::parallel::Workers;
use crate::problem::{DerivativeScratch, EffectDraws, Evaluator, Joint, Known, Prior};

/// The draws of all batches or of some, and the programs that read them.
pub struct Cloud<'a> {
    pub joint: &'a Joint,
    pub batches: Batches,
    /// Draws of each batch.
    pub copies: usize,
    layouts: &'a [Arc<Layout>],
    /// One a grouping.
    parts: Vec<Evaluator<'a>>,
    /// What each grouping's share of the log density is in its lanes, once it was asked for.
    said: Vec<Option<Vec<Column>>>,
    /// `[grouping][block][effect]`
    phi: Vec<Vec<Vec<Column>>>,
    /// For each grouping the batch of every level; none where its batch is not among them.
    levels: Vec<Vec<usize>>,
    /// For each grouping the first lane of every level; its copies follow.
    lanes: Vec<Vec<usize>>,
}

/// The number of a batch that is not among those of a cloud.
const NONE: usize = usize::MAX;

/// Layouts of `copies` draws, one a grouping.
pub fn layouts(joint: &Joint, copies: usize) -> Vec<Arc<Layout>> {
    let parts = joint.parts.iter();
    parts.map(|part| Arc::new(part.layout(copies))).collect()
}

/// The same for some of the batches: `members`, ascending.
pub fn layouts_of(joint: &Joint, members: &[usize], copies: usize) -> Vec<Arc<Layout>> {
    let parts = joint.parts.iter().zip(&joint.batches);
    parts
        .map(|(part, batches)| {
            let levels = batches.iter().enumerate();
            let wanted = levels.filter(|(_, batch)| members.binary_search(batch).is_ok());
            let wanted: Vec<usize> = wanted.map(|(level, _)| level).collect();
            part.layout_of(&wanted, copies)
        })
        .collect()
}

/// Log densities of the outcomes at every draw, and their gradient in the free effects of its batch: draw by draw, the
/// batches one after another.
#[derive(Debug, Clone, Default)]
pub struct DrawSlopes {
    pub log_lik: Vec<f64>,
    pub gradient: Vec<f64>,
}

impl<'a> Cloud<'a> {
    /// `layouts`: those of [`layouts`] for the same model; all draws stand at zero until [`Cloud::set`].
    ///
    /// # Errors
    /// A population distribution that does not exist at `theta`.
    pub fn new(joint: &'a Joint, layouts: &'a [Arc<Layout>], theta: &[f64]) -> Result<Self> {
        let numbers: Vec<usize> = (0..joint.n_batches).collect();
        Self::of((joint, layouts), &numbers, theta)
    }

    /// The same for some of the batches, which count as `0, 1, ..` here; `layouts`: those of [`layouts_of`].
    ///
    /// # Errors
    /// A population distribution that does not exist at `theta`.
    pub fn of(
        at: (&'a Joint, &'a [Arc<Layout>]),
        members: &[usize],
        theta: &[f64],
    ) -> Result<Self> {
        Ok(Self::at(at, members, theta, at.0.priors(theta)?))
    }

    /// The same at the `theta` of this cloud, of a model with the same population distribution.
    pub fn beside<'b>(&self, at: (&'b Joint, &'b [Arc<Layout>]), members: &[usize]) -> Cloud<'b> {
        let priors = self.parts.iter().map(|part| part.prior().clone());
        Cloud::at(at, members, self.theta(), priors.collect())
    }

    /// The same with the population distributions at `theta`.
    pub fn at(
        (joint, layouts): (&'a Joint, &'a [Arc<Layout>]),
        members: &[usize],
        theta: &[f64],
        priors: Vec<Prior>,
    ) -> Self {
        let parts = joint.parts.iter().zip(layouts).zip(priors);
        let parts = parts.map(|((part, layout), prior)| {
            let layout: &Layout = layout;
            Evaluator::of((part, layout), theta, prior)
        });
        let number = |batch: &usize| members.binary_search(batch).unwrap_or(NONE);
        let levels: Vec<Vec<usize>> = (joint.batches.iter())
            .map(|batches| batches.iter().map(number).collect())
            .collect();
        let mut cloud = Self {
            joint,
            batches: Batches::of(joint, members.len(), &levels),
            copies: layouts[0].copies,
            parts: parts.collect(),
            said: vec![None; joint.parts.len()],
            phi: Vec::new(),
            levels,
            lanes: layouts.iter().map(|layout| first_lanes(layout)).collect(),
            layouts,
        };
        cloud.phi = cloud.given();
        cloud
    }

    /// Columns with the given effects in their places, zero elsewhere.
    fn given(&self) -> Vec<Vec<Vec<Column>>> {
        let each = self.joint.parts.iter().zip(self.layouts);
        each.map(|(part, layout)| {
            let held = |b: usize| part.held_columns(layout, b);
            let zero = vec![Column::ZERO; part.n_phi()];
            let free = |x: f64| if x.is_nan() { 0.0 } else { x };
            let block = |b: usize| match held(b) {
                None => zero.clone(),
                Some(held) => held.iter().map(|k| Column(k.0.map(free))).collect(),
            };
            (0..layout.blocks.len()).map(block).collect()
        })
        .collect()
    }

    /// Position of the first effect of a draw among all effects of all draws.
    pub fn first(&self, batch: usize, copy: usize) -> usize {
        self.copies * self.batches.offsets[batch] + copy * self.batches.dim(batch)
    }

    /// Positions of the effects of all draws of a batch.
    pub fn effects(&self, batch: usize) -> Range<usize> {
        self.copies * self.batches.offsets[batch]..self.copies * self.batches.offsets[batch + 1]
    }

    /// Block and lane of a draw of a level.
    fn place(&self, group: usize, level: usize, copy: usize) -> (usize, usize) {
        let lane = self.lanes[group][level] + copy;
        (lane / LANES, lane % LANES)
    }

    /// Number of effects of all draws.
    pub fn n_effects(&self) -> usize {
        self.copies * self.batches.offsets[self.batches.len()]
    }

    /// Move the draws: `draws` holds the free effects of each draw, the draws of a batch one after another, then the
    /// next batch.
    pub fn set(&mut self, draws: &[f64]) {
        for (b, coordinates) in self.batches.coordinates.iter().enumerate() {
            for c in 0..self.copies {
                let first = self.first(b, c);
                let own = &draws[first..first + coordinates.len()];
                for (at, value) in coordinates.iter().zip(own) {
                    let (block, lane) = self.place(at.group, at.level, c);
                    self.phi[at.group][block][at.effect].0[lane] = *value;
                }
            }
        }
        for (layout, blocks) in self.layouts.iter().zip(&mut self.phi) {
            for (block, columns) in layout.blocks.iter().zip(blocks) {
                for column in columns {
                    let first = column.0[0];
                    column.0[block.lanes.len()..].fill(first);
                }
            }
        }
        self.said.fill(None);
        if self.joint.parts.len() > 1 {
            self.tell();
        }
    }

    /// The layout of a grouping and `phi` in its lanes, `[block][effect]`.
    pub fn lanes(&self, group: usize) -> (&Layout, &[Vec<Column>]) {
        (&self.layouts[group], &self.phi[group])
    }

    /// Give a grouping the columns that its programs read from outside.
    pub fn know(&mut self, group: usize, known: Vec<Known>) {
        self.parts[group].set_known(Arc::new(known));
        self.said[group] = None;
    }

    /// Let every grouping know the others' effects.
    fn tell(&mut self) {
        let mut known = Vec::new();
        for (part, layout) in self.joint.parts.iter().zip(self.layouts) {
            known.push(self.joint.known(part, layout, self));
        }
        for (group, known) in known.into_iter().enumerate() {
            self.know(group, known);
        }
    }

    /// Move the population parameters.
    ///
    /// # Errors
    /// A population distribution that does not exist there: then nothing has moved.
    pub fn set_theta(&mut self, theta: &[f64]) -> Result<()> {
        let priors = self.joint.priors(theta)?;
        for (part, prior) in self.parts.iter_mut().zip(priors) {
            part.set(theta, prior);
        }
        self.said.fill(None);
        Ok(())
    }

    /// The population parameters.
    pub fn theta(&self) -> &[f64] {
        self.parts[0].theta()
    }

    /// A grouping at the population parameters, given the others.
    pub fn part(&self, group: usize) -> &Evaluator<'a> {
        &self.parts[group]
    }

    /// `log p(y_b | phi_bc)`, with what effects that are not Gaussian add.
    pub fn log_lik(&mut self, workers: &Workers) -> Vec<f64> {
        let mut total = vec![0.0; self.batches.len() * self.copies];
        for g in 0..self.parts.len() {
            self.say(g, workers);
            self.add_up(g, self.said(g), &mut total);
        }
        total
    }

    /// Compute what the program of a grouping says in its lanes, unless that is known.
    fn say(&mut self, g: usize, workers: &Workers) {
        if self.said[g].is_none() {
            let (values, phi) = (self.parts[g].share(), &self.phi[g]);
            let said = workers.map_range(phi.len(), Vec::new, |work, b| {
                values.log_lik(b, &phi[b], work)
            });
            self.said[g] = Some(said);
        }
    }

    /// What [`Cloud::say`] has computed, block by block.
    fn said(&self, g: usize) -> &[Column] {
        self.said[g].as_deref().unwrap_or(&[])
    }

    /// Log densities and their gradients; of batches that are not `active` nothing is sure to be computed.
    pub fn slopes(&mut self, active: &[bool], workers: &Workers) -> DrawSlopes {
        let mut found = self.no_slopes();
        let several = self.parts.len() > 1;
        if several {
            found.log_lik = self.log_lik(workers);
        }
        for g in 0..self.parts.len() {
            let (by_phi, phi, layout) = (self.parts[g].by_phi(), &self.phi[g], &self.layouts[g]);
            let levels = &self.levels[g];
            let columns = workers.map_range(phi.len(), DerivativeScratch::default, |scratch, b| {
                let lanes = &layout.blocks[b].lanes;
                let wanted = lanes.iter().any(|l| active[levels[l.subject as usize]]);
                let mut gradient = vec![Column::ZERO; phi[b].len()];
                let value = if wanted {
                    by_phi.gradient_phi(b, &phi[b], &mut gradient, scratch)
                } else {
                    Column::ZERO
                };
                (value, gradient)
            });
            self.add_slopes(g, columns, &mut found);
        }
        found
    }

    fn no_slopes(&self) -> DrawSlopes {
        DrawSlopes {
            log_lik: vec![0.0; self.batches.len() * self.copies],
            gradient: vec![0.0; self.n_effects()],
        }
    }

    /// Log densities and gradients of the lanes of a grouping; of several each has the gradient in its own effects alone.
    fn add_slopes(&self, g: usize, columns: Vec<(Column, Vec<Column>)>, found: &mut DrawSlopes) {
        let (values, gradients): (Vec<Column>, Vec<Vec<Column>>) = columns.into_iter().unzip();
        if self.parts.len() == 1 {
            self.add_up(g, &values, &mut found.log_lik);
        }
        self.gather(g, &gradients, &mut found.gradient);
    }

    /// Put the gradients of the lanes of a grouping in their places.
    fn gather(&self, g: usize, columns: &[Vec<Column>], gradient: &mut [f64]) {
        for (b, coordinates) in self.batches.coordinates.iter().enumerate() {
            for c in 0..self.copies {
                let first = self.first(b, c);
                for (j, at) in coordinates
                    .iter()
                    .enumerate()
                    .filter(|(_, at)| at.group == g)
                {
                    let (block, lane) = self.place(g, at.level, c);
                    gradient[first + j] = columns[block][at.effect].0[lane];
                }
            }
        }
    }

    /// Add the lanes of a grouping to the draws they belong to.
    fn add_up(&self, g: usize, columns: &[Column], total: &mut [f64]) {
        for (block, column) in self.layouts[g].blocks.iter().zip(columns) {
            for (l, lane) in block.lanes.iter().enumerate() {
                let batch = self.levels[g][lane.subject as usize];
                total[batch * self.copies + lane.copy as usize] += column.0[l];
            }
        }
    }
}

impl EffectDraws for Cloud<'_> {
    fn phi(&self, group: usize, k: usize, level: usize, copy: usize) -> f64 {
        let (block, lane) = self.place(group, level, copy);
        self.phi[group][block][k].0[lane]
    }
}

/// The first lane of every level; blocks are full but for the last one.
fn first_lanes(layout: &Layout) -> Vec<usize> {
    let mut first = vec![NONE; layout.n_subjects];
    let lanes = layout.blocks.iter().flat_map(|block| &block.lanes);
    for (place, lane) in lanes.enumerate().filter(|(_, lane)| lane.copy == 0) {
        first[lane.subject as usize] = place;
    }
    first
}

/// A column of what is known of the batches of the lanes of a block; 0 in unused lanes.
fn lane_weights(layout: &Layout, b: usize, levels: &[usize], weights: &[f64]) -> [f64; LANES] {
    let mut column = [0.0; LANES];
    for (l, lane) in layout.blocks[b].lanes.iter().enumerate() {
        let batch = levels[lane.subject as usize];
        column[l] = weights[batch * layout.copies + lane.copy as usize];
    }
    column
}
