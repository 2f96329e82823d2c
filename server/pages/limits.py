"""What values a simple type allows, in words: what the contract says of it, and the bounds that this leaves out."""

from collections.abc import Mapping

from lxml import etree

from soap.contract import Contract
from soap.names import XSD
from soap.schema import SimpleType


class Limits:
    """The facets of a contract's simple types."""

    def __init__(self, contract: Contract) -> None:
        self._facets = {
            str(node.get("name")): [(etree.QName(facet).localname, str(facet.get("value"))) for facet in restriction]
            for node in contract.schemas[contract.namespace].iterfind(f"{{{XSD}}}simpleType")
            for restriction in node.iterfind(f"{{{XSD}}}restriction")
        }

    def words(self, type_: SimpleType) -> str:
        """Give the documentation of a type, and behind it what is bounded and not said there."""
        facets = self._facets.get(type_.name, [])
        values = [value for name, value in facets if name == "enumeration"]
        said = type_.documentation
        if values:
            return said if all(value in said for value in values) else f"{said} One of: {', '.join(values)}."
        bounds = dict(facets)
        most = bounds.get("maxInclusive", bounds.get("maxLength"))
        return said if most is None or most in said else f"{said} {_range(bounds)}."


def _range(bounds: Mapping[str, str]) -> str:
    if "maxInclusive" in bounds:
        return f"{bounds.get('minInclusive', '0')} to {bounds['maxInclusive']}"
    return f"{bounds.get('minLength', '0')} to {bounds['maxLength']} characters"
