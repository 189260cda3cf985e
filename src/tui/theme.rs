//! How things look: one table from meaning ([`Role`]) to style, and the glyphs a terminal can show.
//!
//! Owns: colours, glyphs, what the environment says about them. Must not know: screens.
//! Colours are the fixed part of the 256-colour table or the 16 named ones, and the background stays the
//! terminal's own, so that a theme never fights the user's.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means; a [`Theme`] says how that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Running text.
    Text,
    /// Less important: units, notes, rules.
    Dim,
    /// The title of the course or a first-level heading.
    Title,
    /// A heading in a lesson.
    Heading,
    /// Bold text.
    Strong,
    /// Inline code.
    Code,
    /// Somewhere to go.
    Link,
    /// Passed, matched, right.
    Good,
    /// Failed, differs, wrong.
    Bad,
    /// Careful: dangerous, stale, inconclusive.
    Warn,
    /// Neutral information that should be seen.
    Info,
    /// GFM "important".
    Important,
    /// What has the focus.
    Focus,
    /// The selected row of a list.
    Selected,
    /// The bars at the top and at the bottom.
    Bar,
    /// A key in the footer or the help.
    Key,
    /// Frame of a pane without the focus.
    Border,
    /// Code: a keyword.
    Keyword,
    /// Code: a string.
    String,
    /// Code: a number or a constant.
    Number,
    /// Code: a comment.
    Comment,
    /// Code: the name of a function or a command.
    Function,
    /// Code: a type or a tag.
    Type,
    /// The n-th variant of a lab.
    Series(u8),
}

/// How many colours, and on which background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Colours {
    /// 256 colours on dark.
    Dark,
    /// 256 colours on light.
    Light,
    /// The 16 named colours, on anything.
    Sixteen,
    /// None: weight, underline and reverse only (`NO_COLOR`).
    None,
}

/// Looks of one terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Theme {
    /// Which colours.
    pub colours: Colours,
    /// ASCII glyphs only.
    pub ascii: bool,
}

impl Default for Theme {
    fn default() -> Self {
        Self { colours: Colours::Dark, ascii: false }
    }
}

/// What the environment says that a theme depends on; a function so that tests need no environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Theme {
    /// Chooses by `NO_COLOR`, `CACHELAB_THEME`, `COLORTERM`, `TERM`, `COLORFGBG`, `CACHELAB_ASCII` and the locale.
    pub fn from_env(env: Lookup<'_>) -> Self {
        let get = |name: &str| env(name).filter(|v| !v.is_empty());
        let term = get("TERM").unwrap_or_default();
        let named = get("CACHELAB_THEME").and_then(|name| match name.as_str() {
            "dark" => Some(Colours::Dark),
            "light" => Some(Colours::Light),
            "16" | "ansi" => Some(Colours::Sixteen),
            "none" => Some(Colours::None),
            _ => None,
        });
        let many = term.contains("256color") || get("COLORTERM").is_some();
        let colours = if get("NO_COLOR").is_some() {
            Colours::None
        } else if let Some(named) = named {
            named
        } else if !many {
            Colours::Sixteen
        } else if get("COLORFGBG").is_some_and(|v| light_background(&v)) {
            Colours::Light
        } else {
            Colours::Dark
        };
        let locale = get("LC_ALL").or_else(|| get("LC_CTYPE")).or_else(|| get("LANG")).unwrap_or_default();
        let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        Self { colours, ascii: get("CACHELAB_ASCII").is_some() || term == "linux" || !utf8 }
    }

    /// The style of a role.
    pub fn style(self, role: Role) -> Style {
        match self.colours {
            Colours::Dark => indexed(role, &DARK),
            Colours::Light => indexed(role, &LIGHT),
            Colours::Sixteen => sixteen(role),
            Colours::None => weight(role),
        }
    }

    /// The glyphs this terminal can show.
    pub fn glyphs(self) -> &'static Glyphs {
        if self.ascii { &ASCII } else { &UNICODE }
    }

    /// The marker of the n-th variant, told apart without colour.
    pub fn marker(self, series: usize) -> &'static str {
        let set: &[&str] = if self.ascii {
            &["A", "B", "C", "D", "E", "F", "G", "H"]
        } else {
            &["●", "▲", "■", "◆", "▼", "✚", "○", "△"]
        };
        set[series % set.len()]
    }
}

/// `COLORFGBG=0;15`: the last field is the background; 7 and 9–15 are light.
fn light_background(value: &str) -> bool {
    value.rsplit(';').next().and_then(|v| v.parse::<u8>().ok()).is_some_and(|bg| bg == 7 || (9..=15).contains(&bg))
}

/// Indexes into the 256-colour table.
struct Palette {
    dim: u8,
    title: u8,
    heading: u8,
    code: u8,
    link: u8,
    good: u8,
    bad: u8,
    warn: u8,
    info: u8,
    important: u8,
    bar: (u8, u8),
    selected: (u8, u8),
    series: [u8; 6],
}

const DARK: Palette = Palette {
    dim: 245,
    title: 81,
    heading: 117,
    code: 180,
    link: 75,
    good: 114,
    bad: 203,
    warn: 221,
    info: 75,
    important: 176,
    bar: (252, 236),
    selected: (231, 24),
    series: [81, 215, 114, 204, 141, 229],
};

const LIGHT: Palette = Palette {
    dim: 243,
    title: 25,
    heading: 24,
    code: 94,
    link: 26,
    good: 28,
    bad: 160,
    warn: 130,
    info: 26,
    important: 91,
    bar: (236, 253),
    selected: (16, 153),
    series: [25, 166, 28, 161, 91, 94],
};

fn indexed(role: Role, palette: &Palette) -> Style {
    let fg = |index: u8| Style::new().fg(Color::Indexed(index));
    match role {
        Role::Text => Style::new(),
        Role::Dim | Role::Comment | Role::Border => fg(palette.dim),
        Role::Title | Role::Focus | Role::Key => fg(palette.title).add_modifier(Modifier::BOLD),
        Role::Heading => fg(palette.heading).add_modifier(Modifier::BOLD),
        Role::Strong => Style::new().add_modifier(Modifier::BOLD),
        Role::Code | Role::String => fg(palette.code),
        Role::Link => fg(palette.link).add_modifier(Modifier::UNDERLINED),
        Role::Good | Role::Type => fg(palette.good),
        Role::Bad => fg(palette.bad),
        Role::Warn | Role::Number => fg(palette.warn),
        Role::Info | Role::Function => fg(palette.info),
        Role::Important | Role::Keyword => fg(palette.important),
        Role::Selected => fg(palette.selected.0).bg(Color::Indexed(palette.selected.1)),
        Role::Bar => fg(palette.bar.0).bg(Color::Indexed(palette.bar.1)),
        Role::Series(n) => fg(palette.series[usize::from(n) % palette.series.len()]),
    }
}

fn sixteen(role: Role) -> Style {
    const SERIES: [Color; 6] = [Color::Cyan, Color::Yellow, Color::Green, Color::Red, Color::Magenta, Color::Blue];
    let fg = |colour: Color| Style::new().fg(colour);
    match role {
        Role::Text => Style::new(),
        Role::Dim | Role::Comment | Role::Border => Style::new().add_modifier(Modifier::DIM),
        Role::Title | Role::Heading | Role::Focus | Role::Key => fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::Strong => Style::new().add_modifier(Modifier::BOLD),
        Role::Code | Role::String | Role::Warn | Role::Number => fg(Color::Yellow),
        Role::Link => fg(Color::Blue).add_modifier(Modifier::UNDERLINED),
        Role::Good | Role::Type => fg(Color::Green),
        Role::Bad => fg(Color::Red),
        Role::Info | Role::Function => fg(Color::Blue),
        Role::Important | Role::Keyword => fg(Color::Magenta),
        Role::Selected | Role::Bar => Style::new().add_modifier(Modifier::REVERSED),
        Role::Series(n) => fg(SERIES[usize::from(n) % SERIES.len()]),
    }
}

fn weight(role: Role) -> Style {
    let with = |modifier: Modifier| Style::new().add_modifier(modifier);
    match role {
        Role::Title | Role::Heading | Role::Strong | Role::Key | Role::Keyword | Role::Bad | Role::Focus => {
            with(Modifier::BOLD)
        }
        Role::Link => with(Modifier::UNDERLINED),
        Role::Warn | Role::Important => with(Modifier::BOLD),
        Role::Dim | Role::Border | Role::Comment => with(Modifier::DIM),
        Role::Selected | Role::Bar => with(Modifier::REVERSED),
        _ => Style::new(),
    }
}

/// Single glyphs with an ASCII stand-in each.
#[derive(Debug)]
pub struct Glyphs {
    /// Done, right.
    pub tick: &'static str,
    /// Wrong.
    pub cross: &'static str,
    /// Not yet.
    pub dot: &'static str,
    /// Bullets by nesting depth.
    pub bullets: [&'static str; 3],
    /// Horizontal line.
    pub rule: &'static str,
    /// Vertical line.
    pub bar: &'static str,
    /// Vertical line of what has the focus.
    pub thick: &'static str,
    /// Points at the selected thing.
    pub pointer: &'static str,
    /// Leads somewhere.
    pub arrow: &'static str,
    /// Something was cut.
    pub ellipsis: &'static str,
    /// Separates things in a line.
    pub separator: &'static str,
    /// Scrollbar thumb.
    pub thumb: &'static str,
    /// A running thing.
    pub running: &'static str,
    /// Radio button off, on; check box off, on.
    pub radio: [&'static str; 2],
    /// Check box off, on.
    pub check: [&'static str; 2],
    /// Full and empty part of a progress bar.
    pub gauge: [&'static str; 2],
    /// Table: crossing of lines.
    pub crossing: &'static str,
    /// Up and down.
    pub up_down: &'static str,
    /// Multiplication, as in "3 × 4".
    pub times: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    tick: "✓",
    cross: "✗",
    dot: "·",
    bullets: ["•", "◦", "▪"],
    rule: "─",
    bar: "│",
    thick: "▌",
    pointer: "▸",
    arrow: "→",
    ellipsis: "…",
    separator: "·",
    thumb: "█",
    running: "◐",
    radio: ["○", "●"],
    check: ["☐", "☑"],
    gauge: ["█", "░"],
    crossing: "┼",
    up_down: "↑↓",
    times: "×",
};

const ASCII: Glyphs = Glyphs {
    tick: "+",
    cross: "x",
    dot: ".",
    bullets: ["*", "-", "+"],
    rule: "-",
    bar: "|",
    thick: "#",
    pointer: ">",
    arrow: "->",
    ellipsis: "~",
    separator: "-",
    thumb: "#",
    running: "*",
    radio: ["( )", "(o)"],
    check: ["[ ]", "[x]"],
    gauge: ["#", "."],
    crossing: "+",
    up_down: "up/down",
    times: "x",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(vars: &[(&str, &str)]) -> Theme {
        Theme::from_env(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn the_environment_chooses() {
        let utf8 = ("LANG", "en_GB.UTF-8");
        assert_eq!(chosen(&[utf8, ("TERM", "xterm-256color")]), Theme { colours: Colours::Dark, ascii: false });
        assert_eq!(chosen(&[utf8, ("TERM", "xterm")]).colours, Colours::Sixteen);
        assert_eq!(chosen(&[utf8, ("TERM", "tmux-256color"), ("COLORFGBG", "0;15")]).colours, Colours::Light);
        assert_eq!(chosen(&[utf8, ("TERM", "xterm-256color"), ("NO_COLOR", "1")]).colours, Colours::None);
        assert!(chosen(&[("TERM", "xterm-256color"), ("LANG", "C")]).ascii);
        assert!(chosen(&[utf8, ("TERM", "linux")]).ascii);
        assert!(chosen(&[utf8, ("TERM", "xterm"), ("CACHELAB_ASCII", "1")]).ascii);
    }

    #[test]
    fn without_colour_nothing_is_coloured() {
        let theme = Theme { colours: Colours::None, ascii: true };
        for role in [Role::Text, Role::Good, Role::Bad, Role::Bar, Role::Series(3), Role::Selected] {
            assert_eq!((theme.style(role).fg, theme.style(role).bg), (None, None), "{role:?}");
        }
    }
}
