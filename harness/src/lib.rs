//! mcprove
