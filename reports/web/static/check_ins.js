// Individual check-ins of the students who agreed to them. Closed until the host opens the list: screens are shared.
import { call, clock } from "./common.js";

const byId = (id) => document.getElementById(id);

function row(checkIn) {
  const made = document.createElement("li");
  const name = document.createElement("strong");
  const why = document.createElement("span");
  const say = document.createElement("q");
  name.textContent = checkIn.name ?? "A student without a name";
  name.dir = "auto";
  why.textContent = `${checkIn.reason}, at ${clock(checkIn.at_s)}`;
  say.textContent = checkIn.say;
  made.append(name, " ", why, " ", say);
  return made;
}

/** Read the check-ins and show them, if there are any. */
export async function readCheckIns(api) {
  const found = await call("GET", `${api}/check-ins`);
  byId("check-ins-title").textContent = `May need a word (${found.length})`;
  byId("check-in-list").replaceChildren(...found.map(row));
  byId("check-ins").hidden = found.length === 0;
  byId("to-check-ins").hidden = found.length === 0;
  byId("to-check-ins").textContent = `${found.length} may need a word`;
}

byId("to-check-ins").addEventListener("click", (event) => {
  event.preventDefault(); // following the link would take the focus away again
  byId("check-ins").open = true;
  byId("check-ins-title").focus();
});
