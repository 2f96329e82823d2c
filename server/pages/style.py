"""How pages look: what all of them share, and what the page of a service adds. A policy of the page names their hash.

Both colour schemes, from the width of a phone on. Whatever is pressed is at least 2.75rem (44 pixels) high.
"""

import base64
from hashlib import sha256

BASE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --band: #f3f5f7;
  --line: #d0d7de; --mark: #0550ae; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9da7b1; --paper: #0d1117; --band: #161b22; --line: #30363d; --mark: #79c0ff; }
}
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header, main { max-width: 68rem; margin: 0 auto; padding: 1rem; } header + main { padding-top: 0; }
h1 { font-size: 1.8rem; line-height: 1.25; margin: .5rem 0; }
p { margin: .4rem 0; } a { color: var(--mark); }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
button { min-height: 2.75rem; margin: .75rem 0; padding: .5rem 1.25rem; font: inherit; color: var(--paper);
  background: var(--mark); border: 0; border-radius: 6px; cursor: pointer; }
"""

SERVICE = (
    BASE
    + """
h2 { font-size: 1.35rem; margin: 1.5rem 0 .5rem; } header { padding-bottom: 0; }
h3 { font-size: 1.1rem; margin: 1.25rem 0 .25rem; } summary h3 { margin: 0; display: inline; }
h4 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
.soft { color: var(--soft); } code, pre, textarea { font: .875rem/1.5 ui-monospace, monospace; }
code { overflow-wrap: anywhere; } [id] { scroll-margin-top: 1rem; }
ul { list-style: none; margin: .4rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1.25rem; }
li { margin: 0; } li a { display: inline-block; min-width: 2.75rem; min-height: 2.75rem; line-height: 2.75rem; }
article { border: 1px solid var(--line); border-radius: 8px; margin: .75rem 0; }
summary { cursor: pointer; min-height: 2.75rem; padding: .6rem .25rem; }
article > details > summary { padding: .75rem 1rem; } article > details > div { padding: 0 1rem 1rem; }
summary span { display: block; margin: .15rem 0 0; }
pre { background: var(--band); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; overflow: auto;
  max-height: 26rem; margin: .4rem 0; } output { white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
thead th { background: var(--band); white-space: nowrap; } tbody th { font-weight: 400; }
label { display: block; font-weight: 600; margin: .75rem 0 .25rem; }
textarea, input { width: 100%; min-height: 2.75rem; color: inherit; background: var(--band);
  border: 1px solid var(--line); border-radius: 6px; padding: .5rem; } textarea { min-height: 14rem; }
button.copy { margin: .25rem 0; color: var(--mark); background: none; border: 1px solid var(--line); }
@media (min-width: 40.01rem) {
  tbody th { min-width: 10rem; } tbody th code { overflow-wrap: normal; }
  .once { white-space: nowrap; } .type { min-width: 14rem; }
  .meaning { min-width: 14rem; }
}
@media (max-width: 40rem) {
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  th, td { display: block; border: 0; padding: .1rem 0; } tbody th code { font-weight: 600; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
}
"""
)


def named(text: str) -> str:
    """Give a style or script as a Content-Security-Policy names it (CSP 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
