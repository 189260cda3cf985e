//! Claims: one comparison over the metrics of variants, as a lab's author writes it.
//!
//! ```text
//! claim      = sum ("==" | "!=" | "<" | "<=" | ">" | ">=") sum ["within" number]
//! sum        = product (("+" | "-") product)*
//! product    = factor (("*" | "/") factor)*
//! factor     = number | metric | ("min"|"max"|"abs") "(" sum ("," sum)* ")" | "(" sum ")" | "-" factor
//! number     = 12.5 [ "us" | "ms" | "s" | "%" ]      times become milliseconds, percent a share
//! metric     = variant "." name                     nx-px-del.stale_writes, cache-aside.before.p99
//! ```
//!
//! A hyphen between letters belongs to the name: write subtraction with spaces. `a == b within 5%` allows a
//! difference of 5 % of `b`; `within 0.5ms` an absolute one. Owns: syntax and evaluation given values. Must not
//! know: where values come from.

use std::{fmt, ops::Range};

/// A parsed claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Left side.
    pub left: Term,
    /// How they compare.
    pub relation: Relation,
    /// Right side.
    pub right: Term,
    /// How far apart equal sides may be.
    pub within: Option<Tolerance>,
}

/// `==` and its kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How far apart equal sides may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// In the sides' own unit.
    Absolute(f64),
    /// As a share of the right side.
    Relative(f64),
}

/// A number-valued expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A literal.
    Number(f64),
    /// A measured value.
    Metric(MetricRef),
    /// `-x`.
    Negative(Box<Term>),
    /// `x + y` and its kin.
    Binary(Operator, Box<Term>, Box<Term>),
    /// `min(…)` and its kin.
    Call(Function, Vec<Term>),
}

/// Arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Function {
    Min,
    Max,
    Abs,
}

/// `variant.metric` with its place in the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricRef {
    /// Name of the variant.
    pub variant: String,
    /// Name of the metric, its phase included.
    pub metric: String,
    /// Byte range in the expression.
    pub span: Range<usize>,
}

impl fmt::Display for MetricRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.variant, self.metric)
    }
}

/// Where and why an expression can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Byte range in the expression.
    pub span: Range<usize>,
    /// `expected a number or a metric`.
    pub message: String,
}

impl Comparison {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len() };
        let comparison = parser.comparison()?;
        match parser.peek() {
            None => Ok(comparison),
            Some(_) => Err(parser.error("expected the end of the claim")),
        }
    }

    /// Every metric mentioned, in order.
    pub fn metrics(&self) -> Vec<&MetricRef> {
        let mut found = Vec::new();
        self.left.collect(&mut found);
        self.right.collect(&mut found);
        found
    }

    /// Whether it holds; `None` when a value is missing or a division by zero leaves nothing to compare.
    pub fn holds(&self, value: &dyn Fn(&MetricRef) -> Option<f64>) -> Option<bool> {
        let (left, right) = (self.left.value(value)?, self.right.value(value)?);
        if left.is_nan() || right.is_nan() {
            return None;
        }
        let near = match self.within {
            None => (left - right).abs() <= f64::EPSILON * right.abs(),
            Some(Tolerance::Absolute(by)) => (left - right).abs() <= by,
            Some(Tolerance::Relative(share)) => (left - right).abs() <= share * right.abs(),
        };
        Some(match self.relation {
            Relation::Equal => near,
            Relation::NotEqual => !near,
            Relation::Less => left < right,
            Relation::LessOrEqual => left <= right,
            Relation::Greater => left > right,
            Relation::GreaterOrEqual => left >= right,
        })
    }
}

impl Term {
    fn collect<'a>(&'a self, found: &mut Vec<&'a MetricRef>) {
        match self {
            Self::Number(_) => {}
            Self::Metric(metric) => found.push(metric),
            Self::Negative(term) => term.collect(found),
            Self::Binary(_, a, b) => {
                a.collect(found);
                b.collect(found);
            }
            Self::Call(_, terms) => terms.iter().for_each(|t| t.collect(found)),
        }
    }

    fn value(&self, value: &dyn Fn(&MetricRef) -> Option<f64>) -> Option<f64> {
        Some(match self {
            Self::Number(number) => *number,
            Self::Metric(metric) => value(metric)?,
            Self::Negative(term) => -term.value(value)?,
            Self::Binary(operator, a, b) => {
                let (a, b) = (a.value(value)?, b.value(value)?);
                match operator {
                    Operator::Add => a + b,
                    Operator::Subtract => a - b,
                    Operator::Multiply => a * b,
                    Operator::Divide => a / b,
                }
            }
            Self::Call(function, terms) => {
                let values = terms.iter().map(|t| t.value(value)).collect::<Option<Vec<_>>>()?;
                match function {
                    Function::Min => values.into_iter().fold(f64::INFINITY, f64::min),
                    Function::Max => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
                    Function::Abs => values.first().copied().unwrap_or(0.0).abs(),
                }
            }
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// Value, and whether it was written as a percentage.
    Number(f64, bool),
    Word(String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 15] = ["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", ",", "≤", "≥"];

fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if c.is_ascii_digit() {
            number(rest, at)?
        } else if c.is_ascii_alphabetic() {
            let length = word_length(rest);
            (Token::Word(rest[..length].to_owned()), length)
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            let meant = match *symbol {
                "≤" => "<=",
                "≥" => ">=",
                other => other,
            };
            (Token::Symbol(meant), symbol.len())
        } else {
            let message = format!("unexpected {c:?}");
            return Err(SyntaxError { span: at..at + c.len_utf8(), message });
        };
        tokens.push((token, at..at + length));
        at += length;
    }
    Ok(tokens)
}

/// Letters, digits, `_`, `.`, and a hyphen that stands between two of them.
fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
    let mut length = 0;
    while length < bytes.len() {
        let hyphen = bytes[length] == b'-' && bytes.get(length + 1).is_some_and(|b| inner(*b));
        if !inner(bytes[length]) && !hyphen {
            break;
        }
        length += 1;
    }
    length
}

fn number(text: &str, at: usize) -> Result<(Token, usize), SyntaxError> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let value: f64 = text[..digits].parse().map_err(|_| SyntaxError {
        span: at..at + digits,
        message: format!("{:?} is not a number", &text[..digits]),
    })?;
    let unit = text[digits..].find(|c: char| !c.is_ascii_alphabetic() && c != '%').unwrap_or(text.len() - digits);
    let scale = match &text[digits..digits + unit] {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1000.0,
        "%" => 0.01,
        other => {
            let message = format!("unknown unit {other:?}: one of us, ms, s, %");
            return Err(SyntaxError { span: at + digits..at + digits + unit, message });
        }
    };
    Ok((Token::Number(value * scale, text[digits..].starts_with('%')), digits + unit))
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    next: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn span(&self) -> Range<usize> {
        self.tokens.get(self.next).map_or(self.end..self.end, |(_, span)| span.clone())
    }

    fn error(&self, message: &str) -> SyntaxError {
        SyntaxError { span: self.span(), message: message.to_owned() }
    }

    fn take(&mut self, symbols: &[&'static str]) -> Option<&'static str> {
        let Some(Token::Symbol(symbol)) = self.peek() else { return None };
        let found = symbols.iter().copied().find(|s| s == symbol)?;
        self.next += 1;
        Some(found)
    }

    fn comparison(&mut self) -> Result<Comparison, SyntaxError> {
        let left = self.sum()?;
        let relation = match self.take(&["==", "!=", "<=", ">=", "<", ">"]) {
            Some("==") => Relation::Equal,
            Some("!=") => Relation::NotEqual,
            Some("<=") => Relation::LessOrEqual,
            Some(">=") => Relation::GreaterOrEqual,
            Some("<") => Relation::Less,
            Some(_) => Relation::Greater,
            None => return Err(self.error("expected a comparison: ==, !=, <, <=, > or >=")),
        };
        let right = self.sum()?;
        let within = match self.peek() {
            Some(Token::Word(word)) if word == "within" => Some(self.tolerance(relation)?),
            _ => None,
        };
        Ok(Comparison { left, relation, right, within })
    }

    fn tolerance(&mut self, relation: Relation) -> Result<Tolerance, SyntaxError> {
        if !matches!(relation, Relation::Equal | Relation::NotEqual) {
            return Err(self.error("\"within\" goes with == or !="));
        }
        self.next += 1;
        let tolerance = match self.peek() {
            Some(Token::Number(share, true)) => Tolerance::Relative(*share),
            Some(Token::Number(by, false)) => Tolerance::Absolute(*by),
            _ => return Err(self.error("expected a number after \"within\": 5% or 0.5ms")),
        };
        self.next += 1;
        Ok(tolerance)
    }

    fn sum(&mut self) -> Result<Term, SyntaxError> {
        let mut left = self.product()?;
        while let Some(symbol) = self.take(&["+", "-"]) {
            let operator = if symbol == "+" { Operator::Add } else { Operator::Subtract };
            left = Term::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Term, SyntaxError> {
        let mut left = self.factor()?;
        while let Some(symbol) = self.take(&["*", "/"]) {
            let operator = if symbol == "*" { Operator::Multiply } else { Operator::Divide };
            left = Term::Binary(operator, Box::new(left), Box::new(self.factor()?));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Term, SyntaxError> {
        if self.take(&["-"]).is_some() {
            return Ok(Term::Negative(Box::new(self.factor()?)));
        }
        if self.take(&["("]).is_some() {
            let inner = self.sum()?;
            self.close()?;
            return Ok(inner);
        }
        let span = self.span();
        let token = self.peek().cloned().ok_or_else(|| self.error("expected a number or a metric"))?;
        self.next += 1;
        match token {
            Token::Number(value, _) => Ok(Term::Number(value)),
            Token::Word(word) => self.word(&word, span),
            Token::Symbol(_) => Err(SyntaxError { span, message: "expected a number or a metric".to_owned() }),
        }
    }

    fn word(&mut self, word: &str, span: Range<usize>) -> Result<Term, SyntaxError> {
        let function = match word {
            "min" => Some(Function::Min),
            "max" => Some(Function::Max),
            "abs" => Some(Function::Abs),
            _ => None,
        };
        if let (Some(function), Some(_)) = (function, self.take(&["("])) {
            let mut terms = vec![self.sum()?];
            while self.take(&[","]).is_some() {
                terms.push(self.sum()?);
            }
            self.close()?;
            return Ok(Term::Call(function, terms));
        }
        match word.split_once('.') {
            Some((variant, metric)) if !variant.is_empty() && !metric.is_empty() => {
                Ok(Term::Metric(MetricRef { variant: variant.to_owned(), metric: metric.to_owned(), span }))
            }
            _ => Err(SyntaxError { span, message: format!("{word:?} is no metric: write variant.metric") }),
        }
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        self.take(&[")"]).map(|_| ()).ok_or_else(|| self.error("expected a closing parenthesis"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, values: &[(&str, f64)]) -> Option<bool> {
        let value = |m: &MetricRef| values.iter().find(|(name, _)| *name == m.to_string()).map(|(_, value)| *value);
        Comparison::parse(text).expect(text).holds(&value)
    }

    #[test]
    fn hyphens_belong_to_names_and_spaces_make_a_subtraction() {
        let values = [("nx-px-del.stale_writes", 9.0), ("a.x", 5.0), ("b.x", 3.0)];
        assert_eq!(holds("nx-px-del.stale_writes > 8", &values), Some(true));
        assert_eq!(holds("a.x - b.x == 2", &values), Some(true));
        assert_eq!(holds("a.x + b.x * 2 == 11", &values), Some(true));
        assert_eq!(holds("(a.x + b.x) * 2 == 16", &values), Some(true));
        assert_eq!(holds("-a.x < min(b.x, 4, 7)", &values), Some(true));
        assert_eq!(holds("abs(b.x - a.x) == 2", &values), Some(true));
    }

    #[test]
    fn units_and_tolerances() {
        let values = [("a.p99", 1500.0), ("a.hit_ratio", 0.91)];
        assert_eq!(holds("a.p99 == 1.5s", &values), Some(true));
        assert_eq!(holds("a.p99 == 1510 within 1%", &values), Some(true));
        assert_eq!(holds("a.p99 == 1530 within 1%", &values), Some(false));
        assert_eq!(holds("a.p99 == 1500.4 within 500us", &values), Some(true));
        assert_eq!(holds("a.hit_ratio >= 91%", &values), Some(true));
        assert_eq!(holds("a.hit_ratio ≥ 92%", &values), Some(false));
    }

    #[test]
    fn a_missing_value_or_a_division_of_nothing_is_no_verdict() {
        assert_eq!(holds("a.x == 0", &[]), None);
        assert_eq!(holds("a.x / b.x > 2", &[("a.x", 0.0), ("b.x", 0.0)]), None);
        assert_eq!(holds("a.x / b.x > 2", &[("a.x", 1.0), ("b.x", 0.0)]), Some(true));
    }

    #[test]
    fn mistakes_point_at_themselves() {
        let cases = [
            ("", 0..0, "expected a number or a metric"),
            ("a.x", 3..3, "expected a comparison"),
            ("a.x == ", 7..7, "expected a number or a metric"),
            ("a.x == 5 furlongs", 9..17, "expected the end"),
            ("a.x < 5kg", 7..9, "unknown unit"),
            ("fencing == 0", 0..7, "write variant.metric"),
            ("a.x < b.x within 5%", 10..16, "goes with =="),
            ("(a.x == 1", 5..7, "closing parenthesis"),
            ("a.x = 1", 4..5, "unexpected"),
            ("a.x == 1.2.3", 7..12, "is not a number"),
        ];
        for (text, span, message) in cases {
            let error = Comparison::parse(text).expect_err(text);
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert_eq!(error.span, span, "{text}");
        }
    }
}
