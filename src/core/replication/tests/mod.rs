//! The room as a whole: random worlds and histories over links that lose, repeat and reorder.

mod golden;
mod hostile;
mod links;
mod rows;
mod samples;
mod versions;
