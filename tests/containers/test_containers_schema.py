import threading

import pytest
import vendor
import xmlschema
from lxml import etree

import wsdl
from containers import Container, ContainerError, read_context
from containers.reading import _schema

_XSD = "{http://www.w3.org/2001/XMLSchema}"
_TREE = etree.fromstring(wsdl.read("v1/container.xsd"))


def test_everything_is_documented() -> None:
    silent = [
        each.get("name") or each.get("ref") or each.tag
        for kind in ("element", "attribute", "complexType", "simpleType", "any")
        for each in _TREE.iter(_XSD + kind)
        if not (each.findtext(f"{_XSD}annotation/{_XSD}documentation") or "").strip()
    ]
    assert silent == []


def test_the_file_says_that_it_is_a_draft() -> None:
    assert b"draft" in wsdl.read("v1/container.xsd")[:200]


def test_no_type_of_the_schema_is_unused() -> None:
    used = {each.get("type") for each in _TREE.iter()}
    named = {"c:" + each.get("name") for each in _TREE if each.tag in (_XSD + "complexType", _XSD + "simpleType")}
    assert named <= used


def test_another_schema_processor_accepts_our_files(container: Container, seller: vendor.Vendor) -> None:
    schema = xmlschema.XMLSchema(wsdl.read("v1/container.xsd").decode())
    context = vendor.context_of(container)
    update = seller.file(seller.reset(context, (vendor.entry("A"),)), seller.delta(context, ()))
    for data in (update, container.import_update(update).receipt):
        assert list(schema.iter_errors(data.decode())) == []


def test_each_thread_has_its_own_schema_and_its_own_errors(container: Container) -> None:
    data = container.context(vendor.FIRM)
    names = ["serial", "firmCode", "export", "nonce"]
    barrier = threading.Barrier(len(names))
    schemas: list[etree.XMLSchema] = []
    wrong: list[str] = []

    def work(name: str) -> None:
        broken = data.replace(f"<{name}>".encode(), f"<{name}>-".encode(), 1)
        schemas.append(_schema._schema)
        barrier.wait()
        for _ in range(100):
            with pytest.raises(ContainerError) as caught:
                read_context(broken)
            if f"the element {name} " not in str(caught.value):
                wrong.append(str(caught.value))

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len({id(schema) for schema in schemas}) == len(names)
