//! Sanitizing of a report's text, which may come from anybody, for terminals and pages.

/// Replaces control characters, bidirectional formatting, and characters that XML forbids by a
/// space.
pub(crate) fn printable(letter: char) -> char {
    let is_bidi = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_break = matches!(letter, '\u{2028}' | '\u{2029}');
    let is_noncharacter = matches!(letter, '\u{fffe}' | '\u{ffff}');
    if letter.is_control() || is_bidi || is_break || is_noncharacter {
        ' '
    } else {
        letter
    }
}

/// Sanitizes a text to one line.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// Sanitizes each line of a text.
pub(crate) fn lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidirectional_characters_become_spaces() {
        let text = "a\u{1b}[2J\u{9b}b\r\u{202e}c\nd \u{e9}";
        assert_eq!(line(text), "a [2J b  c d \u{e9}");
        assert_eq!(lines(text), "a [2J b  c\nd \u{e9}");
    }
}
