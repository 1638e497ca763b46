//! Colours, glyphs, numbers and tables in text. No terminal is asked here.

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours.
    pub colour: bool,
    /// More than ASCII.
    pub unicode: bool,
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Nothing special.
    Plain,
    /// Headings and asides.
    Dim,
    /// What to look at.
    Bold,
    /// As it should be.
    Good,
    /// Worth a look.
    Odd,
    /// Wrong.
    Bad,
}

impl Style {
    /// The text in this ink.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            _ if !self.colour => return text.to_owned(),
            Ink::Plain => return text.to_owned(),
            Ink::Dim => "2",
            Ink::Bold => "1",
            Ink::Good => "32",
            Ink::Odd => "33",
            Ink::Bad => "1;31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A good or a bad mark.
    pub fn mark(self, good: bool) -> String {
        match (good, self.unicode) {
            (true, true) => self.ink(Ink::Good, "\u{2713}"),
            (false, true) => self.ink(Ink::Bad, "\u{2717}"),
            (true, false) => self.ink(Ink::Good, "ok"),
            (false, false) => self.ink(Ink::Bad, "BAD"),
        }
    }

    /// A bar of `width` characters, filled from the left.
    pub fn bar(self, share: f64, width: usize) -> String {
        let filled = ((share.clamp(0.0, 1.0) * width as f64).round() as usize).min(width);
        let (full, empty) = if self.unicode { ("\u{2501}", "\u{2500}") } else { ("#", "-") };
        self.ink(Ink::Good, &full.repeat(filled)) + &self.ink(Ink::Dim, &empty.repeat(width - filled))
    }
}

/// A whole number in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A number with decimals; `-` when there is none.
pub fn decimal(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// How.
    pub ink: Ink,
}

impl Cell {
    /// In plain ink.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ink: Ink::Plain }
    }

    /// In another.
    pub fn ink(mut self, ink: Ink) -> Self {
        self.ink = ink;
        self
    }
}

/// Pads to a width, counted in characters: on the left for numbers, on the right for the first `left` columns.
fn padded(text: &str, width: usize, to_left: bool) -> String {
    let fill = " ".repeat(width.saturating_sub(text.chars().count()));
    if to_left { format!("{text}{fill}") } else { format!("{fill}{text}") }
}

/// Lines of a table; the first `left` columns are aligned to the left, the others to the right. The heading has two
/// lines: names and units.
pub fn table(style: Style, heading: &[(&str, &str)], left: usize, rows: &[Vec<Cell>]) -> Vec<String> {
    let widths: Vec<usize> = heading
        .iter()
        .enumerate()
        .map(|(column, (name, unit))| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count());
            cells.chain([name.chars().count(), unit.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<(String, Ink)>| {
        let parts = cells
            .into_iter()
            .enumerate()
            .map(|(column, (text, ink))| style.ink(ink, &padded(&text, widths[column], column < left)));
        format!(" {}", parts.collect::<Vec<_>>().join("  ").trim_end())
    };
    let names = heading.iter().map(|(name, _)| ((*name).to_owned(), Ink::Bold)).collect();
    let units = heading.iter().map(|(_, unit)| ((*unit).to_owned(), Ink::Dim)).collect();
    let mut lines = vec![line(names), line(units)];
    lines.extend(
        rows.iter().map(|row| line(row.iter().map(|cell| (cell.text.clone(), cell.ink)).collect::<Vec<_>>())),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { colour: false, unicode: false };

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 12, 999, 1000, 1_234_567].map(grouped), ["0", "12", "999", "1 000", "1 234 567"]);
        assert_eq!(decimal(Some(1.259), 2), "1.26");
        assert_eq!(decimal(None, 2), "-");
    }

    #[test]
    fn a_table_is_aligned_whatever_its_colours() {
        let rows = vec![
            vec![Cell::new("cpp-0"), Cell::new("1").ink(Ink::Good)],
            vec![Cell::new("c"), Cell::new("12 345")],
        ];
        let lines = table(PLAIN, &[("peer", ""), ("ticks", "equal")], 1, &rows);
        assert_eq!(lines, [" peer    ticks", "         equal", " cpp-0       1", " c      12 345"]);
        let coloured = table(Style { colour: true, unicode: true }, &[("peer", ""), ("ticks", "")], 1, &rows);
        assert!(coloured[2].contains("\x1b[32m     1\x1b[0m"), "{:?}", coloured[2]);
    }

    #[test]
    fn bars_and_marks() {
        assert_eq!(PLAIN.bar(0.5, 8), "####----");
        assert_eq!(PLAIN.bar(7.0, 3), "###");
        assert_eq!(PLAIN.bar(-1.0, 3), "---");
        assert_eq!((PLAIN.mark(true), PLAIN.mark(false)), ("ok".to_owned(), "BAD".to_owned()));
    }
}
