//! Engine rows, quantised on whatever thread has them; applied to the world on its own.
//!
//! Staging is pure: it reads the schema and the caller's memory and touches no world, so any number of threads can do
//! it at once. What is no value (NaN) is left out and keeps the old value; what is out of range is clamped; both are
//! counted, and the first such entity is named. The batch never fails for it.

use super::WorldError;
use crate::schema::quantise::{Outcome, quantise_bytes, quantise_lanes};
use crate::schema::{ComponentIndex, Schema};
use crate::types::{ComponentId, EntityId};

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOrigin {
    /// The engine: fields that belong to the command log are left alone.
    Engine,
    /// The command log: it may write every field.
    Log,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteReport {
    /// Values (row and field) whose quantised state changed.
    pub changed: usize,
    /// Values that were out of range.
    pub clamped: usize,
    /// Values that were none and left the old one.
    pub not_a_number: usize,
    /// Rows whose entity does not live.
    pub unknown: usize,
    /// Rows whose entity does not have the component.
    pub missing: usize,
    /// The first entity that was counted for anything but a change.
    pub first_bad: Option<EntityId>,
}

impl WriteReport {
    /// Adds another batch's.
    pub fn merge(&mut self, other: &Self) {
        self.changed += other.changed;
        self.clamped += other.clamped;
        self.not_a_number += other.not_a_number;
        self.unknown += other.unknown;
        self.missing += other.missing;
        self.first_bad = self.first_bad.or(other.first_bad);
    }
}

/// The cells of one field for all rows of a batch.
#[derive(Clone, Debug)]
pub(super) enum StagedCells {
    Fixed { lanes: usize, cells: Vec<u64> },
    Variable(Vec<Box<[u8]>>),
}

#[derive(Clone, Debug)]
pub(super) struct StagedField {
    /// Its position among the component's fields.
    pub field: usize,
    pub cells: StagedCells,
    /// One per row: false where there is no value.
    pub valid: Vec<bool>,
}

/// A quantised batch.
#[derive(Clone, Debug)]
pub struct StagedWrite {
    pub(super) component: ComponentIndex,
    pub(super) entities: Vec<EntityId>,
    pub(super) fields: Vec<StagedField>,
    /// Clamped and missing values; the rest is counted when it is applied.
    pub(super) report: WriteReport,
}

impl StagedWrite {
    /// Quantises rows of a component (`field` is `None`: rows are its engine struct) or of one of its fields. Row i
    /// begins at byte `i * stride` of `data`; the last one may be without its trailing padding.
    pub fn quantise(
        schema: &Schema,
        component: ComponentId,
        field: Option<u16>,
        entities: &[EntityId],
        data: &[u8],
        stride: usize,
        origin: WriteOrigin,
    ) -> Result<Self, WorldError> {
        let index = schema.index_of(component).ok_or(WorldError::NoComponent(component))?;
        if index == schema.entity_component() {
            return Err(WorldError::NotWritable(component, "spawn, ownership and parenting write it"));
        }
        let shape = schema.component(index);
        let writable = |document: bool| origin == WriteOrigin::Log || !document;
        // Offset of the field within a row, and the field.
        let (chosen, row_bytes): (Vec<(usize, usize)>, usize) = if let Some(id) = field {
            let at = shape.field_index(id).ok_or(WorldError::NoField { component, field: id })?;
            if !writable(shape.fields[at].desc.document) {
                return Err(WorldError::NotWritable(component, "the field belongs to the command log"));
            }
            (vec![(0, at)], shape.fields[at].size_bytes)
        } else {
            let chosen = shape.fields.iter().enumerate().filter(|(_, field)| writable(field.desc.document));
            (chosen.map(|(at, field)| (field.offset_bytes, at)).collect(), shape.size_bytes)
        };
        let last_end =
            chosen.iter().map(|(offset, at)| offset + shape.fields[*at].size_bytes).max().unwrap_or(0);
        if let Some(gaps) = entities.len().checked_sub(1) {
            let needed = gaps.saturating_mul(stride).saturating_add(last_end);
            if stride < row_bytes && gaps > 0 || data.len() < needed {
                let needed = needed.max(entities.len().saturating_mul(row_bytes));
                return Err(WorldError::ShortData {
                    rows: entities.len(),
                    stride,
                    needed,
                    actual: data.len(),
                });
            }
        }
        let mut report = WriteReport::default();
        let mut note = |outcome: Outcome, entity: EntityId| {
            match outcome {
                Outcome::Exact => return,
                Outcome::Clamped => report.clamped += 1,
                Outcome::NotAValue => report.not_a_number += 1,
            }
            report.first_bad = report.first_bad.or(Some(entity));
        };
        let mut fields = Vec::with_capacity(chosen.len());
        for (offset, at) in chosen {
            let field = &shape.fields[at];
            let kind = &field.desc.kind;
            let mut valid = Vec::with_capacity(entities.len());
            let values = entities.iter().enumerate().map(|(row, entity)| {
                let start = row * stride + offset;
                (entity, &data[start..start + field.size_bytes])
            });
            let cells = if kind.is_variable() {
                let mut cells = Vec::with_capacity(entities.len());
                let mut scratch = Vec::new();
                for (entity, bytes) in values {
                    let outcome = quantise_bytes(kind, bytes, &mut scratch);
                    note(outcome, *entity);
                    valid.push(outcome != Outcome::NotAValue);
                    cells.push(scratch.as_slice().into());
                }
                StagedCells::Variable(cells)
            } else {
                let lanes = field.lanes.len();
                let mut cells = vec![0; lanes * entities.len()];
                for ((entity, bytes), cell) in values.zip(cells.chunks_exact_mut(lanes)) {
                    let outcome = quantise_lanes(kind, bytes, cell);
                    note(outcome, *entity);
                    valid.push(outcome != Outcome::NotAValue);
                }
                StagedCells::Fixed { lanes, cells }
            };
            fields.push(StagedField { field: at, cells, valid });
        }
        Ok(Self { component: index, entities: entities.to_vec(), fields, report })
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// What is known before it is applied: values out of range, and values that are none.
    pub fn report(&self) -> &WriteReport {
        &self.report
    }
}
