//! Bars and sparklines out of characters.

use std::env;

/// Which characters bars are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Block elements of Unicode.
    Blocks,
    /// What every terminal has.
    Ascii,
}

const EIGHTHS_ACROSS: [char; 8] =
    [' ', '\u{258f}', '\u{258e}', '\u{258d}', '\u{258c}', '\u{258b}', '\u{258a}', '\u{2589}'];
const EIGHTHS_UP: [char; 9] = [
    ' ', '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}',
    '\u{2588}',
];
const ASCII_UP: [char; 9] = [' ', '.', '.', ':', '-', '=', '+', '*', '#'];

impl Glyphs {
    /// Blocks, unless they are refused or the terminal is not known to have them.
    #[must_use]
    pub fn choose(ascii: bool) -> Self {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
        Self::of(ascii, locale.as_deref(), variable("TERM").as_deref())
    }

    fn of(ascii: bool, locale: Option<&str>, terminal: Option<&str>) -> Self {
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        let is_utf8 = locale.ends_with("utf-8") || locale.ends_with("utf8");
        // The font of the kernel's console has hardly any of them.
        if ascii || !is_utf8 || terminal == Some("linux") { Self::Ascii } else { Self::Blocks }
    }

    /// A bar of `width` characters, filled to `percent`.
    pub(super) fn bar(self, percent: f64, width: usize) -> String {
        let eighths = (percent.clamp(0.0, 100.0) / 100.0 * 8.0 * width as f64).round() as usize;
        let (full, rest) = (eighths / 8, eighths % 8);
        let mut bar = String::new();
        match self {
            Self::Blocks => {
                bar.extend(std::iter::repeat_n('\u{2588}', full));
                bar.extend((full < width).then(|| EIGHTHS_ACROSS[rest]));
            }
            Self::Ascii => bar.extend(std::iter::repeat_n('#', full + usize::from(rest >= 4))),
        }
        let empty = width.saturating_sub(bar.chars().count());
        bar.extend(std::iter::repeat_n(' ', empty));
        bar
    }

    /// The newest values in `width` characters, the highest of all values full; the newest is on the
    /// right.
    pub(super) fn sparkline(self, values: &[u64], width: usize) -> String {
        let shown = &values[values.len().saturating_sub(width)..];
        let highest = values.iter().copied().max().unwrap_or(0).max(1);
        let levels = match self {
            Self::Blocks => EIGHTHS_UP,
            Self::Ascii => ASCII_UP,
        };
        let mut line = " ".repeat(width - shown.len());
        line.extend(shown.iter().map(|&value| {
            let level = (u128::from(value) * 8).div_ceil(u128::from(highest));
            levels[usize::try_from(level).unwrap_or(8)]
        }));
        line
    }

    /// What stands where something was cut off.
    pub(super) fn cut(self) -> char {
        match self {
            Self::Blocks => '\u{2026}',
            Self::Ascii => '~',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_for_terminals_that_have_them() {
        for (ascii, locale, terminal, glyphs) in [
            (false, Some("C.UTF-8"), Some("xterm"), Glyphs::Blocks),
            (false, Some("de_DE.utf8"), None, Glyphs::Blocks),
            (true, Some("C.UTF-8"), None, Glyphs::Ascii),
            (false, Some("C"), None, Glyphs::Ascii),
            (false, None, None, Glyphs::Ascii),
            (false, Some("C.UTF-8"), Some("linux"), Glyphs::Ascii),
        ] {
            assert_eq!(Glyphs::of(ascii, locale, terminal), glyphs, "{locale:?} {terminal:?}");
        }
    }

    #[test]
    fn a_bar_is_as_wide_as_its_column_at_any_fill() {
        for glyphs in [Glyphs::Blocks, Glyphs::Ascii] {
            for percent in [-1.0, 0.0, 0.4, 33.3, 50.0, 99.9, 100.0, 250.0, f64::NAN] {
                let bar = glyphs.bar(percent, 6);
                assert_eq!(bar.chars().count(), 6, "{percent}: {bar:?}");
            }
        }
        assert_eq!(Glyphs::Ascii.bar(50.0, 6), "###   ");
        assert_eq!(Glyphs::Blocks.bar(100.0, 2), "\u{2588}\u{2588}");
        assert_eq!(Glyphs::Blocks.bar(75.0, 2), "\u{2588}\u{258c}");
    }

    #[test]
    fn the_newest_value_is_on_the_right_and_the_highest_is_full() {
        assert_eq!(Glyphs::Ascii.sparkline(&[0, 4, 8], 5), "   -#");
        assert_eq!(Glyphs::Ascii.sparkline(&[8, 4, 0], 2), "- ");
        assert_eq!(Glyphs::Ascii.sparkline(&[], 3), "   ");
        assert_eq!(Glyphs::Blocks.sparkline(&[u64::MAX, 0], 2), "\u{2588} ");
    }
}
