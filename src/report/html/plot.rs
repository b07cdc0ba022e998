//! One plot as SVG.
//!
//! Its colours are placeholders, from black to a very dark blue, that the page's style sheet maps to its own by attribute: so the same plot
//! can be read on a light and on a dark page, and on paper.

use maud::{Markup, PreEscaped, html};
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Text};
use plotters::prelude::{Color, IntoDrawingArea, RGBColor, SVGBackend, ShapeStyle};
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{IntoTextStyle, TextStyle};

use super::axis::Axis;

/// Twice the size at which it is shown: coordinates are whole numbers.
const FINENESS: u32 = 2;
pub(super) const WIDTH: u32 = 960 * FINENESS;
pub(super) const HEIGHT: u32 = 340 * FINENESS;
pub(super) const FONT: u32 = 15 * FINENESS;
/// About how wide a character is.
pub(super) const CHARACTER: u32 = FONT * 9 / 20;

const INK: RGBColor = RGBColor(0, 0, 1);
const FAINT: RGBColor = RGBColor(0, 0, 2);
/// The style sheet has so many colours for series; further ones are the same again, dashed.
pub(super) const COLOURS: usize = 8;

/// What is drawn, and what it says to those who cannot see it.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// Unique in the page.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Where on the x axis something begins, and its name.
    pub(crate) sections: Vec<(f64, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// Runs of points, each joined by a line of its own.
    pub(crate) runs: Vec<Vec<(f64, f64)>>,
}

/// How a series is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// From 0.
    pub(crate) colour: usize,
    pub(crate) dashed: bool,
    pub(crate) dots: bool,
}

impl Look {
    /// That of a series in a row of many.
    pub(crate) fn line(place: usize) -> Self {
        Self { colour: place % COLOURS, dashed: !(place / COLOURS).is_multiple_of(2), dots: false }
    }

    /// The placeholder as the style sheet has it.
    pub(super) fn colour(self) -> String {
        let RGBColor(r, g, b) = self.placeholder();
        format!("#{r:02X}{g:02X}{b:02X}")
    }

    fn placeholder(self) -> RGBColor {
        RGBColor(0, if self.dashed { 2 } else { 1 }, self.colour as u8)
    }
}

impl Plot {
    /// The figure: the plot with its title, and the names of its series below.
    pub(super) fn figure(&self) -> Markup {
        let (title, description) = (format!("{}-title", self.id), format!("{}-description", self.id));
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby=(title) aria-describedby=(description) {
                title id=(title) { (self.title) }
                desc id=(description) { (self.description) }
                (PreEscaped(self.drawn()))
            }
            ul.legend aria-label="Series" { @for series in &self.series { li { (key(series.look)) (series.name) } } }
        }
    }

    /// The inside of the SVG.
    pub(super) fn drawn(&self) -> String {
        let mut svg = String::new();
        self.draw(&mut svg).expect("drawing into a string does not fail");
        let inside = svg.split_once('>').map_or("", |(_, inside)| inside);
        inside.trim().trim_end_matches("</svg>").to_owned()
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let area = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        let text = || ("sans-serif", FONT).into_text_style(&area).color(&INK);
        let mut chart = ChartBuilder::on(&area)
            .margin(10 * FINENESS)
            .margin_top(if self.sections.is_empty() { 10 } else { 26 } * FINENESS)
            .margin_right(24 * FINENESS)
            .x_label_area_size(46 * FINENESS)
            .y_label_area_size(74 * FINENESS)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        chart
            .configure_mesh()
            .x_desc(self.x.label)
            .y_desc(self.y.label)
            .x_label_formatter(&|value| self.x.text(*value))
            .y_label_formatter(&|value| self.y.text(*value))
            .bold_line_style(FAINT)
            .light_line_style(plotters::style::TRANSPARENT)
            .axis_style(FAINT)
            .label_style(text())
            .axis_desc_style(text())
            .draw()?;
        for series in &self.series {
            let style = ShapeStyle::from(series.look.placeholder()).stroke_width(2 * FINENESS);
            for run in &series.runs {
                chart.draw_series(LineSeries::new(run.iter().copied(), style))?;
                // A run of one point would not be seen.
                let radius = if series.look.dots { 4 } else { 2 } * FINENESS;
                if series.look.dots || run.len() == 1 {
                    let dots = run.iter().map(|point| Circle::new(*point, radius, series.look.placeholder().filled()));
                    chart.draw_series(dots)?;
                }
            }
        }
        let top = self.y.range().end;
        let bottom = self.y.range().start;
        for (place, (begin, name)) in self.sections.iter().enumerate() {
            let end = self.sections.get(place + 1).map_or(self.x.range().end, |(next, _)| *next);
            if *begin > self.x.range().start {
                chart.draw_series([PathElement::new(vec![(*begin, bottom), (*begin, top)], INK.stroke_width(FINENESS))])?;
            }
            if let Some(name) = self.fitting(name, end - begin) {
                let at_the_left: TextStyle<'_> = text().pos(Pos::new(HPos::Left, VPos::Bottom));
                chart.draw_series([Text::new(name, (*begin, top), at_the_left)])?;
            }
        }
        drop(chart);
        area.present()?;
        drop(area);
        Ok(())
    }

    /// As much of a name as has room above a section; none where that would say nothing.
    fn fitting(&self, name: &str, length: f64) -> Option<String> {
        let whole = self.x.range().end - self.x.range().start;
        let room = (length / whole * f64::from(WIDTH - 110 * FINENESS) / f64::from(CHARACTER)) as usize;
        match name.chars().count() {
            characters if characters < room => Some(name.to_owned()),
            _ if room >= 6 => Some(name.chars().take(room - 2).chain(['…']).collect()),
            _ => None,
        }
    }
}

/// How a series looks, beside its name.
fn key(look: Look) -> Markup {
    let colour = look.colour();
    html! {
        svg.key viewBox="0 0 28 10" aria-hidden="true" {
            line x1="0" y1="5" x2="28" y2="5" stroke=(colour) stroke-width="2" {}
            @if look.dots { circle cx="14" cy="5" r="4" fill=(colour) {} }
        }
    }
}
