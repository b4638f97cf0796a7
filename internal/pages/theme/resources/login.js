"use strict";
// Pages work without this file, except those whose mechanism is a script: they mark their elements with these attributes.

// data-submit: a form that sends itself (form_post).
document.querySelectorAll("form[data-submit]").forEach((form) => form.submit());

// data-follow: a link to follow when all frames of the page have loaded (front-channel logout).
window.addEventListener("load", () => document.querySelectorAll("a[data-follow]").forEach((link) => location.replace(link.href)));

// data-href, data-go: a button and a selection that lead somewhere. Without scripts the page has links instead.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-href]");
  if (button) location.href = button.dataset.href;
});
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-go]") && event.target.value) location.href = event.target.value;
});

// data-select: buttons of which one is chosen, for a hidden input.
document.addEventListener("click", (event) => {
  const chosen = event.target.closest("button[data-select]");
  if (!chosen) return;
  document.getElementById(chosen.dataset.select).value = chosen.dataset.value;
  for (const button of document.querySelectorAll("button[data-select]")) button.setAttribute("aria-pressed", String(button === chosen));
});

// data-codes: a list to print, download or copy, with words before and after it.
for (const bar of document.querySelectorAll("[data-codes]")) {
  bar.hidden = false;
  bar.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-do]");
    if (!button) return;
    const { before, after, date, file } = bar.dataset;
    const codes = [...document.querySelectorAll("#" + bar.dataset.codes + " li")].map((item) => item.textContent).join("\n");
    const made = date + " " + new Date().toLocaleString(document.documentElement.lang);
    if (button.dataset.do === "print") print();
    if (button.dataset.do === "download") {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([[before, codes, after, made].join("\n\n")], { type: "text/plain" }));
      link.download = file;
      link.click();
      URL.revokeObjectURL(link.href);
    }
    if (button.dataset.do === "copy") {
      await navigator.clipboard.writeText(codes);
      button.textContent = button.dataset.done;
    }
  });
}

// data-multivalued: inputs of an attribute that may have several values; after the last stands a button for one more.
for (const input of document.querySelectorAll("input[data-multivalued]")) {
  const all = [...document.getElementsByName(input.name)];
  if (input !== all.at(-1) || input.disabled) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button secondary add";
  button.textContent = input.dataset.multivalued;
  button.addEventListener("click", () => {
    const more = button.previousElementSibling.cloneNode();
    more.id = input.name + "-" + document.getElementsByName(input.name).length;
    more.value = "";
    more.setAttribute("aria-label", input.labels[0]?.textContent ?? input.getAttribute("aria-label"));
    button.before(more);
    more.focus();
  });
  input.after(button);
}

// A form is sent once. The button is disabled after the event, so that its name goes along.
document.addEventListener("submit", (event) => {
  setTimeout(() => event.target.querySelectorAll("button[type=submit]").forEach((button) => (button.disabled = true)));
});
window.addEventListener("pageshow", () => document.querySelectorAll("button:disabled").forEach((button) => (button.disabled = false)));
