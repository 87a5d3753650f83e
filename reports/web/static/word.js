// The one word, its arrow, the alerts; quiet mode and the small window. live.js hands the data on.
import { clock } from "./common.js";

const page = document.getElementById("class");
const words = JSON.parse(page.dataset.words);
const byId = (id) => document.getElementById(id);

const ARROWS = { up: "M5 19 19 5M8 5h11v11", down: "M5 5l14 14M8 19h11V8", level: "M3 12h17m-6-6 6 6-6 6" };
const SOURCES = { settling: "Baseline:", unseen: "Faces:" };
const TAPS_ONLY = { source: "Taps:", word: "Few", meaning: "Too few taps for a word; no face is looked at." };
const NOBODY = { source: "In the room:", word: "Nobody", meaning: "Nobody is here now." };
const NOBODY_YET = { ...NOBODY, meaning: "Give the student link to your class." };
const TOO_SHORT = { source: "For a word:", word: "Too short" };
const QUIET_KEY = "classmood-quiet";

let shown = null; // the indicator on the page
let met = false; // whether this page has seen anybody present
const alerts = new Map(); // at_s -> alert

/** Whether the class is over: its word is then one of the past, and advice is too late. */
export const isOver = () => document.body.classList.contains("over");

/** Say it as of a class that is over. */
export function lookBack() {
  if (isOver()) return;
  document.body.classList.add("over");
  if (shown) return say(shown);
  byId("word").textContent = "Nothing"; // as the server makes the page of a class without a window
  byId("coverage").textContent = "was seen";
}

/** Show an indicator, unless a newer one is on the page already. */
export function showIndicator(now) {
  if (!now || (shown && now.at_s < shown.at_s)) return;
  shown = now;
  met ||= now.participants > 0;
  say(now);
}

function say(now) {
  const line = byId("word-line");
  line.dataset.word = now.word;
  line.dataset.arrow = now.arrow;
  line.dataset.sure = now.sure;
  const said = saying(now);
  byId("word-source").textContent = said.source;
  byId("word").textContent = said.word;
  byId("word-meaning").textContent = said.meaning;
  byId("arrow").firstElementChild.setAttribute("d", ARROWS[now.arrow]);
  byId("arrow").setAttribute("aria-label", now.arrow);
  byId("arrow").classList.toggle("none", now.from_pulses || now.word in SOURCES);
  byId("sure").textContent = now.word in SOURCES ? "" : words.sure[now.sure];
  const detail = now.word in SOURCES || isOver() ? "" : now.detail; // for the former the meaning says it all
  byId("word-detail").textContent = detail ? `${detail[0].toUpperCase()}${detail.slice(1)}.` : "";
  byId("disagreement").textContent = isOver() ? "" : now.disagreement;
}

function saying(now) {
  const over = isOver();
  const said = { source: sourceOf(now, over), word: words.words[now.word] ?? now.word, meaning: words.meanings[now.word] ?? "" };
  if (now.word === "unseen" && !now.participants) Object.assign(said, met || byId("invite").hidden ? NOBODY : NOBODY_YET);
  else if (now.word === "unseen" && page.dataset.faces === "no") Object.assign(said, TAPS_ONLY);
  else if (now.word === "settling" && over) Object.assign(said, TOO_SHORT);
  return over ? { ...said, meaning: "" } : said;
}

function sourceOf(now, over) {
  if (now.from_pulses) return over ? "At the end, students said" : "Students say";
  return SOURCES[now.word] ?? (over ? "At the end, faces looked" : "Faces look");
}

function row(alert, tag) {
  const made = document.createElement(tag);
  const at = document.createElement("time");
  const what = document.createElement("strong");
  const why = document.createElement("span");
  at.textContent = clock(alert.at_s);
  what.textContent = words.alerts[alert.kind] ?? alert.kind;
  why.className = "evidence";
  why.textContent = `${alert.evidence}.`;
  made.append(at, " ", what, " ", why);
  return made;
}

/** Show alerts; those on the page already stay as they are. */
export function showAlerts(found) {
  const before = alerts.size;
  for (const alert of found) alerts.set(alert.at_s, alert);
  if (alerts.size === before) return;
  const newestFirst = [...alerts.values()].sort((a, b) => b.at_s - a.at_s);
  byId("newest-alert").replaceChildren(row(newestFirst[0], "span"));
  byId("alerts").replaceChildren(...newestFirst.slice(1).map((alert) => row(alert, "li")));
  byId("earlier-alerts").textContent = `Earlier alerts (${newestFirst.length - 1})`;
}

// --- quiet mode: the word, the coverage and the marker, nothing else ---

function beQuiet(quiet) {
  document.body.classList.toggle("quiet", quiet);
  byId("quiet").setAttribute("aria-pressed", String(quiet));
  try {
    localStorage.setItem(QUIET_KEY, quiet ? "1" : "");
  } catch {
    // A browser that keeps nothing starts loud the next time.
  }
}

function wasQuiet() {
  try {
    return localStorage.getItem(QUIET_KEY) === "1";
  } catch {
    return false;
  }
}

const isQuiet = () => document.body.classList.contains("quiet");
if (wasQuiet()) beQuiet(true);
byId("quiet").addEventListener("click", () => beQuiet(!isQuiet()));
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "q" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (!event.target.closest("input, textarea, select, dialog")) beQuiet(!isQuiet());
});

byId("pop-out")?.addEventListener("click", () => {
  const address = `${location.pathname}?view=small`;
  const opened = window.open(address, `classmood-${page.dataset.classId}`, "popup,width=320,height=660");
  if (!opened) location.assign(address); // pop-ups are blocked: in this window then
});
