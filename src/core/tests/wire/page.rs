//! docs/protocol.md and the code say the same: limits, codes, message types.

use super::root;
use theta_core::wire::codes::{CapabilityReason, DisconnectCode, RefusalReason};
use theta_core::wire::limits;
use theta_core::wire::message::{MessageType, WireEnum};

/// The rows of the table under a heading, as trimmed cells, without head and rule.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let start = ["##", "###", "####"].iter().find_map(|level| page.find(&format!("\n{level} {heading}\n")));
    let section = &page[start.unwrap_or_else(|| panic!("the page has no heading {heading}")) + 1..];
    section
        .lines()
        .skip(1)
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
        })
        .collect()
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/protocol.md")).expect("the page is there")
}

fn numbered<E: WireEnum + std::fmt::Debug>(words: fn(E) -> (&'static str, &'static str)) -> Vec<Vec<String>> {
    E::ALL
        .iter()
        .map(|&value| {
            let (sentence, hint) = words(value);
            vec![value.number().to_string(), format!("{value:?}"), sentence.to_owned(), hint.to_owned()]
        })
        .collect()
}

#[test]
fn limits_are_those_of_the_code() {
    let code: Vec<Vec<String>> = limits::TABLE
        .iter()
        .map(|limit| {
            let cells = [limit.name, &limit.value.to_string(), limit.meaning, limit.costs];
            cells.map(str::to_owned).to_vec()
        })
        .collect();
    assert_eq!(table(&page(), "Limits"), code);
}

#[test]
fn what_a_limit_costs_is_a_code_or_a_sentence() {
    for limit in limits::TABLE {
        let is_code = DisconnectCode::ALL.iter().any(|code| format!("{code:?}") == limit.costs);
        assert!(is_code || limit.costs.ends_with('.'), "{}: {}", limit.name, limit.costs);
    }
}

#[test]
fn every_limit_is_in_the_table() {
    let source = include_str!("../../wire/limits.rs");
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("pub const ").and_then(|rest| rest.split(':').next()) {
            let listed = name == "TABLE" || limits::TABLE.iter().any(|limit| limit.name == name);
            assert!(listed, "{name} is not in limits::TABLE");
        }
    }
}

#[test]
fn codes_are_those_of_the_code() {
    let page = page();
    let disconnect = numbered::<DisconnectCode>(|code| (code.sentence(), code.hint()));
    assert_eq!(table(&page, "Disconnect codes"), disconnect);
    let refusal = numbered::<RefusalReason>(|code| (code.sentence(), code.hint()));
    assert_eq!(table(&page, "Refusal reasons"), refusal);
    let capability = numbered::<CapabilityReason>(|code| (code.sentence(), code.hint()));
    assert_eq!(table(&page, "Capability reasons"), capability);
}

#[test]
fn message_types_are_those_of_the_code() {
    let listed: Vec<(String, String)> =
        table(&page(), "Message types").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let code: Vec<(String, String)> =
        MessageType::ALL.iter().map(|value| (value.number().to_string(), format!("{value:?}"))).collect();
    assert_eq!(listed, code);
}

/// Kind, name, members.
type Declaration = (String, String, Vec<(String, String)>);

/// What schemas/wire.fbs declares: kind, name, and the members with their types (enums: with their values).
fn declarations(schema: &str) -> Vec<Declaration> {
    let bare: String =
        schema.lines().map(|line| line.split("//").next().unwrap_or("").to_owned() + " ").collect();
    let mut list = Vec::new();
    let mut rest = bare.as_str();
    while let Some((head, after)) = rest.split_once('{') {
        let (body, next) = after.split_once('}').expect("braces are closed");
        let mut words = head.rsplit(';').next().expect("a part").split_whitespace();
        let (kind, name) = (words.next().expect("a kind"), words.next().expect("a name"));
        let (separator, sign) = if kind == "enum" { (',', '=') } else { (';', ':') };
        let members = body
            .split(separator)
            .filter_map(|member| member.split_once(sign))
            .map(|(name, value)| {
                let value = value.replace(" (required)", " required").replace("(required)", " required");
                (name.trim().to_owned(), value.trim().to_owned())
            })
            .collect();
        list.push((kind.to_owned(), name.to_owned(), members));
        rest = next;
    }
    list
}

#[test]
fn fields_are_those_of_the_schema() {
    let schema = std::fs::read_to_string(root().join("schemas/wire.fbs")).expect("the schema is there");
    let page = page();
    let declared = declarations(&schema);
    assert!(declared.len() > 50, "the schema was read: {}", declared.len());
    for (kind, name, members) in declared {
        if name == "CapabilityReason" {
            continue; // has a table of its own, compared with the code
        }
        let rows = table(&page, &name);
        let listed: Vec<(String, String, String)> =
            rows.into_iter().map(|row| (row[0].clone(), row[1].clone(), row[2].clone())).collect();
        assert_eq!(listed.len(), members.len(), "{name}");
        for (slot, ((first, second, third), (member, value))) in listed.into_iter().zip(members).enumerate() {
            assert_eq!(second, member, "{name}");
            match kind.as_str() {
                "enum" => assert_eq!(first, value, "{name}.{member}"),
                "table" => assert_eq!((first, third), (slot.to_string(), value), "{name}.{member}"),
                _ => assert_eq!(third, value, "{name}.{member}"),
            }
        }
    }
}

#[test]
fn numbers_are_unique() {
    fn check<E: WireEnum>() {
        let mut numbers: Vec<u16> = E::ALL.iter().map(|value| value.number()).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "{} uses a number twice", E::NAME);
    }
    check::<DisconnectCode>();
    check::<RefusalReason>();
    check::<CapabilityReason>();
    check::<MessageType>();
}
