//! Colours, which are the same for a store or library in every chart.

use std::fmt::Write;

use plotters::style::RGBColor;

/// A colour by its role.
///
/// The colours are distinguishable with any colour vision, and a label or a dash always repeats
/// their meaning. A chart contains the colours for light pages. The style sheet replaces them by
/// value with those for dark pages, so that no two may be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Text,
    Muted,
    Grid,
    Ours,
    OursVariant,
    Rustls,
    RustlsVariant,
    RustlsFull,
    Openssl,
    OpensslFull,
    Lru,
    LruVariant,
    QuickCache,
    QuickCacheVariant,
    Moka,
    MokaVariant,
    Der,
    Reference,
    Other,
}

/// A role, its colours on light and on dark pages, and whether its lines are dashed.
const PALETTE: [(Paint, u32, u32, bool); 19] = [
    (Paint::Text, 0x1f_1f1d, 0xec_eae4, false),
    (Paint::Muted, 0x5f_5e5a, 0xaa_a79f, false),
    (Paint::Grid, 0xdf_dcd5, 0x3a_3936, false),
    (Paint::Ours, 0x00_69b4, 0x58_b0f2, false),
    (Paint::OursVariant, 0x00_69b5, 0x58_b0f3, true),
    (Paint::Rustls, 0xc8_4e09, 0xf5_8b4c, false),
    (Paint::RustlsVariant, 0xc8_4e0a, 0xf5_8b4d, true),
    (Paint::RustlsFull, 0xec_b896, 0x7c_482b, false),
    (Paint::Openssl, 0x44_4446, 0xcf_cdc8, false),
    (Paint::OpensslFull, 0xb4_b3b0, 0x69_6864, false),
    (Paint::Lru, 0x00_8060, 0x3c_c9a0, false),
    (Paint::LruVariant, 0x00_8061, 0x3c_c9a1, true),
    (Paint::QuickCache, 0xa8_3a7c, 0xe8_8cc4, false),
    (Paint::QuickCacheVariant, 0xa8_3a7d, 0xe8_8cc5, true),
    (Paint::Moka, 0x94_6c00, 0xe3_bd48, false),
    (Paint::MokaVariant, 0x94_6c01, 0xe3_bd49, true),
    (Paint::Der, 0x7a_5c48, 0xbf_a08a, false),
    (Paint::Reference, 0x8a_8883, 0x8b_8883, true),
    (Paint::Other, 0x6b_6a68, 0x9f_9d99, false),
];

impl Paint {
    /// The colour of a store, by its name in the report.
    pub(crate) fn for_store(store: &str) -> Self {
        match store {
            "tls-resume" => Self::Ours,
            "rustls-memory" => Self::Rustls,
            "rustls-memory-default" => Self::RustlsVariant,
            "hyper-openssl" => Self::Openssl,
            "lru" | "lru-8" | "lru-64" => Self::Lru,
            "lru-2" => Self::LruVariant,
            "quick_cache" | "quick_cache-64" => Self::QuickCache,
            "quick_cache-2" => Self::QuickCacheVariant,
            "moka" | "moka-64" => Self::Moka,
            "moka-2" => Self::MokaVariant,
            "der" => Self::Der,
            "in-hand" | "ceiling" => Self::Reference,
            other if other.starts_with("tls-resume") => Self::OursVariant,
            _ => Self::Other,
        }
    }

    /// The colour of a library's handshakes.
    pub(crate) fn for_backend(backend: &str, full: bool) -> Self {
        match (backend, full) {
            ("rustls", false) => Self::Rustls,
            ("rustls", true) => Self::RustlsFull,
            ("openssl", false) => Self::Openssl,
            ("openssl", true) => Self::OpensslFull,
            _ => Self::Other,
        }
    }

    /// The colour on light pages.
    pub(super) fn color(self) -> RGBColor {
        let found = PALETTE.iter().find(|(paint, ..)| *paint == self);
        let [_, red, green, blue] = found.map_or(0, |(_, light, ..)| *light).to_be_bytes();
        RGBColor(red, green, blue)
    }
}

/// The style sheet of the charts in `scope`: dashes, and colours on dark pages.
pub(crate) fn style(scope: &str) -> String {
    let mut light = String::new();
    let mut dark = String::new();
    for (_, on_light, on_dark, dashed) in PALETTE {
        if dashed {
            let _ = writeln!(
                light,
                "{scope} polyline[stroke=\"#{on_light:06X}\"] {{ stroke-dasharray: 10 7 }}"
            );
        }
        for what in ["fill", "stroke"] {
            let _ = writeln!(
                dark,
                "{scope} [{what}=\"#{on_light:06X}\"] {{ {what}: #{on_dark:06x} }}"
            );
        }
    }
    format!("{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Relative luminance as defined by WCAG.
    fn luminance(color: u32) -> f64 {
        let [_, red, green, blue] = color.to_be_bytes().map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: u32, other: u32) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn colours_are_distinct() {
        let light: BTreeSet<_> = PALETTE.iter().map(|(_, light, ..)| light).collect();
        assert_eq!(light.len(), PALETTE.len());
        for (paint, light, ..) in PALETTE {
            let RGBColor(red, green, blue) = paint.color();
            assert_eq!(light.to_be_bytes(), [0, red, green, blue], "{paint:?}");
        }
    }

    #[test]
    fn colours_have_enough_contrast() {
        for (paint, light, dark, _) in PALETTE {
            let least = match paint {
                Paint::Text | Paint::Muted => 4.5,
                Paint::Grid | Paint::RustlsFull | Paint::OpensslFull => 1.2,
                _ => 3.0,
            };
            assert!(contrast(light, 0xfd_fcfa) >= least, "{paint:?} on light");
            assert!(contrast(dark, 0x16_1615) >= least, "{paint:?} on dark");
        }
    }
}
