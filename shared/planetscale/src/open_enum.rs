//! Enumerations to which the API may add values.

/// Defines an enum. The API's texts are the names of its variants, written in the given case, such as
/// `snake_case`. `Other` keeps any other text. `Display` writes the text.
macro_rules! open_enum {
    (
        $(#[$meta:meta])*
        $name:ident in $case:literal { $($(#[$variant_meta:meta])* $variant:ident,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = $case)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
            /// A value that this code does not know.
            #[serde(untagged)]
            Other(String),
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                serde::Serialize::serialize(self, f)
            }
        }
    };
}

pub(super) use open_enum;
