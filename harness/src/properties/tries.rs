//! Cases that somebody else has drawn.

use super::case::Case;
use super::hunt::{Hunt, Plan};
use super::judge::{Shown, is_whole};
use super::stand::Stand;
use super::subject::Subject;

/// Tries given cases, one after the other.
pub struct Tries<'a>(Hunt<'a>);

/// Nothing can be tried any more: no conversation could be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no conversation could be begun with the server")]
pub struct Unreachable;

/// What came of a case.
#[derive(Debug, Clone)]
pub enum Tried {
    /// Everything was answered as it has to be.
    Held,
    /// Something must not be.
    Shown(Shown),
    /// Nothing can be said: the calls were not answered by a result or an error, or what was seen did not come again.
    Undecided,
}

impl<'a> Tries<'a> {
    /// Tries cases of these subjects; of the plan count the times that answers may take.
    pub fn new(stand: Stand<'a>, subjects: &'a mut [Subject], plan: &'a Plan) -> Self {
        Self(Hunt::new(stand, subjects, plan))
    }

    /// Tries a case: in a conversation in which others were tried before and, where it shows something, in one of its own.
    /// So that depends on nothing but the case, as far as can be had.
    ///
    /// # Errors
    /// When no conversation can be begun.
    pub async fn one(&mut self, case: &Case) -> Result<Tried, Unreachable> {
        let attempt = self.0.attempt(case).await.ok_or(Unreachable)?;
        self.0.turn_over(&attempt.answers).await;
        let Some(first) = attempt.own.or(attempt.compared) else {
            let whole = attempt.answers.iter().all(is_whole);
            return Ok(if whole { Tried::Held } else { Tried::Undecided });
        };
        self.0.step_aside();
        let again = self.0.shows(case, false).await.map(|trial| trial.shown);
        Ok(again.filter(|shown| shown.is_like(&first)).map_or(Tried::Undecided, Tried::Shown))
    }

    /// Ends all conversations.
    pub async fn end(mut self) {
        self.0.close().await;
    }
}
