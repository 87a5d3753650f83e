// The state of the class and of the connection. When the class ends, the texts switch to the past tense.
import { showFigures } from "./figures.js";
import { byId, page, setText, t, words } from "./page.js";
import { isOver, switchWordToPast } from "./word.js";

let ended = words.finals.includes(byId("state").dataset.state);

export const hasEnded = () => ended;

/** Show the state of the class; dispatches "ended" on the page's main element when the class has ended. */
export function showState(info) {
  if (ended && !words.finals.includes(info.state)) return; // a late answer from before the end
  setText("state", words.states[info.state] ?? info.state);
  byId("state").dataset.state = info.state;
  setText("reason", info.reason);
  markStale();
  ended = words.finals.includes(info.state);
  byId("after").hidden = !ended;
  byId("marker-form").hidden = ended;
  byId("leave-out").hidden = ended;
  byId("running-actions").hidden = ended;
  byId("act-row").hidden = ended;
  byId("own-question").hidden = ended;
  byId("invite").hidden = ended || !info.student_url;
  if (info.student_url) {
    byId("student-link").href = info.student_url;
    setText("student-link", info.student_url);
  }
  if (ended) {
    switchPageToPast();
    byId("end-dialog").close();
    showConnection("ended", t("class over"));
    page.dispatchEvent(new Event("ended"));
  }
}

export function showConnection(state, text) {
  byId("connection").dataset.state = state;
  markStale();
  setText("connection", text);
}

function switchPageToPast() {
  if (isOver()) return; // the server rendered the page in the past tense
  switchWordToPast();
  for (const element of document.querySelectorAll("[data-over]")) element.textContent = element.dataset.over;
  showFigures();
}

/** Grey out the word while it may be out of date: when the page or the server has lost its connection. */
function markStale() {
  const stale = byId("connection").dataset.state === "lost" || byId("state").dataset.state === "reconnecting";
  document.body.classList.toggle("stale", stale);
}
