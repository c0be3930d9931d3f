//! Conversations with real servers (`.ci/record-fixtures`), judged by the monitors: one test a recording. Even a broken
//! SHOULD has to be known in `fixtures/transcripts/expected.toml`, so that a false alarm shows.

use mcprove::suite::Recordings;

fn main() -> std::process::ExitCode {
    Recordings::in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/transcripts")).warnings().run()
}
