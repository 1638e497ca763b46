//! Neighbours of inputs: what a fuzzer would try first, the same in every run.

/// A small generator (xorshift64*): the same number gives the same neighbour everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`; zero for an empty range.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }
}

/// Bytes that mean something to lengths, counts and signs.
const TELLING: [u8; 10] = [0, 1, 2, 0x10, 0x40, 0x7f, 0x80, 0xfe, 0xff, 0x20];

/// Neighbour `number` of these inputs: one of them with one to four changes.
pub fn neighbour(inputs: &[&[u8]], number: u64) -> Vec<u8> {
    let mut random = Random((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    random.next();
    let mut data = inputs[number as usize % inputs.len()].to_vec();
    for _ in 0..=random.below(4) {
        change(&mut data, inputs, &mut random);
    }
    data
}

fn change(data: &mut Vec<u8>, inputs: &[&[u8]], random: &mut Random) {
    let at = random.below(data.len());
    match random.below(8) {
        0 => data.truncate(at),
        1 => data.insert(at, TELLING[random.below(TELLING.len())]),
        2 => {
            let end = (at + 1 + random.below(8)).min(data.len());
            data.drain(at..end);
        }
        3 => {
            // A piece of it stands twice.
            let end = (at + 1 + random.below(32)).min(data.len());
            let piece = data[at..end].to_vec();
            let to = random.below(data.len());
            data.splice(to..to, piece);
        }
        4 => {
            // The rest comes from another.
            let other = inputs[random.below(inputs.len())];
            data.truncate(at);
            data.extend_from_slice(&other[random.below(other.len())..]);
        }
        _ if data.is_empty() => data.push(random.next() as u8),
        5 => data[at] = TELLING[random.below(TELLING.len())],
        6 => data[at] = data[at].wrapping_add(random.below(5) as u8).wrapping_sub(2),
        _ => data[at] ^= 1 << random.below(8),
    }
}
