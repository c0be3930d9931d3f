//! Programs that say less.

use super::offered::Offered;
use super::program::{Action, Program, Step};
use super::program_rules::stepped;
use crate::shrink::{fewer, simpler};
use serde_json::Value;

impl Program {
    /// The simplest program that still fails: with the fewest acts, groups taken apart where that makes no difference, and
    /// the simplest arguments. Whatever is asked about may be done with a server that offers this: what refers to
    /// something that is left out is left out with it. `fails` must hold for this one.
    pub async fn simplest(&self, offered: &Offered, mut fails: impl AsyncFnMut(&Self) -> bool) -> Self {
        let count = self.acts().count();
        let kept = fewer(count, async |kept: &[usize]| fails(&self.only(kept).repaired(offered)).await).await;
        let mut now = self.only(&kept).repaired(offered);
        let mut at = 0;
        while at < now.steps.len() {
            let apart = now.taken_apart(at);
            if apart.check(offered).is_ok() && apart != now && fails(&apart).await {
                now = apart;
            }
            at += 1;
        }
        let ids: Vec<u32> = now.acts().map(|act| act.id).collect();
        for id in ids {
            let Some(Action::Call { arguments, .. } | Action::Get { arguments, .. }) =
                now.act(id).map(|act| &act.action)
            else {
                continue;
            };
            let simple = simpler(
                arguments,
                |_| false,
                async |arguments: &Value| {
                    let other = now.with_arguments(id, arguments);
                    other.check(offered).is_ok() && fails(&other).await
                },
            )
            .await;
            now = now.with_arguments(id, &simple);
        }
        now
    }

    /// Some of the acts, by their places among all; what refers to others does so still.
    fn only(&self, kept: &[usize]) -> Self {
        let mut at = 0;
        let mut steps = Vec::new();
        for step in &self.steps {
            let acts = step.acts().iter().enumerate();
            let acts = acts.filter(|(index, _)| kept.binary_search(&(at + index)).is_ok());
            steps.extend(stepped(acts.map(|(_, act)| act.clone()).collect()));
            at += step.acts().len();
        }
        Self { steps }
    }

    /// One after the other what was done together in a step.
    fn taken_apart(&self, at: usize) -> Self {
        let apart = self.steps[at].acts().iter().cloned().map(Step::One);
        let steps = self.steps[..at].iter().cloned().chain(apart).chain(self.steps[at + 1..].iter().cloned());
        Self { steps: steps.collect() }
    }

    fn with_arguments(&self, id: u32, other: &Value) -> Self {
        let mut changed = self.clone();
        for step in &mut changed.steps {
            let acts = match step {
                Step::One(act) => std::slice::from_mut(act),
                Step::Together(acts) => acts.as_mut_slice(),
            };
            for act in acts.iter_mut().filter(|act| act.id == id) {
                if let Action::Call { arguments, .. } | Action::Get { arguments, .. } = &mut act.action {
                    *arguments = other.clone();
                }
            }
        }
        changed
    }
}
