//! Formatting of numbers.

/// The value with three significant digits and thousands separators.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 1e12 {
        return format!("{value:.2e}");
    }
    let digits = if size >= 99.95 || size == 0.0 {
        0
    } else if size >= 9.995 {
        1
    } else {
        2
    };
    grouped(&format!("{value:.digits$}"))
}

/// The label of an axis tick, without trailing zeros.
pub(crate) fn tick(value: f64) -> String {
    let size = value.abs();
    if size >= 1e12 {
        return format!("{value:.1e}");
    }
    if size >= 1e6 {
        return format!("{} M", short_tick(value / 1e6));
    }
    short_tick(value)
}

fn short_tick(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    grouped(if text == "-0" { "0" } else { text })
}

/// A whole number with thousands separators.
pub(crate) fn count<T: ToString + ?Sized>(value: &T) -> String {
    grouped(&value.to_string())
}

/// Adds thousands separators to a formatted number.
fn grouped(number: &str) -> String {
    let (sign, number) = match number.strip_prefix('-') {
        Some(rest) => ("\u{2212}", rest),
        None => ("", number),
    };
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut text = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

/// Bytes in millions.
#[allow(clippy::cast_precision_loss, reason = "one digit after the point")]
pub(crate) fn megabytes(bytes: usize) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// The value with a fixed number of digits; `-` for `None`.
pub(crate) fn fixed(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.123, "0.12"),
            (9.996, "10.0"),
            (20.57, "20.6"),
            (252.772, "253"),
            (60_734.0, "60,734"),
            (1e300, "1.00e300"),
            (-181_980.0, "\u{2212}181,980"),
        ] {
            assert_eq!(short(value), text);
        }
        assert_eq!(
            (tick(0.5), tick(2_500_000.0)),
            ("0.5".into(), "2.5 M".into())
        );
        assert_eq!((tick(0.01), tick(1e3)), ("0.01".into(), "1,000".into()));
        assert_eq!(count(&25_200), "25,200");
    }
}
