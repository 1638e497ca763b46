//! What the C ABI consists of, read from the source text, and the rules it must keep.
//!
//! Only `#[repr(C)]` structs, extern functions, `THETA_` constants and `theta_` aliases are the surface, and their
//! counterparts with an X in the experimental part. Everything else in the two rooms is implementation and is not looked
//! at.

use quote::ToTokens;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Attribute, Expr, Fields, FnArg, Item, Lit, Meta, ReturnType, Type, UnOp};

/// Widths that differ between platforms or languages; the ABI has fixed ones only.
const REFUSED_TYPES: &[(&str, &str)] = &[
    ("bool", "u32 with 0 and 1"),
    ("char", "u32"),
    ("usize", "u32 or u64"),
    ("isize", "i32 or i64"),
    ("c_long", "i32 or i64"),
    ("c_ulong", "u32 or u64"),
    ("str", "a pointer and a length"),
    ("u128", "two u64"),
    ("i128", "two u64"),
];

/// A `#[repr(C)]` struct: field names and types in order.
pub struct Struct {
    pub name: String,
    pub fields: Vec<(String, Type)>,
}

/// A `THETA_` constant. The type may be an alias; the value is a literal as Rust spells it, without separators.
pub struct Constant {
    pub name: String,
    pub ty: String,
    pub value: String,
    pub docs: Vec<String>,
}

/// What the names of one part of the ABI begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefixes {
    /// Of functions, structs and aliases.
    pub names: &'static str,
    /// Of constants and macros.
    pub constants: &'static str,
}

/// The part that stays.
pub const STABLE: Prefixes = Prefixes { names: "theta_", constants: "THETA_" };
/// The part that may change with each version.
pub const EXPERIMENTAL: Prefixes = Prefixes { names: "thetax_", constants: "THETAX_" };

/// One part of the C ABI as text.
pub struct Surface {
    /// What its names begin with.
    pub prefixes: Prefixes,
    /// Every file of the module tree, in declaration order.
    pub files: Vec<PathBuf>,
    /// The structs by order of declaration.
    pub structs: Vec<Struct>,
    /// The constants by order of declaration.
    pub constants: Vec<Constant>,
    /// Alias name to the type behind it.
    pub aliases: BTreeMap<String, String>,
    functions: Vec<syn::ItemFn>,
    problems: Vec<String>,
}

impl Surface {
    /// Reads a room's `mod.rs` and the modules under it, one file per C noun.
    pub fn read(entry: &Path, prefixes: Prefixes) -> Result<Self, String> {
        let mut surface = Self {
            prefixes,
            files: Vec::new(),
            structs: Vec::new(),
            constants: Vec::new(),
            aliases: BTreeMap::new(),
            functions: Vec::new(),
            problems: Vec::new(),
        };
        surface.read_file(entry)?;
        surface.check_functions();
        if surface.problems.is_empty() {
            return Ok(surface);
        }
        let room = entry.parent().unwrap_or(entry).display();
        Err(format!("{room} breaks the rules of the ABI\n  {}", surface.problems.join("\n  ")))
    }

    /// The primitive behind an alias.
    pub fn resolve<'a>(&'a self, mut name: &'a str) -> &'a str {
        while let Some(behind) = self.aliases.get(name) {
            name = behind;
        }
        name
    }

    fn read_file(&mut self, path: &Path) -> Result<(), String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        self.files.push(path.to_path_buf());

        let folder = path.parent().expect("a file stands in a folder");
        let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("mod") | None => folder.to_path_buf(),
            Some(stem) => folder.join(stem),
        };
        for item in file.items {
            match item {
                Item::Mod(module) if module.content.is_none() && !is_test(&module.attrs) => {
                    let flat = folder.join(format!("{}.rs", module.ident));
                    let nested = folder.join(module.ident.to_string()).join("mod.rs");
                    self.read_file(if flat.exists() { &flat } else { &nested })?;
                }
                Item::Struct(item) if item.ident.to_string().starts_with(self.prefixes.names) => {
                    self.read_struct(&item);
                }
                Item::Const(item) if item.ident.to_string().starts_with(self.prefixes.constants) => {
                    self.read_constant(&item);
                }
                Item::Type(item) if item.ident.to_string().starts_with(self.prefixes.names) => {
                    let name = item.ident.to_string();
                    self.require_docs(&name, &item.attrs);
                    self.check_type(&name, &item.ty);
                    self.aliases.insert(name, text_of(&item.ty));
                }
                Item::Fn(item) if item.sig.abi.is_some() && is_exported(&item.attrs) => {
                    self.functions.push(item);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_struct(&mut self, item: &syn::ItemStruct) {
        let name = item.ident.to_string();
        self.require_docs(&name, &item.attrs);
        if !item.attrs.iter().any(|a| a.path().is_ident("repr") && text_of(&a.meta).contains('C')) {
            self.problems.push(format!("{name} is not #[repr(C)]"));
        }
        let Fields::Named(named) = &item.fields else {
            self.problems.push(format!("{name} must have named fields"));
            return;
        };
        let mut fields = Vec::new();
        for field in &named.named {
            let field_name = field.ident.as_ref().expect("a named field").to_string();
            let full_name = format!("{name}.{field_name}");
            // Padding says what it is by its name.
            if !field_name.starts_with("reserved") && !field_name.starts_with("padding") {
                self.require_docs(&full_name, &field.attrs);
            }
            if field.attrs.iter().any(|a| a.path().is_ident("cfg")) {
                self.problems.push(format!("{full_name} is conditional: a struct has one layout"));
            }
            self.check_type(&full_name, &field.ty);
            fields.push((field_name, field.ty.clone()));
        }
        self.structs.push(Struct { name, fields });
    }

    fn read_constant(&mut self, item: &syn::ItemConst) {
        let name = item.ident.to_string();
        self.require_docs(&name, &item.attrs);
        if !is_literal(&item.expr) {
            // The generators copy the text: `BASE + 1` would name something that C does not have.
            self.problems.push(format!("{name} must be a literal (a test may compare it with the core's)"));
        }
        let value = text_of(&item.expr).replace("- ", "-");
        let value = if value.starts_with('"') { value } else { value.replace('_', "") };
        self.constants.push(Constant { name, ty: text_of(&item.ty), value, docs: docs_of(&item.attrs) });
    }

    fn check_functions(&mut self) {
        for function in std::mem::take(&mut self.functions) {
            let name = function.sig.ident.to_string();
            let prefix = self.prefixes.names;
            if !name.starts_with(prefix) {
                self.problems.push(format!("{name}: an exported function must start with `{prefix}`"));
            }
            self.require_docs(&name, &function.attrs);
            for input in &function.sig.inputs {
                if let FnArg::Typed(argument) = input {
                    self.check_type(&name, &argument.ty);
                    self.check_by_value(&name, &argument.ty);
                }
            }
            if let ReturnType::Type(_, result) = &function.sig.output {
                self.check_type(&name, result);
                self.check_by_value(&name, result);
            }
        }
    }

    fn require_docs(&mut self, name: &str, attributes: &[Attribute]) {
        if !attributes.iter().any(|a| a.path().is_ident("doc")) {
            self.problems.push(format!("{name} has no documentation"));
        }
    }

    fn check_type(&mut self, place: &str, ty: &Type) {
        let text = text_of(ty);
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if let Some((refused, instead)) = REFUSED_TYPES.iter().find(|(refused, _)| *refused == word) {
                self.problems.push(format!("{place}: `{refused}` is not in the ABI, use {instead}"));
            }
        }
        if text.starts_with('&') || matches!(ty, Type::Tuple(tuple) if !tuple.elems.is_empty()) {
            self.problems.push(format!("{place}: `{text}` has no meaning in C, use a pointer"));
        }
    }

    /// Burst refuses a struct by value that is more than one integer.
    fn check_by_value(&mut self, place: &str, ty: &Type) {
        let text = text_of(ty);
        let is_wide = self
            .structs
            .iter()
            .any(|s| s.name == text && !(s.fields.len() == 1 && is_integer(&s.fields[0].1)));
        if is_wide {
            self.problems.push(format!("{place}: `{text}` is passed by value, use a pointer"));
        }
    }
}

/// A type as source text without spaces, except where Rust needs one.
pub fn text_of(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    text.replace(" :: ", "::").replace("* ", "*").replace("& ", "&")
}

fn docs_of(attributes: &[Attribute]) -> Vec<String> {
    let text = |a: &Attribute| match &a.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_string()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}

fn is_integer(ty: &Type) -> bool {
    matches!(text_of(ty).as_str(), "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64")
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && text_of(&a.meta).contains("test"))
}

fn is_exported(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| match &a.meta {
        Meta::Path(path) => path.is_ident("no_mangle"),
        Meta::List(list) => list.path.is_ident("unsafe") && list.tokens.to_string().contains("no_mangle"),
        Meta::NameValue(_) => false,
    })
}

fn is_literal(expression: &Expr) -> bool {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            // A suffix (`3u32`) is Rust's own spelling.
            Lit::Int(value) => value.suffix().is_empty(),
            Lit::Float(value) => value.suffix().is_empty(),
            Lit::Str(_) => true,
            _ => false,
        },
        Expr::Unary(unary) => matches!(unary.op, UnOp::Neg(_)) && is_literal(&unary.expr),
        _ => false,
    }
}
