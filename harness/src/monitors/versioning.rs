//! Versions: what is asked for and supported is what is spoken.

use super::answered::answered;
use super::rule::monitors;
use super::{Breach, Judge, Moment};
use crate::protocol::Revision;

monitors! {
    /// A version that the server speaks and that a client asks for is confirmed as it is. Where another one is
    /// offered, it is a published one.
    supported_version_is_confirmed (WhileWeObey) decides
        ["versioning.initialize.supported-version-echoed", "versioning.initialize.counter-offer"];
}

fn supported_version_is_confirmed(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(answer) = answered(moment).and_then(|answer| answer.to("initialize")) else { return };
    let offered = answer.result.get("protocolVersion").and_then(serde_json::Value::as_str);
    let (Some(asked), Some(offered)) = (answer.param("protocolVersion"), offered) else { return };
    if asked == offered {
        judge.held("versioning.initialize.supported-version-echoed");
    } else if offered.parse::<Revision>().is_err() {
        judge.broke(
            "versioning.initialize.counter-offer",
            Breach::new("unpublished", "the version that the server offers was never published")
                .quality()
                .expected(&["the version asked for", "another published version"])
                .actual(format!("`{}`", offered.chars().take(60).collect::<String>()))
                .at(moment.record)
                .pointer("/result/protocolVersion")
                .sent(answer.asked.seq),
        );
    }
}
