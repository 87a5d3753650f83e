// The page of a class that is over: a tab that took part in it can still have its student erased.
import { el, eraseKept, forgetToken, say, token } from "./page.js";

el("afterwards").hidden = !token();
el("erase-kept").addEventListener("click", async () => {
  const { done, said } = await eraseKept();
  if (done) forgetToken();
  el("afterwards").hidden = done;
  el("status").hidden = false;
  say(said, done ? "idle" : "trouble");
  el("status").focus(); // the button may be gone, and the focus with it
});
