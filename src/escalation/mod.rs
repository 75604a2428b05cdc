//! When and how a human takes over.
