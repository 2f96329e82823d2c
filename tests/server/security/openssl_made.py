"""Certificates as operators make them: by openssl on the command line."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """PEM files of a certificate and its key."""

    certificate: Path
    key: Path


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30)


def self_signed(folder: Path, name: str, *, days: int = 30, authority: bool = False, alt: str = "") -> Pair:
    """A certificate that certifies itself, on P-256."""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    extensions = ["-addext", f"basicConstraints=critical,CA:{'TRUE' if authority else 'FALSE'}"]
    extensions += ["-addext", f"subjectAltName={alt}"] if alt else []
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", f"/CN={name}", "-days", str(days), "-keyout", pair.key, "-out", pair.certificate),
        *extensions,
    )
    return pair


def issued(folder: Path, name: str, by: Pair, *, extensions: str = "basicConstraints=CA:FALSE", days: int = 30) -> Pair:
    """A certificate that an authority has issued."""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    request, wanted = folder / f"{name}.csr", folder / f"{name}.ext"
    wanted.write_text(extensions)
    openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", f"/CN={name}", "-keyout", pair.key, "-out", request),
    )
    openssl(
        *("x509", "-req", "-in", request, "-CA", by.certificate, "-CAkey", by.key, "-CAcreateserial"),
        *("-days", str(days), "-extfile", wanted, "-out", pair.certificate),
    )
    return pair
