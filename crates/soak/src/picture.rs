//! Draws what was sampled: an SVG with a panel for each kind of curve, and bars where faults were made.
//!
//! Colours are those of the reader's light or dark mode; a picture stays far below 60 KB.

use std::fmt::Write as _;

use crate::samples::{Curve, Mark, Samples};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 150.0;
const PANEL: f64 = 150.0;
const GAP: f64 = 44.0;
const LANE: f64 = 16.0;
const TOP: f64 = 62.0;

/// Most points of a curve.
const POINTS: usize = 240;

/// The lanes of faults: a name, its class, and what names of its faults contain.
const LANES: [(&str, &str, &str); 3] =
    [("nodes", "n", "node"), ("Redis", "r", "redis"), ("Postgres", "p", "postgres")];

const STYLE: &str = "\
svg{font:12px system-ui,sans-serif;background:#fff;color-scheme:light dark}\
text{fill:#24292f}.t{font-size:15px;font-weight:600}.s{fill:#57606a}.b{fill:#fff}.g{stroke:#d8dee4;stroke-width:1}\
.c{fill:none;stroke-width:1.6;stroke-linejoin:round}.c0{stroke:#0969da}.c1{stroke:#bc4c00}.c2{stroke:#1a7f37}.c3{stroke:#8250df}\
.l0{fill:#0969da}.l1{fill:#bc4c00}.l2{fill:#1a7f37}.l3{fill:#8250df}\
.n{fill:#bf8700}.r{fill:#cf222e}.p{fill:#0550ae}.f{opacity:.13}\
@media(prefers-color-scheme:dark){svg{background:#0d1117}.b{fill:#0d1117}text{fill:#e6edf3}.s{fill:#9198a1}.g{stroke:#30363d}\
.c0{stroke:#4493f8}.c1{stroke:#f0883e}.c2{stroke:#3fb950}.c3{stroke:#ab7df8}\
.l0{fill:#4493f8}.l1{fill:#f0883e}.l2{fill:#3fb950}.l3{fill:#ab7df8}\
.n{fill:#d29922}.r{fill:#f85149}.p{fill:#79c0ff}.f{opacity:.2}}";

/// A panel: its title with the unit, and its curves.
struct Panel<'a> {
    title: &'a str,
    curves: Vec<&'a Curve>,
}

/// Where seconds lie.
struct Axis {
    seconds: f64,
}

impl Axis {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (seconds / self.seconds).clamp(0.0, 1.0)
    }
}

/// The picture of a run; `subtitle` says what was run.
pub(crate) fn svg(samples: &Samples, subtitle: &str) -> String {
    let panels = [
        Panel { title: "memory of the nodes (RSS), MiB", curves: samples.nodes.iter().collect() },
        Panel { title: "memory of Redis and Postgres, MiB", curves: samples.stores.iter().collect() },
        Panel { title: "open file descriptors of the nodes", curves: samples.descriptors.iter().collect() },
        Panel { title: "connections", curves: samples.connections.iter().collect() },
    ];
    let axis = Axis { seconds: samples.times.last().copied().unwrap_or(1.0).max(1.0) };
    let lanes = TOP + LANE * LANES.len() as f64;
    let height = lanes + panels.len() as f64 * (PANEL + GAP) + 30.0;
    let mut drawn = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>{subtitle}</title>\n<style>{STYLE}</style>\n<rect class=\"b\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"t\" x=\"14\" y=\"24\">A cluster under faults</text>\n\
         <text class=\"s\" x=\"14\" y=\"43\">{subtitle}</text>\n"
    );
    faults(&mut drawn, &samples.marks, &axis, height);
    for (at, panel) in panels.iter().enumerate() {
        let top = lanes + at as f64 * (PANEL + GAP) + GAP - 8.0;
        panel_at(&mut drawn, panel, &samples.times, &axis, top);
    }
    times(&mut drawn, &axis, height - 26.0);
    drawn + "</svg>\n"
}

/// A lane for each kind of fault, and a faint bar through all panels.
fn faults(drawn: &mut String, marks: &[Mark], axis: &Axis, height: f64) {
    let mut put = |text: String| drawn.push_str(&text);
    for (lane, (name, class, part)) in LANES.iter().enumerate() {
        let y = TOP + lane as f64 * LANE;
        put(format!(
            "<text class=\"s\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{name}</text>\n",
            LEFT - 8.0,
            y + 11.0
        ));
        for mark in marks.iter().filter(|mark| mark.name.contains(part)) {
            let (x, end) = (axis.x(mark.begin), axis.x(mark.end));
            let width = (end - x).max(2.0);
            let (top, through) = (y + 2.0, height - 40.0 - y);
            put(format!(
                "<g class=\"{class}\"><title>{} at {:.0} s</title><rect x=\"{x:.1}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"11\"/>\
                 <rect class=\"f\" x=\"{x:.1}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"{through:.0}\"/></g>\n",
                mark.name, mark.begin
            ));
        }
    }
    let x = WIDTH - RIGHT + 10.0;
    put(format!("<text class=\"s\" x=\"{x:.0}\" y=\"{:.0}\">faults: killed,</text>\n", TOP + 11.0));
    put(format!("<text class=\"s\" x=\"{x:.0}\" y=\"{:.0}\">stopped, restarted</text>\n", TOP + 11.0 + LANE));
}

fn panel_at(drawn: &mut String, Panel { title, curves }: &Panel<'_>, times: &[f64], axis: &Axis, top: f64) {
    let curves: Vec<&Curve> = curves.iter().copied().filter(|curve| curve.highest() > 0.0).collect();
    let highest = curves.iter().map(|curve| curve.highest()).fold(1.0, f64::max);
    let step = step(highest);
    let most = (highest / step).ceil() * step;
    let y = |value: f64| top + PANEL * (1.0 - value / most);
    let right = WIDTH - RIGHT;
    let _ = writeln!(drawn, "<text x=\"{LEFT:.0}\" y=\"{:.0}\">{title}</text>", top - 8.0);
    let mut line = 0.0;
    while line <= most {
        let at = y(line);
        let _ = writeln!(
            drawn,
            "<path class=\"g\" d=\"M{LEFT:.0} {at:.1}H{right:.0}\"/><text class=\"s\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{line}</text>",
            LEFT - 8.0,
            at + 4.0
        );
        line += step;
    }
    for (number, curve) in curves.iter().enumerate() {
        let path = path(curve, times, |seconds| axis.x(seconds), y);
        let _ = writeln!(drawn, "<path class=\"c c{number}\" d=\"{path}\"/>");
        let legend = top + 12.0 + number as f64 * 17.0;
        let _ = writeln!(
            drawn,
            "<rect class=\"l{number}\" x=\"{:.0}\" y=\"{:.0}\" width=\"12\" height=\"3\"/><text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            right + 10.0,
            legend - 5.0,
            right + 28.0,
            legend,
            curve.name
        );
    }
}

/// A curve, with gaps where nothing was measured; of more points than fit, the highest of some neighbours.
fn path(curve: &Curve, times: &[f64], x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let few = curve.values.len().div_ceil(POINTS).max(1);
    let mut path = String::new();
    let mut is_down = false;
    for (some, times) in curve.values.chunks(few).zip(times.chunks(few)) {
        let value = some.iter().copied().flatten().reduce(f64::max);
        if let (Some(value), Some(seconds)) = (value, times.first()) {
            let _ = write!(path, "{}{:.1} {:.1}", if is_down { 'L' } else { 'M' }, x(*seconds), y(value));
        }
        is_down = value.is_some();
    }
    path
}

fn times(drawn: &mut String, axis: &Axis, y: f64) {
    let minutes = axis.seconds / 60.0;
    let step = step(minutes).max(1.0);
    let mut at = 0.0;
    while at <= minutes {
        let x = axis.x(at * 60.0);
        let _ =
            writeln!(drawn, "<text class=\"s\" x=\"{x:.1}\" y=\"{y:.0}\" text-anchor=\"middle\">{at}</text>");
        at += step;
    }
    let (x, y) = (WIDTH - RIGHT + 10.0, y);
    let _ = writeln!(drawn, "<text class=\"s\" x=\"{x:.0}\" y=\"{y:.0}\">minutes</text>");
}

/// A round distance between lines, so that there are three to six of them.
fn step(highest: f64) -> f64 {
    let rough = highest / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| rough <= factor * power);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, values: Vec<Option<f64>>) -> Curve {
        Curve { name: name.to_owned(), values }
    }

    #[test]
    fn the_picture_of_a_long_run_is_small_and_shows_every_fault() {
        let many = |name: &str| curve(name, (0..720).map(|at| Some(f64::from(at % 97))).collect());
        let samples = Samples {
            times: (0..720).map(|at| f64::from(at) * 5.0).collect(),
            nodes: vec![many("node 0"), many("node 1"), many("node 2")],
            descriptors: vec![many("node 0"), many("node 1"), many("node 2")],
            stores: vec![many("Redis"), many("Postgres")],
            connections: vec![many("of clients"), many("to Redis"), many("to Postgres")],
            marks: ["kill-node", "kill-redis for 15 s", "pause-postgres for 60 s"]
                .iter()
                .enumerate()
                .map(|(at, name)| Mark {
                    name: (*name).to_owned(),
                    begin: at as f64 * 90.0,
                    end: at as f64 * 95.0,
                })
                .collect(),
        };
        let drawn = svg(&samples, "3 nodes, 60 minutes");
        assert!(drawn.len() < 60_000, "{} bytes", drawn.len());
        for mark in &samples.marks {
            assert!(drawn.contains(&format!("<title>{} at", mark.name)), "{}", mark.name);
        }
        assert!(drawn.contains("prefers-color-scheme:dark") && drawn.contains("minutes</text>"));
    }

    #[test]
    fn a_curve_has_a_gap_where_nothing_was_measured() {
        let curve = curve("node 1", vec![Some(1.0), Some(2.0), None, Some(3.0)]);
        let drawn = path(&curve, &[0.0, 1.0, 2.0, 3.0], |seconds| seconds, |value| value);
        assert_eq!(drawn, "M0.0 1.0L1.0 2.0M3.0 3.0");
    }

    #[test]
    fn lines_lie_at_round_numbers() {
        assert_eq!([step(30.0), step(3.7), step(200.0)], [10.0, 1.0, 50.0]);
    }
}
