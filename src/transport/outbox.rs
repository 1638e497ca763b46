//! The bounded queue in front of one reliable lane. The driver pushes without waiting; one writer task takes packets
//! out as fast as the other end reads. It never drops a packet: a reliable lane must not have holes, so an overflow is
//! reported to the caller, who closes the connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The lane's queue is full: the other end reads slower than this end writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Vec<u8>>,
    /// Queued bytes and the packet that the writer holds.
    bytes: usize,
    finished: bool,
}

/// A queue with one producer (the driver) and one consumer (the lane's writer task).
#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    wake: Notify,
    limit_bytes: usize,
}

impl Outbox {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { state: Mutex::default(), wake: Notify::new(), limit_bytes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, so a poisoned lock still guards a whole value.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a packet. After [`Outbox::finish`] packets are ignored: the lane has said its last word.
    pub(super) fn push(&self, packet: Vec<u8>) -> Result<(), Overflow> {
        let mut state = self.state();
        if state.finished {
            return Ok(());
        }
        if state.bytes + packet.len() > self.limit_bytes {
            return Err(Overflow);
        }
        state.bytes += packet.len();
        state.queue.push_back(packet);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// No packet follows; the writer ends once the queue is empty.
    pub(super) fn finish(&self) {
        self.state().finished = true;
        self.wake.notify_one();
    }

    /// The next packet, or `None` after the last one. The packet counts as queued until [`Outbox::written`].
    pub(super) async fn next(&self) -> Option<Vec<u8>> {
        loop {
            {
                let mut state = self.state();
                if let Some(packet) = state.queue.pop_front() {
                    return Some(packet);
                }
                if state.finished {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }

    /// The writer has handed over a packet of this size.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Bytes that wait, with the packet in the writer's hand.
    pub(super) fn queued_bytes(&self) -> usize {
        self.state().bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime").block_on(future)
    }

    #[test]
    fn keeps_order_and_ends_after_the_last_packet() {
        let outbox = Outbox::new(100);
        outbox.push(vec![1]).expect("room");
        outbox.push(vec![2]).expect("room");
        outbox.finish();
        outbox.push(vec![3]).expect("ignored, not refused");
        assert_eq!(run(outbox.next()), Some(vec![1]));
        assert_eq!(run(outbox.next()), Some(vec![2]));
        assert_eq!(run(outbox.next()), None);
    }

    #[test]
    fn the_limit_counts_what_the_writer_holds() {
        let outbox = Outbox::new(10);
        outbox.push(vec![0; 6]).expect("room");
        assert_eq!(outbox.push(vec![0; 5]), Err(Overflow));
        let held = run(outbox.next()).expect("a packet");
        assert_eq!(outbox.push(vec![0; 5]), Err(Overflow));
        outbox.written(held.len());
        assert_eq!(outbox.push(vec![0; 5]), Ok(()));
        assert_eq!(outbox.queued_bytes(), 5);
    }

    #[test]
    fn a_waiting_writer_wakes_for_a_packet_pushed_later() {
        let outbox = Outbox::new(10);
        let got = run(async {
            let (packet, ()) = tokio::join!(outbox.next(), async {
                tokio::task::yield_now().await;
                outbox.push(vec![7]).expect("room");
            });
            packet
        });
        assert_eq!(got, Some(vec![7]));
    }
}
