// The alerts: the newest one is always visible, the earlier ones are in a closed list.
import { clock } from "./common.js";
import { byId, page, setText, t, words } from "./page.js";

const FROM_FACES = new Set(["tension", "quiet"]);
const alerts = new Map(); // at_s -> alert

/** The newest alert from faces whose cause lasts, or undefined. */
export const activeFaceAlert = () =>
  newestFirst().find((alert) => FROM_FACES.has(alert.kind) && alert.ended_s === null);

const newestFirst = () => [...alerts.values()].sort((a, b) => b.at_s - a.at_s);

/** Add alerts, or that they ended. The page changes only with news, so that screen readers announce none twice. */
export function showAlerts(received) {
  const news = received.filter((alert) => alerts.get(alert.at_s)?.ended_s !== alert.ended_s);
  if (!news.length) return;
  const isNew = news.some((alert) => !alerts.has(alert.at_s) && alert.ended_s === null);
  for (const alert of news) alerts.set(alert.at_s, alert);
  const [newest, ...earlier] = newestFirst();
  byId("newest-alert").replaceChildren(row(newest, "span"));
  byId("alerts").replaceChildren(...earlier.map((alert) => row(alert, "li")));
  byId("earlier-alerts").textContent = t("Earlier alerts ({count})", { count: earlier.length });
  if (isNew) page.dispatchEvent(new Event("alert"));
}

/** Say how often the class confirmed alerts from faces when it was asked. */
export function showScore(asks) {
  const verdicts = new Map();
  for (const ask of asks) if (ask.confirmed !== null) verdicts.set(ask.alert_at_s, ask.confirmed);
  byId("alert-score").hidden = verdicts.size === 0;
  const right = [...verdicts.values()].filter(Boolean).length;
  setText("alert-score", t("The class confirmed {right} of {all} alerts from faces when asked.", { right, all: verdicts.size }));
}

function row(alert, tag) {
  const element = document.createElement(tag);
  const at = document.createElement("time");
  const title = document.createElement("strong");
  const evidence = document.createElement("span");
  at.textContent = clock(alert.at_s);
  title.textContent = words.alerts[alert.kind] ?? alert.kind;
  evidence.className = "evidence";
  const ended = alert.ended_s === null ? "" : ` ${t("Ended at {time}.", { time: clock(alert.ended_s) })}`;
  evidence.textContent = `${alert.evidence}.${ended}`;
  element.append(at, " ", title, " ", evidence);
  element.dataset.ended = String(alert.ended_s !== null);
  if (tag === "span" && FROM_FACES.has(alert.kind) && alert.ended_s === null) element.append(askButton());
  return element;
}

// The button of the word card does the asking, so that there is one way to ask.
function askButton() {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "ask-about";
  button.textContent = t("Ask the class whether it is so");
  button.addEventListener("click", () => byId("ask").click());
  return button;
}
