//! The requirements of all revisions, read from `harness/catalogue/`.
