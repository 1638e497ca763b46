//! The little JSON a manifest needs: a reader with limits, and string quoting. Numbers stay text, because a manifest's
//! integers exceed what a float holds and its floats must come back bit for bit.

use core::fmt::Write as _;

use super::SchemaError;
use super::limits::{MAX_MANIFEST_BYTES, MAX_MANIFEST_DEPTH};

/// A parsed value with its place in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Json {
    pub at: usize,
    pub value: JsonValue,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum JsonValue {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

pub(super) fn error(at: usize, problem: impl Into<String>) -> SchemaError {
    SchemaError::BadManifest { at, problem: problem.into() }
}

impl Json {
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(SchemaError::OverLimit {
                what: "bytes of a manifest",
                actual: text.len(),
                limit: MAX_MANIFEST_BYTES,
            });
        }
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at < text.len() { Err(error(reader.at, "text follows the end")) } else { Ok(value) }
    }

    /// The member `name` of an object.
    pub fn get(&self, name: &str) -> Result<&Self, SchemaError> {
        self.find(name)?.ok_or_else(|| error(self.at, format!("{name:?} is missing")))
    }

    /// The member `name` of an object, if it has one.
    pub fn find(&self, name: &str) -> Result<Option<&Self>, SchemaError> {
        match &self.value {
            JsonValue::Object(members) => {
                Ok(members.iter().find(|(key, _)| key == name).map(|(_, value)| value))
            }
            _ => Err(error(self.at, "an object is expected")),
        }
    }

    pub fn array(&self) -> Result<&[Self], SchemaError> {
        match &self.value {
            JsonValue::Array(items) => Ok(items),
            _ => Err(error(self.at, "an array is expected")),
        }
    }

    pub fn text(&self) -> Result<&str, SchemaError> {
        match &self.value {
            JsonValue::Text(text) => Ok(text),
            _ => Err(error(self.at, "a string is expected")),
        }
    }

    pub fn optional_text(&self) -> Result<Option<String>, SchemaError> {
        if self.value == JsonValue::Null { Ok(None) } else { self.text().map(|text| Some(text.to_owned())) }
    }

    pub fn bool(&self) -> Result<bool, SchemaError> {
        match self.value {
            JsonValue::Bool(value) => Ok(value),
            _ => Err(error(self.at, "true or false is expected")),
        }
    }

    pub fn number<T: core::str::FromStr>(&self) -> Result<T, SchemaError> {
        match &self.value {
            JsonValue::Number(text) => {
                text.parse().map_err(|_| error(self.at, format!("{text} is not a number that fits here")))
            }
            _ => Err(error(self.at, "a number is expected")),
        }
    }
}

/// Appends `text` as a JSON string.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), SchemaError> {
        self.space();
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(error(self.at, format!("{:?} is expected", byte as char)))
        }
    }

    fn word(&mut self, word: &str, value: JsonValue) -> Result<JsonValue, SchemaError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(error(self.at, "a value is expected"))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, SchemaError> {
        if depth > MAX_MANIFEST_DEPTH {
            return Err(error(self.at, "nested too deeply"));
        }
        self.space();
        let at = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.items(depth)?,
            Some(b'"') => JsonValue::Text(self.string()?),
            Some(b't') => self.word("true", JsonValue::Bool(true))?,
            Some(b'f') => self.word("false", JsonValue::Bool(false))?,
            Some(b'n') => self.word("null", JsonValue::Null)?,
            Some(b'-' | b'0'..=b'9') => {
                while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
                    self.at += 1;
                }
                JsonValue::Number(self.text[at..self.at].to_owned())
            }
            _ => return Err(error(at, "a value is expected")),
        };
        Ok(Json { at, value })
    }

    fn items(&mut self, depth: usize) -> Result<JsonValue, SchemaError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(JsonValue::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.peek() == Some(b',') {
                self.at += 1;
            } else {
                self.expect(b']')?;
                return Ok(JsonValue::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<JsonValue, SchemaError> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(JsonValue::Object(members));
        }
        loop {
            self.space();
            let at = self.at;
            let name = self.string()?;
            // A manifest's objects are small; a hostile one is bounded here, so that this search stays cheap.
            if members.len() >= 64 {
                return Err(error(at, "an object has too many members"));
            }
            if members.iter().any(|(other, _)| *other == name) {
                return Err(error(at, format!("{name:?} stands here twice")));
            }
            self.expect(b':')?;
            members.push((name, self.value(depth + 1)?));
            self.space();
            if self.peek() == Some(b',') {
                self.at += 1;
            } else {
                self.expect(b'}')?;
                return Ok(JsonValue::Object(members));
            }
        }
    }

    fn string(&mut self) -> Result<String, SchemaError> {
        let start = self.at;
        self.expect(b'"')?;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(character) = rest.chars().next() else {
                return Err(error(start, "the string does not end"));
            };
            self.at += character.len_utf8();
            match character {
                '"' => return Ok(out),
                '\\' => {
                    let escape = self.peek().ok_or_else(|| error(start, "the string does not end"))?;
                    self.at += 1;
                    out.push(match escape {
                        b'"' => '"',
                        b'\\' => '\\',
                        b'/' => '/',
                        b'n' => '\n',
                        b't' => '\t',
                        b'r' => '\r',
                        b'u' => {
                            let code = self
                                .text
                                .get(self.at..self.at + 4)
                                .and_then(|hex| u32::from_str_radix(hex, 16).ok());
                            self.at += 4;
                            code.and_then(char::from_u32).ok_or_else(|| error(start, "a bad \\u escape"))?
                        }
                        _ => return Err(error(self.at, "a bad escape")),
                    });
                }
                c if u32::from(c) < 0x20 => return Err(error(self.at, "a control character in a string")),
                c => out.push(c),
            }
        }
    }
}
