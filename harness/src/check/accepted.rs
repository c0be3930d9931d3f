//! A run that is over, held against what is known of the server.

use super::config::{Accepted, CheckConfig};
use crate::baseline::{Baseline, BaselineError, Scope};
use crate::run::{Known, ResultRow, RunError, RunEvent};

/// Tells what of the results was known before, after the baseline was made to fit them if that was asked for; and
/// gives back why the run has no complete result.
pub(super) fn held(
    config: &CheckConfig,
    rows: &[ResultRow],
    error: Option<RunError>,
    tested: bool,
    sink: &mut (dyn FnMut(RunEvent) + Send),
) -> (Option<Known>, Option<RunError>) {
    let Some(accepted) = &config.accepted else { return (None, error) };
    let scope = Scope {
        selection: &config.selection,
        revisions: &config.revisions,
        complete: error.is_none() && tested,
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
    };
    let mut error = error;
    let mut baseline = accepted.baseline.clone();
    if accepted.update {
        let notice = match updated(config, accepted, rows, scope) {
            Ok((written, notice)) => {
                baseline = written;
                notice
            }
            Err(failure) => {
                let message = format!("the baseline could not be written: {failure}");
                error.get_or_insert(RunError { code: 70, message: message.clone() });
                message
            }
        };
        sink(RunEvent::Notice { text: notice });
    }
    let known = baseline.judge(rows, scope);
    sink(RunEvent::Baseline(known.clone()));
    (Some(known), error)
}

/// The baseline as it was written, and what to tell of it.
fn updated(
    config: &CheckConfig,
    accepted: &Accepted,
    rows: &[ResultRow],
    scope: Scope<'_>,
) -> Result<(Baseline, String), BaselineError> {
    let file = accepted.baseline.file.display();
    if !scope.complete {
        let notice = format!("the baseline {file} was left as it is: the run did not come to its end");
        return Ok((accepted.baseline.clone(), notice));
    }
    let updated = accepted.baseline.updated(rows, scope, |outcome| config.fail_on.counts(outcome));
    let text = updated.baseline.to_text();
    // Read back for the lines of its entries, before anything is lost.
    let written = Baseline::parse(&updated.baseline.file, &text)?;
    updated.baseline.write()?;
    let plural = |n: usize| if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") };
    let (added, removed) = (plural(updated.added), plural(updated.removed));
    Ok((written, format!("the baseline {file} was written: {added} added, {removed} removed")))
}
