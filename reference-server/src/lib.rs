//! The reference server of mcprove.
