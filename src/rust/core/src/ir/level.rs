//! Say what a value depends on, hence how often it must be computed.

use super::graph::{Graph, Node, Op};
use super::narrow;

/// How many values a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Extent {
    #[default]
    Once,
    Subject,
    Row,
}

/// Extent and dependence of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    pub extent: Extent,
    pub theta: bool,
    pub phi: bool,
}

impl Level {
    /// Known as soon as the data are: computed once, when the model meets them.
    pub fn is_data(self) -> bool {
        !self.theta && !self.phi
    }

    fn join(self, other: Self) -> Self {
        Self {
            extent: self.extent.max(other.extent),
            theta: self.theta || other.theta,
            phi: self.phi || other.phi,
        }
    }
}

/// How one grouping sees a coordinate of `phi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Its own: the coordinate at this position moves.
    Own(u32),
    /// Of another grouping: known while the own ones move, and recomputed as often as `theta`.
    Known(Extent),
    /// No effect at all but a value computed of the own ones beforehand: it stays while `theta` moves.
    Stored(Extent),
}

/// Levels of the nodes of a graph that may still grow.
#[derive(Debug, Clone)]
pub struct NodeLevels {
    columns: Vec<Extent>,
    /// Absent: every coordinate is one's own.
    effects: Vec<Seen>,
    known: Vec<Level>,
}

impl NodeLevels {
    /// `columns`: the extent of each data column.
    pub fn new(columns: &[Extent]) -> Self {
        Self::seen(columns, &[])
    }

    /// The same, for one grouping among several.
    pub fn seen(columns: &[Extent], effects: &[Seen]) -> Self {
        Self {
            columns: columns.to_vec(),
            effects: effects.to_vec(),
            known: Vec::new(),
        }
    }

    /// How coordinate `k` of `phi` is seen.
    pub fn effect(&self, k: u32) -> Seen {
        self.effects
            .get(k as usize)
            .copied()
            .unwrap_or(Seen::Own(k))
    }

    /// A coordinate behind all others that stands for a stored value. The levels are those of one grouping, in which
    /// every effect was given its place.
    pub fn store(&mut self, extent: Extent) -> u32 {
        self.effects.push(Seen::Stored(extent));
        narrow(self.effects.len() - 1)
    }

    pub fn of(&mut self, g: &Graph, node: Node) -> Level {
        while self.known.len() < g.len() {
            let next = Node(narrow(self.known.len()));
            let level = match g.op(next) {
                Op::Constant(_) => Level::default(),
                Op::Data(i) => Level {
                    extent: self.columns[i as usize],
                    ..Level::default()
                },
                Op::Theta(_) => Level {
                    theta: true,
                    ..Level::default()
                },
                Op::Phi(k) => match self.effect(k) {
                    Seen::Own(_) => Level {
                        extent: Extent::Subject,
                        theta: false,
                        phi: true,
                    },
                    Seen::Known(extent) => Level {
                        extent,
                        theta: true,
                        phi: false,
                    },
                    Seen::Stored(extent) => Level {
                        extent,
                        theta: false,
                        phi: true,
                    },
                },
                // Whatever it is made of, it has to be computed row after row.
                Op::Carry(_) => Level {
                    extent: Extent::Row,
                    theta: true,
                    phi: true,
                },
                // One solution for all rows; where nothing random is in it, it is computed as if there were.
                Op::State(_) => g.operands(next).fold(
                    Level {
                        extent: Extent::Row,
                        theta: false,
                        phi: true,
                    },
                    |level, a| level.join(self.known[a.index()]),
                ),
                _ => g.operands(next).fold(Level::default(), |level, a| {
                    level.join(self.known[a.index()])
                }),
            };
            self.known.push(level);
        }
        self.known[node.index()]
    }
}
