//! Values at a render time, from any thread, without waiting: over the frames that were published last.

use std::sync::Arc;

use theta_core::replication::sample::{SampleOptions, SampleOutcome, sample};
use theta_core::types::{ComponentId, EntityId};

use super::RuntimeError;
use super::published::{SessionView, Shared};

/// Samples a joined session. Cheap to clone, usable on any thread; it does not keep the session going.
#[derive(Clone, Debug)]
pub struct Sampler {
    shared: Arc<Shared>,
    options: SampleOptions,
}

impl Sampler {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, options: SampleOptions::default() }
    }

    /// The same sampler with other bounds on extrapolation and teleports.
    pub fn with_options(mut self, options: SampleOptions) -> Self {
        self.options = options;
        self
    }

    /// What any thread may ask of the session.
    pub fn view(&self) -> SessionView {
        SessionView { shared: Arc::clone(&self.shared) }
    }

    /// The tick to show at a time of [`super::now_ns`], with its fraction: the host's clock as far as it is known here,
    /// minus the interpolation delay, steered by at most 2 %. Zero before the clocks know each other.
    pub fn render_tick(&self, at_ns: u64) -> f64 {
        let clock = **self.shared.render.load();
        clock.map_or(0.0, |clock| clock.tick_at(at_ns as f64 / 1000.0).max(0.0))
    }

    /// One entity's component (or one field of it) at a fractional tick, as engine memory; `out` takes one row.
    /// [`RuntimeError::NoFrame`] before the first complete tick.
    pub fn sample(
        &self,
        component: ComponentId,
        field: Option<u16>,
        entity: EntityId,
        render_tick: f64,
        out: &mut [u8],
    ) -> Result<SampleOutcome, RuntimeError> {
        let history = self.shared.frames.load();
        if history.frames().is_empty() {
            return Err(RuntimeError::NoFrame);
        }
        let (frames, schema) = (history.frames(), &self.shared.schema);
        Ok(sample(frames, schema, component, field, entity, render_tick, &self.options, out)?)
    }
}
