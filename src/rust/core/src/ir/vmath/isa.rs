//! Choose, at run time, the instruction set for which a loop was compiled.

use std::sync::OnceLock;

/// An instruction set; the order is from the narrowest to the widest vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// What the target guarantees (SSE2 on x86-64), without fused multiply-add.
    Baseline,
    /// AVX2 with fused multiply-add: 4 lanes.
    Avx2,
    /// AVX-512 F, DQ, VL, BW with fused multiply-add: 8 lanes.
    Avx512,
}

impl Isa {
    /// The widest instruction set of this processor, asked once per process.
    pub fn detect() -> Isa {
        static WIDEST: OnceLock<Isa> = OnceLock::new();
        *WIDEST.get_or_init(widest)
    }

    /// Every instruction set this processor can run, the narrowest first.
    pub fn available() -> Vec<Isa> {
        [Isa::Baseline, Isa::Avx2, Isa::Avx512]
            .into_iter()
            .filter(|&isa| isa <= Isa::detect())
            .collect()
    }

    /// This instruction set, or the widest the processor has if it lacks this one.
    pub fn supported(self) -> Isa {
        self.min(Isa::detect())
    }
}

#[cfg(target_arch = "x86_64")]
fn widest() -> Isa {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw");
    match (avx2, avx512) {
        (true, true) => Isa::Avx512,
        (true, false) => Isa::Avx2,
        (false, _) => Isa::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn widest() -> Isa {
    Isa::Baseline
}

/// Compile one generic body for every instruction set and define the function that dispatches.
///
/// The body is an `#[inline(always)] fn body<const FMA: bool>(args) -> R`. The macro defines a function of the same
/// arguments preceded by an [`Isa`]:
///
/// ```ignore
/// per_isa! {
///     /// Evaluate the program on one block of lanes.
///     pub fn sweep(program: &Program, block: &mut Block) -> usize = sweep_body, fused;
/// }
/// let n = sweep(Isa::detect(), &program, &mut block);
/// ```
///
/// * `fused`: `body::<true>` under AVX2 and AVX-512, `body::<false>` under the baseline. Fastest.
/// * `plain`: `body::<false>` everywhere, so that every processor returns the same bits.
///
/// An instruction set the processor lacks is replaced by the widest it has.
macro_rules! per_isa {
    (@fma fused) => { true };
    (@fma plain) => { false };
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident, $kind:ident;) => {
        $(#[$meta])*
        $vis fn $name(isa: $crate::ir::vmath::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    $body::<{ $crate::ir::vmath::per_isa!(@fma $kind) }>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    $body::<{ $crate::ir::vmath::per_isa!(@fma $kind) }>($($arg),*)
                }
                match isa.supported() {
                    // SAFETY: `supported` returns only instruction sets this processor was found to have.
                    $crate::ir::vmath::Isa::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::ir::vmath::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::ir::vmath::Isa::Baseline => {}
                }
            }
            let _ = isa;
            $body::<false>($($arg),*)
        }
    };
}
pub(crate) use per_isa;
