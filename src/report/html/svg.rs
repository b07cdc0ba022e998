//! A plot as a file of its own.

use maud::{PreEscaped, html};

use super::STYLE;
use super::plot::{CHARACTER, FONT, HEIGHT, Plot, WIDTH};

/// The height of the title's line, and of that with the names of the series.
const LINE: u32 = FONT * 2;

impl Plot {
    /// An SVG file with title, plot and the names of its series. It loads nothing, and follows the reader's choice of light or dark.
    pub(crate) fn svg(&self) -> String {
        let height = HEIGHT + 2 * LINE;
        let name = |place: usize| {
            let before: usize = self.series[..place].iter().map(|series| series.name.chars().count()).sum();
            FONT * 3 + before as u32 * CHARACTER * 5 / 4 + place as u32 * 5 * FONT
        };
        let svg = html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (height) } role="img"
                aria-labelledby={ (self.id) "-title" } aria-describedby={ (self.id) "-description" } {
                title id={ (self.id) "-title" } { (self.title) }
                desc id={ (self.id) "-description" } { (self.description) }
                style { (PreEscaped(STYLE)) }
                rect width=(WIDTH) height=(height) style="fill: var(--page)" {}
                text x=(FONT * 3) y=(LINE) font-family="sans-serif" font-size=(FONT + FONT / 5) font-weight="600" fill="#000001" { (self.title) }
                g transform={ "translate(0 " (LINE) ")" } { (PreEscaped(self.drawn())) }
                @for (place, series) in self.series.iter().enumerate() {
                    @let (x, y) = (name(place), height - LINE / 2);
                    line x1=(x) y1=(y - FONT / 3) x2=(x + 3 * FONT) y2=(y - FONT / 3) stroke=(series.look.colour()) stroke-width="4" {}
                    text x=(x + 3 * FONT + FONT / 2) y=(y) font-family="sans-serif" font-size=(FONT) fill="#000001" { (series.name) }
                }
            }
        };
        svg.into_string() + "\n"
    }
}
