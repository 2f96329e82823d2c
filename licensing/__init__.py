"""The rules: orders, tickets, licences, placements, transfers. They know neither SQL nor the wire.

errors      the one vocabulary of refusals
vault       keyed hashes and sealed text
tickets     making and reading tickets
options     options of items, resolved when ordered
catalogue   items and shops
orders      Sales: orders, exactly once
placements  the table of derived states
overview    what a licensee and support see of tickets
transfers/  the transfer protocol, pure
depot       Depot: tickets looked at, collected and confirmed
"""
