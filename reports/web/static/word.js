// The word about the class, with its arrow, meaning and sureness.
import { byId, page, words } from "./page.js";

const ARROWS = { up: "M5 19 19 5M8 5h11v11", down: "M5 5l14 14M8 19h11V8", level: "M3 12h17m-6-6 6 6-6 6" };
const SOURCES = { settling: "Baseline:", unseen: "Faces:" };
const FEW_TAPS = { source: "Taps:", word: "Few", meaning: "Too few taps for a word; faces are not analysed." };
const NOBODY = { source: "In the room:", word: "Nobody", meaning: "Nobody is here now." };
const NOBODY_YET = { ...NOBODY, meaning: "Give the student link to your class." };
const TOO_SHORT = { source: "For a word, the class was", word: "Too short" };

let shown = null; // the indicator on the page
let hadParticipants = false; // whether anybody was present since this page was opened

/** Whether the page speaks of a class that is over: in the past tense, and without advice. */
export const isOver = () => document.body.classList.contains("over");

/** Put the word into the past tense when the class ends. */
export function lookBack() {
  if (isOver()) return;
  document.body.classList.add("over");
  if (shown) return render(shown);
  byId("word").textContent = "Nothing"; // as the server renders a class without windows
  byId("coverage").textContent = "was seen";
}

/** Show an indicator, unless the page already shows a newer one. */
export function showIndicator(indicator) {
  if (!indicator || (shown && indicator.at_s < shown.at_s)) return;
  shown = indicator;
  hadParticipants ||= indicator.participants > 0;
  render(indicator);
}

function render(indicator) {
  const line = byId("word-line");
  line.dataset.word = indicator.word;
  line.dataset.arrow = indicator.arrow;
  line.dataset.sure = indicator.sure;
  const { source, word, meaning } = phrase(indicator);
  byId("word-source").textContent = source;
  byId("word").textContent = word;
  byId("word-meaning").textContent = meaning;
  byId("arrow").firstElementChild.setAttribute("d", ARROWS[indicator.arrow]);
  byId("arrow").setAttribute("aria-label", indicator.arrow);
  byId("arrow").classList.toggle("none", indicator.from_pulses || indicator.word in SOURCES);
  byId("sure").textContent = indicator.word in SOURCES ? "" : words.sure[indicator.sure];
  // Settling and unseen need no detail: their meaning is enough.
  const detail = indicator.word in SOURCES || isOver() ? "" : indicator.detail;
  byId("word-detail").textContent = detail ? `${detail[0].toUpperCase()}${detail.slice(1)}.` : "";
  byId("disagreement").textContent = isOver() ? "" : indicator.disagreement;
}

/** What the page says for an indicator: where the word comes from, the word, and what it means. */
function phrase({ word, participants, from_pulses }) {
  const over = isOver();
  const text = {
    source: sourceOf(word, from_pulses, over),
    word: words.words[word] ?? word,
    meaning: words.meanings[word] ?? "",
  };
  if (word === "unseen" && !participants) {
    Object.assign(text, hadParticipants || byId("invite").hidden ? NOBODY : NOBODY_YET);
  } else if (word === "unseen" && page.dataset.faces === "no") Object.assign(text, FEW_TAPS);
  else if (word === "settling" && over) Object.assign(text, TOO_SHORT);
  return over ? { ...text, meaning: "" } : text;
}

function sourceOf(word, fromPulses, over) {
  if (fromPulses) return over ? "At the end, students said" : "Students say";
  return SOURCES[word] ?? (over ? "At the end, faces looked" : "Faces look");
}
