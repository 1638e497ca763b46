//! Host tags: a number of the application's beside each entity, so that it needs no dictionary.
//!
//! Local, never sent, set on the engine thread and read with every batch from any thread, also while a frame is held.
//! So it is a growing array by entity index, not a map: a read is two loads and a comparison, and no reader can hold
//! up the writer. One block covers 1024 indices and stays for the session's life.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::error::Error;
use crate::core::types::EntityId;

const BLOCK: usize = 1024;
const BLOCKS: usize = 1024;
/// Entities with an index from this on cannot carry a tag.
pub(crate) const MAX_TAGGED_INDEX: u64 = (BLOCK * BLOCKS) as u64;

#[derive(Default)]
struct Tag {
    /// Whose tag it is; zero while it changes.
    entity: AtomicU64,
    tag: AtomicU64,
}

/// The tags of one session.
pub(crate) struct Tags {
    blocks: Box<[OnceLock<Box<[Tag]>>]>,
}

impl Tags {
    pub(crate) fn new() -> Self {
        Self { blocks: (0..BLOCKS).map(|_| OnceLock::new()).collect() }
    }

    /// Sets a tag. From one thread at a time.
    pub(crate) fn set(&self, entity: EntityId, tag: u64) -> Result<(), Error> {
        let index = entity.index() as usize;
        let block = self
            .blocks
            .get(index / BLOCK)
            .ok_or(Error::Limit { what: "entities with a host tag", limit: MAX_TAGGED_INDEX })?
            .get_or_init(|| (0..BLOCK).map(|_| Tag::default()).collect());
        let slot = &block[index % BLOCK];
        // A reader that sees the new tag under the old entity would hand it to the wrong one.
        slot.entity.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        slot.tag.store(tag, Ordering::Relaxed);
        slot.entity.store(entity.0, Ordering::Release);
        Ok(())
    }

    /// The tag of an entity; zero when none was set.
    pub(crate) fn get(&self, entity: EntityId) -> u64 {
        let index = entity.index() as usize;
        let Some(slot) =
            self.blocks.get(index / BLOCK).and_then(OnceLock::get).map(|block| &block[index % BLOCK])
        else {
            return 0;
        };
        if slot.entity.load(Ordering::Acquire) != entity.0 {
            return 0;
        }
        let tag = slot.tag.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        if slot.entity.load(Ordering::Relaxed) == entity.0 { tag } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_tag_belongs_to_one_generation() {
        let tags = Tags::new();
        let (old, new) = (EntityId::new(5000, 1), EntityId::new(5000, 2));
        assert_eq!(tags.get(old), 0);
        tags.set(old, 7).unwrap();
        assert_eq!((tags.get(old), tags.get(new)), (7, 0));
        tags.set(new, 8).unwrap();
        assert_eq!((tags.get(old), tags.get(new)), (0, 8));
        assert!(tags.set(EntityId::new(u32::MAX, 1), 1).is_err());
        assert_eq!(tags.get(EntityId::new(u32::MAX, 1)), 0);
    }

    #[test]
    fn readers_never_see_anothers_tag() {
        let tags = Tags::new();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for generation in 1..3 {
                let (tags, stop) = (&tags, &stop);
                scope.spawn(move || {
                    let entity = EntityId::new(3, generation);
                    while !stop.load(Ordering::Relaxed) {
                        assert!([0, u64::from(generation)].contains(&tags.get(entity)));
                    }
                });
            }
            for round in 0..if cfg!(miri) { 50 } else { 20_000 } {
                let generation = 1 + round % 2;
                tags.set(EntityId::new(3, generation), u64::from(generation)).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
