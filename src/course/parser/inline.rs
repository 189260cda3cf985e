//! Runs of styled text.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::course::Inline;

/// Why a tag is refused.
pub(super) const HTML: &str = "HTML is not shown in a terminal; write `<…>` as code, or \\<";

/// What lessons use of markdown beyond CommonMark.
pub(super) fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM
}

/// Collects inline events into runs of one style each.
#[derive(Default)]
pub(super) struct Collector {
    runs: Vec<Inline>,
    style: Inline,
    strong: usize,
    emphasis: usize,
    strikethrough: usize,
    /// Targets of links, with their places.
    pub links: Vec<(String, Range<usize>)>,
    /// What markdown allows and a lesson does not.
    pub refused: Vec<(&'static str, Range<usize>)>,
}

impl Collector {
    /// Takes an inline event; `false`: it was not one, and nothing was done.
    pub fn take(&mut self, event: &Event<'_>, range: &Range<usize>) -> bool {
        match event {
            Event::Text(text) => self.push(text, false),
            Event::Code(text) => self.push(text, true),
            Event::SoftBreak => self.push(" ", false),
            Event::HardBreak => self.push("\n", false),
            Event::InlineHtml(html) => {
                // The opening tag has been refused; comments are for authors.
                if !html.starts_with("<!--") && !html.starts_with("</") {
                    self.refused.push((HTML, range.clone()));
                }
            }
            Event::Start(Tag::Image { .. }) => {
                self.refused.push(("images can't be shown in a terminal; draw it in a code fence", range.clone()));
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                self.style.link = Some(dest_url.to_string());
                self.links.push((dest_url.to_string(), range.clone()));
            }
            Event::Start(Tag::Strong) => self.strong += 1,
            Event::Start(Tag::Emphasis) => self.emphasis += 1,
            Event::Start(Tag::Strikethrough) => self.strikethrough += 1,
            Event::End(TagEnd::Link) => self.style.link = None,
            Event::End(TagEnd::Strong) => self.strong -= 1,
            Event::End(TagEnd::Emphasis) => self.emphasis -= 1,
            Event::End(TagEnd::Strikethrough) => self.strikethrough -= 1,
            Event::End(TagEnd::Image) => {}
            _ => return false,
        }
        true
    }

    fn push(&mut self, text: &str, code: bool) {
        let run = Inline {
            text: text.to_owned(),
            emphasis: self.emphasis > 0,
            strong: self.strong > 0,
            code,
            strikethrough: self.strikethrough > 0,
            link: self.style.link.clone(),
        };
        match self.runs.last_mut() {
            Some(last) if same_style(last, &run) => last.text.push_str(text),
            _ => self.runs.push(run),
        }
    }

    /// The runs so far, and a fresh start.
    pub fn finish(&mut self) -> Vec<Inline> {
        std::mem::take(&mut self.runs)
    }
}

fn same_style(a: &Inline, b: &Inline) -> bool {
    let style = |i: &Inline| (i.emphasis, i.strong, i.code, i.strikethrough);
    // Two code spans side by side are two words.
    style(a) == style(b) && a.link == b.link && !a.code
}

/// One paragraph of markdown that stands in a TOML string: its runs and the links in them.
pub(super) fn paragraph(text: &str) -> Result<(Vec<Inline>, Vec<String>), String> {
    let mut collector = Collector::default();
    let mut paragraphs = 0;
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        match event {
            Event::Start(Tag::Paragraph) => paragraphs += 1,
            Event::End(TagEnd::Paragraph) => {}
            _ if collector.take(&event, &range) => {}
            _ => return Err("expected one paragraph of text, without headings, lists or fences".to_owned()),
        }
    }
    if let Some((message, _)) = collector.refused.first() {
        return Err((*message).to_owned());
    }
    match paragraphs {
        0 => Err("must not be empty".to_owned()),
        1 => Ok((collector.finish(), collector.links.into_iter().map(|(target, _)| target).collect())),
        _ => Err("expected one paragraph of text; join the lines".to_owned()),
    }
}
