//! Write what lives through a run to bytes and read it back, bit for bit.
//!
//! A plain value derives serde's traits. A value that also holds what is rebuilt from the model, the data and the
//! options, such as references to them, says with [`keeps!`] which of its fields are kept; it is rebuilt first, and the
//! kept fields are then read into it. A field named nowhere does not compile.

use serde::de::DeserializeOwned;
use serde::Serialize;

/// The bytes do not hold what is read from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// A value whose state is read into one that was rebuilt the same way.
pub trait Keep {
    fn save(&self, out: &mut Vec<u8>);

    /// # Errors
    /// Bytes of something else.
    fn load(&mut self, bytes: &mut &[u8]) -> Result<(), Unreadable>;
}

/// Append a plain value. Writing to memory fails for no type of this crate; should it, nothing is written, and reading
/// says so.
pub fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    if let Ok(bytes) = postcard::to_stdvec(value) {
        out.extend_from_slice(&bytes);
    }
}

/// Take a plain value from the front.
///
/// # Errors
/// Bytes of something else.
pub fn read<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, Unreadable> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| Unreadable)?;
    *bytes = rest;
    Ok(value)
}

/// As many as were rebuilt.
impl<T: Keep> Keep for Vec<T> {
    fn save(&self, out: &mut Vec<u8>) {
        write(&self.len(), out);
        for item in self {
            item.save(out);
        }
    }

    fn load(&mut self, bytes: &mut &[u8]) -> Result<(), Unreadable> {
        if read::<usize>(bytes)? != self.len() {
            return Err(Unreadable);
        }
        self.iter_mut().try_for_each(|item| item.load(bytes))
    }
}

/// There or not, as it was rebuilt.
impl<T: Keep> Keep for Option<T> {
    fn save(&self, out: &mut Vec<u8>) {
        write(&self.is_some(), out);
        if let Some(item) = self {
            item.save(out);
        }
    }

    fn load(&mut self, bytes: &mut &[u8]) -> Result<(), Unreadable> {
        match (read::<bool>(bytes)?, self) {
            (true, Some(item)) => item.load(bytes),
            (false, None) => Ok(()),
            _ => Err(Unreadable),
        }
    }
}

/// `keeps!(Type<'_>: values { a, b } parts { c } rebuilt { d })`: plain fields, fields with this trait, all others.
macro_rules! keeps {
    ($type:ty: values { $($value:ident),* } parts { $($part:ident),* } rebuilt { $($rebuilt:ident),* }) => {
        impl $crate::keep::Keep for $type {
            fn save(&self, out: &mut Vec<u8>) {
                let Self { $($value,)* $($part,)* $($rebuilt: _),* } = self;
                $($crate::keep::write($value, out);)*
                $($crate::keep::Keep::save($part, out);)*
            }

            fn load(&mut self, bytes: &mut &[u8]) -> std::result::Result<(), $crate::keep::Unreadable> {
                let Self { $($value,)* $($part,)* $($rebuilt: _),* } = self;
                $(*$value = $crate::keep::read(bytes)?;)*
                $($crate::keep::Keep::load($part, bytes)?;)*
                Ok(())
            }
        }
    };
}

pub(crate) use keeps;

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    struct KeptInner<'a> {
        name: &'a str,
        numbers: Vec<f64>,
        matrix: Option<DMatrix<f64>>,
    }

    keeps!(KeptInner<'_>: values { numbers, matrix } parts {} rebuilt { name });

    struct KeptOuter<'a> {
        columns: Vec<Vec<f64>>,
        inner: Vec<KeptInner<'a>>,
        missing: Option<KeptInner<'a>>,
    }

    keeps!(KeptOuter<'_>: values { columns } parts { inner, missing } rebuilt {});

    fn rebuilt(n: usize) -> KeptOuter<'static> {
        let inner = || KeptInner {
            name: "rebuilt",
            numbers: Vec::new(),
            matrix: None,
        };
        KeptOuter {
            columns: Vec::new(),
            inner: (0..n).map(|_| inner()).collect(),
            missing: None,
        }
    }

    /// A NaN with a payload, both zeros, a subnormal number, infinity.
    const ODD: [u64; 5] = [
        0x7ff8_0000_dead_beef,
        0x8000_0000_0000_0000,
        0,
        1,
        0x7ff0_0000_0000_0000,
    ];

    #[test]
    fn every_bit_comes_back_and_what_is_rebuilt_stays() {
        let odd: Vec<f64> = ODD.map(f64::from_bits).to_vec();
        let mut old = rebuilt(2);
        old.columns = vec![odd.clone(), Vec::new()];
        old.inner[0].name = "old";
        old.inner[0].numbers = odd.clone();
        old.inner[1].matrix = Some(DMatrix::from_fn(2, 2, |i, j| odd[2 * i + j]));
        let mut bytes = Vec::new();
        old.save(&mut bytes);
        let mut new = rebuilt(2);
        let mut rest: &[u8] = &bytes;
        new.load(&mut rest).unwrap();
        assert!(rest.is_empty());
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
        assert_eq!(bits(&new.columns[0]), bits(&old.columns[0]));
        assert_eq!(bits(&new.inner[0].numbers), ODD);
        let matrix = |outer: &KeptOuter| bits(outer.inner[1].matrix.as_ref().unwrap().as_slice());
        assert_eq!(matrix(&new), matrix(&old));
        assert_eq!(new.inner[0].name, "rebuilt");
    }

    #[test]
    fn what_was_rebuilt_another_way_is_not_filled() {
        let mut bytes = Vec::new();
        rebuilt(2).save(&mut bytes);
        assert_eq!(rebuilt(3).load(&mut &bytes[..]), Err(Unreadable));
        assert_eq!(rebuilt(2).load(&mut &bytes[..1]), Err(Unreadable));
        let mut other = rebuilt(2);
        other.missing = rebuilt(1).inner.pop();
        assert_eq!(other.load(&mut &bytes[..]), Err(Unreadable));
    }
}
