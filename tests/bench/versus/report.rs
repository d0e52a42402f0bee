//! The table at the end: figures, ratios and aims.

/// One figure of one peer.
struct Row {
    figure: &'static str,
    who: String,
    value: f64,
    unit: &'static str,
    note: String,
}

/// What was hoped for.
struct Aim {
    text: String,
    ratio: f64,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    aims: Vec<Aim>,
}

impl Report {
    /// Adds a figure.
    pub(crate) fn add(
        &mut self,
        figure: &'static str,
        who: &str,
        value: f64,
        unit: &'static str,
        note: String,
    ) {
        println!("{figure:<28} {who:<9} {value:>10.2} {unit:<6} {note}");
        self.rows.push(Row { figure, who: who.to_owned(), value, unit, note });
    }

    /// The value of a figure.
    pub(crate) fn value(&self, figure: &str, who: &str) -> Option<f64> {
        self.rows.iter().find(|r| r.figure == figure && r.who == who).map(|r| r.value)
    }

    /// States an aim: `got` should be at most `limit` (or at least, with `more`).
    pub(crate) fn aim(&mut self, text: String, got: f64, limit: f64, more: bool) {
        let ratio = if more { limit / got } else { got / limit };
        self.aims.push(Aim { text: format!("{text}: {got:.2} against {limit:.2}"), ratio });
    }

    /// Prints all.
    pub(crate) fn print(&self) {
        println!("\n{:<28} {:<9} {:>10} {:<6} {:>9}  note", "figure", "who", "value", "unit", "abide/it");
        for row in &self.rows {
            let ratio = self
                .value(row.figure, "abide")
                .filter(|_| row.who != "abide" && row.value > 0.0)
                .map_or_else(String::new, |ours| format!("{:.2}", ours / row.value));
            println!(
                "{:<28} {:<9} {:>10.2} {:<6} {ratio:>9}  {}",
                row.figure, row.who, row.value, row.unit, row.note
            );
        }
        println!();
        for aim in &self.aims {
            let verdict = match aim.ratio {
                r if r <= 1.0 => "reached".to_owned(),
                r if r <= 2.0 => format!("not reached, by a factor of {r:.2}"),
                r => format!("MISSED by a factor of {r:.2}"),
            };
            println!("{}: {verdict}", aim.text);
        }
    }
}
