//! A statement's tokens, read from left to right.

use std::rc::Rc;

use sqlparser::{
    dialect::MySqlDialect,
    keywords::Keyword,
    tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word},
};

use super::{Identifier, Name};
use crate::statement::Statement;

/// Tokens without white space and comments; their lines are those of the file. A clone is cheap, so
/// whoever has to look ahead reads on in one.
#[derive(Debug, Clone)]
pub(super) struct Words {
    tokens: Rc<[TokenWithSpan]>,
    at: usize,
    end: usize,
}

impl Words {
    /// The statement's tokens; why there are none when the tokenizer does not take it.
    pub(super) fn of(statement: &Statement) -> Result<Self, String> {
        let mut tokens = Tokenizer::new(&MySqlDialect {}, statement.text())
            .tokenize_with_location()
            .map_err(|error| error.message)?;
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
        let before = u64::try_from(statement.line().saturating_sub(1)).unwrap_or_default();
        for token in &mut tokens {
            token.span.start.line += before;
            token.span.end.line += before;
        }
        Ok(Self::from(tokens))
    }

    pub(super) fn from(tokens: Vec<TokenWithSpan>) -> Self {
        Self {
            at: 0,
            end: tokens.len(),
            tokens: tokens.into(),
        }
    }

    /// What was not read yet.
    pub(super) fn left(&self) -> &[TokenWithSpan] {
        self.tokens.get(self.at..self.end).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left().is_empty()
    }

    /// The line of the next token, or of the last one.
    pub(super) fn line(&self) -> usize {
        let last = || self.tokens.get(..self.end)?.last();
        let next = self.left().first().or_else(last);
        next.map_or(0, |token| line(token.span))
    }

    /// The next token as a word in capitals, when it is one without quotes.
    pub(super) fn peek(&self) -> Option<String> {
        self.left().first().and_then(|token| bare(&token.token))
    }

    /// Reads the words, all of them or none.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let next = self.left().get(..words.len());
        let all = next.is_some_and(|next| {
            let mut pairs = next.iter().zip(words);
            pairs.all(|(next, word)| is(&next.token, word))
        });
        if all {
            self.at += words.len();
        }
        all
    }

    /// Reads one of the words.
    pub(super) fn take_one(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.take(&[word]))
    }

    /// Reads a sign.
    pub(super) fn sign(&mut self, sign: &Token) -> bool {
        let is_next = self
            .left()
            .first()
            .is_some_and(|token| token.token == *sign);
        if is_next {
            self.at += 1;
        }
        is_next
    }

    /// Reads whatever is next.
    pub(super) fn any(&mut self) -> Option<TokenWithSpan> {
        let next = self.left().first().cloned();
        self.at += usize::from(next.is_some());
        next
    }

    /// Reads a name of one part.
    pub(super) fn identifier(&mut self) -> Option<Identifier> {
        let token = self.left().first()?;
        let Token::Word(word) = &token.token else {
            return None;
        };
        let identifier = Identifier {
            name: word.value.clone(),
            line: line(token.span),
        };
        self.at += 1;
        Some(identifier)
    }

    /// Reads a name that may lead with a database's.
    pub(super) fn name(&mut self) -> Option<Name> {
        let bare = self.peek().is_some();
        let first = self.identifier()?;
        let dotted = self.sign(&Token::Period);
        let second = if dotted { self.identifier() } else { None };
        Some(match second {
            None => Name {
                database: None,
                name: first.name,
                bare,
            },
            Some(second) => Name {
                database: Some(first.name),
                name: second.name,
                bare: false,
            },
        })
    }

    /// Reads names with commas between them.
    pub(super) fn names(&mut self) -> Option<Vec<Name>> {
        let mut names = vec![self.name()?];
        while self.sign(&Token::Comma) {
            names.push(self.name()?);
        }
        Some(names)
    }

    /// Reads `( … )` and returns what is in it.
    pub(super) fn parenthesised(&mut self) -> Option<Vec<TokenWithSpan>> {
        let mut depth = 0_usize;
        for (position, token) in self.left().iter().enumerate() {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.checked_sub(1)?,
                _ => {}
            }
            if depth == 0 {
                let inside = self.left().get(1..position)?.to_vec();
                self.at += position + 1;
                return Some(inside);
            }
        }
        None
    }

    /// Reads up to the first of these words that stands outside of parentheses, or to the end.
    pub(super) fn until(&mut self, words: &[&str]) -> Vec<TokenWithSpan> {
        let mut depth = 0_usize;
        let mut read = Vec::new();
        while let Some(token) = self.left().first() {
            match &token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && words.iter().any(|word| is(&token.token, word)) {
                break;
            }
            read.extend(self.any());
        }
        read
    }

    /// Reads the rest as parts with commas between them.
    pub(super) fn parts(self) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut part = self.clone();
        let mut depth = 0_usize;
        for (position, token) in (self.at..).zip(self.left()) {
            match &token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Comma if depth == 0 => {
                    part.end = position;
                    parts.push(part);
                    part = self.clone();
                    part.at = position + 1;
                }
                _ => {}
            }
        }
        parts.push(part);
        parts
    }

    /// Whether the word stands anywhere in what is left.
    pub(super) fn contain(&self, word: &str) -> bool {
        self.left().iter().any(|token| is(&token.token, word))
    }
}

/// Whether it is this word, which is in capitals, without quotes.
fn is(token: &Token, word: &str) -> bool {
    match token {
        Token::Word(is) => is.quote_style.is_none() && is.value.eq_ignore_ascii_case(word),
        _ => false,
    }
}

/// A word without quotes, in capitals.
pub(super) fn bare(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
        _ => None,
    }
}

pub(super) fn line(span: Span) -> usize {
    usize::try_from(span.start.line).unwrap_or_default()
}

/// A token that is in no file.
pub(super) fn made(token: Token) -> TokenWithSpan {
    let nowhere = Location::new(0, 0);
    TokenWithSpan::new(token, Span::new(nowhere, nowhere))
}

/// A keyword that is in no file.
pub(super) fn keyword(word: &str) -> TokenWithSpan {
    made(Token::make_keyword(word))
}

/// The token of a text as a word, as if its quotes were not there.
pub(super) fn unquoted(token: &TokenWithSpan) -> TokenWithSpan {
    match &token.token {
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => {
            let word = Word {
                value: text.clone(),
                quote_style: None,
                keyword: Keyword::NoKeyword,
            };
            TokenWithSpan::new(Token::Word(word), token.span)
        }
        _ => token.clone(),
    }
}
