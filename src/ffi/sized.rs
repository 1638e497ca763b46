//! Structs that may grow: the `struct_size` discipline, in one place.
//!
//! An input may have any size from its first released version up: what it lacks is zero, which means default; what it
//! has beyond this library must be zero, or the caller asks for something that would silently not happen. An output
//! is written as far as the caller's size goes. So an old program runs on a new library, and a new program on an old
//! library learns at once which part is not there. Called by every noun with a sized struct.

use std::mem::MaybeUninit;

use super::error::Error;

/// No struct of the ABI is larger, in bytes: a `struct_size` above it is a mistake, not a newer header.
pub(crate) const STRUCT_LIMIT: u32 = 64 * 1024;

/// A struct that may grow at its end; a caller states how much of it there is.
///
/// # Safety
/// `#[repr(C)]`, every bit pattern of every field is valid (numbers, pointers, arrays of them), no padding is
/// implicit, and `V1_BYTES` is the size of the first released version, which ends between two fields.
pub(crate) unsafe trait Grows: Copy {
    /// Its name in the header.
    const NAME: &'static str;
    /// The size of its first released version in bytes: frozen, never `size_of` of today.
    const V1_BYTES: usize;
    /// Its fields that mean nothing yet. An input's must be zero, so that a later version can give them a meaning
    /// without changing what an old program asks for.
    const RESERVED: &'static [Reserved];
}

/// A field without a meaning: its name and its bytes.
pub(crate) struct Reserved {
    pub(crate) name: &'static str,
    pub(crate) offset: usize,
    pub(crate) bytes: usize,
}

/// A struct that states its size itself.
///
/// # Safety
/// Its first field is `struct_size: u32`.
pub(crate) unsafe trait SizedStruct: Grows {}

/// `sized!(theta_noun_config: 24 reserved, ..)`: structs that begin with their size, their frozen first sizes, and the
/// names of their reserved fields (`reserved` where there is one).
macro_rules! sized {
    ($($name:ident: $bytes:literal $($reserved:ident)*),+ $(,)?) => {$(
        $crate::ffi::sized::element!($name: $bytes $($reserved)*);
        // SAFETY: asserted below.
        unsafe impl $crate::ffi::sized::SizedStruct for $name {}
        const _: () = assert!(std::mem::offset_of!($name, struct_size) == 0);
    )+};
}
/// `element!(theta_noun_row: 24 reserved, ..)`: elements of arrays whose element size is an argument.
macro_rules! element {
    ($($name:ident: $bytes:literal $($reserved:ident)*),+ $(,)?) => {$(
        // SAFETY: numbers and pointers with explicit padding, which the snapshot of offsets in abi.rs holds; the
        // literal is the size of the first release.
        unsafe impl $crate::ffi::sized::Grows for $name {
            const NAME: &'static str = stringify!($name);
            const V1_BYTES: usize = $bytes;
            const RESERVED: &'static [$crate::ffi::sized::Reserved] = &[$($crate::ffi::sized::Reserved {
                name: stringify!($reserved),
                offset: std::mem::offset_of!($name, $reserved),
                bytes: $crate::ffi::sized::bytes_of(|value: $name| value.$reserved),
            }),*];
        }
        const _: () = assert!(size_of::<$name>() >= $bytes);
    )+};
}
pub(crate) use element;
pub(crate) use sized;

/// The bytes of a field that a closure names; the closure is not called.
pub(crate) const fn bytes_of<T, F>(_field: fn(T) -> F) -> usize {
    size_of::<F>()
}

/// Checks a stated size against the struct's limits.
fn check<T: Grows>(stated: u32) -> Result<usize, Error> {
    if stated == 0 {
        return Err(Error::SizeZero { name: T::NAME });
    }
    if (stated as usize) < T::V1_BYTES || stated > STRUCT_LIMIT {
        return Err(Error::Size { name: T::NAME, stated, minimum: T::V1_BYTES as u32 });
    }
    Ok(stated as usize)
}

/// Copies `stated` bytes at `from` as today's struct.
///
/// # Safety
/// `from` points to `stated` readable bytes.
unsafe fn adopt<T: Grows>(from: *const u8, stated: usize) -> Result<T, Error> {
    let known = size_of::<T>();
    if stated > known {
        // SAFETY: within the `stated` bytes.
        let beyond = unsafe { std::slice::from_raw_parts(from.add(known), stated - known) };
        if let Some(at) = beyond.iter().position(|byte| *byte != 0) {
            return Err(Error::Unsupported { name: T::NAME, offset: (known + at) as u32 });
        }
    }
    let mut value = MaybeUninit::<T>::zeroed();
    for field in T::RESERVED {
        let present = stated.saturating_sub(field.offset).min(field.bytes);
        // SAFETY: within the `stated` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(from.add(field.offset.min(stated)), present) };
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(Error::ReservedField { name: T::NAME, field: field.name });
        }
    }
    // SAFETY: both sides have the bytes; every bit pattern is a T (the trait's promise).
    unsafe {
        std::ptr::copy_nonoverlapping(from, value.as_mut_ptr().cast::<u8>(), stated.min(known));
        Ok(value.assume_init())
    }
}

/// Reads an input struct that begins with its size.
///
/// # Safety
/// `pointer` is null or points to a `u32` and as many bytes as that number says.
pub(crate) unsafe fn input<T: SizedStruct>(pointer: *const T) -> Result<T, Error> {
    if pointer.is_null() {
        return Err(Error::Null { what: T::NAME });
    }
    // SAFETY: the caller's promise.
    unsafe {
        let stated = check::<T>(pointer.cast::<u32>().read_unaligned())?;
        adopt(pointer.cast(), stated)
    }
}

/// An output struct that is written at the end.
pub(crate) struct Output<T> {
    pointer: *mut T,
    bytes: usize,
}

/// Checks an output struct that begins with its size.
///
/// # Safety
/// `pointer` is null or points to a `u32` and as many writable bytes as that number says.
pub(crate) unsafe fn output<T: SizedStruct>(pointer: *mut T) -> Result<Output<T>, Error> {
    if pointer.is_null() {
        return Err(Error::Null { what: T::NAME });
    }
    // SAFETY: the caller's promise.
    let stated = check::<T>(unsafe { pointer.cast::<u32>().read_unaligned() })?;
    Ok(Output { pointer, bytes: stated.min(size_of::<T>()) })
}

/// As [`output`], for an argument that may be null.
///
/// # Safety
/// As [`output`].
pub(crate) unsafe fn optional_output<T: SizedStruct>(pointer: *mut T) -> Result<Option<Output<T>>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on from the caller.
    unsafe { output(pointer) }.map(Some)
}

impl<T: SizedStruct> Output<T> {
    /// Writes the value as far as the caller's struct goes; its `struct_size` becomes the bytes that were written.
    pub(crate) fn set(self, mut value: T) {
        // SAFETY: every sized struct begins with its `u32` size, and `bytes` is within both.
        unsafe {
            (&raw mut value).cast::<u32>().write_unaligned(self.bytes as u32);
            std::ptr::copy_nonoverlapping(
                (&raw const value).cast::<u8>(),
                self.pointer.cast::<u8>(),
                self.bytes,
            );
        }
    }
}

/// Reads `count` elements that each take `element_bytes`.
///
/// # Safety
/// `pointer` is null or points to `count * element_bytes` readable bytes.
pub(crate) unsafe fn inputs<T: Grows>(
    pointer: *const T,
    element_bytes: u32,
    count: u32,
    limit: u32,
    what: &'static str,
) -> Result<Vec<T>, Error> {
    if count > limit {
        return Err(Error::Range { what, value: count as u64, limit: limit as u64 });
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let stride = check::<T>(element_bytes)?;
    if pointer.is_null() {
        return Err(Error::Null { what });
    }
    // SAFETY: within the caller's array.
    (0..count as usize)
        .map(|index| unsafe { adopt(pointer.cast::<u8>().add(index * stride), stride) })
        .collect()
}

/// A caller's array whose elements take `element_bytes` each, written by index.
pub(crate) struct Outputs<T> {
    pointer: *mut T,
    stride: usize,
    capacity: u32,
}

/// Checks an output array; null with capacity zero asks for the count alone.
///
/// # Safety
/// `pointer` is null or points to `capacity * element_bytes` writable bytes.
pub(crate) unsafe fn outputs<T: Grows>(
    pointer: *mut T,
    element_bytes: u32,
    capacity: u32,
) -> Result<Outputs<T>, Error> {
    if pointer.is_null() && capacity != 0 {
        return Err(Error::Null { what: "out" });
    }
    Ok(Outputs { pointer, stride: check::<T>(element_bytes)?, capacity })
}

impl<T: Grows> Outputs<T> {
    /// How many elements fit.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// Writes one element. Bytes of a larger caller's element beyond this library's are zeroed.
    pub(crate) fn set(&mut self, index: usize, value: &T) {
        assert!(index < self.capacity());
        let known = self.stride.min(size_of::<T>());
        // SAFETY: the element lies within the caller's array, `known` within both.
        unsafe {
            let element = self.pointer.cast::<u8>().add(index * self.stride);
            std::ptr::copy_nonoverlapping((&raw const *value).cast::<u8>(), element, known);
            std::ptr::write_bytes(element.add(known), 0, self.stride - known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::*;
    use super::*;

    #[allow(non_camel_case_types)]
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    #[repr(C)]
    struct theta_example {
        struct_size: u32,
        first: u32,
        later: u64,
    }

    #[allow(non_camel_case_types)]
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    #[repr(C)]
    struct theta_padded {
        struct_size: u32,
        reserved0: u32,
        first: u64,
        reserved1: [u32; 2],
    }
    sized!(theta_example: 8, theta_padded: 16 reserved0 reserved1);

    /// A header of tomorrow: one field more.
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(C)]
    struct Tomorrow {
        today: theta_example,
        beyond: u64,
    }

    fn read(value: &Tomorrow) -> Result<theta_example, Error> {
        // SAFETY: the struct has at least the bytes it states in every test.
        unsafe { input((&raw const *value).cast::<theta_example>()) }
    }

    fn tomorrow(struct_size: u32, beyond: u64) -> Tomorrow {
        Tomorrow { today: theta_example { struct_size, first: 7, later: 9 }, beyond }
    }

    fn code<T>(result: Result<T, Error>) -> theta_status {
        result.err().map_or(THETA_OK, |error| error.code())
    }

    #[test]
    fn inputs_of_every_age_are_read() {
        assert_eq!(read(&tomorrow(8, 1)).unwrap(), theta_example { struct_size: 8, first: 7, later: 0 });
        assert_eq!(read(&tomorrow(16, 1)).unwrap(), theta_example { struct_size: 16, first: 7, later: 9 });
        assert_eq!(read(&tomorrow(24, 0)).unwrap().later, 9);
    }

    #[test]
    fn wrong_sizes_have_their_sentences() {
        let zero = read(&tomorrow(0, 0)).unwrap_err();
        assert_eq!(zero.code(), THETA_E_STRUCT_SIZE);
        assert!(zero.to_string().contains("is zero"), "{zero}");
        let small = read(&tomorrow(7, 0)).unwrap_err();
        assert_eq!(small.code(), THETA_E_STRUCT_SIZE);
        assert!(small.to_string().contains('7') && small.to_string().contains('8'), "{small}");
        let unknown = read(&tomorrow(24, 1 << 40)).unwrap_err();
        assert_eq!(unknown.code(), THETA_E_UNSUPPORTED_FIELD);
        assert!(unknown.to_string().contains("21"), "{unknown}");
        assert_eq!(code(read(&tomorrow(u32::MAX, 0))), THETA_E_STRUCT_SIZE);
        // SAFETY: null is allowed.
        assert_eq!(code(unsafe { input::<theta_example>(std::ptr::null()) }), THETA_E_NULL);
    }

    #[test]
    fn what_means_nothing_is_zero() {
        // SAFETY: the struct has the bytes that each test states.
        let read = |value: &theta_padded| unsafe { input(&raw const *value) };
        let good = theta_padded { struct_size: 24, first: 7, ..theta_padded::default() };
        assert_eq!(read(&good).unwrap(), good);
        for bad in
            [theta_padded { reserved0: 1 << 31, ..good }, theta_padded { reserved1: [0, 1 << 24], ..good }]
        {
            let error = read(&bad).unwrap_err();
            assert_eq!(error.code(), THETA_E_UNSUPPORTED_FIELD);
            assert!(error.to_string().contains("theta_padded.reserved"), "{error}");
        }
        // What an older program does not have, it cannot have set.
        let older = theta_padded { struct_size: 16, reserved1: [9, 9], ..good };
        assert_eq!(read(&older).unwrap(), theta_padded { struct_size: 16, ..good });
        let half = theta_padded { struct_size: 20, reserved1: [0, 9], ..good };
        assert_eq!(read(&half).unwrap().reserved1, [0, 0]);
    }

    #[test]
    fn outputs_end_where_the_caller_ends() {
        let value = theta_example { struct_size: 0, first: 1, later: 2 };
        for (stated, expected) in [(8, (8, 1, 9, 5)), (16, (16, 1, 2, 5)), (24, (16, 1, 2, 5))] {
            let mut out = tomorrow(stated, 5);
            // SAFETY: the struct has the bytes it states.
            unsafe { output((&raw mut out).cast::<theta_example>()) }.unwrap().set(value);
            assert_eq!((out.today.struct_size, out.today.first, out.today.later, out.beyond), expected);
        }
    }

    #[test]
    fn arrays_go_by_the_callers_element() {
        let wide = [tomorrow(24, 0), tomorrow(24, 0)];
        let array = (&raw const wide).cast::<theta_example>();
        // SAFETY: two elements of 24 bytes.
        unsafe {
            assert_eq!(inputs(array, 24, 2, 4, "fields").unwrap()[1].later, 9);
            assert_eq!(code(inputs(array, 0, 2, 4, "fields")), THETA_E_STRUCT_SIZE);
            assert_eq!(code(inputs(array, 24, 5, 4, "fields")), THETA_E_RANGE);
            assert_eq!(code(inputs::<theta_example>(std::ptr::null(), 24, 1, 4, "fields")), THETA_E_NULL);
            assert!(inputs::<theta_example>(std::ptr::null(), 0, 0, 4, "fields").unwrap().is_empty());
        }
        let mut out = [tomorrow(24, 5), tomorrow(24, 5)];
        // SAFETY: as above, writable.
        let mut outputs = unsafe { outputs((&raw mut out).cast::<theta_example>(), 24, 2) }.unwrap();
        outputs.set(1, &theta_example { struct_size: 1, first: 2, later: 3 });
        assert_eq!((out[0].beyond, out[1].today.later, out[1].beyond), (5, 3, 0));
    }
}
