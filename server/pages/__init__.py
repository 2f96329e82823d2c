"""The page for people at the address of a service, made from the contract when the server starts."""

from server.pages.contract import contract_page
from server.pages.soapui import soapui_project

__all__ = ["contract_page", "soapui_project"]
