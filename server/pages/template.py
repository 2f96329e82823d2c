"""The page: its markup, its style and the one script, which only sends a sample where that is allowed."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --band: #f3f5f7;
  --line: #d0d7de; --mark: #0550ae; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9da7b1; --paper: #0d1117; --band: #161b22; --line: #30363d; --mark: #79c0ff; }
}
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header, main, footer { max-width: 68rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.8rem; margin: 1rem 0 .25rem; } h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1.1rem; margin: 0; display: inline; } h4 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .4rem 0; } a { color: var(--mark); }
.soft { color: var(--soft); } code, pre, textarea { font: .875rem/1.5 ui-monospace, monospace; }
code { overflow-wrap: anywhere; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
article { border: 1px solid var(--line); border-radius: 8px; margin: .75rem 0; }
details > summary { cursor: pointer; padding: .5rem .25rem; }
article > details > summary { padding: .75rem 1rem; } article > details > div { padding: 0 1rem 1rem; }
article > details > summary p { display: block; margin: .15rem 0 0; }
pre { background: var(--band); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; overflow: auto;
  max-height: 26rem; margin: .4rem 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
thead th { background: var(--band); } tbody th { font-weight: 400; }
label { display: block; font-weight: 600; margin: .75rem 0 .25rem; }
textarea, input { width: 100%; color: inherit; background: var(--band); border: 1px solid var(--line);
  border-radius: 6px; padding: .5rem; } textarea { min-height: 14rem; }
button { margin: .75rem 0; padding: .5rem 1.25rem; font: inherit; color: var(--paper); background: var(--mark);
  border: 0; border-radius: 6px; cursor: pointer; }
@media (max-width: 40rem) {
  .stack thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  .stack tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .stack th, .stack td { display: block; border: 0; padding: .1rem 0; }
  .stack td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
}
"""

SCRIPT = """
for (const form of document.querySelectorAll("form[data-action]")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = form.querySelector("output");
    const key = form.elements.namedItem("key");
    const headers = { "Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"' + form.dataset.action + '"' };
    if (key && key.value) headers["Authorization"] = "Bearer " + key.value;
    answer.textContent = "sending";
    try {
      const response = await fetch(location.pathname, {
        method: "POST", headers, body: form.elements.namedItem("message").value, credentials: "omit" });
      answer.textContent = response.status + " " + response.statusText + "\\n" + await response.text();
    } catch (error) { answer.textContent = String(error); }
  });
}
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ name }} - OpenDepot</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<h1>{{ name }}</h1>
<p>{{ documentation }}</p>
<p class="soft">A SOAP service, 1.1 and 1.2, at <code>{{ address }}</code>.
This contract is a draft until release 1.0.</p>
<nav aria-label="On this page"><ul>
<li><a href="?wsdl">WSDL</a></li><li><a href="?soapui" download="{{ name }}-soapui-project.xml">SoapUI project</a></li>
<li><a href="#operations">Operations</a></li><li><a href="#faults">Faults</a></li>
</ul></nav>
</header>
<main>
<h2 id="operations">Operations</h2>
{% for operation in operations %}
<article id="{{ operation.name }}"><details>
<summary><h3>{{ operation.name }}</h3><p class="soft">{{ operation.documentation }}</p></summary>
<div>
{% for title, rows in (("Request", operation.request), ("Answer", operation.answer)) %}
<h4>{{ title }}</h4>
{% if rows %}<table class="stack">
<thead><tr><th scope="col">element</th><th scope="col">how often</th><th scope="col">type and limits</th>
<th scope="col">meaning</th></tr></thead>
<tbody>{% for row in rows %}
<tr><th scope="row"><code>{{ row.path }}</code></th><td data-label="how often">{{ row.often }}</td>
<td data-label="type"><code>{{ row.type }}</code> {{ row.limits }}</td><td>{{ row.documentation }}</td></tr>{% endfor %}
</tbody></table>{% else %}<p>It has no elements.</p>{% endif %}
{% endfor %}
<h4>Sample request</h4>
<pre tabindex="0" role="region" aria-label="Sample request of {{ operation.name }}">{{ operation.sample }}</pre>
{% for snippet in operation.snippets %}<details><summary>{{ snippet.language }}</summary>
<pre tabindex="0" role="region" aria-label="{{ operation.name }} in {{ snippet.language }}">{{ snippet.text }}</pre>
</details>
{% endfor %}
<p class="soft">Faults: {% for fault in operation.faults %}<a href="#{{ fault }}">{{ fault }}</a> {% endfor %}</p>
{% if send %}<form data-action="{{ operation.action }}" hidden>
<label for="message-{{ operation.name }}">Message to send</label>
<textarea id="message-{{ operation.name }}" name="message" spellcheck="false">{{ operation.sample }}</textarea>
{% if identified %}<label for="key-{{ operation.name }}">API key</label>
<input id="key-{{ operation.name }}" name="key" type="password" autocomplete="off">{% endif %}
<button type="submit">Send {{ operation.name }}</button>
<pre tabindex="0" role="region" aria-label="Answer to {{ operation.name }}"><output></output></pre>
</form>{% endif %}
</div></details></article>
{% endfor %}
<h2 id="faults">Faults</h2>
<p>A fault names its code, the mend, whether the same request may be sent again, and a reference to quote to support.
Never: it fails again until something is changed. Later: it may be sent again as it stands.</p>
{% for element, rows in faults %}
<h3 id="{{ element }}">{{ element }}</h3>
<table class="stack">
<thead><tr><th scope="col">code</th><th scope="col">meaning</th><th scope="col">what to do</th>
<th scope="col">send again</th></tr></thead>
<tbody>{% for row in rows %}
<tr><th scope="row"><code>{{ row.code }}</code></th><td>{{ row.meaning }}</td>
<td data-label="what to do">{{ row.mend }}</td><td data-label="send again">{{ row.retry }}</td></tr>{% endfor %}
</tbody></table>
{% endfor %}
</main>
{% if send %}<script>{{ script }}</script>{% endif %}
</body>
</html>
"""
