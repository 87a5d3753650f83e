// The live page of a class. The stream tells what is new; after a break the page reads what it missed.
import { readCheckIns } from "./check_ins.js";
import { call, clock } from "./common.js";
import { offerLeavingOut } from "./leave_out.js";
import { isOver, lookBack, showAlerts, showIndicator } from "./word.js";

const page = document.getElementById("class");
const words = JSON.parse(page.dataset.words);
const api = `/api/classes/${encodeURIComponent(page.dataset.classId)}`;
const byId = (id) => document.getElementById(id);
const RETRY_MS = 3000;

const windows = new Map(); // start_s -> window
let taps = []; // pulses newer than the last window
let ended = words.finals.includes(byId("state").dataset.state);

function text(id, value) {
  const element = byId(id);
  if (element.textContent !== value) element.textContent = value;
}

// --- what is shown ---

function showState(info) {
  if (ended && !words.finals.includes(info.state)) return; // an answer older than the end
  text("state", words.states[info.state] ?? info.state);
  byId("state").dataset.state = info.state;
  text("reason", info.reason);
  showAge();
  ended = words.finals.includes(info.state);
  byId("after").hidden = !ended;
  byId("marker-form").hidden = ended;
  byId("leave-out").hidden = ended;
  byId("running-actions").hidden = ended;
  byId("invite").hidden = ended || !info.student_url;
  if (info.student_url) {
    byId("student-link").href = info.student_url;
    text("student-link", info.student_url);
  }
  if (ended) {
    putInThePast();
    stream?.close();
    byId("end-dialog").close();
    showConnection("ended", "class over");
  }
}

function putInThePast() {
  if (isOver()) return; // as the server made the page
  lookBack();
  for (const element of document.querySelectorAll("[data-over]")) element.textContent = element.dataset.over;
  showWindow();
}

function showConnection(state, said) {
  byId("connection").dataset.state = state;
  showAge();
  text("connection", said);
}

/** Whether the word stands for a moment that has passed: this page has lost the server, or the server the room. */
function showAge() {
  const stale = byId("connection").dataset.state === "lost" || byId("state").dataset.state === "reconnecting";
  document.body.classList.toggle("stale", stale);
}

function newest() {
  let last = null;
  for (const window of windows.values()) if (!last || window.start_s > last.start_s) last = window;
  return last;
}

function showWindow() {
  const last = newest();
  if (!last) return;
  const coverage = covered(last);
  text("coverage", coverage);
  text("coverage-bar", `${coverage}.`);
  text("as-of", `at ${clock(last.start_s + last.length_s)}`);
  showShares(last);
  showReasons(last);
  showPulses();
}

function covered(last) {
  if (!last.participants || page.dataset.faces === "no") return `${last.participants} present`;
  return `${last.analysed} of ${last.participants} ${last.participants === 1 ? "face" : "faces"} seen`;
}

function showShares(last) {
  const shares = last.suppressed ? null : last.expressions;
  for (const id of ["shares", "facing"]) byId(id).classList.toggle("withheld", !shares);
  for (const row of byId("shares").children) showShare(row, shares ? shares[row.dataset.emotion] : null);
  showShare(byId("facing"), shares ? last.facing : null);
  const few = last.analysed < Number(page.dataset.minGroup);
  const withheld = !last.participants
    ? "Nobody was present in this window."
    : few
    ? `Withheld: fewer than ${page.dataset.minGroup} faces were analysed in this window.`
    : "Withheld: beside an earlier window this one would give a single student away.";
  const turned = last.facing === null
    ? "Turned to the screen: too few faces large enough to tell."
    : "Turned is where heads point: no measure of attention.";
  text("shares-note", shares ? `Mean shares over the faces analysed. ${turned}` : withheld);
}

function showShare(row, share) {
  row.dataset.share = share === null ? "" : String(share);
  row.querySelector(".fill").setAttribute("width", share === null ? "0" : (100 * share).toFixed(1));
  row.querySelector(".share").textContent = share === null ? "–" : `${Math.round(100 * share)}\u00a0%`;
}

function showReasons(last) {
  const found = Object.entries(last.not_analysed).filter(([, count]) => count > 0);
  const rows = found.map(([reason, count]) => {
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
    const tense = isOver() ? "was" : "is";
    row.textContent = last.participants ? `Everyone present ${tense} analysed.` : `Nobody ${tense} present.`;
    rows.push(row);
  }
  byId("not-analysed").replaceChildren(...rows);
  text("why", found.map(([reason, count]) => `${count} ${words.reasons[reason] ?? reason}`).join(", "));
}

function showPulses() {
  for (const cell of byId("pulses").querySelectorAll("dd")) {
    const kind = cell.dataset.pulse;
    let total = taps.filter((tap) => tap.kind === kind).length;
    for (const window of windows.values()) total += window.pulses[kind] ?? 0;
    cell.textContent = String(total);
  }
}

function showMarkers(markers) {
  const rows = markers.map((marker) => {
    const row = document.createElement("li");
    const at = document.createElement("time");
    const label = document.createElement("bdi"); // a label in Arabic leaves the time where it is
    at.textContent = clock(marker.at_s);
    label.textContent = marker.label;
    row.append(at, label);
    return row;
  });
  byId("markers").replaceChildren(...rows);
}

// --- the timeline: drawn by the server, one drawing under way and at most one waiting ---

let drawing = false;
let drawAgain = false;

async function draw() {
  if (drawing) {
    drawAgain = true;
    return;
  }
  const box = byId("timeline");
  if (!box.clientWidth) return; // hidden in the small window and in quiet mode
  drawing = true;
  try {
    // Drawn for a root font of 16 pixels and scaled with the page, so that its letters grow with the others.
    const width = Math.floor((box.clientWidth * 16) / parseFloat(getComputedStyle(document.documentElement).fontSize));
    const path = `/classes/${encodeURIComponent(page.dataset.classId)}/timeline.svg?width=${width}`;
    const answer = await fetch(path);
    if (answer.ok) {
      const drawn = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
      if (drawn.localName === "svg") box.replaceChildren(document.importNode(drawn, true));
    }
  } catch {
    setTimeout(draw, RETRY_MS); // the server is away
  }
  drawing = false;
  if (drawAgain) {
    drawAgain = false;
    draw();
  }
}

let drawnWidth = byId("timeline").clientWidth;
let resizing;
new ResizeObserver(() => {
  const width = byId("timeline").clientWidth;
  if (width === drawnWidth) return;
  drawnWidth = width;
  clearTimeout(resizing);
  resizing = setTimeout(draw, 150);
}).observe(byId("timeline"));

// --- reading and following ---

function addWindow(window) {
  windows.set(window.start_s, window);
  const end = window.start_s + window.length_s;
  taps = taps.filter((tap) => tap.at_s >= end);
}

/** Read what the stream may have left out, from the newest window on. */
async function catchUp() {
  draw(); // at the same time: it waits for nothing of this
  const last = newest();
  const [info, missed, markers, indicators] = await Promise.all([
    call("GET", api),
    call("GET", `${api}/windows?since_s=${last ? last.start_s : 0}`),
    call("GET", `${api}/markers`),
    call("GET", `${api}/indicators`),
    readCheckIns(api),
  ]);
  missed.forEach(addWindow);
  showMarkers(markers);
  showIndicator(indicators.now);
  showAlerts(indicators.alerts);
  showWindow();
  showState(info);
}

function follow(handler) {
  return (event) => handler(JSON.parse(event.data));
}

let stream = null;
function connect() {
  if (ended) return;
  stream = new EventSource(`${api}/live`);
  stream.addEventListener("open", () => {
    showConnection("open", "connected");
    byId("failed").textContent = ""; // what failed while the server was away
    // Only now, so that nothing falls between what is read and what is followed.
    catchUp().catch(() => {});
  });
  stream.addEventListener("error", () => {
    if (ended) return;
    showConnection("lost", "connection lost, trying again…");
    if (stream.readyState === EventSource.CLOSED) setTimeout(reconnect, RETRY_MS);
  });
  stream.addEventListener("state", follow((info) => {
    showState(info);
    if (ended) catchUp().catch(() => {});
  }));
  stream.addEventListener("summary", follow((window) => {
    addWindow(window);
    showWindow();
    draw();
  }));
  stream.addEventListener("indicator", follow(showIndicator));
  stream.addEventListener("alert", follow((alert) => showAlerts([alert])));
  stream.addEventListener("pulse", follow((pulse) => {
    taps.push(pulse);
    showPulses();
  }));
  stream.addEventListener("marker", follow(() => catchUp().catch(() => {})));
  stream.addEventListener("check_in", () => readCheckIns(api).catch(() => {}));
  stream.addEventListener("resync", () => catchUp().catch(() => {}));
}

/** After an answer that was no stream: only worth another try while the class is there and we may see it. */
async function reconnect() {
  try {
    await catchUp();
    connect();
  } catch (refused) {
    if (refused.status === 401) showConnection("lost", "signed out: open the host link again");
    else if (refused.status === 404) showConnection("lost", "this class is gone");
    else setTimeout(reconnect, RETRY_MS);
  }
}

// --- what the host can do ---

async function act(button, work) {
  byId("failed").textContent = "";
  button.disabled = true;
  try {
    await work();
  } catch (refused) {
    byId("failed").textContent = `That did not work: ${refused.message}.`;
  } finally {
    button.disabled = false;
  }
}

function confirmed(dialog, button, work) {
  button.addEventListener("click", () => {
    dialog.returnValue = "no";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") act(button, work);
  });
}

confirmed(byId("end-dialog"), byId("end-class"), async () => {
  showState(await call("POST", `${api}/end`));
  byId("report-link").focus(); // the button is gone, and the focus with it
  await catchUp();
});
confirmed(byId("delete-dialog"), byId("delete-class"), async () => {
  await call("DELETE", api).catch((refused) => {
    if (refused.status !== 404) throw refused; // deleted in another window
  });
  location.assign("/");
});

byId("marker-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("marker-label");
  act(byId("add-marker"), async () => {
    const marker = await call("POST", `${api}/markers`, { label: input.value.trim() || "Marker" });
    input.value = "";
    text("marker-said", `Marked at ${clock(marker.at_s)}: ${marker.label}`);
  });
});

offerLeavingOut(api);

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "m" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, textarea, select, dialog") || byId("marker-form").hidden) return;
  event.preventDefault();
  byId("marker-label").focus();
});

byId("copy-link").addEventListener("click", async () => {
  const link = byId("student-link");
  try {
    await navigator.clipboard.writeText(link.href);
    text("copied", "copied");
  } catch {
    // No clipboard without HTTPS: leave it selected for Ctrl+C.
    getSelection().selectAllChildren(link);
    text("copied", "selected: copy it with Ctrl+C");
  }
});

if (ended) {
  showConnection("ended", "class over");
  catchUp().catch((refused) => {
    byId("failed").textContent = `The class could not be read: ${refused.message}.`;
  });
} else {
  connect();
}
