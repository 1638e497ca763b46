//! Borrowed views: pointer and length from C as `&str`, `&[u8]` and slices, and pointers that are written at the end.
//!
//! Null with length zero is empty; null with a length is an error; every length has a limit. A view lives as long as
//! the call that made it: nothing here is kept. Called by every noun, on the calling thread.

use std::ffi::c_char;

use super::error::Error;
use super::status::{THETA_OK, THETA_TRUNCATED, theta_status};

/// The longest text the ABI takes anywhere, in bytes.
pub(crate) const TEXT_LIMIT: u64 = 64 * 1024;

/// A slice of `count` values.
///
/// # Safety
/// `pointer` is null or points to `count` readable values that nobody writes while the view lives.
pub(crate) unsafe fn slice<'a, T>(
    pointer: *const T,
    count: u64,
    limit: u64,
    what: &'static str,
) -> Result<&'a [T], Error> {
    if count > limit {
        return Err(Error::Range { what, value: count, limit });
    }
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(Error::Null { what });
    }
    if !pointer.is_aligned() {
        return Err(Error::Alignment { what, bytes: align_of::<T>() });
    }
    // SAFETY: not null, aligned, and the caller promises `count` readable values.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count as usize) })
}

/// A slice of `count` values to write to.
///
/// # Safety
/// `pointer` is null or points to `count` writable values that nobody else uses while the view lives. They are
/// written before they are read.
pub(crate) unsafe fn slice_mut<'a, T>(
    pointer: *mut T,
    count: u64,
    what: &'static str,
) -> Result<&'a mut [T], Error> {
    if count == 0 {
        return Ok(&mut []);
    }
    if pointer.is_null() {
        return Err(Error::Null { what });
    }
    if !pointer.is_aligned() {
        return Err(Error::Alignment { what, bytes: align_of::<T>() });
    }
    // SAFETY: not null, aligned, and the caller promises `count` values.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, count as usize) })
}

/// Refuses memory that is written while other memory of the caller is used: two spans (address, bytes) must not overlap.
/// Nothing is looked at but addresses.
pub(crate) fn apart(one: (*const u8, usize), other: (*const u8, usize), what: &str) -> Result<(), Error> {
    let range = |(pointer, bytes): (*const u8, usize)| pointer.addr()..pointer.addr().saturating_add(bytes);
    let (one, other) = (range(one), range(other));
    if one.is_empty() || other.is_empty() || one.end <= other.start || other.end <= one.start {
        return Ok(());
    }
    Err(Error::Argument { what: format!("{what} overlap; give each of them memory of its own") })
}

/// Text that is not null-terminated.
///
/// # Safety
/// As [`slice`].
pub(crate) unsafe fn text<'a>(
    pointer: *const c_char,
    length: u64,
    limit: u64,
    what: &'static str,
) -> Result<&'a str, Error> {
    // SAFETY: passed on from the caller.
    let bytes = unsafe { slice(pointer.cast::<u8>(), length, limit, what) }?;
    std::str::from_utf8(bytes).map_err(|cause| Error::Utf8 { what, offset: cause.valid_up_to() })
}

/// A 32-byte key or seed, or none when the pointer is null.
///
/// # Safety
/// `pointer` is null or points to 32 readable bytes.
pub(crate) unsafe fn key(pointer: *const u8, what: &'static str) -> Result<Option<[u8; 32]>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    let mut out = [0; 32];
    // SAFETY: not null, and the caller promises 32 bytes.
    out.copy_from_slice(unsafe { slice(pointer, 32, 32, what) }?);
    Ok(Some(out))
}

/// A pointer to one value that the call writes when everything else has succeeded.
pub(crate) struct Out<T>(*mut T);

impl<T: Copy> Out<T> {
    /// Checks the pointer.
    ///
    /// # Safety
    /// `pointer` is null or points to a writable `T` for the length of the call.
    pub(crate) unsafe fn new(pointer: *mut T, what: &'static str) -> Result<Self, Error> {
        if pointer.is_null() {
            return Err(Error::Null { what });
        }
        Ok(Self(pointer))
    }

    /// As [`Out::new`], for an argument that may be null.
    ///
    /// # Safety
    /// As [`Out::new`].
    pub(crate) unsafe fn optional(pointer: *mut T) -> Option<Self> {
        (!pointer.is_null()).then_some(Self(pointer))
    }

    /// Writes the value.
    pub(crate) fn set(self, value: T) {
        // SAFETY: checked for null in `new`, and its caller promised that it is writable. C may hand out an
        // unaligned address from a packed struct, so the write does not assume alignment.
        unsafe { self.0.write_unaligned(value) }
    }
}

/// A caller's buffer of bytes with its capacity, and the place for the length that was needed.
pub(crate) struct Buffer {
    out: *mut u8,
    capacity: u64,
    length: Out<u64>,
}

impl Buffer {
    /// Checks the pointers; a null buffer with capacity zero asks for the length alone.
    ///
    /// # Safety
    /// `out` is null or has `capacity` writable bytes; `length` is null or writable.
    pub(crate) unsafe fn new(out: *mut u8, capacity: u64, length: *mut u64) -> Result<Self, Error> {
        if out.is_null() && capacity != 0 {
            return Err(Error::Null { what: "out" });
        }
        // SAFETY: passed on from the caller.
        let length = unsafe { Out::new(length, "length") }?;
        Ok(Self { out, capacity, length })
    }

    /// Copies what fits and writes the full length; says whether all of it fitted.
    pub(crate) fn fill(self, bytes: &[u8]) -> theta_status {
        let fits = (bytes.len() as u64).min(self.capacity) as usize;
        if fits > 0 {
            // SAFETY: `out` is not null (capacity is not zero) and has at least `fits` writable bytes.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.out, fits) };
        }
        self.length.set(bytes.len() as u64);
        if fits == bytes.len() { THETA_OK } else { THETA_TRUNCATED }
    }
}

/// Copies text into a fixed `char` array of a struct: at most its size, cut at a character, the rest zero.
/// Returns the bytes written.
pub(crate) fn fixed_text<const N: usize>(text: &str, out: &mut [c_char; N]) -> u32 {
    let mut end = text.len().min(N);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.fill(0);
    for (to, from) in out.iter_mut().zip(&text.as_bytes()[..end]) {
        *to = *from as c_char;
    }
    end as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_empty_only_without_a_length() {
        // SAFETY: null and valid pointers with true lengths.
        unsafe {
            assert_eq!(slice::<u64>(std::ptr::null(), 0, 9, "entities").ok(), Some(&[][..]));
            assert!(matches!(
                slice::<u64>(std::ptr::null(), 1, 9, "entities"),
                Err(Error::Null { what: "entities" })
            ));
            assert!(matches!(
                slice(b"abc".as_ptr(), 3, 2, "name"),
                Err(Error::Range { value: 3, limit: 2, .. })
            ));
            assert!(matches!(slice(b"abc".as_ptr(), u64::MAX, 9, "name"), Err(Error::Range { .. })));
        }
    }

    #[test]
    fn misaligned_values_are_refused() {
        let bytes = [0u64; 3];
        // SAFETY: one byte into 24 readable bytes leaves room for two values.
        let result = unsafe { slice(bytes.as_ptr().byte_add(1), 2, 9, "entities") };
        assert!(matches!(result, Err(Error::Alignment { bytes: 8, .. })));
    }

    #[test]
    fn overlapping_memory_is_refused() {
        let bytes = [0u8; 16];
        let middle = (bytes[4..].as_ptr(), 4);
        let is_apart = |at: usize, count| {
            let one = (bytes[at..].as_ptr(), count);
            let found = apart(one, middle, "out and results").is_ok();
            assert_eq!(found, apart(middle, one, "out and results").is_ok(), "either way round");
            found
        };
        assert!(is_apart(0, 4) && is_apart(8, 8) && is_apart(5, 0), "beside it, or nothing");
        assert!(!is_apart(0, 5) && !is_apart(7, 1) && !is_apart(0, 16) && !is_apart(4, usize::MAX));
        assert!(apart((std::ptr::null(), 0), middle, "results").is_ok());
    }

    #[test]
    fn bad_utf8_says_where() {
        // SAFETY: valid pointers with true lengths.
        unsafe {
            assert_eq!(text(c"h\u{e9}".as_ptr(), 3, 9, "name").ok(), Some("h\u{e9}"));
            let bad = [b'a' as c_char, 0xff_u8 as c_char];
            assert!(matches!(text(bad.as_ptr(), 2, 9, "name"), Err(Error::Utf8 { offset: 1, .. })));
        }
    }

    #[test]
    fn a_short_buffer_gets_what_fits_and_the_needed_length() {
        let (mut bytes, mut length) = ([b'-'; 4], 0);
        // SAFETY: both pointers are valid for the capacities given.
        unsafe {
            let status =
                Buffer::new(bytes.as_mut_ptr(), 3, &raw mut length).map(|buffer| buffer.fill(b"hello"));
            assert_eq!((status.ok(), length, &bytes), (Some(THETA_TRUNCATED), 5, b"hel-"));
            let status =
                Buffer::new(std::ptr::null_mut(), 0, &raw mut length).map(|buffer| buffer.fill(b"hi"));
            assert_eq!((status.ok(), length), (Some(THETA_TRUNCATED), 2));
            assert!(Buffer::new(std::ptr::null_mut(), 1, &raw mut length).is_err());
            assert!(Buffer::new(bytes.as_mut_ptr(), 3, std::ptr::null_mut()).is_err());
        }
    }

    #[test]
    fn fixed_text_is_cut_between_characters() {
        let mut out = [7 as c_char; 4];
        assert_eq!(fixed_text("abc\u{e9}", &mut out), 3);
        assert_eq!(out, [b'a' as c_char, b'b' as c_char, b'c' as c_char, 0]);
    }
}
