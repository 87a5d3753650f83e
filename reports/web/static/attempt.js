// Runs the action of a button; if it fails, the page shows the reason in one line.
import { byId, t } from "./page.js";

/** Run an action; its button is disabled meanwhile. */
export async function attempt(button, action) {
  byId("failed").textContent = "";
  button.disabled = true;
  try {
    await action();
  } catch (error) {
    byId("failed").textContent = t("That did not work: {why}.", { why: error.message });
  } finally {
    button.disabled = false;
  }
}
