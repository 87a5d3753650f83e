// The windows of the class. Shows coverage, shares and reasons of the newest one, and the pulses of all.
import { clock } from "./common.js";
import { byId, page, setText, words } from "./page.js";
import { isOver } from "./word.js";

const windows = new Map(); // start_s -> window
let newTaps = []; // pulses since the newest window, which no window counts yet

export function addWindow(window) {
  windows.set(window.start_s, window);
  const end = window.start_s + window.length_s;
  newTaps = newTaps.filter((tap) => tap.at_s >= end);
}

export function addTap(pulse) {
  newTaps.push(pulse);
  showPulses();
}

/** The newest window; null before the first one. */
export function newestWindow() {
  let newest = null;
  for (const window of windows.values()) if (!newest || window.start_s > newest.start_s) newest = window;
  return newest;
}

/** Show the figures of the newest window, if there is one. */
export function showFigures() {
  const window = newestWindow();
  if (!window) return;
  const coverage = coverageText(window);
  setText("coverage", coverage);
  setText("coverage-bar", `${coverage}.`);
  setText("as-of", `at ${clock(window.start_s + window.length_s)}`);
  showShares(window);
  showReasons(window);
  showPulses();
}

function coverageText({ analysed, participants }) {
  if (!participants || page.dataset.faces === "no") return `${participants} present`;
  return `${analysed} of ${participants} ${participants === 1 ? "face" : "faces"} seen`;
}

function showShares(window) {
  const shares = window.suppressed ? null : window.expressions;
  for (const id of ["shares", "facing"]) byId(id).classList.toggle("withheld", !shares);
  for (const row of byId("shares").children) showShare(row, shares ? shares[row.dataset.emotion] : null);
  showShare(byId("facing"), shares ? window.facing : null);
  setText("shares-note", shares ? sharesNote(window) : withheldNote(window));
}

function showShare(row, share) {
  row.dataset.share = share === null ? "" : String(share);
  row.querySelector(".fill").setAttribute("width", share === null ? "0" : (100 * share).toFixed(1));
  row.querySelector(".share").textContent = share === null ? "–" : `${Math.round(100 * share)}\u00a0%`;
}

function sharesNote(window) {
  const facing = window.facing === null
    ? "Turned to the screen: unknown, because some faces were too small."
    : "Turned to the screen: where heads point, not a measure of attention.";
  const minimum = Number(page.dataset.minGroup);
  const students = window.shown === 1 ? "1 student" : `${window.shown} students`;
  const groups = minimum > 1 ? ` in fixed groups of at least ${minimum}` : "";
  return `Average over ${students}${groups}. ${facing}`;
}

function withheldNote(window) {
  if (!window.participants) return "Nobody was present.";
  const minimum = Number(page.dataset.minGroup);
  if (window.analysed < minimum) return `Not shown: fewer than ${minimum} faces were analysed.`;
  const shownBefore = [...windows.values()].some((other) => !other.suppressed);
  return shownBefore
    ? "Not shown: figures are averages over fixed groups, and in each group a face is missing or somebody left."
    : `Not shown yet: the first groups of ${minimum} students are formed a minute or so after they join.`;
}

function showReasons(window) {
  const reasons = Object.entries(window.not_analysed).filter(([, count]) => count > 0);
  const rows = reasons.map(([reason, count]) => {
    const row = document.createElement("li");
    const number = document.createElement("b");
    row.dataset.reason = reason;
    row.dataset.count = String(count);
    number.textContent = String(count);
    row.append(number, ` ${words.reasons[reason] ?? reason}`);
    return row;
  });
  if (!rows.length) {
    const row = document.createElement("li");
    row.className = "none";
    const verb = isOver() ? "was" : "is";
    row.textContent = window.participants ? `Everyone present ${verb} analysed.` : `Nobody ${verb} present.`;
    rows.push(row);
  }
  byId("not-analysed").replaceChildren(...rows);
  setText("why", reasons.map(([reason, count]) => `${count} ${words.reasons[reason] ?? reason}`).join(", "));
}

function showPulses() {
  for (const cell of byId("pulses").querySelectorAll("dd")) {
    const kind = cell.dataset.pulse;
    let total = newTaps.filter((tap) => tap.kind === kind).length;
    for (const window of windows.values()) total += window.pulses[kind] ?? 0;
    cell.textContent = String(total);
  }
}
