// The alerts: the newest one is always visible, the earlier ones are in a closed list.
import { clock } from "./common.js";
import { byId, words } from "./page.js";

const alerts = new Map(); // at_s -> alert

/** Add alerts. The page changes only if one of them is new, so that screen readers announce none twice. */
export function showAlerts(received) {
  const before = alerts.size;
  for (const alert of received) alerts.set(alert.at_s, alert);
  if (alerts.size === before) return;
  const newestFirst = [...alerts.values()].sort((a, b) => b.at_s - a.at_s);
  byId("newest-alert").replaceChildren(row(newestFirst[0], "span"));
  byId("alerts").replaceChildren(...newestFirst.slice(1).map((alert) => row(alert, "li")));
  byId("earlier-alerts").textContent = `Earlier alerts (${newestFirst.length - 1})`;
}

function row(alert, tag) {
  const element = document.createElement(tag);
  const at = document.createElement("time");
  const title = document.createElement("strong");
  const evidence = document.createElement("span");
  at.textContent = clock(alert.at_s);
  title.textContent = words.alerts[alert.kind] ?? alert.kind;
  evidence.className = "evidence";
  evidence.textContent = `${alert.evidence}.`;
  element.append(at, " ", title, " ", evidence);
  return element;
}
