//! Forgets what lies long back, so that a conversation of any length is judged in bounded memory.

use super::state::{Asked, State};
use crate::protocol::Id;
use crate::wire::Channel;
use std::collections::VecDeque;

/// How many requests, and how many exchanges, are kept at least.
const KEPT: usize = 1024;
/// How many bytes of text the requests that are kept may have; in memory they take several times that.
const BYTES: usize = 4 << 20;
/// How many requests without an answer are kept.
const OPEN: usize = 50_000;

/// In which order things began.
#[derive(Debug, Default)]
pub(super) struct Ages {
    requests: VecDeque<(Id, usize)>,
    bytes: usize,
    exchanges: VecDeque<Channel>,
}

impl Ages {
    pub(super) fn asked(&mut self, asked: &Asked) {
        let bytes = asked.message.text().len();
        self.bytes += bytes;
        self.requests.push_back((asked.id.clone(), bytes));
    }

    pub(super) fn exchange(&mut self, channel: Channel) {
        self.exchanges.push_back(channel);
    }
}

impl State {
    /// Forgets the oldest requests and exchanges that are over, where there are many.
    pub(super) fn forget(&mut self) {
        let much =
            |ages: &Ages| ages.requests.len() > KEPT || (ages.bytes > BYTES && ages.requests.len() > 1);
        // Some at a time: one that is still open goes to the end of the queue.
        for _ in 0..4 {
            if !much(&self.ages) {
                break;
            }
            let Some((id, bytes)) = self.ages.requests.pop_front() else { break };
            let open = self.asked.get(&id).is_some_and(|asked| asked.responses == 0 && !asked.cancelled);
            if open && self.asked.len() < OPEN && bytes < BYTES {
                self.ages.requests.push_back((id, bytes));
                continue;
            }
            self.ages.bytes -= bytes;
            self.drop_request(&id);
        }
        while self.ages.exchanges.len() > KEPT {
            let Some(channel) = self.ages.exchanges.pop_front() else { break };
            self.exchanges.remove(&channel);
            self.link.timed_out_exchanges.remove(&channel);
            self.link.oversized.remove(&channel);
        }
        if self.link.asked_by_server.len() > 2 * KEPT {
            self.link.asked_by_server.drain(..KEPT);
        }
    }

    fn drop_request(&mut self, id: &Id) {
        if let Some(asked) = self.asked.remove(id)
            && let Some(key) = asked.progress_token().and_then(super::token_key)
        {
            let newer =
                self.notices.progress.get(&key).is_some_and(|known| known.requests.last() != Some(id));
            if !newer {
                self.notices.progress.remove(&key);
            }
        }
        self.link.ids_sent.remove(id);
        self.link.sentinels.remove(id);
        self.link.misanswered.remove(id);
        self.notices.cancelled.remove(id);
        self.notices.logging.remove(id);
        self.demanded.remove(id);
    }
}
