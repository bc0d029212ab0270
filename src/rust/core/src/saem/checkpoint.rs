//! Keep the state of a run outside of it: in a file while it runs, or in the fit when it was interrupted.
//!
//! The bytes are a mark, a format number, a checksum of the rest, a header that says which run it was, and the state.
//! Everything else of a run is rebuilt from the model, the data and the options, so the header identifies these.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::run::SaemRun;
use crate::error::{Error, ErrorClass, Result};
use crate::keep::{self, Keep};

const MARK: [u8; 8] = *b"nlmersCK";

/// To be raised whenever bytes of an earlier format would be read wrongly.
const FORMAT: u32 = 4;

/// Bytes before the header: mark, format, checksum.
const FRONT: usize = 20;

/// What a run was started with: starting values, and checksums of the rest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub model: u64,
    pub data: u64,
    /// Parameters and levels of random effects held fixed.
    pub fixed: u64,
    pub method: u64,
    /// Starting values beyond those of the model, by parameter.
    pub start: Vec<(String, Vec<f64>)>,
}

impl Identity {
    /// What differs from another, in words; no starting values stand for any.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let start = !other.start.is_empty() && self.start != other.start;
        [
            (self.model != other.model, "another model"),
            (self.data != other.data, "other data"),
            (start, "other starting values"),
            (self.fixed != other.fixed, "other fixed values"),
            (self.method != other.method, "other options of the method"),
        ]
        .into_iter()
        .filter_map(|(differs, words)| differs.then_some(words))
        .collect()
    }
}

/// Which run it was, and how far it had come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of this package.
    version: String,
    pub identity: Identity,
    pub seed: u64,
    /// The last iteration.
    pub iteration: usize,
    /// Time spent so far.
    pub seconds: f64,
}

impl Header {
    pub fn new(identity: Identity, seed: u64) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_string(),
            identity,
            seed,
            ..Self::default()
        }
    }
}

/// The state of an earlier run.
#[derive(Debug, Clone)]
pub struct SavedRun {
    pub header: Header,
    /// What a message calls it.
    name: String,
    state: Vec<u8>,
}

/// Where and how often a run leaves its state.
#[derive(Debug, Clone)]
pub struct CheckpointPlan {
    pub path: PathBuf,
    /// Iterations between two.
    pub every: usize,
}

/// FNV-1a, which stays the same in all versions of everything (Fowler, Noll & Vo).
#[derive(Debug, Clone, Copy)]
pub struct Checksum(u64);

impl Default for Checksum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Checksum {
    /// Add how a value shows itself to programmers, which says everything of it.
    pub fn show(&mut self, value: &impl fmt::Debug) {
        // Writing to a checksum cannot fail.
        let _ = fmt::Write::write_fmt(self, format_args!("{value:?}"));
    }

    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub fn value(self) -> u64 {
        self.0
    }

    fn of(bytes: &[u8]) -> u64 {
        let mut checksum = Self::default();
        checksum.add(bytes);
        checksum.value()
    }
}

impl fmt::Write for Checksum {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

/// The bytes of a run's state.
pub fn bytes(run: &SaemRun, header: &Header) -> Vec<u8> {
    let mut rest = Vec::new();
    keep::write(header, &mut rest);
    run.save(&mut rest);
    let front = [
        &MARK[..],
        &FORMAT.to_le_bytes(),
        &Checksum::of(&rest).to_le_bytes(),
    ];
    let mut all = front.concat();
    all.extend(rest);
    all
}

impl SavedRun {
    /// # Errors
    /// A file that cannot be read or holds something else.
    pub fn read(path: &Path, name: &str) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| {
            Error::new(
                ErrorClass::Option,
                "no_checkpoint",
                format!("{name} cannot be read: {error}."),
            )
            .hint("Give the path of a file that an earlier fit wrote as its `checkpoint`.")
        })?;
        Self::parse(&bytes, name)
    }

    /// # Errors
    /// Bytes that are no checkpoint, damaged, or of another version.
    pub fn parse(bytes: &[u8], name: &str) -> Result<Self> {
        let refuse = |reason, problem: String| Error::new(ErrorClass::Option, reason, problem);
        if bytes.get(..MARK.len()) != Some(&MARK[..]) {
            return Err(refuse(
                "no_checkpoint",
                format!("{name} is not a checkpoint of nlmers."),
            )
            .hint("Give the path of a file that an earlier fit wrote as its `checkpoint`."));
        }
        let rest = bytes.get(FRONT..).unwrap_or_default();
        let front = &bytes[MARK.len()..FRONT.min(bytes.len())];
        let whole = [Checksum::of(rest).to_le_bytes()];
        if front.get(4..) != Some(&whole.concat()[..]) {
            return Err(damaged(name));
        }
        let mut state = rest;
        let header: Header = keep::read(&mut state).map_err(|_| damaged(name))?;
        let current = env!("CARGO_PKG_VERSION");
        if front[..4] != FORMAT.to_le_bytes() || header.version != current {
            return Err(refuse(
                "other_version",
                format!(
                    "{name} was written by nlmers {}; this is nlmers {}.",
                    header.version, current
                ),
            )
            .hint("Continue it with that version, or fit again from the start."));
        }
        Ok(Self {
            header,
            name: name.to_string(),
            state: state.to_vec(),
        })
    }

    /// # Errors
    /// A run that was started with something else.
    pub fn check(&self, identity: &Identity, seed: Option<u64>) -> Result<()> {
        let differs = self.header.identity.differences(identity);
        if !differs.is_empty() {
            let words = differs.join(" and ");
            return Err(Error::new(
                ErrorClass::Option,
                "other_fit",
                format!(
                    "{} cannot be continued here: it was started with {words}.",
                    self.name
                ),
            )
            .field("differs", words)
            .hint(
                "Give model, data, starting values and method as they were then. A fit whose `state` is NULL lends \
                 its estimates to any other.",
            ));
        }
        match seed {
            Some(seed) if seed != self.header.seed => Err(Error::new(
                ErrorClass::Option,
                "other_seed",
                format!(
                    "{} cannot be continued with seed {seed}: its seed is {}.",
                    self.name, self.header.seed
                ),
            )
            .field("seed", self.header.seed)
            .hint("Leave `seed` out.")),
            _ => Ok(()),
        }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.header.seed
    }

    /// Put the state into a run that was rebuilt the same way.
    ///
    /// # Errors
    /// A state of another kind of run.
    pub fn restore(&self, run: &mut SaemRun) -> Result<()> {
        run.restore(&self.state).map_err(|_| damaged(&self.name))
    }
}

fn damaged(name: &str) -> Error {
    Error::new(
        ErrorClass::Option,
        "damaged_checkpoint",
        format!("{name} is damaged: it does not hold what was written."),
    )
    .hint("Use an earlier copy of it, or fit again from the start.")
}

impl CheckpointPlan {
    /// Replace the file at once and as a whole: whoever reads it finds the old state or the new one.
    ///
    /// # Errors
    /// The reason in words.
    pub fn write(&self, bytes: &[u8]) -> std::result::Result<(), String> {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}.part", std::process::id()));
        let part = self.path.with_file_name(name);
        let written = fs::File::create(&part)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                // Otherwise a crash of the machine may leave the new name on an empty file.
                file.sync_all()
            })
            .and_then(|()| fs::rename(&part, &self.path));
        written.map_err(|error| {
            // It may not exist, and the first error is the one to tell.
            let _ = fs::remove_file(&part);
            error.to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value its authors publish.
    #[test]
    fn the_checksum_is_fnv_1a() {
        assert_eq!(Checksum::of(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Checksum::of(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
