// Asking the class, and what it answers; and "I dealt with it".
import { attempt } from "./attempt.js";
import { activeFaceAlert, showScore } from "./alerts.js";
import { call, clock } from "./common.js";
import { api, byId, onShortcut, setText, t, words } from "./page.js";

const asks = new Map(); // id -> question
let newest = null;

/** Show a question and its answers so far. */
export function showAsk(ask) {
  asks.set(ask.id, ask);
  if (!newest || ask.at_s >= newest.at_s) newest = ask;
  showScore([...asks.values()]);
  if (newest !== ask) return;
  const asked = byId("asked");
  asked.hidden = false;
  asked.dataset.open = String(ask.open);
  const label = ask.open ? t("Asking:") : t("Asked at {time}:", { time: clock(ask.at_s) });
  setText("asked", `${label} ${[ask.question, ...results(ask)].filter(Boolean).join(" · ")}`);
  byId("two-ways").hidden = ask.by_chat === 0;
}

export function showAsks(received) {
  for (const ask of received) showAsk(ask);
}

function results(ask) {
  const given = ask.answers.map((answer) => `${ask.counts[answer] ?? 0} ${ask.question ? answer : (words.answers[answer] ?? answer)}`);
  return [...given, t("{count} silent", { count: ask.silent })];
}

/** Ask the usual question; about the alert from faces that lasts, if there is one. */
export function ask(button, alert = activeFaceAlert()) {
  return attempt(button, async () => {
    showAsk(await call("POST", `${api}/asks`, alert ? { alert_at_s: alert.at_s } : {}));
  });
}

const dealWithIt = () => attempt(byId("dealt"), () => call("POST", `${api}/calm`, {}));

byId("ask").addEventListener("click", () => ask(byId("ask")));
byId("dealt").addEventListener("click", dealWithIt);
onShortcut("a", () => { if (!byId("act-row").hidden) ask(byId("ask")); });
onShortcut("d", () => { if (!byId("act-row").hidden) dealWithIt(); });

byId("ask-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = [...byId("ask-form").querySelectorAll(".own-answer")];
  const answers = fields.map((field) => field.value.trim()).filter(Boolean);
  attempt(byId("ask-own"), async () => {
    showAsk(await call("POST", `${api}/asks`, { question: byId("ask-question").value, answers }));
    byId("own-question").open = false;
  });
});
