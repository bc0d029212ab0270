//! Map work over blocks on a pool of threads; results do not depend on their number.

use std::sync::Arc;

use rayon::prelude::*;
use rayon::ThreadPool;

use crate::error::{Error, ErrorClass, Result};

/// A pool of threads, or none when one is enough.
#[derive(Clone)]
pub struct Workers {
    pool: Option<Arc<ThreadPool>>,
}

impl Workers {
    /// One thread: the one that calls.
    pub const fn single() -> Self {
        Self { pool: None }
    }

    /// # Errors
    /// The operating system refuses the threads.
    pub fn new(threads: usize) -> Result<Self> {
        if threads < 2 {
            return Ok(Self::single());
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map(|pool| Self {
            pool: Some(Arc::new(pool)),
        })
        .map_err(|error| {
            Error::new(
                ErrorClass::Option,
                "threads",
                format!("{threads} threads could not be started: {error}."),
            )
            .hint("Ask for fewer threads.")
        })
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.pool
            .as_ref()
            .map_or(1, |pool| pool.current_num_threads())
    }

    /// Apply `work` to every item; the results stand in the order of the items.
    pub fn map<T: Send, R: Send>(
        &self,
        items: &mut [T],
        work: impl Fn(&mut T) -> R + Sync + Send,
    ) -> Vec<R> {
        match &self.pool {
            Some(pool) if items.len() > 1 => {
                pool.install(|| items.par_iter_mut().map(&work).collect())
            }
            _ => items.iter_mut().map(work).collect(),
        }
    }
    /// Apply `work` to `0..n` with memory that a thread keeps from one to the next; the results stand in order.
    pub fn map_range<M: Send, R: Send>(
        &self,
        n: usize,
        memory: impl Fn() -> M + Sync + Send,
        work: impl Fn(&mut M, usize) -> R + Sync + Send,
    ) -> Vec<R> {
        match &self.pool {
            Some(pool) if n > 1 => pool.install(|| {
                let items = (0..n).into_par_iter();
                items.map_init(&memory, &work).collect()
            }),
            _ => {
                let mut memory = memory();
                (0..n).map(|i| work(&mut memory, i)).collect()
            }
        }
    }
}
