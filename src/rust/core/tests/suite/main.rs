//! The tests of the core from outside, one binary: linked once, they share what they are built from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_data;
mod censoring;
mod chains;
mod checkpoint_files;
mod checkpoints;
mod closed_forms;
mod common;
mod conditional_samples;
mod covariates;
mod direction;
mod draws;
mod dynamics;
mod effects;
mod equations;
mod estimates;
mod events;
mod families;
mod fuzz;
mod fuzz_specifications;
mod groups;
mod hmm;
mod hooks;
mod importance;
mod inference;
mod inference_tasks;
mod information;
mod instructions;
mod kernels;
mod language;
mod likelihood;
mod linearized;
mod maximization;
mod missing;
mod modes;
mod ode_derivatives;
mod ode_events;
mod ode_explicit;
mod ode_linear;
#[cfg(feature = "stiff")]
mod ode_stiff;
mod operations;
mod parameter_types;
mod references;
mod routes;
mod runs;
mod saem_options;
mod sampler_rules;
mod samplers;
mod size;
mod statements;
mod stored;
mod vem;
mod vem_flow;
mod vem_stochastic;
