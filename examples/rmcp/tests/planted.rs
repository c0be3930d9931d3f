//! What the properties say of a bug: the smallest calls that show it, and a file that keeps its seed.

use libtest_mimic::{Arguments, Failed, Trial};
use mcprove::suite::Properties;
use std::path::Path;
use std::process::{Command, ExitCode};

/// In the environment of a process that runs the properties: the file for the seeds.
const SEEDS: &str = "RMCP_EXAMPLE_SEEDS";

fn main() -> ExitCode {
    if let Some(seeds) = std::env::var_os(SEEDS) {
        let program = env!("CARGO_BIN_EXE_rmcp-example");
        let target = shlex::try_join([program, "--planted"]).unwrap_or_else(|_| program.to_owned());
        return Properties::run_or_explain(
            Properties::new(&target).map(|properties| properties.regressions(seeds)),
        );
    }
    let tests = vec![Trial::test("a_bug_is_made_small_and_kept", a_bug_is_made_small_and_kept)];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// Runs the properties of the server with the bug; whether they passed, and what was printed.
fn properties(seeds: &Path, cases: &str) -> Result<(bool, String), Failed> {
    let output = Command::new(std::env::current_exe()?)
        .env(SEEDS, seeds)
        .env("PROPTEST_CASES", cases)
        .arg("property.output.conforms")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.success(), text))
}

fn a_bug_is_made_small_and_kept() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let seeds = folder.path().join("seeds.txt");
    let (passed, text) = properties(&seeds, "500")?;
    // 0/0 is not a number: `null`, where `outputSchema` has a number.
    let smallest = r#"share {"parts":0,"of":0}"#;
    if passed || !text.contains(smallest) {
        return Err(format!("expected a failure with `{smallest}`, not\n{text}").into());
    }
    let kept = std::fs::read_to_string(&seeds)?;
    if !kept.lines().any(|line| line.starts_with("cc ")) {
        return Err(format!("expected a seed in {}, not\n{kept}", seeds.display()).into());
    }
    // The seed is tried before anything else: one case more would hardly find it.
    let (passed, text) = properties(&seeds, "1")?;
    if passed || !text.contains(smallest) {
        return Err(format!("expected the same failure from its seed, not\n{text}").into());
    }
    Ok(())
}
