// The page shown after a class: a tab that took part in the class can still have its student erased.
import { el, eraseStored, forgetToken, setStatus, token } from "./page.js";

el("afterwards").hidden = !token();
el("erase-kept").addEventListener("click", async () => {
  const { done, message } = await eraseStored();
  if (done) forgetToken();
  el("afterwards").hidden = done;
  el("status").hidden = false;
  setStatus(message, done ? "idle" : "trouble");
  el("status").focus(); // the button that had the focus may be gone
});
