//! What is recognized.
