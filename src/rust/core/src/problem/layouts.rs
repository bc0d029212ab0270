//! Keep layouts that are asked for again: draws are laid out alike at every step.

use std::sync::{Arc, Mutex, PoisonError};

use crate::data::{Block, Layout};
use crate::ir::column::Column;

/// Most bytes that are kept for one problem.
const MOST_BYTES: usize = 1 << 28;

/// Layouts of some levels and copies, those used last at the end. A clone begins with none: its data may become others.
#[derive(Debug, Default)]
pub(super) struct Layouts(Mutex<Vec<CachedLayout>>);

#[derive(Debug)]
struct CachedLayout {
    levels: Vec<usize>,
    copies: usize,
    bytes: usize,
    layout: Arc<Layout>,
}

impl Clone for Layouts {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Layouts {
    /// The layout of these levels, made where it is not kept.
    pub fn of(
        &self,
        levels: &[usize],
        copies: usize,
        make: impl FnOnce() -> Layout,
    ) -> Arc<Layout> {
        if let Some(layout) = self.known(levels, copies) {
            return layout;
        }
        let layout = Arc::new(make());
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = layout.blocks.iter().map(bytes).sum();
        while !entries.is_empty()
            && bytes + entries.iter().map(|e| e.bytes).sum::<usize>() > MOST_BYTES
        {
            entries.remove(0);
        }
        if bytes <= MOST_BYTES {
            entries.push(CachedLayout {
                levels: levels.to_vec(),
                copies,
                bytes,
                layout: layout.clone(),
            });
        }
        layout
    }

    fn known(&self, levels: &[usize], copies: usize) -> Option<Arc<Layout>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |entry: &CachedLayout| entry.copies == copies && entry.levels == levels;
        let at = entries.iter().position(own)?;
        let entry = entries.remove(at);
        let layout = entry.layout.clone();
        entries.push(entry);
        Some(layout)
    }
}

fn bytes(block: &Block) -> usize {
    let columns = block.subject.len() + block.row.len() + block.mask.len();
    columns * std::mem::size_of::<Column>()
}
