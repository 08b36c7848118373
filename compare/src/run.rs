//! A run: sections in order, with the report saved after each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use report::{Report, Section};
use rustls::client::ClientSessionStore;

use crate::environment;
use crate::error::{Error, print_message};
use crate::harness::{CustomStore, OpenSslStore, Store};
use crate::interrupt;
use crate::progress::Progress;
use crate::section_names::{description, name};
use crate::sections;

/// The sections to run, and how.
///
/// A program can add its own stores ([`rustls_store`](Self::rustls_store),
/// [`openssl_store`](Self::openssl_store)). They are measured in handshakes, bursts and handshakes on
/// several threads, and a store for rustls also in single operations:
///
/// ```no_run
/// use compare::{Run, Section};
/// use rustls::client::ClientSessionMemoryCache;
///
/// let sections = [Section::Handshakes, Section::Store];
/// let report = Run::short()
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
    pub(crate) full: bool,
    pub(crate) only: Vec<Section>,
    pub(crate) seed: u64,
    pub(crate) custom_stores: Vec<CustomStore>,
    pub(crate) rounds: Option<usize>,
    /// Whether this is the program `compare`, which can start itself again as a child process.
    pub(crate) is_compare: bool,
}

impl Run {
    /// Few rounds, in an unoptimized build a single one. All sections take about a minute.
    pub fn short() -> Self {
        Self::new(false)
    }

    /// Many rounds, so that differences of a few nanoseconds show. All sections take about a quarter
    /// of an hour.
    pub fn full() -> Self {
        Self::new(true)
    }

    fn new(full: bool) -> Self {
        // Times of an unoptimized build mean nothing: one round shows that a run works.
        let rounds = (!full && cfg!(debug_assertions)).then_some(1);
        Self {
            full,
            only: Vec::new(),
            seed: 0,
            custom_stores: Vec::new(),
            rounds,
            is_compare: false,
        }
    }

    /// Runs only these sections, in the order of [`Section::ALL`].
    #[must_use]
    pub fn only(mut self, sections: impl IntoIterator<Item = Section>) -> Self {
        self.only.extend(sections);
        self
    }

    /// Sets the seed of all random choices: the order in which stores are measured, the servers of
    /// each operation, the traces. The default is 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the rounds of each handshake case and of each store operation.
    #[must_use]
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = Some(rounds);
        self
    }

    /// Adds a store for rustls under this name. `make` makes an empty one and is called for each
    /// client.
    #[must_use]
    pub fn rustls_store<S>(
        mut self,
        name: &str,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self
    where
        S: ClientSessionStore + 'static,
    {
        self.custom_stores.push(CustomStore::rustls(name, make));
        self
    }

    /// Adds a store for OpenSSL under this name. `make` makes an empty one and is called for each
    /// client.
    #[must_use]
    pub fn openssl_store<S>(
        mut self,
        name: &str,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self
    where
        S: OpenSslStore + 'static,
    {
        self.custom_stores.push(CustomStore::openssl(name, make));
        self
    }

    /// Runs the sections. Writes `report.json` and `report.html` into the directory after each of
    /// them. Prints progress to standard error, and at the end a line for each failure; a row that
    /// failed has an `error`.
    ///
    /// # Errors
    ///
    /// The directory cannot be written; a custom store's name is taken, empty, or not one line.
    pub fn save(&self, directory: impl AsRef<Path>) -> Result<Report, Error> {
        let finished = self.measure(directory.as_ref(), &mut |_| Ok(()))?;
        finished.failures.iter().for_each(print_message);
        Ok(finished.report)
    }

    /// Runs the sections, saves the report after each, and calls `on_event`.
    pub(crate) fn measure(
        &self,
        directory: &Path,
        on_event: &mut dyn FnMut(Event<'_>) -> Result<(), Error>,
    ) -> Result<Finished, Error> {
        self.check_names()?;
        let sections = self.sections();
        let options = self.options();
        let mut finished = Finished {
            report: self.empty_report(&sections),
            file: directory.join("report.json"),
            saved: Vec::new(),
            interrupted: None,
            failures: Vec::new(),
        };
        finished.check_writable(directory)?;
        on_event(Event::Started(&finished.report))?;
        let mut progress = Progress::default();
        for (index, &section) in sections.iter().enumerate() {
            let (number, count) = (index + 1, sections.len());
            let title = format!("[{number}/{count}] {}", name(section));
            progress.begin(&title, &description(section));
            // A section that is interrupted leaves no rows.
            let mut report = finished.report.clone();
            report.skipped.remove(section.as_str());
            let work = || sections::run(section, &options, &mut report, &mut progress);
            let failures = interrupt::catch(work);
            progress.end();
            let Some(failures) = failures else {
                finished.interrupt(&sections[index..]);
                break;
            };
            finished.report = report;
            finished.saved.push(section);
            finished.save()?;
            on_event(Event::SectionDone {
                section,
                report: &finished.report,
                failures: &failures,
            })?;
            finished.failures.extend(failures);
        }
        // An empty report does not replace the one of an earlier run.
        if !finished.saved.is_empty() {
            finished.save()?;
        }
        Ok(finished)
    }

    fn options(&self) -> sections::Options {
        sections::Options {
            full: self.full,
            seed: self.seed,
            rounds: self.rounds,
            custom_stores: self.custom_stores.clone(),
            large_memory: self.only == [Section::Memory],
        }
    }

    /// The sections that run.
    fn sections(&self) -> Vec<Section> {
        let wanted = |section: &Section| self.only.is_empty() || self.only.contains(section);
        let possible = |section: &Section| self.is_compare || !starts_compare(*section);
        let all = Section::ALL.into_iter();
        all.filter(wanted).filter(possible).collect()
    }

    /// A report in which every section is skipped, each with the reason.
    fn empty_report(&self, sections: &[Section]) -> Report {
        let mut report = Report::new(environment::detect(self.seed, self.full));
        for section in Section::ALL {
            let reason = if sections.contains(&section) {
                "interrupted before it ended"
            } else if !self.is_compare && starts_compare(section) {
                "needs several processes of the program `compare`"
            } else {
                "not in --only"
            };
            skip(&mut report, section, reason);
        }
        report
    }

    fn check_names(&self) -> Result<(), Error> {
        for (index, store) in self.custom_stores.iter().enumerate() {
            let name = store.name();
            let known = Store::KNOWN.iter().any(|store| store.as_str() == name)
                || peers::StoreKind::ALL
                    .iter()
                    .any(|known| known.as_str() == name);
            let problem = if name.trim().is_empty() || name.chars().any(char::is_control) {
                "must be one line that is not blank"
            } else if known || self.custom_stores[..index].contains(store) {
                "is taken"
            } else {
                continue;
            };
            let shown = name.escape_debug();
            return Err(Error::BadInput(format!(
                "the name of a store {problem}: \"{shown}\""
            )));
        }
        Ok(())
    }
}

/// What happens during a run.
pub(crate) enum Event<'a> {
    Started(&'a Report),
    SectionDone {
        section: Section,
        report: &'a Report,
        failures: &'a [String],
    },
}

/// A run that has ended or was interrupted.
pub(crate) struct Finished {
    pub(crate) report: Report,
    pub(crate) file: PathBuf,
    pub(crate) saved: Vec<Section>,
    /// The section that was running when a signal came.
    pub(crate) interrupted: Option<Section>,
    pub(crate) failures: Vec<String>,
}

impl Finished {
    /// Fails before the work if the report could not be saved after it. Leaves an earlier report in
    /// place.
    fn check_writable(&self, directory: &Path) -> Result<(), Error> {
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

    /// Writes the report, and the HTML page next to it.
    fn save(&self) -> Result<(), Error> {
        let cannot = |path: PathBuf| move |source| Error::Report { path, source };
        let (file, page) = (&self.file, self.page());
        self.report.save(file).map_err(cannot(file.clone()))?;
        report::html::save(&self.report, &page).map_err(cannot(page))
    }

    /// The HTML page.
    pub(crate) fn page(&self) -> PathBuf {
        self.file.with_extension("html")
    }

    /// Marks the first of these sections as interrupted, and the others as not begun.
    fn interrupt(&mut self, sections: &[Section]) {
        self.interrupted = sections.first().copied();
        for (index, &section) in sections.iter().enumerate() {
            let reason = match index {
                0 => "interrupted before it ended",
                _ => "interrupted before it began",
            };
            skip(&mut self.report, section, reason);
        }
    }
}

fn skip(report: &mut Report, section: Section, reason: &str) {
    report
        .skipped
        .insert(section.as_str().to_owned(), reason.to_owned());
}

/// Whether the section starts the program `compare` as a child process. Another program, started in
/// its place, would begin a run of its own.
fn starts_compare(section: Section) -> bool {
    matches!(
        section,
        Section::Tiers | Section::Fleet | Section::Memory | Section::Equivalence
    )
}
