"""Decompression of model files within a bound."""

import bz2
import lzma
import zlib
from typing import Final, Protocol

from scoring.model_files.model_faults import REFIT, ModelFaultError

# How each compressor that joblib knows begins its files.
_ZLIB: Final = b"\x78"
_GZIP: Final = b"\x1f\x8b"
_BZ2: Final = b"BZ"
_XZ: Final = b"\xfd7zXZ"
_LZMA: Final = b"\x5d\x00"
_LZ4: Final = b"\x04\x22\x4d\x18"
_JOBLIB_0_9: Final = b"ZF"

_ZLIB_OR_GZIP: Final = zlib.MAX_WBITS | 32  # 32: zlib tells the two headers apart itself
_LZMA_MEMORY: Final = 128 * 2**20  # a header may claim a 4 GiB dictionary; xz -9 needs 65 MiB


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def decompressed(data: bytes, *, most: int) -> bytes:
    """Decompress a file that joblib compressed; return any other as it is.

    Parameters
    ----------
    data : bytes
        The file.
    most : int
        Bytes after decompression; a bomb is refused once it would pass them.

    Raises
    ------
    ModelFaultError
        If it is larger than `most`, cut short, followed by other bytes, or compressed in a way
        that is not supported.
    """
    decompressor = _decompressor(data)
    if decompressor is None:
        return data
    plain = decompressor.decompress(data, most + 1)
    if len(plain) > most:
        raise ModelFaultError(
            f"is larger than {most} bytes after decompression", "publish a smaller model"
        )
    if not decompressor.eof:
        raise ModelFaultError("is damaged: its compressed data is cut short", "upload it again")
    if decompressor.unused_data:
        raise ModelFaultError("is damaged: bytes follow its compressed data", "upload it again")
    return plain


def _decompressor(data: bytes) -> _Decompressor | None:
    if data.startswith((_ZLIB, _GZIP)):
        return zlib.decompressobj(_ZLIB_OR_GZIP)
    if data.startswith(_BZ2):
        return bz2.BZ2Decompressor()
    if data.startswith((_XZ, _LZMA)):
        return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
    if data.startswith(_LZ4):
        raise ModelFaultError(
            "is compressed with lz4, which is not installed",
            "dump it with compress=('zlib', 3) or without compression",
        )
    if data.startswith(_JOBLIB_0_9):
        raise ModelFaultError("was written by a joblib before 0.10", REFIT)
    return None
