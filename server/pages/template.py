"""The markup of the page of a service."""

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
<summary><h3>{{ operation.name }}</h3><span class="soft">{{ operation.documentation }}</span></summary>
<div>
{% for title, rows in (("Request", operation.request), ("Answer", operation.answer)) %}
<h4>{{ title }}</h4>
{% if rows %}<table>
<thead><tr><th scope="col">element</th><th scope="col">how often</th><th scope="col">type and limits</th>
<th scope="col">meaning</th></tr></thead>
<tbody>{% for row in rows %}
<tr><th scope="row"><code>{{ row.path }}</code></th>
<td class="once" data-label="how often">{{ row.often }}</td>
<td class="type" data-label="type"><code>{{ row.type }}</code> {{ row.limits }}</td>
<td class="meaning">{{ row.documentation }}</td></tr>
{% endfor %}
</tbody></table>{% else %}<p>It has no elements.</p>{% endif %}
{% endfor %}
<h4>Sample request</h4>
<pre data-copy tabindex="0" role="region" aria-label="Sample request of {{ operation.name }}"
>{{ operation.sample }}</pre>
{% for snippet in operation.snippets %}<details><summary>{{ snippet.language }}</summary>
<pre data-copy tabindex="0" role="region" aria-label="{{ operation.name }} in {{ snippet.language }}"
>{{ snippet.text }}</pre>
</details>
{% endfor %}
<h4>Faults</h4>
<ul>{% for fault in operation.faults %}<li><a href="#{{ fault }}">{{ fault }}</a></li>{% endfor %}</ul>
{% if send %}<form data-action="{{ operation.action }}" hidden>
<h4>Send it to this server</h4>
<label for="message-{{ operation.name }}">Message</label>
<textarea id="message-{{ operation.name }}" name="message" spellcheck="false">{{ operation.sample }}</textarea>
{% if identified %}<label for="key-{{ operation.name }}">API key</label>
<input id="key-{{ operation.name }}" name="key" type="password" autocomplete="off">{% endif %}
<button type="submit">Send {{ operation.name }}</button>
<pre hidden tabindex="0" role="region" aria-label="Answer to {{ operation.name }}"><output></output></pre>
</form>{% endif %}
</div></details></article>
{% endfor %}
<h2 id="faults">Faults</h2>
<p>A fault names its code, the mend, whether the same request may be sent again, and a reference to quote to support.
Never: it fails again until something is changed. Later: it may be sent again as it stands.</p>
{% for element, rows in faults %}
<h3 id="{{ element }}">{{ element }}</h3>
<table>
<thead><tr><th scope="col">code</th><th scope="col">meaning</th><th scope="col">what to do</th>
<th scope="col">send again</th></tr></thead>
<tbody>{% for row in rows %}
<tr><th scope="row"><code>{{ row.code }}</code></th><td>{{ row.meaning }}</td>
<td data-label="what to do">{{ row.mend }}</td><td data-label="send again">{{ row.retry }}</td></tr>{% endfor %}
</tbody></table>
{% endfor %}
</main>
{% for script in scripts %}<script>{{ script }}</script>
{% endfor %}
</body>
</html>
"""
