"""Opens one zstd frame with a dictionary, with whatever this Python has for it: `compression.zstd` (Python 3.14), the
package `zstandard`, or the system's libzstd. `decompress` is None where there is none of them.

Only tests use it. The frame may not become longer than the caller says.
"""

import ctypes
import ctypes.util


def by_standard_library():
    from compression import zstd  # Python 3.14 and later

    def decompress(frame, dictionary, size):
        decompressor = zstd.ZstdDecompressor(zstd_dict=zstd.ZstdDict(dictionary))
        try:
            raw = decompressor.decompress(frame, max_length=size + 1)
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from error
        if not decompressor.eof or decompressor.unused_data:
            raise ValueError("not one whole frame")
        return raw

    return decompress


def by_package():
    import zstandard

    def decompress(frame, dictionary, size):
        decompressor = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(dictionary))
        try:
            return decompressor.decompress(frame, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error

    return decompress


def by_library():
    name = ctypes.util.find_library("zstd")
    if name is None:
        raise ImportError("no libzstd")
    library = ctypes.CDLL(name)
    library.ZSTD_createDCtx.restype = ctypes.c_void_p
    library.ZSTD_freeDCtx.argtypes = [ctypes.c_void_p]
    library.ZSTD_isError.argtypes = [ctypes.c_size_t]
    library.ZSTD_findFrameCompressedSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    library.ZSTD_findFrameCompressedSize.restype = ctypes.c_size_t
    library.ZSTD_decompress_usingDict.restype = ctypes.c_size_t
    library.ZSTD_decompress_usingDict.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p,
        ctypes.c_size_t,
    ]

    def decompress(frame, dictionary, size):
        if library.ZSTD_findFrameCompressedSize(frame, len(frame)) != len(frame):
            raise ValueError("not one whole frame")
        raw = ctypes.create_string_buffer(max(size, 1))
        context = library.ZSTD_createDCtx()
        try:
            written = library.ZSTD_decompress_usingDict(
                context, raw, size, frame, len(frame), dictionary, len(dictionary))
        finally:
            library.ZSTD_freeDCtx(context)
        if library.ZSTD_isError(written):
            raise ValueError("damaged, or longer than it may be")
        return raw.raw[:written]

    return decompress


def find():
    for candidate in (by_standard_library, by_package, by_library):
        try:
            return candidate()
        except (ImportError, OSError):
            continue
    return None


decompress = find()
