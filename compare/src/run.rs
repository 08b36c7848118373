//! A run: sections in order, and the report after each of them.

mod program;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use report::{Report, Section};
use rustls::client::ClientSessionStore;

pub use self::program::run;
use crate::environment;
use crate::error::{Error, complain};
use crate::harness::{OpenSslStore, Own, Store};
use crate::interrupt;
use crate::progress::Progress;
use crate::sections;

/// What is to be measured.
///
/// A program can bring stores of its own ([`rustls_store`](Self::rustls_store),
/// [`openssl_store`](Self::openssl_store)). They stand next to the others in handshakes, in bursts, in
/// handshakes by several threads, and one for rustls also where there are operations alone:
///
/// ```no_run
/// use compare::{Run, Section};
/// use rustls::client::ClientSessionMemoryCache;
///
/// let sections = [Section::Handshakes, Section::Store];
/// let report = Run::quick()
///     .only(sections)
///     .rustls_store("my-store", || ClientSessionMemoryCache::new(256))
///     .save("target/my-store")?;
/// for row in report.handshakes.iter().filter(|row| row.store == "my-store") {
///     println!("{}: {:?} ns above a session in hand", row.protocol, row.store_ns);
/// }
/// # Ok::<(), compare::Error>(())
/// ```
///
/// Allocations are counted if the program's `#[global_allocator]` is
/// [`Counting`](crate::counting::Counting).
#[derive(Clone, Debug)]
pub struct Run {
    pub(crate) quick: bool,
    pub(crate) only: Vec<Section>,
    pub(crate) seed: u64,
    pub(crate) own: Vec<Own>,
    /// Rounds of each case of handshakes and of each operation on a store, if not those of the plans.
    pub(crate) rounds: Option<usize>,
    /// Whether this is the program `compare`, which knows what to do when it is started again as one
    /// of several processes.
    pub(crate) is_compare: bool,
}

impl Run {
    /// Few rounds: ends within a minute.
    pub fn quick() -> Self {
        Self::new(true)
    }

    /// As many rounds as differences of a few nanoseconds take: ends within some ten minutes.
    pub fn full() -> Self {
        Self::new(false)
    }

    fn new(quick: bool) -> Self {
        Self {
            quick,
            only: Vec::new(),
            seed: 0,
            own: Vec::new(),
            rounds: None,
            is_compare: false,
        }
    }

    /// Only these sections, in the order of [`Section::ALL`].
    #[must_use]
    pub fn only(mut self, sections: impl IntoIterator<Item = Section>) -> Self {
        self.only.extend(sections);
        self
    }

    /// With this seed for all that is drawn: the order in which stores are measured, which servers
    /// they are asked for, the traces. It is 0 unless set.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With so many rounds of each case of handshakes, and of each operation on a store.
    #[must_use]
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = Some(rounds);
        self
    }

    /// With one more store for rustls, by the name that it will have in the report. `make` makes an
    /// empty one; it is called for each client anew.
    #[must_use]
    pub fn rustls_store<S>(
        mut self,
        name: &str,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self
    where
        S: ClientSessionStore + 'static,
    {
        self.own.push(Own::rustls(name, make));
        self
    }

    /// With one more store for OpenSSL, by the name that it will have in the report. `make` makes an
    /// empty one; it is called for each client anew.
    #[must_use]
    pub fn openssl_store<S>(
        mut self,
        name: &str,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self
    where
        S: OpenSslStore + 'static,
    {
        self.own.push(Own::openssl(name, make));
        self
    }

    /// Measures, and writes `report.json` and `report.html` into the directory, anew after each
    /// section. Tells how far it is on standard error, and what went wrong, a line each; a row that is
    /// not what it claims to be has an `error`.
    ///
    /// # Errors
    ///
    /// The directory cannot be written; a store has a name that is taken, empty, or not one line.
    pub fn save(&self, directory: impl AsRef<Path>) -> Result<Report, Error> {
        let measured = self.measure(directory.as_ref(), &mut |_| Ok(()))?;
        measured.mistakes.iter().for_each(complain);
        Ok(measured.report)
    }

    /// Measures section by section, saves the report after each, and then calls `next`.
    fn measure(
        &self,
        directory: &Path,
        next: &mut dyn FnMut(Moment<'_>) -> Result<(), Error>,
    ) -> Result<Measured, Error> {
        self.check_names()?;
        let sections = self.sections();
        let mut measured = Measured {
            report: self.empty_report(&sections),
            file: directory.join("report.json"),
            saved: Vec::new(),
            interrupted: None,
            mistakes: Vec::new(),
        };
        measured.try_out(directory)?;
        next(Moment::Begin(&measured.report))?;
        let mut progress = Progress::new(&sections, self.quick);
        for (index, &section) in sections.iter().enumerate() {
            progress.begin(index);
            // What is given up in the middle leaves nothing.
            let mut report = measured.report.clone();
            report.skipped.remove(section.as_str());
            let work = || sections::run(section, self, &mut report, &mut progress);
            let mistakes = interrupt::unless_asked(work);
            progress.end();
            let Some(mistakes) = mistakes else {
                measured.give_up(&sections[index..]);
                break;
            };
            measured.report = report;
            measured.saved.push(section);
            measured.save()?;
            next(Moment::Ended {
                section,
                report: &measured.report,
                mistakes: &mistakes,
            })?;
            measured.mistakes.extend(mistakes);
        }
        // What was there before is worth more than a report of nothing.
        if !measured.saved.is_empty() {
            measured.save()?;
        }
        Ok(measured)
    }

    /// What runs.
    fn sections(&self) -> Vec<Section> {
        let asked = |section: &Section| self.only.is_empty() || self.only.contains(section);
        let possible = |section: &Section| self.is_compare || !starts_compare(*section);
        let all = Section::ALL.into_iter();
        all.filter(asked).filter(possible).collect()
    }

    /// A report in which every section says why it is missing.
    fn empty_report(&self, sections: &[Section]) -> Report {
        let mut report = Report::new(environment::detect(self.seed));
        for section in Section::ALL {
            let why = if sections.contains(&section) {
                "interrupted before it ended"
            } else if !self.is_compare && starts_compare(section) {
                "takes several processes of the program `compare`"
            } else {
                "not asked for: --only names others"
            };
            skip(&mut report, section, why);
        }
        report
    }

    fn check_names(&self) -> Result<(), Error> {
        for (index, own) in self.own.iter().enumerate() {
            let name = own.name();
            let known = Store::KNOWN.iter().any(|store| store.as_str() == name)
                || peers::StoreKind::ALL.iter().any(|known| known.as_str() == name);
            let why = if name.trim().is_empty() || name.chars().any(char::is_control) {
                "has to be one line with something in it"
            } else if known || self.own[..index].contains(own) {
                "is taken"
            } else {
                continue;
            };
            let shown = name.escape_debug();
            return Err(Error::BadInput(format!(
                "the name of a store {why}: \"{shown}\""
            )));
        }
        Ok(())
    }
}

/// What a run tells while it goes on.
enum Moment<'a> {
    Begin(&'a Report),
    Ended {
        section: Section,
        report: &'a Report,
        mistakes: &'a [String],
    },
}

/// What came of a run.
struct Measured {
    report: Report,
    file: PathBuf,
    saved: Vec<Section>,
    /// The section that was under way when the program was asked to end.
    interrupted: Option<Section>,
    mistakes: Vec<String>,
}

impl Measured {
    /// If nothing can be written, that should not come out after all the work. What an earlier run
    /// has left stays until there is something to put in its place.
    fn try_out(&self, directory: &Path) -> Result<(), Error> {
        fs::create_dir_all(directory)
            .and_then(|()| tempfile::tempfile_in(directory))
            .map_err(|source| Error::Report {
                path: directory.to_owned(),
                source,
            })?;
        for path in [self.file.clone(), self.page()] {
            if path.is_dir() {
                let source = io::ErrorKind::IsADirectory.into();
                return Err(Error::Report { path, source });
            }
        }
        Ok(())
    }

    /// Writes the report, and the page that shows it next to it.
    fn save(&self) -> Result<(), Error> {
        let cannot = |path: PathBuf| move |source| Error::Report { path, source };
        let (file, page) = (&self.file, self.page());
        self.report.save(file).map_err(cannot(file.clone()))?;
        report::html::save(&self.report, &page).map_err(cannot(page))
    }

    fn page(&self) -> PathBuf {
        self.file.with_extension("html")
    }

    /// The first of these was interrupted, and the others have not begun.
    fn give_up(&mut self, sections: &[Section]) {
        self.interrupted = sections.first().copied();
        for (index, &section) in sections.iter().enumerate() {
            let why = match index {
                0 => "interrupted before it ended",
                _ => "interrupted before it began",
            };
            skip(&mut self.report, section, why);
        }
    }
}

fn skip(report: &mut Report, section: Section, why: &str) {
    report
        .skipped
        .insert(section.as_str().to_owned(), why.to_owned());
}

/// Whether the section starts the program `compare` again. Another program that were started in its
/// place would begin a run of its own.
fn starts_compare(section: Section) -> bool {
    matches!(
        section,
        Section::Tiers | Section::Memory | Section::Equivalence
    )
}
