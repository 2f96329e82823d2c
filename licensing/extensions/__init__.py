"""OZOMM: licences that expire are extended, once each, if the vendor's CRM or ERP system says so.

values        what is asked and answered
saga          the steps of an extension, their transitions, and what is kept of it
questions     what a CRM is asked and what it may say
guarding      time limits, circuit breaker and bulkhead around a source of answers
rules         which source decides about which item, and what happens while it is silent
central       the licence central as OZOMM sees it, in the same process
engine        the service: begins extensions, moves them on, answers
"""
