// Shared by the modules of the live page: the class, its texts, its API address and the page's elements.

export const page = document.getElementById("class");
export const words = JSON.parse(page.dataset.words); // texts for states, reasons and the like
export const api = `/api/classes/${encodeURIComponent(page.dataset.classId)}`;
export const RETRY_MS = 3000;

export const byId = (id) => document.getElementById(id);

/** Set a text only when it changes: screen readers announce every write to a live region. */
export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/** Run an action when its key is pressed, unless the key is typed into a field or a dialog. */
export function onShortcut(key, action) {
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== key || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!event.target.closest("input, textarea, select, dialog")) action(event);
  });
}
