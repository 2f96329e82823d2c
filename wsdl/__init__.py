"""The contract: published WSDL and XSD files, and nothing but finding them.

`v1` is a draft until release 1.0 pins it by checksum. The rules that every file here keeps (R1 to R12) stand in
`docs/explanation/contract.md`, and a test checks each of them.
"""

from importlib.resources import files


def read(path: str) -> bytes:
    """Give the bytes of a published file, such as `v1/sales.wsdl`.

    Raises FileNotFoundError when the contract has no such file.
    """
    return files(__name__).joinpath(path).read_bytes()
