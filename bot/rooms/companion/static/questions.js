// The teacher's questions: the page waits for one, shows it with large buttons, and sends the answer.
import { el, page, send, token } from "./page.js";
import { t } from "./texts.js";

const WAIT_MS = 30_000; // the server answers within 20 seconds
const RETRY_MS = 2000;
const ANSWERS = { with_me: t("With me"), lost: t("Lost"), too_fast: t("Too fast"), too_slow: t("Too slow") };

let shown = null; // the question on the page
let waiting = 0; // number of the latest loop; older loops stop
let closing = 0; // timer that hides the question

/** Wait for questions until the student leaves; ``onStatus`` handles the statuses of the class. */
export async function waitForQuestions(onStatus) {
  const loop = ++waiting;
  while (loop === waiting && page.state === "live") {
    try {
      const { status, answer } = await send("/wait", { token: token(), known: shown?.id ?? "" }, "POST", WAIT_MS);
      if (loop !== waiting) return;
      if (status === 200) showQuestion(answer.question);
      else if (onStatus(status)) return;
      else await pause();
    } catch {
      await pause(); // the report notices a lost network
    }
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, RETRY_MS));

/** Stop waiting, and hide the question. */
export function stopQuestions() {
  waiting += 1;
  showQuestion(null);
}

function showQuestion(question) {
  clearTimeout(closing);
  shown = question;
  el("question").hidden = !question;
  if (!question) return;
  closing = setTimeout(() => { el("question").hidden = true; }, 1000 * question.closes_in_s);
  el("question-title").textContent = question.question || t("Are you with me?");
  el("answer-note").textContent = t("The teacher sees how many gave each answer, not who.");
  el("answers").replaceChildren(...question.answers.map((answer) => answerButton(question, answer)));
  chime();
}

function answerButton(question, answer) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.answer = answer;
  button.dir = "auto";
  button.textContent = question.question ? answer : (ANSWERS[answer] ?? answer);
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => sendAnswer(question, button));
  return button;
}

async function sendAnswer(question, button) {
  const note = el("answer-note");
  try {
    const fields = { token: token(), ask_id: question.id, answer: button.dataset.answer };
    const { status } = await send("/answer", fields);
    if (shown !== question) return;
    if (status === 422) note.textContent = t("Too late: the question is closed.");
    else if (status !== 200) note.textContent = t("That did not work: try again.");
    else {
      for (const other of el("answers").children) other.setAttribute("aria-pressed", String(other === button));
      note.textContent = t("Sent: {answer}. You can still change it.", { answer: button.textContent });
    }
  } catch {
    note.textContent = t("Not sent: there was no connection. Tap again.");
  }
}

let audio = null;

// Browsers play sound only after a tap on the page, so the tick makes the first sound itself.
function chime() {
  if (!el("sound").checked || typeof AudioContext !== "function") return;
  audio ??= new AudioContext();
  audio.resume();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = 660;
  volume.gain.setValueAtTime(0.08, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.6);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.6);
}

el("sound").addEventListener("change", chime);
