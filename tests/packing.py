"""Packs bytes in every way that sources may be packed."""

from __future__ import annotations

import bz2
import gzip
import io
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any, Optional

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def tarred(files: Mapping[str, Optional[bytes]], *, form: int = tarfile.PAX_FORMAT, **changes: Any) -> bytes:
    """A tar; ``None`` is a folder, ``changes`` are attributes of every entry."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form, errors="surrogateescape") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content or b"")
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            for attribute, value in changes.items():
                setattr(info, attribute, value)
            archive.addfile(info, io.BytesIO(content or b"") if info.isreg() else None)
    return target.getvalue()


def zstd_compressed(content: bytes) -> bytes:
    """With a checksum, as the command does; the library leaves it out."""
    return zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1})


CODECS = {".gz": gzip.compress, ".zst": zstd_compressed, ".bz2": bz2.compress}


def ways(content: bytes, name: str = "records.csv") -> dict[str, bytes]:
    """The content in every packing, by the file name of the packing."""
    stem = name.partition(".")[0]
    found = {name: content, **{name + suffix: codec(content) for suffix, codec in CODECS.items()}}
    plain = tarred({f"deep/./{name}": content, "deep": None})
    found.update({f"{stem}.tar": plain, f"{stem}.tgz": gzip.compress(plain), f"{stem}.tzst": zstd_compressed(plain)})
    found.update({f"{stem}.tar{suffix}": codec(plain) for suffix, codec in CODECS.items()})
    for label, method in (("", zipfile.ZIP_DEFLATED), ("-stored", zipfile.ZIP_STORED), ("-bzip2", zipfile.ZIP_BZIP2)):
        found[f"{stem}{label}.zip"] = zipped({f"deep/{name}": content}, method)
    found[f"{stem}-twice.zip"] = zipped({f"{name}.gz": gzip.compress(content)})
    found[f"{stem}-twice.tar"] = tarred({f"{name}.zst": zstd_compressed(content)})
    # Two frames, as parallel packers write them.
    half = len(content) // 2
    found[f"frames-{name}.gz"] = gzip.compress(content[:half]) + gzip.compress(content[half:])
    found[f"frames-{name}.zst"] = zstd_compressed(content[:half]) + zstd_compressed(content[half:])
    return found
