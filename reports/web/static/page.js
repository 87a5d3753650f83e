// Shared by the modules of the live page: the class, its texts, its API address and the page's elements.

export const page = document.getElementById("class");
export const words = JSON.parse(page.dataset.words); // texts for states, reasons and the like
export const api = `/api/classes/${encodeURIComponent(page.dataset.classId)}`;
export const RETRY_MS = 3000;

let popped = null; // the document of the small window, while parts of the page are in it
const shortcuts = new Map(); // key -> action

/** The element with this identifier, in the page or in the small window. */
export const byId = (id) => document.getElementById(id) ?? popped?.getElementById(id) ?? null;

/** Use the document of a small window that has parts of the page; null when they are back. */
export function setPopped(other) {
  popped = other;
  popped?.addEventListener("keydown", onKey);
}

/** The translation of an English text of this page; values replace the names in braces. */
export function t(text, values = {}) {
  return Object.entries(values).reduce(
    (filled, [name, value]) => filled.replaceAll(`{${name}}`, String(value)),
    words.texts[text] ?? text,
  );
}

/** Set a text only when it changes: screen readers announce every write to a live region. */
export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/** Run an action when its key is pressed, unless the key is typed into a field or a dialog. */
export function onShortcut(key, action) {
  shortcuts.set(key, action);
}

function onKey(event) {
  const action = shortcuts.get(event.key.toLowerCase());
  if (!action || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (!event.target.closest("input, textarea, select, dialog")) action(event);
}

document.addEventListener("keydown", onKey);
