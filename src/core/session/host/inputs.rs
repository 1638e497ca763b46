//! A member's input: what is new in it, once, in order, and not too far ahead.

use crate::mutants::Mutant;
use crate::types::Tick;
use crate::wire::message::InputPredictiveState;

use super::super::clock::MAX_INPUT_LEAD_MS;
use super::super::closing::Closing;
use super::super::input::{InputSample, unpack};
use super::super::io::HostEvent;
use super::Common;
use super::link::HostLink;

/// What is known of one member's input.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inputs {
    pub newest: Tick,
    /// The packet that came with it, or a later one.
    newest_number: u64,
    pub taken: u64,
    pub refused: u64,
}

impl HostLink {
    pub(super) fn input(
        &mut self,
        common: &mut Common,
        number: u64,
        input: &InputPredictiveState<'_>,
    ) -> Result<(), Closing> {
        let Some(peer) = self.info().map(|info| info.peer) else { return Ok(()) };
        let newest = InputSample {
            input_tick: input.input_tick,
            sampled_at_us: input.sampled_at_us,
            target_display_us: input.target_display_us(),
            ..InputSample::default()
        };
        let samples = unpack(&input.payload, &newest).map_err(|error| Closing::from_message(&error))?;
        let lead = u32::from(common.terms.tick_rate_hz) * MAX_INPUT_LEAD_MS / 1000;
        let latest = Tick(common.newest_tick.0.saturating_add(lead));
        if number > self.inputs.newest_number {
            self.inputs.newest_number = number;
            // Sent later and numbered lower: the peer's clock was set back, as after a stall of ours, and it begins
            // again there. What it numbered too high must not make it wait.
            if newest.input_tick < self.inputs.newest {
                self.inputs.newest = Tick(newest.input_tick.0.saturating_sub(1));
            }
        }
        // Newest first on the wire; the application gets what it has not seen, in order.
        for sample in samples.into_iter().rev() {
            if sample.input_tick > latest {
                self.inputs.refused += 1;
            } else if sample.input_tick > self.inputs.newest || common.mutants.active(Mutant::RepeatInput) {
                self.inputs.newest = sample.input_tick;
                self.inputs.taken += 1;
                common.event(HostEvent::Input { peer, sample });
            }
        }
        Ok(())
    }
}
