//! Every sampler with options that suit the small problems of the tests.

use nlmers_core::samplers::{KernelSweeps, SamplerOptions};

/// Name and options; those that adapt do so for `n_adapt` iterations.
pub fn samplers(n_adapt: usize) -> Vec<(&'static str, SamplerOptions)> {
    vec![
        (
            "independence",
            SamplerOptions::Independence(KernelSweeps::default()),
        ),
        ("mh", SamplerOptions::Mh { scale: 0.7 }),
        (
            "saemix_mh",
            SamplerOptions::SaemixMh {
                n_kern1: 2,
                n_kern2: 2,
                n_kern3: 1,
                target_accept: 0.44,
                adapt_rate: 0.7,
            },
        ),
        (
            "adaptive_mh",
            SamplerOptions::AdaptiveMh {
                adapt_start: 50,
                init_scale: 1.0,
                eps_reg: 1e-6,
            },
        ),
        (
            "nuts",
            SamplerOptions::Nuts {
                target_accept: 0.8,
                max_depth: 6,
                n_adapt,
            },
        ),
        (
            "mala",
            SamplerOptions::Mala {
                target_accept: 0.57,
                n_adapt,
            },
        ),
    ]
}
