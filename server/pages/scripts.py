"""The scripts of the page of a service. Without them all can be read; only buttons are missing."""

COPY = """
for (const sample of document.querySelectorAll("pre[data-copy]")) {
  const button = document.createElement("button");
  const told = document.createElement("span");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy " + sample.getAttribute("aria-label"));
  told.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    told.textContent = "";
    try {
      await navigator.clipboard.writeText(sample.textContent);
      told.textContent = " copied";
    } catch {
      getSelection().selectAllChildren(sample);
      told.textContent = " selected: copy it by the keyboard or the menu";
    }
  });
  sample.before(button, told);
}
const opened = () => {
  const named = location.hash && document.getElementById(location.hash.slice(1));
  const details = named && named.querySelector("details");
  if (details) details.open = true;
};
addEventListener("hashchange", opened);
opened();
"""
"""Buttons that copy a sample, or select it where a page may not write to the clipboard; an operation that the address
names is opened."""

SEND = """
for (const form of document.querySelectorAll("form[data-action]")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = form.querySelector("output");
    const key = form.elements.namedItem("key");
    const headers = { "Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"' + form.dataset.action + '"' };
    if (key && key.value) headers["Authorization"] = "Bearer " + key.value;
    answer.parentElement.hidden = false;
    answer.textContent = "sending";
    try {
      const response = await fetch(location.pathname, {
        method: "POST", headers, body: form.elements.namedItem("message").value, credentials: "omit" });
      answer.textContent = response.status + " " + response.statusText + "\\n" + await response.text();
    } catch (error) { answer.textContent = "not sent: " + error; }
  });
}
"""
"""Sends a message to the page's own address and shows what comes back."""
