// The windows of the class. Shows coverage, shares, reasons and what students say, all of the newest one.
import { clock } from "./common.js";
import { byId, page, setText, t, words } from "./page.js";
import { isOver } from "./word.js";

const windows = new Map(); // start_s -> window

export function addWindow(window) {
  windows.set(window.start_s, window);
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
  setText("as-of", t("at {time}", { time: clock(window.start_s + window.length_s) }));
  showShares(window);
  showReasons(window);
  showVotes(window);
}

function coverageText({ analysed, participants }) {
  if (!participants || page.dataset.faces === "no") {
    return t("{count} present", { count: participants });
  }
  const seen = participants === 1 ? t("{analysed} of 1 face seen", { analysed })
    : t("{analysed} of {participants} faces seen", { analysed, participants });
  return seen;
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
    ? t("Turned to the screen: unknown, because some faces were too small.")
    : t("Turned to the screen: where heads point, not a measure of attention.");
  const minimum = Number(page.dataset.minGroup);
  const average = minimum > 1
    ? t("Average over {count} students in fixed groups of at least {minimum}.", { count: window.shown, minimum })
    : t("Average over the faces analysed: {count}.", { count: window.shown });
  return `${average} ${facing}`;
}

function withheldNote(window) {
  if (!window.participants) return t("Nobody was present.");
  const minimum = Number(page.dataset.minGroup);
  if (window.analysed < minimum) return t("Not shown: fewer than {minimum} faces were analysed.", { minimum });
  const shownBefore = [...windows.values()].some((other) => !other.suppressed);
  return shownBefore
    ? t("Not shown: figures are averages over fixed groups, and in each group a face is missing or somebody left.")
    : t("Not shown yet: the first groups of {minimum} students are formed a minute or so after they join.", { minimum });
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
    const [everyone, nobody] = isOver()
      ? [t("Everyone present was analysed."), t("Nobody was present.")]
      : [t("Everyone present is analysed."), t("Nobody is present.")];
    row.textContent = window.participants ? everyone : nobody;
    rows.push(row);
  }
  // With few students these cards would stay empty: the word says why.
  const few = window.suppressed && window.participants < Number(page.dataset.minGroup);
  document.body.classList.toggle("few", few);
  byId("not-analysed").replaceChildren(...rows);
  setText("why", reasons.map(([reason, count]) => `${count} ${words.reasons[reason] ?? reason}`).join(", "));
}

// Votes of the newest window: who said something within the last minute, and who has said nothing.
function showVotes(window) {
  const said = Object.values(window.voices).reduce((sum, count) => sum + count, 0);
  const counts = { ...window.voices, silent: Math.max(0, window.participants - said) };
  for (const cell of byId("pulses").querySelectorAll("dd")) {
    cell.textContent = String(counts[cell.dataset.pulse] ?? 0);
    cell.parentElement.classList.toggle("some", counts[cell.dataset.pulse] > 0);
  }
}
