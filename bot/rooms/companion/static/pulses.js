// The buttons with which students say at any time how it is going.
import { el, said, send, token } from "./page.js";
import { t } from "./texts.js";

/** Send a tap on each button; ``onStatus`` handles the statuses of the class, ``onLost`` a lost network. */
export function watchPulses(onStatus, onLost) {
  for (const button of document.querySelectorAll("#in-class .pulses button")) {
    button.addEventListener("click", () => pulse(button, onStatus, onLost));
  }
}

async function pulse(button, onStatus, onLost) {
  const note = el("pulse-note");
  try {
    const { status, answer } = await send("/pulse", { token: token(), kind: button.dataset.kind });
    if (status === 200) note.textContent = t("Sent: {answer}", { answer: button.textContent });
    else if (status === 429) note.textContent = t("Not sent: you can tap once a second. Tap again.");
    else if (!onStatus(status)) note.textContent = said(answer, t("That did not work: try again."));
  } catch {
    note.textContent = t("Not sent: there was no connection. Tap again.");
    onLost();
  }
}
