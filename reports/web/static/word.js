// The indicator: the word about the class, with its level, arrow, meaning, age and sureness.
import { clock } from "./common.js";
import { byId, page, setText, t, words } from "./page.js";

const ARROWS = { up: "M5 19 19 5M8 5h11v11", down: "M5 5l14 14M8 19h11V8", level: "M3 12h17m-6-6 6 6-6 6" };
// A circle, a triangle and an octagon: the level shows by its shape as well as by its colour.
const SHAPES = {
  none: "M12 6a6 6 0 1 0 0 12 6 6 0 0 0 0-12z",
  calm: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z",
  caution: "M12 2 23 21H1z",
  act: "M8 1h8l7 7v8l-7 7H8l-7-7V8z",
};
const LEVELS = { none: "", calm: t("calm"), caution: t("caution"), act: t("act") };
const DIRECTIONS = { up: t("up"), down: t("down"), level: t("level") };
const SOURCES = { settling: t("Baseline:"), unseen: t("Faces:") };
const FEW_TAPS = {
  source: t("Students:"), word: t("Silent"), meaning: t("Nobody has said anything lately. Ask the class, or go on."),
};
const NOBODY = { source: t("In the room:"), word: t("Nobody"), meaning: t("Nobody is here now.") };
const NOBODY_YET = { ...NOBODY, meaning: t("Give the student link to your class.") };
const TOO_SHORT = { source: t("No word: the class was"), word: t("Too short") };
const title = document.title;

let shown = null; // the indicator on the page
let hadParticipants = !byId("invite").open; // whether anybody has been present in this class

/** Whether the class has ended, so that the texts are in the past tense and give no advice. */
export const isOver = () => document.body.classList.contains("over");

/** Switch the word to the past tense when the class ends. */
export function switchWordToPast() {
  if (isOver()) return;
  document.body.classList.add("over");
  if (shown) return render(shown);
  byId("word").textContent = t("Nothing"); // as the server renders a class without windows
  byId("coverage").textContent = t("was seen");
}

/** Show an indicator, unless a newer one is already shown; dispatches "level" when the level changes. */
export function showIndicator(indicator) {
  if (!indicator || (shown && indicator.at_s < shown.at_s)) return;
  const before = shown?.level;
  shown = indicator;
  foldInvitation(indicator.participants);
  render(indicator);
  if (before !== indicator.level) page.dispatchEvent(new CustomEvent("level", { detail: { before, now: indicator.level } }));
}

// The student link is needed until somebody has joined; the host can open it again.
function foldInvitation(participants) {
  if (participants > 0 && !hadParticipants) byId("invite").open = false;
  hadParticipants ||= participants > 0;
}

function render(indicator) {
  const over = isOver();
  const line = byId("word-line");
  line.dataset.word = indicator.word;
  line.dataset.arrow = indicator.arrow;
  line.dataset.sure = indicator.sure;
  const level = over ? "none" : indicator.level;
  byId("now").dataset.level = level;
  byId("level").firstElementChild.setAttribute("d", SHAPES[level]);
  setText("level-word", LEVELS[level]);
  const { source, word, meaning } = phrase(indicator);
  byId("word-source").textContent = source;
  byId("word").textContent = word;
  byId("word-meaning").textContent = meaning;
  byId("arrow").firstElementChild.setAttribute("d", ARROWS[indicator.arrow]);
  byId("arrow").setAttribute("aria-label", DIRECTIONS[indicator.arrow]);
  byId("arrow").classList.toggle("none", indicator.from_pulses || indicator.word in SOURCES);
  byId("sure").textContent = indicator.word in SOURCES || indicator.from_pulses ? "" : words.sure[indicator.sure];
  setText("since", over ? "" : t("since {time}", { time: clock(indicator.since_s) }));
  // For settling and unseen, the meaning already says everything.
  const detail = indicator.word in SOURCES || over ? "" : indicator.detail;
  byId("word-detail").textContent = detail ? `${detail[0].toUpperCase()}${detail.slice(1)}.` : "";
  byId("disagreement").textContent = over ? "" : indicator.disagreement;
  document.title = level === "act" ? `● ${word} · ${title}` : title;
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
  if (fromPulses) return over ? t("At the end, students said") : t("Students say");
  return SOURCES[word] ?? (over ? t("At the end, faces looked") : t("Faces look"));
}
