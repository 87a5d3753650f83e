// Runs what a button does, and shows in one line why it failed.
import { byId } from "./page.js";

/** Run an action with its button disabled. */
export async function attempt(button, action) {
  byId("failed").textContent = "";
  button.disabled = true;
  try {
    await action();
  } catch (error) {
    byId("failed").textContent = `That did not work: ${error.message}.`;
  } finally {
    button.disabled = false;
  }
}
