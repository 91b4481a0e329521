//! Conditional requests (RFC 9110, section 13): entity tags that stand for versions.

use http::HeaderValue;

/// The versions that the entity tags of `If-Match` or `If-None-Match` name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Any,
    Named(Vec<u32>),
}

impl Versions {
    /// Whether the client named this version; `*` names every one.
    pub fn includes(&self, version: u32) -> bool {
        match &self.0 {
            Kind::Any => true,
            Kind::Named(versions) => versions.contains(&version),
        }
    }

    /// Those of a request without the header.
    pub(super) const NONE: Self = Self(Kind::Named(Vec::new()));

    /// For `If-Match`, where a weak tag never counts.
    pub(super) fn strong(header: &HeaderValue) -> Option<Self> {
        Self::parse(header, |tag| !tag.weak)
    }

    /// For `If-None-Match`, where it does.
    pub(super) fn weak(header: &HeaderValue) -> Option<Self> {
        Self::parse(header, |_| true)
    }

    /// A tag that is none of ours names no version, and is no error: it may be of another server
    /// or another age.
    fn parse(header: &HeaderValue, counts: impl Fn(&Tag<'_>) -> bool) -> Option<Self> {
        let header = header.to_str().ok()?.trim_matches([' ', '\t']);
        if header == "*" {
            return Some(Self(Kind::Any));
        }
        let versions = tags(header)?
            .into_iter()
            .filter(counts)
            .filter_map(|tag| version(tag.opaque))
            .collect();
        Some(Self(Kind::Named(versions)))
    }
}

struct Tag<'a> {
    weak: bool,
    opaque: &'a str,
}

/// `"7"`, `W/"7"`, or a list of these. A list may have empty elements, not only such.
fn tags(mut rest: &str) -> Option<Vec<Tag<'_>>> {
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(tags);
        }
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if opaque.contains([' ', '\t']) {
            return None;
        }
        tags.push(Tag { weak, opaque });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

/// Tags are compared by their characters, so that `07` is not 7.
fn version(opaque: &str) -> Option<u32> {
    let version: u32 = opaque.parse().ok()?;
    (version.to_string() == opaque).then_some(version)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strong(header: &str) -> Option<Versions> {
        Versions::strong(&HeaderValue::from_str(header).unwrap())
    }

    fn weak(header: &str) -> Option<Versions> {
        Versions::weak(&HeaderValue::from_str(header).unwrap())
    }

    #[test]
    fn one_tag_names_one_version() {
        let versions = strong("\"7\"").unwrap();
        assert!(versions.includes(7));
        assert!(!versions.includes(8));
    }

    #[test]
    fn a_list_names_several() {
        let versions = strong(" \"1\" ,, \"a,b\",\"3\", ").unwrap();
        assert!(versions.includes(1) && versions.includes(3));
        assert!(!versions.includes(2));
    }

    #[test]
    fn a_star_names_all() {
        assert!(strong("*").unwrap().includes(u32::MAX));
        assert!(weak(" * ").unwrap().includes(1));
    }

    #[test]
    fn a_weak_tag_counts_for_if_none_match_only() {
        assert!(!strong("W/\"7\"").unwrap().includes(7));
        assert!(weak("W/\"7\"").unwrap().includes(7));
        assert!(strong("W/\"7\", \"7\"").unwrap().includes(7));
    }

    #[test]
    fn a_tag_that_is_no_version_names_none() {
        for header in [
            "\"\"",
            "\"abc\"",
            "\"07\"",
            "\"+7\"",
            "\"-7\"",
            "\"4294967296\"",
        ] {
            assert_eq!(strong(header), Some(Versions::NONE), "{header}");
        }
    }

    #[test]
    fn what_is_no_entity_tag_is_malformed() {
        let malformed = [
            "",
            " ",
            ",",
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
            "'7'",
            "\"7\u{e9}\"",
        ];
        for header in malformed {
            assert_eq!(strong(header), None, "{header}");
            assert_eq!(weak(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn every_version_is_found_again(versions in prop::collection::vec(any::<u32>(), 1..8)) {
            let header: Vec<_> = versions.iter().map(|version| format!("\"{version}\"")).collect();
            let parsed = strong(&header.join(", ")).unwrap();
            prop_assert!(versions.iter().all(|version| parsed.includes(*version)));
        }

        #[test]
        fn no_header_is_too_odd(header in "[ -~\t]*") {
            let _ = (strong(&header), weak(&header));
        }
    }
}
