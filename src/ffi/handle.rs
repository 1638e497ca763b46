//! Handles: 64-bit numbers that name objects of the library, and the one table behind them.
//!
//! `index 16 | generation 24 | kind 8 | runtime epoch 16`, from the low bit. Zero is no handle. A handle that is
//! zero, stale, of another kind, of another runtime or of a runtime that was shut down gives five different errors;
//! none of them touches freed memory, also not for a forged number.
//!
//! How: each slot is one atomic word that holds everything of its current handle but the index, and a pin count. A
//! call pins the slot by compare-exchange, which succeeds only while the word still is this handle's; destroy sets a
//! bit that refuses new pins; whoever takes the last pin away frees the object. So a lookup is one compare-exchange
//! and one subtraction, no lock, and destroy never waits: not for a call in progress, not for another destroy. The
//! table lives as long as the process and generations only grow, so they survive a runtime's restart; a slot whose
//! generations are used up is retired.
//!
//! Called by every noun. Must never block, and never run an object's destructor while a pin exists.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::error::Error;

/// What a handle names. The number is part of the handle; never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Runtime = 1,
    Registry = 2,
    Session = 3,
    Write = 4,
    Frame = 5,
}

impl Kind {
    const fn from_bits(bits: u64) -> Option<Self> {
        Some(match (bits >> KIND_SHIFT) as u8 {
            1 => Self::Runtime,
            2 => Self::Registry,
            3 => Self::Session,
            4 => Self::Write,
            5 => Self::Frame,
            _ => return None,
        })
    }

    /// The type's name in the header.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Runtime => "theta_runtime",
            Self::Registry => "theta_registry",
            Self::Session => "theta_session",
            Self::Write => "theta_write",
            Self::Frame => "theta_frame",
        }
    }
}

/// A type that handles of one kind name. Each kind belongs to exactly one type; lookups rest on that.
///
/// # Safety
/// No two types have the same `KIND`.
pub(crate) unsafe trait Noun: Send + Sync + 'static {
    const KIND: Kind;

    /// A call on this object was ended by a panic. Called on the panicking thread, before the pin goes.
    fn fault(&self) {}
}

/// A noun with a part that only one thread at a time may use.
pub(crate) trait SerialNoun: Noun {
    /// What session-serial functions may change.
    type State: Send;

    /// Where it lies. Only [`Serial`] looks inside.
    fn state(&self) -> &UnsafeCell<Self::State>;
}

const SLOTS: usize = 1 << 16;
const GENERATION_SHIFT: u32 = 16;
const KIND_SHIFT: u32 = 40;
const EPOCH_SHIFT: u32 = 48;
const MAX_GENERATION: u64 = (1 << 24) - 1;

// The low 16 bits of a slot's word, where the handle has its index.
const PINS: u64 = (1 << 14) - 1;
const MAX_PINS: u64 = 1 << 12;
const CLOSING: u64 = 1 << 14;
const SERIAL: u64 = 1 << 15;
const STATE: u64 = (1 << 16) - 1;

/// The kind field of a slot that is being filled. No handle has it, so nothing can pin the slot meanwhile.
const RESERVED: u64 = 0xff;

struct Slot {
    /// Epoch, kind and generation as in the handle, and the state bits. Kind zero: free.
    word: AtomicU64,
    object: AtomicPtr<Header>,
}

/// What stands before every object, so that it can be dropped without knowing its type.
struct Header {
    drop: unsafe fn(*mut Header),
}

#[repr(C)]
struct Entry<T> {
    header: Header,
    value: T,
}

/// # Safety
/// `header` is the start of a leaked `Box<Entry<T>>` that nobody uses any more.
unsafe fn drop_entry<T>(header: *mut Header) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(header.cast::<Entry<T>>()) });
}

const EPOCH_NEVER: u8 = 0;
const EPOCH_LIVE: u8 = 1;
const EPOCH_SHUT_DOWN: u8 = 2;

// Zero pages: neither table costs memory before it is used.
static TABLE: [Slot; SLOTS] =
    [const { Slot { word: AtomicU64::new(0), object: AtomicPtr::new(null_mut()) } }; SLOTS];
static EPOCHS: [AtomicU8; 1 << 16] = [const { AtomicU8::new(EPOCH_NEVER) }; 1 << 16];
static NEXT_EPOCH: AtomicU32 = AtomicU32::new(1);
/// Where a search for a free slot begins: at or below the lowest free one, but for races, which cost a longer walk.
static FREE_HINT: AtomicU32 = AtomicU32::new(0);

/// A runtime's mark in its handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u16);

impl Epoch {
    /// The mark of a new runtime. Marks are never reused, so a process can start 65 535 runtimes.
    pub(crate) fn begin() -> Result<Self, Error> {
        let next = NEXT_EPOCH
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |epoch| {
                (epoch <= 0xffff).then_some(epoch + 1)
            })
            .map_err(|_| Error::Limit { what: "runtimes started by one process", limit: 0xffff })?;
        EPOCHS[next as usize].store(EPOCH_LIVE, Ordering::Release);
        Ok(Self(next as u16))
    }

    /// The runtime a live handle belongs to.
    pub(crate) const fn of(bits: u64) -> Self {
        Self((bits >> EPOCH_SHIFT) as u16)
    }

    /// Ends the mark: its handles give THETA_E_SHUT_DOWN from now on. Every object of it is retired; those that a
    /// call still uses are freed when that call returns. Returns how many handles became invalid.
    pub(crate) fn end(self) -> u32 {
        EPOCHS[self.0 as usize].store(EPOCH_SHUT_DOWN, Ordering::SeqCst);
        let mut retired = 0;
        for (index, slot) in TABLE.iter().enumerate() {
            let word = slot.word.load(Ordering::Acquire);
            if (word >> EPOCH_SHIFT) as u16 == self.0 && retire(word & !STATE | index as u64) {
                retired += 1;
            }
        }
        retired
    }

    fn is_live(self) -> bool {
        EPOCHS[self.0 as usize].load(Ordering::SeqCst) == EPOCH_LIVE
    }
}

/// Puts an object into the table and returns its handle.
pub(crate) fn insert<T: Noun>(epoch: Epoch, value: T) -> Result<u64, Error> {
    let (index, generation) = reserve().ok_or(Error::Limit { what: "live handles", limit: SLOTS as u64 })?;
    let slot = &TABLE[index];
    let entry = Box::new(Entry { header: Header { drop: drop_entry::<T> }, value });
    slot.object.store(Box::into_raw(entry).cast::<Header>(), Ordering::Relaxed);
    let word =
        (epoch.0 as u64) << EPOCH_SHIFT | (T::KIND as u64) << KIND_SHIFT | generation << GENERATION_SHIFT;
    slot.word.store(word, Ordering::SeqCst);
    let bits = word | index as u64;
    // A shutdown that walked past this slot before it was filled would leave it behind. Either that walk saw the
    // word above, or this load sees the end of the epoch (both SeqCst).
    if !epoch.is_live() {
        retire(bits);
        return Err(Error::ShutDown { kind: T::KIND });
    }
    Ok(bits)
}

/// Takes a free slot: its index and the generation of its next handle.
fn reserve() -> Option<(usize, u64)> {
    let start = FREE_HINT.load(Ordering::Relaxed) as usize;
    for step in 0..SLOTS {
        let index = (start + step) % SLOTS;
        let word = TABLE[index].word.load(Ordering::Relaxed);
        let generation = word >> GENERATION_SHIFT & MAX_GENERATION;
        if (word >> KIND_SHIFT) as u8 != 0 || generation == MAX_GENERATION {
            continue;
        }
        let reserved = RESERVED << KIND_SHIFT | (generation + 1) << GENERATION_SHIFT;
        // Acquire: what the last object's destructor did happened before this slot is filled again.
        if TABLE[index].word.compare_exchange(word, reserved, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            FREE_HINT.store((index + 1) as u32 % SLOTS as u32, Ordering::Relaxed);
            return Some((index, generation + 1));
        }
    }
    None
}

/// Takes the handle's meaning away: no new call finds the object. It is dropped at once, or by the last call that
/// still uses it. False when somebody was faster.
fn retire(bits: u64) -> bool {
    let slot = &TABLE[(bits & STATE) as usize];
    let mut word = slot.word.load(Ordering::Acquire);
    loop {
        if (word ^ bits) & !STATE != 0 || word & CLOSING != 0 {
            return false;
        }
        match slot.word.compare_exchange_weak(word, word | CLOSING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break,
            Err(now) => word = now,
        }
    }
    if word & PINS == 0 {
        free((bits & STATE) as usize);
    }
    true
}

/// Drops the object of a closing slot that nobody pins, then gives the slot back.
fn free(index: usize) {
    let slot = &TABLE[index];
    let header = slot.object.swap(null_mut(), Ordering::Acquire);
    // SAFETY: CLOSING refuses new pins and the count is zero, so this thread alone has the object; `insert` leaked
    // it with this function in its header.
    unsafe { ((*header).drop)(header) };
    let generation = slot.word.load(Ordering::Relaxed) & (MAX_GENERATION << GENERATION_SHIFT);
    slot.word.store(generation, Ordering::Release);
    FREE_HINT.fetch_min(index as u32, Ordering::Relaxed);
}

/// Why a handle names nothing, from what its bits say.
#[cold]
fn explain<T: Noun>(bits: u64) -> Error {
    if bits == 0 {
        return Error::HandleZero { kind: T::KIND };
    }
    match Kind::from_bits(bits) {
        Some(kind) if kind == T::KIND => {}
        found => {
            return Error::HandleKind { expected: T::KIND, found };
        }
    }
    match EPOCHS[Epoch::of(bits).0 as usize].load(Ordering::Acquire) {
        EPOCH_LIVE => Error::HandleStale { kind: T::KIND },
        EPOCH_SHUT_DOWN => Error::ShutDown { kind: T::KIND },
        _ => Error::HandleForeign { kind: T::KIND },
    }
}

/// A live object for the length of a call.
pub(crate) struct Pin<T: Noun> {
    slot: &'static Slot,
    index: u16,
    /// What leaves the word with this pin: one count, and the serial bit where it was taken.
    share: u64,
    object: PhantomData<&'static T>,
}

impl<T: Noun> Deref for Pin<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        let entry = self.slot.object.load(Ordering::Relaxed).cast::<Entry<T>>();
        // SAFETY: the pin's compare-exchange saw the word of a handle of T's kind, which only `insert::<T>` writes,
        // after the object; the object is dropped only when no pin is left.
        unsafe { &(*entry).value }
    }
}

impl<T: Noun> Drop for Pin<T> {
    #[inline]
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fault();
        }
        let before = self.slot.word.fetch_sub(self.share, Ordering::AcqRel);
        if before & CLOSING != 0 && before & PINS == 1 {
            free(self.index as usize);
        }
    }
}

#[inline]
fn pin_with<T: Noun>(bits: u64, share: u64) -> Result<Pin<T>, Error> {
    let index = (bits & STATE) as u16;
    let slot = &TABLE[index as usize];
    let mut word = slot.word.load(Ordering::Relaxed);
    loop {
        let is_this = (word ^ bits) & !STATE == 0 && word & CLOSING == 0;
        if !is_this || (bits >> KIND_SHIFT) as u8 != T::KIND as u8 {
            return Err(explain::<T>(bits));
        }
        if share & word & SERIAL != 0 {
            return Err(Error::Concurrent { kind: T::KIND });
        }
        if word & PINS >= MAX_PINS {
            return Err(Error::Limit { what: "calls on one object at a time", limit: MAX_PINS });
        }
        match slot.word.compare_exchange_weak(word, word + share, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {
                return Ok(Pin { slot, index, share, object: PhantomData });
            }
            Err(now) => word = now,
        }
    }
}

/// The object of a handle, from any thread.
#[inline]
pub(crate) fn pin<T: Noun>(bits: u64) -> Result<Pin<T>, Error> {
    pin_with(bits, 1)
}

/// The object of a handle with its serial part; one thread at a time, the others get THETA_E_CONCURRENT.
pub(crate) struct Serial<T: SerialNoun>(Pin<T>);

impl<T: SerialNoun> Serial<T> {
    /// The shared part and the serial part.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&T, &mut T::State) {
        let noun: &T = &self.0;
        // SAFETY: only the holder of the slot's serial bit reaches this, there is at most one, and it lends the
        // state only for the borrow of `self`.
        let state = unsafe { &mut *noun.state().get() };
        (noun, state)
    }
}

/// The serial part of a handle's object.
#[inline]
pub(crate) fn serial<T: SerialNoun>(bits: u64) -> Result<Serial<T>, Error> {
    pin_with(bits, 1 | SERIAL).map(Serial)
}

/// Ends a handle. From any thread, never waits.
pub(crate) fn destroy<T: Noun>(bits: u64) -> Result<(), Error> {
    if (bits >> KIND_SHIFT) as u8 == T::KIND as u8 && retire(bits) { Ok(()) } else { Err(explain::<T>(bits)) }
}

/// Refuses to use objects of two runtimes together.
pub(crate) fn same_runtime(one: u64, other: u64, other_kind: Kind) -> Result<(), Error> {
    if Epoch::of(one) == Epoch::of(other) { Ok(()) } else { Err(Error::HandleForeign { kind: other_kind }) }
}

#[cfg(test)]
mod tests {
    use super::super::status::*;
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    struct Thing {
        dropped: Arc<AtomicUsize>,
        faulted: AtomicBool,
        state: UnsafeCell<u32>,
    }

    // SAFETY: the state is reached through `Serial` only.
    unsafe impl Sync for Thing {}
    // SAFETY: in this test binary no session is inserted by another type under these epochs.
    unsafe impl Noun for Thing {
        const KIND: Kind = Kind::Session;
        fn fault(&self) {
            self.faulted.store(true, Ordering::SeqCst);
        }
    }
    impl SerialNoun for Thing {
        type State = u32;
        fn state(&self) -> &UnsafeCell<u32> {
            &self.state
        }
    }

    struct Other;
    // SAFETY: as above, for registries.
    unsafe impl Noun for Other {
        const KIND: Kind = Kind::Registry;
    }

    impl Drop for Thing {
        fn drop(&mut self) {
            self.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn thing(dropped: &Arc<AtomicUsize>) -> Thing {
        Thing { dropped: dropped.clone(), faulted: AtomicBool::new(false), state: UnsafeCell::new(0) }
    }

    fn code<T>(result: Result<T, Error>) -> theta_status {
        result.err().map_or(THETA_OK, |error| error.code())
    }

    #[test]
    fn each_wrong_handle_has_its_own_error() {
        let epoch = Epoch::begin().unwrap();
        let dropped = Arc::default();
        let live = insert(epoch, thing(&dropped)).unwrap();
        let gone = insert(epoch, thing(&dropped)).unwrap();
        destroy::<Thing>(gone).unwrap();
        let foreign = live & !(0xffff << EPOCH_SHIFT) | 0xfffe << EPOCH_SHIFT;
        let forged_kind = live | 0x70 << KIND_SHIFT;

        assert_eq!(code(pin::<Thing>(live)), THETA_OK);
        assert_eq!(code(pin::<Thing>(0)), THETA_E_HANDLE_ZERO);
        assert_eq!(code(pin::<Thing>(gone)), THETA_E_HANDLE_STALE);
        assert_eq!(code(destroy::<Thing>(gone)), THETA_E_HANDLE_STALE);
        assert_eq!(code(pin::<Other>(live)), THETA_E_HANDLE_KIND);
        assert_eq!(code(destroy::<Other>(live)), THETA_E_HANDLE_KIND);
        assert_eq!(code(pin::<Thing>(forged_kind)), THETA_E_HANDLE_KIND);
        assert_eq!(code(pin::<Thing>(foreign)), THETA_E_HANDLE_FOREIGN);
        assert_eq!(code(same_runtime(live, foreign, Kind::Session)), THETA_E_HANDLE_FOREIGN);
        assert_eq!(epoch.end(), 1);
        assert_eq!(code(pin::<Thing>(live)), THETA_E_SHUT_DOWN);
        assert_eq!(code(insert(epoch, Other)), THETA_E_SHUT_DOWN);
        assert_eq!(dropped.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_slot_is_reused_under_a_new_generation() {
        let epoch = Epoch::begin().unwrap();
        let dropped = Arc::default();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            let bits = insert(epoch, thing(&dropped)).unwrap();
            assert!(bits != 0 && seen.insert(bits));
            destroy::<Thing>(bits).unwrap();
        }
        assert_eq!(dropped.load(Ordering::SeqCst), 1000);
        epoch.end();
    }

    #[test]
    fn the_last_call_frees_what_was_destroyed_under_it() {
        let epoch = Epoch::begin().unwrap();
        let dropped = Arc::default();
        let bits = insert(epoch, thing(&dropped)).unwrap();
        let first = pin::<Thing>(bits).unwrap();
        let mut second = serial::<Thing>(bits).unwrap();
        destroy::<Thing>(bits).unwrap();
        assert_eq!(code(pin::<Thing>(bits)), THETA_E_HANDLE_STALE);
        *second.parts().1 = 5;
        drop(second);
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
        assert!(!first.faulted.load(Ordering::SeqCst));
        drop(first);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        epoch.end();
    }

    #[test]
    fn the_serial_part_has_one_user() {
        let epoch = Epoch::begin().unwrap();
        let bits = insert(epoch, thing(&Arc::default())).unwrap();
        let mut held = serial::<Thing>(bits).unwrap();
        *held.parts().1 += 1;
        assert_eq!(code(serial::<Thing>(bits)), THETA_E_CONCURRENT);
        assert_eq!(code(pin::<Thing>(bits)), THETA_OK, "any-thread calls go on");
        drop(held);
        assert_eq!(*serial::<Thing>(bits).unwrap().parts().1, 1);
        epoch.end();
    }

    #[test]
    fn a_panic_faults_what_it_held() {
        let epoch = Epoch::begin().unwrap();
        let bits = insert(epoch, thing(&Arc::default())).unwrap();
        let caught = std::panic::catch_unwind(|| {
            let _held = serial::<Thing>(bits);
            panic!("inside");
        });
        assert!(caught.is_err());
        assert!(pin::<Thing>(bits).unwrap().faulted.load(Ordering::SeqCst));
        assert_eq!(code(serial::<Thing>(bits)), THETA_OK, "the guard is free again");
        epoch.end();
    }

    #[test]
    fn threads_never_see_freed_memory() {
        const ROUNDS: usize = if cfg!(miri) { 20 } else { 3000 };
        let epoch = Epoch::begin().unwrap();
        let dropped = Arc::new(AtomicUsize::new(0));
        let current = AtomicU64::new(insert(epoch, thing(&dropped)).unwrap());
        let counted = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let bits = current.load(Ordering::Acquire);
                        if let Ok(thing) = pin::<Thing>(bits) {
                            assert!(!thing.faulted.load(Ordering::Relaxed));
                        }
                        if let Ok(mut thing) = serial::<Thing>(bits) {
                            // Not atomic: only exclusive use keeps the count right.
                            *thing.parts().1 += 1;
                            counted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            for _ in 0..ROUNDS {
                let fresh = insert(epoch, thing(&dropped)).unwrap();
                destroy::<Thing>(current.swap(fresh, Ordering::AcqRel)).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(dropped.load(Ordering::SeqCst), ROUNDS);
        assert_eq!(epoch.end(), 1);
        assert_eq!(dropped.load(Ordering::SeqCst), ROUNDS + 1);
    }
}
