//! A lesson: front matter, and a document of blocks that both front ends draw.
//!
//! Owns: the model, which is all a front end sees. How it is read from a file is `parser`'s business.

use serde::Serialize;

use super::UnitId;

/// Text without its styles.
pub fn plain(inlines: &[Inline]) -> String {
    inlines.iter().map(|inline| inline.text.as_str()).collect()
}

/// The anchor of a heading, as links name it: `#the-idea`.
pub fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase().chars().collect::<Vec<_>>();
    let kept = letters.into_iter().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// One lesson, parsed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lesson {
    /// `week2/locks`.
    pub id: UnitId,
    /// `Distributed locks`.
    pub title: String,
    /// One sentence for lists.
    pub summary: String,
    /// Reading time.
    pub minutes: u16,
    /// Units to know first.
    pub prerequisites: Vec<UnitId>,
    /// The document in order.
    pub blocks: Vec<Block>,
}

/// Words of prose: headings, paragraphs, lists, tables, alerts; not code, quizzes or replies.
pub fn prose_words(blocks: &[Block]) -> usize {
    let count = |inlines: &[Inline]| plain(inlines).split_whitespace().count();
    let words = blocks.iter().map(|block| match block {
        Block::Heading { text, .. } | Block::Paragraph(text) => count(text),
        Block::List { items, .. } => items.iter().map(|item| prose_words(item)).sum(),
        Block::Quote(blocks) | Block::Alert { blocks, .. } => prose_words(blocks),
        Block::Table { head, rows, .. } => head.iter().chain(rows.iter().flatten()).map(|cell| count(cell)).sum(),
        Block::Rule | Block::Code { .. } | Block::Redis(_) | Block::Quiz(_) | Block::Predict(_) | Block::Lab(_) => 0,
    });
    words.sum()
}

impl Lesson {
    /// The headings in order: index of the block, level, text.
    pub fn headings(&self) -> impl Iterator<Item = (usize, u8, String)> {
        self.blocks.iter().enumerate().filter_map(|(index, block)| match block {
            Block::Heading { level, text } => Some((index, *level, plain(text))),
            _ => None,
        })
    }

    /// The redis blocks in order; they stand at the top level.
    pub fn redis_blocks(&self) -> impl Iterator<Item = &RedisBlock> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Redis(block) => Some(block),
            _ => None,
        })
    }

    /// The quizzes in order; they stand at the top level.
    pub fn quizzes(&self) -> impl Iterator<Item = &Quiz> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Quiz(quiz) => Some(quiz),
            _ => None,
        })
    }
}

/// A block of the document. Redis, quiz, predict and lab blocks stand at the top level only.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "content", rename_all = "kebab-case")]
pub enum Block {
    /// `## The idea`.
    Heading {
        /// 1–6.
        level: u8,
        /// Its text.
        text: Vec<Inline>,
    },
    /// Running text.
    Paragraph(Vec<Inline>),
    /// A list; items hold blocks.
    List {
        /// First number of an ordered list.
        start: Option<u64>,
        /// The items.
        items: Vec<Vec<Block>>,
    },
    /// `> …`.
    Quote(Vec<Block>),
    /// `> [!WARNING]` and its kin.
    Alert {
        /// Which.
        kind: AlertKind,
        /// Its content.
        blocks: Vec<Block>,
    },
    /// A GFM table.
    Table {
        /// Alignment per column.
        align: Vec<Align>,
        /// Header cells.
        head: Vec<Vec<Inline>>,
        /// Body rows of cells.
        rows: Vec<Vec<Vec<Inline>>>,
    },
    /// `---`.
    Rule,
    /// A fence without a meaning of ours: highlighted by its language.
    Code {
        /// `python`, or empty.
        language: String,
        /// Without the final newline.
        text: String,
    },
    /// A runnable Redis block.
    Redis(RedisBlock),
    /// A question.
    Quiz(Quiz),
    /// A guess about a lab, given before the run.
    Predict(Predict),
    /// A button into a lab.
    Lab(UnitId),
}

/// A run of text with one style.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Inline {
    /// The text; a hard break is `\n`.
    pub text: String,
    /// `*…*`.
    pub emphasis: bool,
    /// `**…**`.
    pub strong: bool,
    /// `` `…` ``.
    pub code: bool,
    /// `~~…~~`.
    pub strikethrough: bool,
    /// Target of the link it is in: `week1/why`, `https://…`.
    pub link: Option<String>,
}

/// GFM alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// Blue.
    Note,
    /// Green.
    Tip,
    /// Purple.
    Important,
    /// Yellow.
    Warning,
    /// Red.
    Caution,
}

/// Column alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Align {
    /// Left (and unspecified).
    Left,
    /// Centre.
    Centre,
    /// Right.
    Right,
}

/// A ```` ```redis ```` fence: commands with expected replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedisBlock {
    /// 0-based among the lesson's redis blocks; its identity for progress.
    pub index: usize,
    /// `#! setup: …` commands, run silently before (keys the block needs, deletes that make it repeatable).
    pub setup: Vec<String>,
    /// In order.
    pub steps: Vec<RedisStep>,
    /// 1-based line of the fence in the lesson file.
    pub line: usize,
}

/// A command of a block and what it must answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedisStep {
    /// As typed at a prompt.
    pub command: String,
    /// Expected reply lines; empty: not stated.
    pub expected: Vec<Expected>,
    /// 1-based line in the lesson file.
    pub line: usize,
}

/// One expected line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "content", rename_all = "kebab-case")]
pub enum Expected {
    /// `#> …`: exactly this line, as `redis-cli` prints it on a terminal.
    Exact(String),
    /// `#~ …`: a pattern: `*` stands for any text, `<number>` for a number.
    Pattern(String),
}

/// A ```` ```quiz ```` fence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quiz {
    /// Unique in the lesson: `renewal`.
    pub id: String,
    /// The question, inline markdown.
    pub question: Vec<Inline>,
    /// Kind and answers.
    pub kind: QuizKind,
    /// Said after any answer.
    pub explanation: Vec<Inline>,
}

/// How a quiz is answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "content", rename_all = "kebab-case")]
pub enum QuizKind {
    /// Pick one.
    Single(Vec<Choice>),
    /// Pick all that apply.
    Multiple(Vec<Choice>),
    /// Put in order; the choices stand in the right order here and are shuffled when shown.
    Ordering(Vec<Choice>),
    /// A number within a relative tolerance.
    Numeric {
        /// Right answer.
        answer: f64,
        /// Relative: 0.05 is five per cent; absolute where the answer is 0.
        tolerance: f64,
        /// `ms`, `%`.
        unit: String,
    },
}

/// A choice with what to say when it is picked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// Its text.
    pub text: Vec<Inline>,
    /// It is (one of) the right ones.
    pub correct: bool,
    /// Why it is wrong (required for wrong ones).
    pub because: Vec<Inline>,
}

/// A ```` ```predict ```` fence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Predict {
    /// Unique in the lesson.
    pub id: String,
    /// The question.
    pub question: Vec<Inline>,
    /// The lab metric it is about: variant and metric, `naive.overlaps`.
    pub metric: String,
    /// `ms`, `""`.
    pub unit: String,
}
