"""Who may connect, decided from the address and rules about networks (design, section 7). A leaf.

Nothing here does I/O but `load_rules`, which reads a file.

On the way of a request:

- `find_client(peer, lines, trusted=...)`: who the client is behind proxies, or `ClientRefused` for a 400.
- `Snapshot`: a compiled `RuleSet`. `refused_early` before the shop is known, `decide` when it is.
- `HitCounts`: how often each rule decided.

Beside it: `explain` (everything behind a decision), `load_rules`, `read_rules` and `write_rules` (TOML), `import_csv`
and `import_nginx`, `lint_rules` and `lint_proxies`, `replay` (recorded decisions against new rules), `learn` (ranges
from addresses that were seen), `check_edit` (would this lock out its editor, or open to everybody?).

Inside: `addresses` and `tables` stand below everything, `rules` has the values, `deciding` is the one place that says
which rule wins, `snapshot` makes it fast.
"""

from ipfilters.addresses import Address, AddressRefused, Network, parse_address, parse_network
from ipfilters.client import Client, TrustedProxies, find_client
from ipfilters.deciding import Decision, Outcome, Reason
from ipfilters.editing import Danger, Warned, check_edit, open_share
from ipfilters.explain import Explanation, Match, Part, explain
from ipfilters.files import load_rules, read_rules
from ipfilters.forwarded import ClientRefused, Forwarding
from ipfilters.hits import HitCounts, Hits
from ipfilters.importing import import_csv
from ipfilters.learn import Proposal, Seen, learn
from ipfilters.lint import Code, Finding, Severity, lint_proxies, lint_rules
from ipfilters.nginx import Translated, import_nginx
from ipfilters.problems import Problem, RulesRefused
from ipfilters.replay import Change, Recorded, Replayed, replay
from ipfilters.rules import (
    DatabaseSource,
    Defaults,
    Effect,
    Endpoint,
    FileSource,
    Level,
    Mode,
    Rule,
    RuleSet,
    Scope,
    Source,
)
from ipfilters.snapshot import Snapshot, collector_waiting, compile_rules
from ipfilters.writing import write_rules

__all__ = [
    "Address",
    "AddressRefused",
    "Change",
    "Client",
    "ClientRefused",
    "Code",
    "Danger",
    "DatabaseSource",
    "Decision",
    "Defaults",
    "Effect",
    "Endpoint",
    "Explanation",
    "FileSource",
    "Finding",
    "Forwarding",
    "HitCounts",
    "Hits",
    "Level",
    "Match",
    "Mode",
    "Network",
    "Outcome",
    "Part",
    "Problem",
    "Proposal",
    "Reason",
    "Recorded",
    "Replayed",
    "Rule",
    "RuleSet",
    "RulesRefused",
    "Scope",
    "Seen",
    "Severity",
    "Snapshot",
    "Source",
    "Translated",
    "TrustedProxies",
    "Warned",
    "check_edit",
    "collector_waiting",
    "compile_rules",
    "explain",
    "find_client",
    "import_csv",
    "import_nginx",
    "learn",
    "lint_proxies",
    "lint_rules",
    "load_rules",
    "open_share",
    "parse_address",
    "parse_network",
    "read_rules",
    "replay",
    "write_rules",
]
