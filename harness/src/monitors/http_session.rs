//! Sessions of Streamable HTTP (basic/transports#session-management).

use super::http::head;
use super::rule::monitors;
use super::{Breach, HttpExchange, Judge, Moment, State};
use crate::protocol::{Era, Transport};
use crate::transcript::is_placeholder;
use crate::wire::header;

monitors! {
    /// A session id consists of visible ASCII characters (0x21 to 0x7E) only. Clients repeat it in a header, where
    /// others are lost or changed on the way.
    session_id_is_visible_ascii (AnyTraffic) decides ["http-session.id-charset"] at_end session_id_was_given;
    /// 2026-07-28 has no sessions: answers to its requests carry no `Mcp-Session-Id`.
    modern_answers_mint_no_session (WhileWeObey) decides ["http-session.none-minted-by-modern"];
}

fn session_id_is_visible_ascii(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((exchange, _)) = head(moment) else { return };
    let Some(id) = header(&exchange.headers, "mcp-session-id") else { return };
    if moment.state.era() != Some(Era::Legacy) || is_placeholder(id) {
        return;
    }
    let good = !id.is_empty() && id.chars().all(|c| ('\u{21}'..='\u{7e}').contains(&c));
    judge.decide("http-session.id-charset", good, || {
        let bad: String = id.chars().filter(|c| !('\u{21}'..='\u{7e}').contains(c)).take(5).collect();
        let actual = if id.is_empty() { "an empty id".to_owned() } else { format!("it has {bad:?}") };
        Breach::new("characters", "the session id has other characters than visible ASCII")
            .expected(&["characters from 0x21 to 0x7E"])
            .actual(actual)
            .at(moment.record)
            .sent(exchange.seq)
    });
}

fn session_id_was_given(state: &State, judge: &mut Judge) {
    let begun = state.era() == Some(Era::Legacy) && state.initialize.1;
    let given = |exchange: &HttpExchange| header(&exchange.headers, "mcp-session-id").is_some();
    if begun && state.transport() == Transport::Http && !state.exchanges.values().any(given) {
        judge.not_applicable("http-session.id-charset", "no-session-id", "the server assigns no session ids");
    }
}

fn modern_answers_mint_no_session(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((exchange, 200..=299)) = head(moment) else { return };
    // A header of ours may be what it repeats; that is tried by a probe.
    if moment.state.era() != Some(Era::Modern)
        || header(&exchange.request_headers, "mcp-session-id").is_some()
    {
        return;
    }
    let minted = header(&exchange.headers, "mcp-session-id").is_some();
    judge.decide("http-session.none-minted-by-modern", !minted, || {
        Breach::new("minted", "the answer to a request of 2026-07-28 has a session id")
            .expected(&["no Mcp-Session-Id header"])
            .actual("an Mcp-Session-Id header")
            .at(moment.record)
            .sent(exchange.seq)
    });
}
