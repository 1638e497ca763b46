//! Our input on its way to the host: numbered by the host's clock, repeated against loss.

use std::collections::VecDeque;

use crate::types::{Lane, Tick, Time};
use crate::wire::bits::BitWriter;
use crate::wire::message::{InputPredictiveState, Message};

use super::super::clock::InputTicks;
use super::super::input::{self, InputSample};
use super::super::io::PeerState;
use super::Peer;

/// What was sent, and how it was numbered.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    recent: VecDeque<InputSample>,
    ticks: InputTicks,
}

impl Peer {
    /// Sends one tick's input, with the newest before it as repeats. Without effect before the session is live.
    pub fn send_input(&mut self, now: Time, sample: InputSample) {
        if self.state() != PeerState::Live {
            return;
        }
        let mut sample = sample;
        if sample.input_tick == Tick::ZERO {
            // One trip ahead of what the host shows, so that it is there when that tick is simulated.
            let ahead = now.plus_us(u64::from(self.heart.clock().rtt_us()) / 2);
            let due = self.tick_clock.tick_at(ahead).map_or(0, |tick| tick.ceil().max(0.0) as u32);
            let Some(tick) = self.inputs.ticks.next(Tick(due), self.tick_clock.rate_hz()) else { return };
            sample.input_tick = tick;
        } else {
            self.inputs.ticks.given(sample.input_tick);
        }
        // After a jump back of the clock the older samples have numbers above this one's.
        if self.inputs.recent.front().is_some_and(|newest| newest.input_tick >= sample.input_tick) {
            self.inputs.recent.clear();
        }
        self.inputs.recent.truncate(input::MAX_SAMPLES - 1);
        self.inputs.recent.push_front(sample);
        let mut bits = BitWriter::new();
        input::pack(self.inputs.recent.make_contiguous(), &mut bits);
        let newest = &self.inputs.recent[0];
        let display_after_us = newest.sent_display_us().saturating_sub(newest.sampled_at_us);
        let message = Message::InputPredictiveState(InputPredictiveState {
            input_tick: newest.input_tick,
            view_tick: self.replica.newest_complete(),
            sampled_at_us: newest.sampled_at_us,
            display_after_us: u32::try_from(display_after_us).unwrap_or(u32::MAX),
            horizon_us: 0,
            payload: bits.into_bytes().into(),
        });
        self.send(Lane::Input, &message);
    }
}
