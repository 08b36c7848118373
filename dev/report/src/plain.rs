//! Text of a report that anybody may have written: one line, of things that can be seen.

/// What has no look of its own, or would turn the line around, becomes a space.
pub(crate) fn seen(letter: char) -> char {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_none = letter.is_control() || turns;
    if is_none || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}') {
        ' '
    } else {
        letter
    }
}

/// A text as one line that a terminal only shows.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(seen).collect()
}

/// The same for each line of a text.
pub(crate) fn lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_line() {
        let text = "a\u{1b}[2J\u{9b}b\r\u{202e}c\nd \u{e9}";
        assert_eq!(line(text), "a [2J b  c d \u{e9}");
        assert_eq!(lines(text), "a [2J b  c\nd \u{e9}");
    }
}
