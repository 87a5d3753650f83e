// The separate consent to check-ins. It needs a name, and the student can withdraw it at any time.
import { el, send, token } from "./page.js";
import { t } from "./texts.js";

function show() {
  const agreed = el("individual").checked;
  el("name").required = agreed;
  el("name-hint").textContent = agreed
    ? t("(needed for check-ins, stored for {hours} hours)", { hours: document.body.dataset.individualHours })
    : t("(optional, not stored)");
  el("individual-in-class").hidden = !agreed;
}

function clearConsent() {
  el("individual").checked = false;
  show();
}

el("individual").addEventListener("change", show);
el("leave").addEventListener("click", clearConsent); // a student who comes back must agree again

el("withdraw").addEventListener("click", async () => {
  el("withdraw").disabled = true;
  try {
    const { status } = await send("/individual", { token: token(), individual: false });
    if (status !== 200) {
      el("pulse-note").textContent = t("Check-ins are still on: try again.");
      return;
    }
    clearConsent();
    el("in-class-title").focus(); // the button that had the focus is gone
    el("pulse-note").textContent = t("Check-ins are off. Your name and your check-ins are deleted.");
  } catch {
    el("pulse-note").textContent = t("Check-ins are still on: there is no connection. Try again.");
  } finally {
    el("withdraw").disabled = false;
  }
});

show();
