//! A peer in Rust for LiveTableTests.cs: knows test.only_csharp from the table below and nothing of C#. It joins by the
//! ticket it is given, and for each line `TICK LANES` prints what that tick (or a later one) holds, field by field.
//! With `wrong` as a second argument one field of the table is of another kind.

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use theta_sdk::core::schema::{
    ComponentDesc, FieldDesc, FieldKind, IntType, ListItem, Range, Registry, Schema, Semantic, Value,
    component_id,
};
use theta_sdk::core::session::ticket::Ticket;
use theta_sdk::core::world::Frame;
use theta_sdk::runtime::{EventKind, JoinOptions, JoinSession, Runtime, RuntimeConfig};

const NAME: &str = "test.only_csharp";
const PATIENCE: Duration = Duration::from_secs(30);

/// Id, name and kind of every field; where they stand in memory is C's business, here as in C#.
fn table(wrong: bool) -> Vec<(u16, &'static str, FieldKind)> {
    use FieldKind::{Bytes, DVec3, Entity, F32, F64, Flags, Int, List, Quat, String, Vector};
    let int = |ty, min, max| Int { ty, min, max };
    let metres = Range::new(-8.0, 8.0, 0.01);
    vec![
        (1, "u8", int(IntType::U8, 0, 200)),
        (2, "i64", int(IntType::I64, -1_000_000_000_000, 1_000_000_000_000)),
        (3, "i8", int(IntType::I8, -100, 100)),
        (4, "f64", F64(Range::new(-1e6, 1e6, 0.0001))),
        (5, "i16", int(IntType::I16, -30_000, 30_000)),
        (6, "i32", int(IntType::I32, -1_000_000, 1_000_000)),
        (7, "u16", if wrong { Flags { bits: 16 } } else { int(IntType::U16, 0, 60_000) }),
        (8, "u64", int(IntType::U64, 0, 1_000_000_000_000_000)),
        (9, "flags", Flags { bits: 7 }),
        (10, "u32", int(IntType::U32, 0, 4_000_000_000)),
        (11, "f32", F32(Range::new(-10.0, 10.0, 0.001))),
        (12, "d3", DVec3(Range::new(-1e6, 1e6, 0.001))),
        (13, "v2", Vector { len: 2, range: metres }),
        (14, "v3", Vector { len: 3, range: metres }),
        (15, "v4", Vector { len: 4, range: metres }),
        (16, "q", Quat { bits: 14 }),
        (17, "target", Entity),
        (18, "label", String { max_len: 32 }),
        (19, "blob", Bytes { max_len: 64 }),
        (20, "longs", List { item: ListItem::Int { ty: IntType::I64, min: -1000, max: 1000 }, max_len: 3 }),
    ]
}

fn schema(wrong: bool) -> Result<Schema, Box<dyn Error>> {
    let mut component = ComponentDesc::new(NAME);
    for (id, name, kind) in table(wrong) {
        let field = FieldDesc::new(id, name, kind);
        component = component.field(match id {
            14 => field.semantic(Semantic::Point),
            16 => field.semantic(Semantic::Rotation).default_value(Value::Numbers(vec![0.0, 0.0, 0.0, 1.0])),
            _ => field,
        });
    }
    let mut registry = Registry::new();
    registry.add(component)?;
    Ok(registry.freeze()?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a value in engine memory; of a string, bytes or list the elements that its length says.
fn value<'a>(kind: &FieldKind, bytes: &'a [u8]) -> &'a [u8] {
    let length = || u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    match kind {
        FieldKind::String { .. } | FieldKind::Bytes { .. } => &bytes[4..4 + length()],
        FieldKind::List { .. } => &bytes[8..8 + 8 * length()],
        _ => bytes,
    }
}

fn print(schema: &Schema, frame: &Frame, lanes: usize) -> Result<(), Box<dyn Error>> {
    let id = component_id(NAME);
    let component = schema.component(schema.index_of(id).ok_or("the component is there")?);
    let mut row = vec![0; component.size_bytes];
    let mut cells = vec![0; lanes];
    if frame.read_engine(schema, id, None, &mut row, component.size_bytes)? != 1
        || frame.read_lanes(schema, id, None, &mut cells, lanes)? != 1
    {
        return Err("there is not one entity".into());
    }
    let cells: Vec<u8> = cells.into_iter().flat_map(i64::to_le_bytes).collect();
    println!("tick {}\nschema {:016x}\nfold {:016x}", frame.tick.0, schema.hash(), frame.fold());
    println!("lanes {}", hex(&cells));
    for field in &component.fields {
        let bytes = &row[field.offset_bytes..][..field.size_bytes];
        println!("{} {}", field.desc.name, hex(value(&field.desc.kind, bytes)));
    }
    println!("end");
    Ok(())
}

fn frame_at(session: &mut JoinSession, tick: u32) -> Result<Arc<Frame>, Box<dyn Error>> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        while let Some(event) = session.poll() {
            if let EventKind::Disconnected { reason, .. } = event.kind {
                return Err(reason.into());
            }
        }
        if let Some(found) = session.newest_frame().filter(|found| found.frame.tick.0 >= tick) {
            return Ok(found.frame);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err("the tick did not come".into())
}

fn run(ticket: &str, wrong: bool) -> Result<(), Box<dyn Error>> {
    let schema = Arc::new(schema(wrong)?);
    let runtime = Runtime::start(RuntimeConfig::default())?;
    let joining = JoinOptions { name: "in Rust".to_owned(), ..JoinOptions::new(Ticket::parse(ticket)?) };
    let mut session = runtime.join(Arc::clone(&schema), joining)?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let (tick, lanes) = line.split_once(' ').ok_or("a line is TICK LANES")?;
        let frame = frame_at(&mut session, tick.parse()?)?;
        print(&schema, &frame, lanes.parse()?)?;
    }
    Ok(())
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(ticket) = arguments.get(1) else {
        eprintln!("usage: table_peer TICKET [wrong], then lines `TICK LANES`");
        return std::process::ExitCode::from(2);
    };
    match run(ticket, arguments.get(2).is_some_and(|word| word == "wrong")) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            println!("error {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
