// Check-ins of students who agreed to them. The list is closed at first, because hosts share their screens.
import { call, clock } from "./common.js";
import { api, byId, t } from "./page.js";

function row(checkIn) {
  const element = document.createElement("li");
  const name = document.createElement("strong");
  const reason = document.createElement("span");
  const phrase = document.createElement("q"); // a suggested opening question
  name.textContent = checkIn.name ?? t("A student without a name");
  name.dir = "auto";
  reason.textContent = t("{reason}, at {time}", { reason: checkIn.reason, time: clock(checkIn.at_s) });
  phrase.textContent = checkIn.say;
  element.append(name, " ", reason, " ", phrase);
  return element;
}

/** Load the check-ins; show the list if there are any. */
export async function readCheckIns() {
  const checkIns = await call("GET", `${api}/check-ins`);
  byId("check-ins-title").textContent = t("May need a word ({count})", { count: checkIns.length });
  byId("check-in-list").replaceChildren(...checkIns.map(row));
  byId("check-ins").hidden = checkIns.length === 0;
  byId("to-check-ins").hidden = checkIns.length === 0;
  byId("to-check-ins").textContent = t("{count} may need a word", { count: checkIns.length });
}

byId("to-check-ins").addEventListener("click", (event) => {
  event.preventDefault(); // the link alone would neither open the list nor focus its title
  byId("check-ins").open = true;
  byId("check-ins-title").focus();
});
