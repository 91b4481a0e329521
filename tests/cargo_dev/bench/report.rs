//! The report: a table for the terminal, a plot, and a page with both.

use std::fmt::Write;
use std::path::Path;

use anyhow::anyhow;
use plotters::prelude::{
    BLACK, ChartBuilder, Color, IntoDrawingArea, IntoSegmentedCoord, PathElement, RGBColor,
    Rectangle, SVGBackend, SegmentValue, WHITE,
};

use super::figure::{Figure, Spread};
use crate::stack::file;

/// The width of the plot, and the height of one line of it, in pixels.
const WIDTH: u32 = 1000;
const LINE: usize = 22;

/// What was measured, and what is to be said about it.
#[derive(Debug, Default)]
pub struct Report {
    pub figures: Vec<Figure>,
    /// What was left out, and the like.
    pub notes: Vec<String>,
}

impl Report {
    /// The table for the terminal.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut group = "";
        for figure in &self.figures {
            if group != figure.group {
                group = &figure.group;
                let _ = writeln!(
                    text,
                    "\n{group:<46} {:>9} {:>17} {:>9} {:>7} {:>13}",
                    "median", "middle half", "floor", "times", "middle half"
                );
            }
            let [value, floor, ratio] = [figure.value(), figure.floor(), figure.ratio()];
            let _ = writeln!(
                text,
                "  {:<44} {:>9} {:>17} {:>9} {:>7.2} {:>13}",
                figure.subject,
                number(value.median),
                format!("{} to {}", number(value.low), number(value.high)),
                number(floor.median),
                ratio.median,
                format!("{:.2} to {:.2}", ratio.low, ratio.high),
            );
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}");
        }
        text.push('\n');
        text
    }

    /// Writes `report.txt`, `report.svg` and `report.html`.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        file::create_folder(folder)?;
        let (table, plot) = (self.table(), self.plot()?);
        let escaped = table.replace('&', "&amp;").replace('<', "&lt;");
        let page = format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>cargo dev bench</title>\n\
             <style>body {{ font-family: sans-serif; margin: 2em }}</style>\n\
             <h1>cargo dev bench</h1>\n{plot}\n<pre>{escaped}</pre>\n"
        );
        for (name, text) in [
            ("report.txt", &table),
            ("report.svg", &plot),
            ("report.html", &page),
        ] {
            file::write(&folder.join(name), text)?;
        }
        Ok(())
    }

    /// A bar for each figure that says how many times its floor it is, with its middle half as a line.
    fn plot(&self) -> anyhow::Result<String> {
        let failed = |error: &dyn std::fmt::Display| anyhow!("the plot can't be drawn: {error}");
        let mut names: Vec<String> = self.figures.iter().map(Figure::name).collect();
        // The first one is at the top.
        names.reverse();
        let ratios: Vec<Spread> = self.figures.iter().rev().map(Figure::ratio).collect();
        let most = ratios.iter().map(|ratio| ratio.high).fold(1.0, f64::max);
        // A segmented axis ends with its last number, not before it.
        let last = names.len().saturating_sub(1);
        let height = u32::try_from(LINE * (names.len() + 4))?;
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
            area.fill(&WHITE).map_err(|error| failed(&error))?;
            let mut chart = ChartBuilder::on(&area)
                .caption(
                    "How many times its floor each figure is",
                    ("sans-serif", 18),
                )
                .margin(12)
                .x_label_area_size(30)
                .y_label_area_size(470)
                .build_cartesian_2d(0.0..most * 1.05, (0..last).into_segmented())
                .map_err(|error| failed(&error))?;
            let name = |segment: &SegmentValue<usize>| match segment {
                SegmentValue::CenterOf(index) => names.get(*index).cloned().unwrap_or_default(),
                _ => String::new(),
            };
            chart
                .configure_mesh()
                .disable_y_mesh()
                .y_labels(names.len())
                .y_label_formatter(&name)
                .draw()
                .map_err(|error| failed(&error))?;
            let bars = ratios.iter().enumerate().map(|(index, ratio)| {
                let corners = [
                    (0.0, SegmentValue::Exact(index)),
                    (ratio.median, SegmentValue::Exact(index + 1)),
                ];
                let mut bar = Rectangle::new(corners, RGBColor(120, 160, 210).filled());
                bar.set_margin(3, 3, 0, 0);
                bar
            });
            chart.draw_series(bars).map_err(|error| failed(&error))?;
            let spreads = ratios.iter().enumerate().map(|(index, ratio)| {
                let at = SegmentValue::CenterOf(index);
                PathElement::new([(ratio.low, at.clone()), (ratio.high, at)], BLACK)
            });
            chart.draw_series(spreads).map_err(|error| failed(&error))?;
            let floor = [
                (1.0, SegmentValue::Exact(0)),
                (1.0, SegmentValue::Exact(names.len())),
            ];
            chart
                .draw_series([PathElement::new(floor, RGBColor(190, 60, 60))])
                .map_err(|error| failed(&error))?;
            area.present().map_err(|error| failed(&error))?;
        }
        Ok(svg)
    }
}

/// Three digits at least.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_a_table_a_plot_and_a_page() {
        let figure = |subject: &str, value| Figure {
            group: "warm, ms".to_owned(),
            subject: subject.to_owned(),
            rounds: vec![value],
            floor: vec![0.5],
        };
        let report = Report {
            figures: vec![figure("get-order", 0.75), figure("list-orders <&>", 1.0)],
            notes: vec!["left out: memory".to_owned()],
        };
        let folder = std::env::temp_dir().join(format!("bench-{}", std::process::id()));
        report.write(&folder).unwrap();
        let written = ["report.txt", "report.svg", "report.html"].map(|name| {
            let text = file::read(&folder.join(name)).unwrap();
            assert!(text.contains("get-order"), "{name}: {text}");
            text
        });
        file::remove_folder(&folder).unwrap();
        let [table, _, page] = written;
        let line = table.lines().find(|line| line.contains("get-order"));
        let words: Vec<_> = line.unwrap().split_whitespace().collect();
        assert_eq!(
            words[1..7],
            ["0.750", "0.750", "to", "0.750", "0.500", "1.50"]
        );
        assert!(table.contains("left out: memory"));
        assert!(page.contains("list-orders &lt;&amp;>"));
    }
}
