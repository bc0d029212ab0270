//! Receive one call from R, hand it to the core, give back plain values.
