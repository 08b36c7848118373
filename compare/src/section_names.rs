//! Names and descriptions of sections, as the command line has them.

use clap::ValueEnum;
use report::Section;

/// The section's name in `--only`.
pub(crate) fn name(section: Section) -> String {
    let value = section.to_possible_value();
    value.map_or_else(
        || section.as_str().to_owned(),
        |value| value.get_name().to_owned(),
    )
}

/// The section's description in `--help`, beginning with a small letter.
pub(crate) fn description(section: Section) -> String {
    let value = section.to_possible_value();
    let text = value.and_then(|value| Some(value.get_help()?.to_string()));
    let text = text.unwrap_or_default();
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_has_a_short_description() {
        for section in Section::ALL {
            let text = description(section);
            assert!(text.starts_with(|first: char| first.is_ascii_lowercase()));
            assert!(text.len() < 80, "{text}");
        }
    }
}
