//! Conditional requests (RFC 9110, section 13). An entity tag stands for a version.

use super::{Answer, Problem, event::Headers};

const IF_MATCH: &str = "If-Match";
const IF_NONE_MATCH: &str = "If-None-Match";

/// The conditions of a request. Resources have no date of modification, so conditions on a date are
/// ignored (RFC 9110, sections 13.1.3 and 13.1.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

impl Conditions {
    /// 400 for a header that is not a list of entity tags.
    pub(super) fn parse(headers: &Headers) -> Result<Self, Problem> {
        let tags = |name: &'static str| {
            let header = headers.get(name);
            let tags = header.map(|header| {
                Tags::parse(header).ok_or_else(|| Problem::malformed(name, "not an entity tag"))
            });
            tags.transpose()
        };
        Ok(Self {
            if_match: tags(IF_MATCH)?,
            if_none_match: tags(IF_NONE_MATCH)?,
        })
    }

    /// The versions that may be changed. 428 without `If-Match`.
    pub(super) fn of_change(self) -> Result<Versions, Problem> {
        let conditions = self;
        match conditions.if_match {
            Some(_) => Ok(Versions { conditions }),
            None => Err(Problem::precondition_required()),
        }
    }

    /// 412 if a request that creates something demands that it already exists.
    pub(super) fn allow_making(&self) -> Result<(), Problem> {
        match self.if_match {
            Some(_) => Err(Problem::stale()),
            None => Ok(()),
        }
    }

    /// The answer to a read under these conditions: the answer itself, a 304 or a 412.
    pub(super) fn apply(&self, answer: Answer) -> Result<Answer, Problem> {
        let version = answer.version();
        if !self.if_match_allows(version) {
            return Err(Problem::stale());
        }
        if self.if_none_match_names(version) {
            return Ok(answer.not_modified());
        }
        Ok(answer)
    }

    fn if_match_allows(&self, version: Option<u32>) -> bool {
        let tags = self.if_match.as_ref();
        tags.is_none_or(|tags| tags.include(version, Comparison::Strong))
    }

    fn if_none_match_names(&self, version: Option<u32>) -> bool {
        let tags = self.if_none_match.as_ref();
        tags.is_some_and(|tags| tags.include(version, Comparison::Weak))
    }
}

/// The versions that the client wants to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    conditions: Conditions,
}

impl Versions {
    /// Whether this version is one of them.
    pub fn includes(&self, version: u32) -> bool {
        let version = Some(version);
        self.conditions.if_match_allows(version) && !self.conditions.if_none_match_names(version)
    }
}

/// How the client's tags are compared with ours, which are all strong (section 8.8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    /// `*`: any version.
    Any,
    Listed(Vec<Tag>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    weak: bool,
    /// `None` stands for a tag that is not one of ours.
    version: Option<u32>,
}

impl Tags {
    /// Parses `*`, `"7"`, `W/"7"` or a list of tags. Elements of a list may be empty, and a list
    /// without any tag matches nothing (sections 5.6.1 and 13.1.1).
    fn parse(header: &str) -> Option<Self> {
        let mut rest = header.trim_matches([' ', '\t']);
        if rest == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return Some(Self::Listed(tags));
            }
            let (weak, quoted) = match rest.strip_prefix("W/") {
                Some(quoted) => (true, quoted),
                None => (false, rest),
            };
            let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
            if !opaque.chars().all(is_tag_character) {
                return None;
            }
            let version = version(opaque);
            tags.push(Tag { weak, version });
            rest = after.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
        }
    }

    /// Whether they include `version`, which is `None` for an answer without an entity tag.
    fn include(&self, version: Option<u32>, comparison: Comparison) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| {
                version.is_some()
                    && tag.version == version
                    && (comparison == Comparison::Weak || !tag.weak)
            }),
        }
    }
}

/// `etagc` without the quote. Bytes above 127 are allowed (section 8.8.3), in any encoding that the
/// gateway reads them in.
fn is_tag_character(letter: char) -> bool {
    letter.is_ascii_graphic() || !letter.is_ascii()
}

/// Tags are compared as text, so `07` is not 7.
fn version(opaque: &str) -> Option<u32> {
    let version: u32 = opaque.parse().ok()?;
    (version.to_string() == opaque).then_some(version)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn conditions(headers: &[(&str, &str)]) -> Result<Conditions, Problem> {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Conditions::parse(&headers.collect::<Headers>())
    }

    fn changes(headers: &[(&str, &str)], version: u32) -> bool {
        let versions = conditions(headers).unwrap().of_change().unwrap();
        versions.includes(version)
    }

    /// The status of the answer to a read of this version.
    fn read(headers: &[(&str, &str)], version: Option<u32>) -> i64 {
        let mut answer = Answer::ok(&1);
        if let Some(version) = version {
            answer = answer.etag(version);
        }
        let answer = conditions(headers).and_then(|conditions| conditions.apply(answer));
        let response = answer.map(|answer| answer.into_response().unwrap());
        response
            .unwrap_or_else(|problem| problem.into_response(""))
            .status_code
    }

    #[test]
    fn a_change_applies_only_to_the_named_versions() {
        for (header, named, others) in [
            ("\"7\"", &[7][..], &[0, 8][..]),
            (" \"1\" ,, \"a,b\",\"3\", ", &[1, 3], &[2]),
            ("*", &[0, 7, u32::MAX], &[]),
            ("\t* ", &[1], &[]),
            ("W/\"7\"", &[], &[7]),
            ("W/\"7\", \"7\"", &[7], &[8]),
            ("\"7\u{e9}\"", &[], &[7]),
            ("\"\u{1f375}\", \"7\"", &[7], &[]),
        ] {
            let changes = |version: &&u32| changes(&[("if-match", header)], **version);
            assert!(named.iter().all(|version| changes(&version)), "{header}");
            assert!(!others.iter().any(|version| changes(&version)), "{header}");
        }
    }

    #[test]
    fn a_tag_that_is_not_a_version_matches_none() {
        for header in [
            "",
            " , ",
            "\"\"",
            "\"abc\"",
            "\"07\"",
            "\"+7\"",
            "\"-7\"",
            "\"4294967296\"",
        ] {
            assert_eq!(read(&[("if-match", header)], Some(7)), 412, "{header}");
            assert_eq!(read(&[("if-none-match", header)], Some(7)), 200, "{header}");
        }
    }

    #[test]
    fn a_header_that_is_not_a_list_of_entity_tags_is_malformed() {
        for header in [
            "7",
            "\"7",
            "7\"",
            "w/\"7\"",
            "W/7",
            "W/ \"7\"",
            "\"7\" \"8\"",
            "\"7\"8",
            "*, \"7\"",
            "\"7\", *",
            "\"a b\"",
            "\"a\u{1}b\"",
            "\"a\u{7f}\"",
            "'7'",
            "é",
        ] {
            for name in ["if-match", "if-none-match"] {
                assert_eq!(read(&[(name, header)], Some(7)), 400, "{name}: {header:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_version_is_found_again(versions in prop::collection::vec(any::<u32>(), 1..8)) {
            let header: Vec<_> = versions.iter().map(|version| format!("\"{version}\"")).collect();
            let header = header.join(", ");
            for version in versions {
                prop_assert!(changes(&[("if-match", &header)], version));
                prop_assert!(!changes(&[("if-match", "*"), ("if-none-match", &header)], version));
            }
        }

        #[test]
        fn any_header_is_handled_without_a_panic(header in any::<String>()) {
            let _ = conditions(&[("if-match", &header), ("if-none-match", &header)]);
        }
    }
}
