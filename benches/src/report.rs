//! What a run says: readable tables, and the same figures as rows for a machine.

use serde_json::{Value, json};

use crate::contest::{Measured, Part};

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Report {
    bench: &'static str,
    rows: Vec<Value>,
}

/// What a figure is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// Of whom.
    pub name: &'a str,
    /// Its figure, in the same unit.
    pub value: f64,
}

impl Report {
    /// From here on figures belong to this benchmark.
    pub fn begin(&mut self, bench: &'static str) {
        self.bench = bench;
    }

    /// Notes one figure.
    pub fn note(&mut self, case: &str, metric: &str, value: f64, unit: &str, beside: Option<Beside<'_>>) {
        self.rows.push(json!({
            "bench": self.bench,
            "case": case,
            "metric": metric,
            "value": value,
            "unit": unit,
            "peer": beside.map(|beside| beside.name),
            "peer_value": beside.map(|beside| beside.value),
            "ratio": beside.filter(|beside| beside.value > 0.0).map(|beside| value / beside.value),
        }));
    }

    /// Every figure so far.
    pub fn rows(&self) -> &[Value] {
        &self.rows
    }

    /// Prints a contest and notes its figures. The ratio is to the first entry that is not ours.
    pub fn contest(&mut self, title: &str, results: &[Measured]) {
        let mut table = Table::new(
            title,
            &["operation", "", "bytes", "median ns", "p99 ns", "MB/s", "allocations", "ratio"],
        );
        let reference = results.iter().find(|result| result.part != Part::Ours);
        for result in results {
            let ratio = reference.map(|reference| result.median_ns / reference.median_ns);
            let throughput = if result.bytes == 0 { String::new() } else { number(result.megabytes_per_s()) };
            table.row([
                result.name.clone(),
                result.part.name().to_owned(),
                if result.bytes == 0 { String::new() } else { result.bytes.to_string() },
                number(result.median_ns),
                number(result.p99_ns),
                throughput,
                number(result.allocations),
                ratio.map(number).unwrap_or_default(),
            ]);
            let case = format!("{title}: {}", result.name);
            let beside = reference
                .filter(|_| result.part == Part::Ours)
                .map(|reference| Beside { name: &reference.name, value: reference.median_ns });
            self.note(&case, "time_per_operation", result.median_ns, "ns", beside);
            self.note(&case, "allocations_per_operation", result.allocations, "", None);
        }
        table.print();
    }
}

/// A table that is printed when it is complete.
#[derive(Debug)]
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these columns. The first is text, the others are numbers.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            rows: vec![columns.iter().map(|&column| column.to_owned()).collect()],
        }
    }

    /// Adds a row; it has as many cells as there are columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let row: Vec<String> = cells.into_iter().collect();
        debug_assert_eq!(row.len(), self.rows[0].len(), "a row of another table");
        self.rows.push(row);
    }

    /// Prints it.
    pub fn print(&self) {
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        println!("\n{}", self.title);
        for (at, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width - cell.chars().count());
                if column == 0 {
                    line = format!("  {cell}{gap}");
                } else {
                    line = format!("{line}  {gap}{cell}");
                }
            }
            println!("{}", line.trim_end());
            if at == 0 {
                println!("  {}", "-".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
            }
        }
    }
}

/// Three figures that mean something, or a whole number.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 100.0 || magnitude.fract() == 0.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else if magnitude >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}
