// Translates the texts of the scripts. The page carries the translations of its language.

const texts = JSON.parse(document.body.dataset.texts || "{}");

/** The translation of an English text; values replace the names in braces. */
export function t(text, values = {}) {
  return Object.entries(values).reduce(
    (filled, [name, value]) => filled.replaceAll(`{${name}}`, String(value)),
    texts[text] ?? text,
  );
}
