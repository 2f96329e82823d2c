"""OZOMM's half that speaks to others: CRM and ERP systems, a licence central on another computer.

configuration  the TOML file that says who decides about which item
reading        what an answer means: fields mapped to a verdict
http_source    a CRM over HTTP and JSON
soap_source    a CRM over SOAP, by its own WSDL
sql_source     a view of an ERP system's database
csv_source     a file of customers
assembling     the configuration as rules, ready to ask
remote         Sales and Depot of another computer, over SOAP
forwarding     OZOMM of another computer, for a Depot that passes extensions on
running        the runner beside the requests
"""
