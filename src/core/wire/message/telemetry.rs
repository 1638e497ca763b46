//! TelemetryReport: a peer's counters, when the capability is granted.

use super::{Builder, at_most, fb, limits};
use crate::wire::WireError;
use flatbuffers::WIPOffset;
use serde::{Deserialize, Serialize};

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetrySample {
    /// The counter's number in the telemetry room's table.
    pub counter: u16,
    /// Its growth over the interval.
    pub value: u64,
}

/// Counters over an interval of session time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryReport {
    /// Begin of the interval, session time, microseconds.
    pub from_us: u64,
    /// Its end, not before its begin.
    pub until_us: u64,
    /// The counters that grew.
    pub samples: Vec<TelemetrySample>,
}

impl TelemetryReport {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_TELEMETRY_SAMPLES", self.samples.len(), limits::MAX_TELEMETRY_SAMPLES)?;
        if self.from_us > self.until_us { Err(WireError::Malformed("telemetry interval")) } else { Ok(()) }
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::TelemetryReport<'static>> {
        let samples = (!self.samples.is_empty()).then(|| {
            let samples =
                self.samples.iter().map(|sample| fb::TelemetrySample::new(sample.value, sample.counter));
            builder.create_vector_from_iter(samples)
        });
        let args = fb::TelemetryReportArgs { from_us: self.from_us, until_us: self.until_us, samples };
        fb::TelemetryReport::create(builder, &args)
    }

    pub(super) fn read(table: fb::TelemetryReport<'_>) -> Result<Self, WireError> {
        let report = Self {
            from_us: table.from_us(),
            until_us: table.until_us(),
            samples: table.samples().map_or_else(Vec::new, |samples| {
                samples
                    .iter()
                    .map(|sample| TelemetrySample { counter: sample.counter(), value: sample.value() })
                    .collect()
            }),
        };
        report.check()?;
        Ok(report)
    }
}
