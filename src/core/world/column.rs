//! One field of up to 64 rows, quantised.
//!
//! Cells of rows that are not occupied are zero or empty, so that a column's content is a function of what lives in
//! it. A column grows to the highest row that was ever used in it.

use std::sync::Arc;

use super::archetype::ColumnShape;
use crate::schema::Cell;

/// A borrowed cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellRef<'a> {
    /// Of a fixed kind.
    Lanes(&'a [u64]),
    /// Of a variable kind.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a Cell> for CellRef<'a> {
    fn from(cell: &'a Cell) -> Self {
        match cell {
            Cell::Lanes(lanes) => Self::Lanes(lanes),
            Cell::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// One field of a chunk's rows.
#[derive(Clone, Debug)]
pub enum Column {
    /// Lanes, row after row.
    Fixed {
        /// Of each row, at most 4.
        lanes: usize,
        /// `lanes` numbers per row.
        cells: Vec<u64>,
    },
    /// Bytes of changing length.
    Variable {
        /// One per row. Shared between the versions of a column, which are copied whenever one row changes.
        cells: Vec<Arc<[u8]>>,
    },
}

const ZERO: [u64; 4] = [0; 4];

impl Column {
    /// An empty column of this shape.
    pub fn new(shape: &ColumnShape) -> Self {
        if shape.kind.is_variable() {
            Self::Variable { cells: Vec::new() }
        } else {
            Self::Fixed { lanes: shape.lanes.len(), cells: Vec::new() }
        }
    }

    /// The cell of a row.
    pub fn get(&self, slot: usize) -> CellRef<'_> {
        match self {
            Self::Fixed { lanes, cells } => {
                CellRef::Lanes(cells.get(slot * lanes..(slot + 1) * lanes).unwrap_or(&ZERO[..*lanes]))
            }
            Self::Variable { cells } => CellRef::Bytes(cells.get(slot).map_or(&[], |cell| cell)),
        }
    }

    /// The lanes of a row; empty for variable kinds.
    pub fn lanes(&self, slot: usize) -> &[u64] {
        match self.get(slot) {
            CellRef::Lanes(lanes) => lanes,
            CellRef::Bytes(_) => &[],
        }
    }

    /// The bytes of a row; empty for fixed kinds.
    pub fn bytes(&self, slot: usize) -> &[u8] {
        match self.get(slot) {
            CellRef::Lanes(_) => &[],
            CellRef::Bytes(bytes) => bytes,
        }
    }

    /// Replaces the cell of a row. A cell of the other sort is ignored: shapes are matched where cells are made.
    pub fn set(&mut self, slot: usize, cell: CellRef<'_>) {
        match (self, cell) {
            (Self::Fixed { lanes, cells }, CellRef::Lanes(new)) => {
                debug_assert_eq!(*lanes, new.len(), "a cell has its column's lanes");
                if cells.len() < (slot + 1) * *lanes {
                    cells.resize((slot + 1) * *lanes, 0);
                }
                cells[slot * *lanes..(slot + 1) * *lanes].copy_from_slice(new);
            }
            (Self::Variable { cells }, CellRef::Bytes(new)) => {
                if cells.len() <= slot {
                    cells.resize_with(slot + 1, Arc::default);
                }
                cells[slot] = if new.is_empty() { Arc::default() } else { new.into() };
            }
            _ => debug_assert!(false, "a cell is of its column's sort"),
        }
    }

    /// Makes the cell of a row zero or empty.
    pub fn clear(&mut self, slot: usize) {
        match self {
            Self::Fixed { lanes, cells } => {
                if let Some(cell) = cells.get_mut(slot * *lanes..(slot + 1) * *lanes) {
                    cell.fill(0);
                }
            }
            Self::Variable { cells } => {
                if let Some(cell) = cells.get_mut(slot) {
                    *cell = Arc::default();
                }
            }
        }
    }

    /// True when the rows of `occupancy` hold the same in both.
    pub fn same_rows(&self, other: &Self, occupancy: u64) -> bool {
        super::chunk::slots(occupancy).all(|slot| self.get(slot) == other.get(slot))
    }
}
