// The indicator: the word about the class, with its arrow, meaning and sureness.
import { byId, page, words } from "./page.js";

const ARROWS = { up: "M5 19 19 5M8 5h11v11", down: "M5 5l14 14M8 19h11V8", level: "M3 12h17m-6-6 6 6-6 6" };
const SOURCES = { settling: "Baseline:", unseen: "Faces:" };
const FEW_TAPS = { source: "Taps:", word: "Few", meaning: "Too few taps for a word; faces are not analysed." };
const NOBODY = { source: "In the room:", word: "Nobody", meaning: "Nobody is here now." };
const NOBODY_YET = { ...NOBODY, meaning: "Give the student link to your class." };
const TOO_SHORT = { source: "No word: the class was", word: "Too short" };

let shown = null; // the indicator on the page
let hadParticipants = false; // whether anybody has been present since the page was opened

/** Whether the class has ended, so that the texts are in the past tense and give no advice. */
export const isOver = () => document.body.classList.contains("over");

/** Switch the word to the past tense when the class ends. */
export function switchWordToPast() {
  if (isOver()) return;
  document.body.classList.add("over");
  if (shown) return render(shown);
  byId("word").textContent = "Nothing"; // as the server renders a class without windows
  byId("coverage").textContent = "was seen";
}

/** Show an indicator, unless a newer one is already shown. */
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
  // For settling and unseen, the meaning already says everything.
  const detail = indicator.word in SOURCES || isOver() ? "" : indicator.detail;
  byId("word-detail").textContent = detail ? `${detail[0].toUpperCase()}${detail.slice(1)}.` : "";
  byId("disagreement").textContent = isOver() ? "" : indicator.disagreement;
}

/** The texts for an indicator: where the word comes from, the word, and what it means. */
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
