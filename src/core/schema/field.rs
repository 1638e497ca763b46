//! What a field is: its kind, what it means, how its changes are predicted and coded, what it is by default.
//!
//! A [`FieldDesc`] is a description the application writes; it is checked once, when its component is registered, and
//! frozen into a [`Field`] with everything the hot paths need worked out.

use core::fmt;

use super::SchemaError;
use super::kind::{FieldKind, LaneShape};
use super::limits::{MAX_DOCS_BYTES, MAX_NAME_BYTES};
use super::quantise;

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number in hashes and in the C ABI.
            pub const fn code(self) -> u8 { match self { $(Self::$variant => $code,)* } }

            /// The name in a manifest.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $text,)* } }

            /// The value with this number.
            pub fn from_code(code: u8) -> Option<Self> { Self::ALL.iter().copied().find(|value| value.code() == code) }

            /// The value with this manifest name.
            pub fn from_name(name: &str) -> Option<Self> { Self::ALL.iter().copied().find(|value| value.name() == name) }
        }
    };
}

codes! {
    /// What a field's numbers mean in space: how they convert from the engine's basis to the wire's.
    Semantic {
        /// Numbers without a place in space.
        #[default]
        None = 0 "none",
        /// A place.
        Point = 1 "point",
        /// A direction, velocity or force.
        Direction = 2 "direction",
        /// An orientation.
        Rotation = 3 "rotation",
        /// Radians per second about an axis.
        AngularVelocity = 4 "angular_velocity",
        /// A factor per axis.
        Scale = 5 "scale",
    }
}

codes! {
    /// What a change is coded against. The `bits` packer treats every predictor but `None` as `Hold`; the others are
    /// for packers that a session negotiates, and are part of the schema hash from the start.
    Predictor {
        /// The value at the baseline.
        #[default]
        Hold = 0 "hold",
        /// Nothing: changes are coded whole.
        None = 1 "none",
        /// The baseline carried on along its last change.
        Linear = 2 "linear",
        /// Like linear, falling.
        Ballistic = 3 "ballistic",
        /// Turned on about its axis.
        AngularVelocity = 4 "angular_velocity",
    }
}

codes! {
    /// How a change is written.
    Diff {
        /// As the difference from what the predictor says.
        #[default]
        Residual = 0 "residual",
        /// As the new value.
        Replace = 1 "replace",
    }
}

codes! {
    /// Who may write a component.
    Authority {
        /// The host.
        #[default]
        Host = 0 "host",
        /// The entity's owner.
        Owner = 1 "owner",
        /// Nobody: it is an input that the owner sends and the host consumes.
        Input = 2 "input",
    }
}

/// A field's default in engine terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// The kind's own: zero clamped into the range, identity, no entity, empty.
    #[default]
    Unset,
    /// For integers and flags.
    Int(i128),
    /// For floats, vectors (each part) and quaternions (x y z w).
    Numbers(Vec<f64>),
    /// For strings.
    Text(String),
    /// For blobs.
    Bytes(Vec<u8>),
}

/// A field as the application describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDesc {
    /// Stable within its component, from 1, never reused.
    pub id: u16,
    /// For people and manifests.
    pub name: String,
    /// Type and quantisation.
    pub kind: FieldKind,
    /// Meaning in space.
    pub semantic: Semantic,
    /// What changes are coded against.
    pub predictor: Predictor,
    /// How changes are written.
    pub diff: Diff,
    /// What a fresh row holds.
    pub default: Value,
    /// True for fields that only the command log writes.
    pub document: bool,
    /// Where it stands in the engine's struct; `None` lets C's rules decide.
    pub offset_bytes: Option<usize>,
    /// The version that brought it; empty when its component did.
    pub since_version: String,
    /// The version that deprecated it.
    pub deprecated_in: Option<String>,
    /// For people.
    pub docs: String,
}

impl FieldDesc {
    /// A field with everything but id, name and kind at its default.
    pub fn new(id: u16, name: impl Into<String>, kind: FieldKind) -> Self {
        Self {
            id,
            name: name.into(),
            kind,
            semantic: Semantic::None,
            predictor: Predictor::Hold,
            diff: Diff::Residual,
            default: Value::Unset,
            document: false,
            offset_bytes: None,
            since_version: String::new(),
            deprecated_in: None,
            docs: String::new(),
        }
    }

    /// Sets the meaning in space.
    pub fn semantic(mut self, semantic: Semantic) -> Self {
        self.semantic = semantic;
        self
    }

    /// Sets what changes are coded against.
    pub fn predictor(mut self, predictor: Predictor) -> Self {
        self.predictor = predictor;
        self
    }

    /// Sets how changes are written.
    pub fn diff(mut self, diff: Diff) -> Self {
        self.diff = diff;
        self
    }

    /// Sets what a fresh row holds.
    pub fn default_value(mut self, value: Value) -> Self {
        self.default = value;
        self
    }

    /// Marks the field as written by the command log only.
    pub fn document(mut self, document: bool) -> Self {
        self.document = document;
        self
    }

    /// Sets where the field stands in the engine's struct, in bytes.
    pub fn offset(mut self, bytes: usize) -> Self {
        self.offset_bytes = Some(bytes);
        self
    }

    /// Sets the documentation text.
    pub fn docs(mut self, text: impl Into<String>) -> Self {
        self.docs = text.into();
        self
    }

    /// Names the version that brought the field.
    pub fn since(mut self, version: impl Into<String>) -> Self {
        self.since_version = version.into();
        self
    }

    /// Checks everything that concerns this field alone and works out its default cell.
    pub(crate) fn check(&self, component: &str) -> Result<Cell, SchemaError> {
        let bad = |problem: &'static str| SchemaError::BadField {
            component: component.to_owned(),
            field: self.name.clone(),
            problem,
        };
        if self.id == 0 {
            return Err(bad("field ids start at 1"));
        }
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES || self.name.chars().any(char::is_control)
        {
            return Err(bad("the name is empty, too long or has control characters"));
        }
        if self.docs.len() > MAX_DOCS_BYTES {
            return Err(bad("the documentation text is too long"));
        }
        super::component::check_version(&self.since_version).map_err(bad)?;
        if let Some(version) = &self.deprecated_in {
            super::component::check_version(version).map_err(bad)?;
        }
        self.kind.check().map_err(bad)?;
        quantise::default_cell(&self.kind, &self.default).map_err(bad)
    }
}

/// One quantised value: what the wire and the hashes see.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Cell {
    /// Of a fixed kind.
    Lanes(Box<[u64]>),
    /// Of a variable kind: UTF-8, bytes, or list elements as little-endian numbers of
    /// [`super::ListItem::cell_bytes`] bytes.
    Bytes(Box<[u8]>),
}

impl fmt::Debug for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lanes(lanes) => write!(out, "{lanes:?}"),
            Self::Bytes(bytes) => write!(out, "{} bytes {bytes:02x?}", bytes.len()),
        }
    }
}

/// A frozen field.
#[derive(Clone, Debug)]
pub struct Field {
    /// As described.
    pub desc: FieldDesc,
    /// Lanes of its cell; empty for variable kinds.
    pub lanes: Box<[LaneShape]>,
    /// Where it stands in the engine's struct.
    pub offset_bytes: usize,
    /// How many bytes it takes there.
    pub size_bytes: usize,
    /// What a fresh row holds.
    pub default_cell: Cell,
}

impl Field {
    /// True where changes are written whole: flags and references have no useful distance.
    pub fn codes_whole(&self) -> bool {
        self.desc.predictor == Predictor::None
            || self.desc.diff == Diff::Replace
            || matches!(self.desc.kind, FieldKind::Flags { .. } | FieldKind::Entity)
    }
}
