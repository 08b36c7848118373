//! What the template shows.

use std::io;

use askama::Template;

use crate::figures::{self, Figures};
use crate::tables::{self, BACKENDS, Table};
use crate::{Environment, Outcome, Report, Section, answer, bias, chart, goals};

#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct Page<'a> {
    environment: &'a Environment,
    /// Colours of the charts.
    style: String,
    answer: Vec<String>,
    sections: Vec<Part>,
    rules: Option<Rules<'a>>,
    goals: Vec<goals::Goal>,
    /// What is missing, and why.
    skipped: Vec<(&'static str, &'a str)>,
    bias: Vec<Vec<Piece>>,
}

/// A section with its charts.
struct Part {
    id: &'static str,
    title: &'static str,
    lead: String,
    charts: Vec<Drawn>,
    notes: Vec<String>,
    tables: Vec<Table>,
}

struct Drawn {
    title: String,
    note: String,
    /// Markup that is safe: names in it are escaped where they are drawn.
    svg: String,
}

/// The rules and whether they hold.
struct Rules<'a> {
    heads: [&'static str; 3],
    rows: Vec<Rule<'a>>,
    notes: Vec<String>,
}

struct Rule<'a> {
    number: &'a str,
    title: &'a str,
    cells: [(&'static str, &'static str); 3],
    /// Why it does not hold somewhere.
    because: Vec<String>,
}

/// Words, or a name.
struct Piece {
    is_name: bool,
    text: &'static str,
}

impl<'a> Page<'a> {
    pub(super) fn of(report: &'a Report) -> io::Result<Self> {
        let mut sections = Vec::new();
        let mut skipped = Vec::new();
        for section in ORDER {
            match report.skipped.get(section.as_str()) {
                Some(why) => skipped.push((title(section), why.as_str())),
                None if section == Section::Equivalence => {}
                None => sections.push(Part::of(section, report)?),
            }
        }
        Ok(Self {
            environment: &report.environment,
            style: chart::style(".chart"),
            answer: answer::sentences(report),
            sections,
            rules: (!report.equivalence.is_empty()).then(|| Rules::of(report)),
            goals: goals::of(report),
            skipped,
            bias: bias::POINTS.map(pieces).into(),
        })
    }

    fn reached(&self) -> usize {
        self.goals.iter().filter(|goal| goal.reached).count()
    }

    fn missed(&self) -> impl Iterator<Item = &goals::Goal> {
        self.goals.iter().filter(|goal| !goal.reached)
    }
}

/// What matters most comes first.
const ORDER: [Section; 9] = [
    Section::Handshakes,
    Section::Store,
    Section::Burst,
    Section::HitRate,
    Section::Memory,
    Section::Contention,
    Section::Scale,
    Section::Tiers,
    Section::Equivalence,
];

fn title(section: Section) -> &'static str {
    match section {
        Section::Handshakes => "Handshakes",
        Section::Store => "Operations on a store",
        Section::Contention => "Threads that share a store",
        Section::HitRate => "Hit rate at equal bytes",
        Section::Burst => "Connections that begin together",
        Section::Memory => "Memory of a session",
        Section::Scale => "A very large store",
        Section::Tiers => "Beyond the process",
        Section::Equivalence => "The rules",
    }
}

impl Part {
    fn of(section: Section, report: &Report) -> io::Result<Self> {
        let Figures {
            lead,
            charts,
            notes,
        } = figures::section(section, report);
        let id = section.as_str();
        let charts = charts.into_iter().enumerate().map(|(at, chart)| {
            Ok(Drawn {
                svg: chart.svg(&format!("{id}-{at}"))?,
                title: chart.title,
                note: chart.note,
            })
        });
        Ok(Self {
            id,
            title: title(section),
            lead,
            charts: charts.collect::<io::Result<_>>()?,
            notes,
            tables: tables::section(section, report),
        })
    }
}

impl<'a> Rules<'a> {
    fn of(report: &'a Report) -> Self {
        let rows = report.equivalence.iter().map(|row| Rule {
            number: &row.rule,
            title: &row.title,
            cells: BACKENDS.map(|(_, of)| {
                let verdict = of(row);
                let class = match verdict.outcome {
                    Outcome::Pass => "pass",
                    Outcome::Fail => "fail",
                    Outcome::NotApplicable => "none",
                };
                (class, tables::word(verdict))
            }),
            because: BACKENDS
                .iter()
                .filter(|(_, of)| of(row).outcome == Outcome::Fail)
                .map(|(backend, of)| {
                    let reason = of(row).reason.as_deref();
                    format!("{backend}: {}", reason.unwrap_or("no reason given"))
                })
                .collect(),
        });
        let table = tables::section(Section::Equivalence, report).pop();
        Self {
            heads: BACKENDS.map(|(backend, _)| backend),
            rows: rows.collect(),
            notes: table.map_or_else(Vec::new, |table| table.notes),
        }
    }
}

/// Takes a text with names between backticks apart.
fn pieces(text: &'static str) -> Vec<Piece> {
    let parts = text.split('`').enumerate();
    parts
        .map(|(at, text)| Piece {
            is_name: at % 2 == 1,
            text,
        })
        .collect()
}
