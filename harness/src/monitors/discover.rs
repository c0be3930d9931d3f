//! `server/discover` (2026-07-28).

use super::answered::answered;
use super::rule::monitors;
use super::{Breach, Heard, Judge, Moment};
use crate::protocol::{Era, Kind, Transport};
use serde_json::Value;

monitors! {
    /// A server of 2026-07-28 answers `server/discover`, with nothing but `_meta` in its parameters, by a complete
    /// result whose `supportedVersions` has the version that it was asked under. Clients learn from it what they may
    /// use; as the first message on STDIO it tells them which era the server speaks.
    discover_is_answered (WhileWeObey) decides [
        "discover.implemented", "discover.no-params-needed", "discover.supported-versions", "discover.result-complete",
        "discover.era-probe-answered",
    ];
}

fn discover_is_answered(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, answers: Some(asked), .. }) = moment.message else { return };
    if asked.method != "server/discover" || asked.responses > 0 {
        return;
    }
    // Only where the server has said that it speaks this revision: others may refuse as they like.
    let speaks = moment.state.revision.is_some_and(|revision| revision.era() == Era::Modern);
    if *message.kind() == Kind::Error && speaks {
        // What we cancelled may be given up with an error.
        let ours = !asked.cancelled
            && asked.meta_version().and_then(|version| version.parse().ok()) == moment.state.revision;
        if ours {
            let code = message.error_code();
            if code == Some(-32602) {
                judge.broke(
                    "discover.no-params-needed",
                    Breach::new(
                        "refused",
                        "`server/discover` with `_meta` alone was refused for its parameters",
                    )
                    .expected(&["a result"])
                    .actual("error -32602")
                    .at(moment.record)
                    .see("discover.implemented"),
                );
            }
            judge.broke(
                "discover.implemented",
                Breach::new("refused", "`server/discover` was refused")
                    .expected(&["a result"])
                    .actual(format!(
                        "error {}",
                        code.map_or("without a code".to_owned(), |code| code.to_string())
                    ))
                    .at(moment.record)
                    .pointer("/error")
                    .sent(asked.seq),
            );
        }
        return;
    }
    let Some(answer) = answered(moment) else { return };
    judge.held("discover.implemented");
    judge.held("discover.no-params-needed");
    let first = moment.state.asked.values().all(|other| other.seq >= asked.seq);
    if first && moment.state.transport() == Transport::Stdio {
        judge.held("discover.era-probe-answered");
    }
    let kind = answer.result.get("resultType").and_then(Value::as_str);
    judge.decide("discover.result-complete", matches!(kind, None | Some("complete")), || {
        Breach::new("other-type", "`server/discover` was not answered with a complete result")
            .expected(&["resultType `complete`"])
            .actual(format!("`{}`", kind.unwrap_or_default().chars().take(60).collect::<String>()))
            .at(moment.record)
            .pointer("/result/resultType")
            .sent(asked.seq)
    });
    let version = asked.meta_version().unwrap_or_default();
    let Some(versions) = answer.result.get("supportedVersions").and_then(Value::as_array) else { return };
    judge.decide("discover.supported-versions", versions.iter().any(|known| known == version), || {
        Breach::new(
            "own-version-missing",
            "`supportedVersions` lacks the version under which the request was accepted",
        )
        .expected(&[&format!("`{version}` among them")])
        .actual(format!("{} other versions", versions.len()))
        .at(moment.record)
        .pointer("/result/supportedVersions")
        .sent(asked.seq)
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts};
    use crate::protocol::Revision::V2026_07_28;
    use serde_json::{Value, json};

    fn refused(cancelled: bool) -> Verdicts {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}});
        let message = |mut members: Value, mut params: Value| {
            params["_meta"] = meta.clone();
            members["jsonrpc"] = json!("2.0");
            members["params"] = params;
            members
        };
        let asked = Script::stdio(V2026_07_28)
            .handshake()
            .sent(message(json!({"id": 7, "method": "server/discover"}), json!({})));
        let asked = if cancelled {
            asked.sent(message(json!({"method": "notifications/cancelled"}), json!({"requestId": 7})))
        } else {
            asked
        };
        let error = json!({"code": 0, "message": "context canceled"});
        asked.received(json!({"jsonrpc": "2.0", "id": 7, "error": error})).verdicts()
    }

    #[test]
    fn an_error_for_a_cancelled_request_is_no_finding() {
        assert_eq!(refused(false).classes("discover.implemented"), ["refused"]);
        assert!(refused(true).classes("discover.implemented").is_empty());
    }
}
