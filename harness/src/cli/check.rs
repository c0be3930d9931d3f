//! `mcprove check`.

use super::args::{CheckArgs, OutputFormat};
use super::failure::Failure;
use super::options;
use super::session::{Session, heed_signals};
use super::settings;
use crate::baseline::Baseline;
use crate::check::{Accepted, CheckConfig, Stop, Target};
use crate::run::{RunEvent, TRANSCRIPTS_DIR};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

pub(super) fn check(args: &CheckArgs) -> Result<u8, Failure> {
    let args = &settings::applied(args)?;
    let flags = options::flags(&args.reach, &args.select);
    let targets = options::targets(&args.target, &args.reach, &args.shared, &flags)?;
    let json = args.shared.output_format == OutputFormat::Json;
    if json && targets.len() > 1 {
        return Err(Failure::Usage(
            "json is one document for one target; check several targets one by one, or with --output-format text"
                .to_owned(),
        ));
    }
    let accepted = accepted(args, &targets)?;
    let (selection, empty) = options::selection(&args.select)?;
    if let Some(why) = &empty {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "mcprove: nothing to check: {why}");
    }
    let runtime = super::out::runtime()?;
    let stop = Stop::default();
    {
        let _inside = runtime.enter();
        heed_signals(&stop)?;
    }
    let mut codes = Vec::new();
    for ((name, target), accepted) in targets.iter().zip(accepted) {
        if stop.wanted().is_some() {
            break;
        }
        let mut config = options::config(target, "check", &args.reach, &args.shared, &args.select, &stop)?;
        config.selection = selection.clone();
        config.fail_on = args.fail_on.into();
        config.accepted = accepted;
        let folder = options::folder(args.out.as_ref(), name.as_deref());
        config.transcripts = Some(folder.join(TRANSCRIPTS_DIR));
        let session = Session::open(&folder, args.shared.verbose)?;
        codes.push(one(&runtime, target, config, &session, args.shared.output_format)?);
    }
    // Whatever still runs is ours, and its processes end with us.
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(worst(&codes))
}

/// What is known of each target, before anything is run: a file that cannot be used is told now.
fn accepted(
    args: &CheckArgs,
    targets: &[(Option<String>, Target)],
) -> Result<Vec<Option<Accepted>>, Failure> {
    if args.baseline.is_some() && targets.len() > 1 {
        return Err(Failure::Usage(
            "a baseline is of one target; give each its own, as `baseline` below `targets` in the settings"
                .to_owned(),
        ));
    }
    let of_settings = |name: &Option<String>| {
        let mut known = args.target.settings.iter().filter(|known| known.name.is_some());
        known.find(|known| known.name == *name).and_then(|known| known.baseline.clone())
    };
    let files: Vec<_> =
        targets.iter().map(|(name, _)| args.baseline.clone().or_else(|| of_settings(name))).collect();
    if args.update_baseline && files.iter().any(Option::is_none) {
        return Err(Failure::Usage("--update-baseline needs to know the file: --baseline FILE".to_owned()));
    }
    files.into_iter().map(|file| file.map(|file| read(file, args.update_baseline)).transpose()).collect()
}

fn read(file: PathBuf, update: bool) -> Result<Accepted, Failure> {
    let baseline = if update && !file.exists() {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(Failure::Usage(format!("--baseline: there is no folder `{}`", folder.display())));
        }
        Baseline { file, entries: Vec::new() }
    } else {
        let next = if file.exists() { "" } else { "; --update-baseline writes it" };
        Baseline::read(&file).map_err(|error| Failure::Usage(format!("--baseline: {error}{next}")))?
    };
    Ok(Accepted { baseline, update })
}

/// Checks one target; a panic of ours ends the run with a footer and exit code 70.
fn one(
    runtime: &tokio::runtime::Runtime,
    target: &Target,
    config: CheckConfig,
    session: &Session,
    format: OutputFormat,
) -> Result<u8, Failure> {
    let mut sink = |event: RunEvent| session.event(&event);
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(target.check(config, &mut sink));
    }));
    if ran.is_err() {
        session.broken("a bug in mcprove; please report it with the command line".to_owned());
    }
    session.finish(format)
}

/// Of several runs the exit code that matters most: interrupted, then bugs, then what was not reached, then failures.
fn worst(codes: &[u8]) -> u8 {
    [143, 130, 70, 3, 1, 4].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::worst;

    #[test]
    fn the_code_that_matters_most() {
        for (codes, expected) in
            [(&[0, 1, 3][..], 3), (&[1, 130], 130), (&[0, 0], 0), (&[4, 0], 4), (&[4, 1], 1), (&[], 0)]
        {
            assert_eq!(worst(codes), expected, "{codes:?}");
        }
    }
}
