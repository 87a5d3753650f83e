// The second, separate consent: individual check-ins. They need a name, and can be taken back at any time.
import { el, send, token } from "./page.js";

function show() {
  const agreed = el("individual").checked;
  el("name").required = agreed;
  el("name-hint").textContent = agreed ? "(needed for check-ins)" : "(optional, not stored)";
  el("individual-in-class").hidden = !agreed;
}

function takeBack() {
  el("individual").checked = false;
  show();
}

el("individual").addEventListener("change", show);
el("leave").addEventListener("click", takeBack); // who comes back agrees anew

el("withdraw").addEventListener("click", async () => {
  el("withdraw").disabled = true;
  try {
    const { status, answer } = await send("/individual", { token: token(), individual: false });
    if (status !== 200) {
      el("pulse-note").textContent = `Not done: ${answer.error ?? "the server had an error, try again"}.`;
      return;
    }
    takeBack();
    el("in-class-title").focus(); // the button is gone, and the focus with it
    el("pulse-note").textContent = "Check-ins are off; your name and what came of them are deleted.";
  } catch {
    el("pulse-note").textContent = "Not done: there is no connection. Try again.";
  } finally {
    el("withdraw").disabled = false;
  }
});

show();
