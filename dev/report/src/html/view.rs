//! The data of the page's template.

use std::io;

use askama::Template;

use crate::figures::{self, Figures};
use crate::tables::{self, BACKENDS, Table};
use crate::{Environment, Report, RuleOutcome, Section, caveats, chart, goals, summary};

#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct Page<'a> {
    environment: &'a Environment,
    /// Style sheet of the charts.
    style: String,
    summary: Vec<String>,
    sections: Vec<SectionView>,
    rules: Option<RulesView<'a>>,
    goals: Vec<goals::Goal>,
    /// Missing sections, each with the reason.
    skipped: Vec<(&'static str, &'a str)>,
    caveats: Vec<Vec<Span>>,
}

/// A section with its charts and tables.
struct SectionView {
    id: &'static str,
    title: &'static str,
    lead: String,
    charts: Vec<ChartView>,
    notes: Vec<String>,
    tables: Vec<Table>,
}

struct ChartView {
    title: String,
    note: String,
    /// Safe markup: names were escaped when the chart was drawn.
    svg: String,
}

/// The rules with their verdicts.
struct RulesView<'a> {
    heads: [&'static str; 3],
    rows: Vec<RuleView<'a>>,
    notes: Vec<String>,
}

struct RuleView<'a> {
    number: &'a str,
    title: &'a str,
    /// CSS class and text of each backend's verdict.
    cells: [(&'static str, &'static str); 3],
    /// Reasons for failures.
    failures: Vec<String>,
}

/// Part of a text: prose, or a name.
struct Span {
    is_name: bool,
    text: &'static str,
}

impl<'a> Page<'a> {
    pub(super) fn new(report: &'a Report) -> io::Result<Self> {
        let mut sections = Vec::new();
        let mut skipped = Vec::new();
        for section in ORDER {
            match report.skipped.get(section.as_str()) {
                Some(why) => skipped.push((title(section), why.as_str())),
                None if section == Section::Equivalence => {}
                None => sections.push(SectionView::new(section, report)?),
            }
        }
        Ok(Self {
            environment: &report.environment,
            style: chart::style(".chart"),
            summary: summary::sentences(report),
            sections,
            rules: (!report.equivalence.is_empty()).then(|| RulesView::new(report)),
            goals: goals::evaluate(report),
            skipped,
            caveats: caveats::POINTS.map(spans).into(),
        })
    }

    /// The number of goals reached.
    fn reached(&self) -> usize {
        self.goals.iter().filter(|goal| goal.reached).count()
    }

    /// The goals not reached.
    fn missed(&self) -> impl Iterator<Item = &goals::Goal> {
        self.goals.iter().filter(|goal| !goal.reached)
    }
}

/// Order of the sections on the page.
const ORDER: [Section; 10] = [
    Section::Handshakes,
    Section::Store,
    Section::Burst,
    Section::HitRate,
    Section::Memory,
    Section::Contention,
    Section::Scale,
    Section::Tiers,
    Section::Fleet,
    Section::Equivalence,
];

fn title(section: Section) -> &'static str {
    match section {
        Section::Handshakes => "Handshakes",
        Section::Store => "Operations on a store",
        Section::Contention => "Threads that share a store",
        Section::HitRate => "Hit rate at equal size",
        Section::Burst => "Bursts of connections",
        Section::Memory => "Memory of a session",
        Section::Scale => "A very large store",
        Section::Tiers => "Tiers: LMDB and Redis",
        Section::Fleet => "Processes that share sessions",
        Section::Equivalence => "The rules",
    }
}

impl SectionView {
    fn new(section: Section, report: &Report) -> io::Result<Self> {
        let Figures {
            lead,
            charts,
            notes,
        } = figures::section(section, report);
        let id = section.as_str();
        let charts = charts.into_iter().enumerate().map(|(index, chart)| {
            Ok(ChartView {
                svg: chart.svg(&format!("{id}-{index}"))?,
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

impl<'a> RulesView<'a> {
    fn new(report: &'a Report) -> Self {
        let rows = report.equivalence.iter().map(|row| RuleView {
            number: &row.rule,
            title: &row.title,
            cells: BACKENDS.map(|(_, verdict)| {
                let verdict = verdict(row);
                let class = match verdict.outcome {
                    RuleOutcome::Pass => "pass",
                    RuleOutcome::Fail => "fail",
                    RuleOutcome::NotApplicable => "none",
                };
                (class, tables::label(verdict))
            }),
            failures: BACKENDS
                .iter()
                .filter(|(_, verdict)| verdict(row).outcome == RuleOutcome::Fail)
                .map(|(backend, verdict)| {
                    let reason = verdict(row).reason.as_deref();
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

/// Splits a text with names between backticks.
fn spans(text: &'static str) -> Vec<Span> {
    let parts = text.split('`').enumerate();
    parts
        .map(|(index, text)| Span {
            is_name: index % 2 == 1,
            text,
        })
        .collect()
}
