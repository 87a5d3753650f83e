// The student's page: consent, joining and joining again by itself, taps, leaving. Its parts are imported below.
// Nothing is sent before Join; the camera stops whenever the student is out of the class.
import { camera, stopCamera } from "./camera.js";
import { makeOffer, newConnection } from "./connection.js";
import {
  address, el, eraseKept, forgetToken, keepToken, page, say, sayLive, send, sends, show, standingTrouble, token,
} from "./page.js";

const BREAK_MS = 3000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const MANY_FAILURES = 4; // some ten seconds
const OVER_PERHAPS = "The connection broke. Trying again… If the class is over, close this page: that turns your camera off.";
const NO_CONNECTION =
  "the browser could make no connection for it. Turn it on to try again, or open the link in another browser.";
const LEFT_OUT = "You are left out of this class: you are neither looked at nor counted. Your camera is off.";
const LEFT = "You left the class. Your camera is off. You can join again.";
const ELSEWHERE =
  "You are taking part in another tab of this browser. This one has left, and its camera is off. You can join here again.";
const NO_WAY = "no picture gets through from this network. Turn it on to try again, or use another network.";
const MANY_UNREACHED = 3; // some forty seconds
const REPORT_MS = 5000;
const NUMBER_CHARS = 6; // as bot/companion/student.py takes it
const SILENT_OK = new Set(["ended", "erased", "left", "idle"]);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- camera ------------------------------------------------------------------------------------

// The camera came, went or changed while in the class.
async function afterCameraChange() {
  show();
  if (page.state !== "live") return;
  const track = page.stream?.getVideoTracks()[0] ?? null;
  const sender = page.connection?.getSenders()[0];
  if (sender) await sender.replaceTrack(track);
  else if (track) return join(); // joined without a camera: this one needs a connection
  sayLive();
  await report();
}

async function toggleCamera() {
  page.cameraOn = !page.stream;
  page.unreached = 0;
  if (page.cameraOn) await camera(afterCameraChange);
  else stopCamera();
  await afterCameraChange();
}

// ---- talking to the server ---------------------------------------------------------------------

function finish(state, text) {
  page.state = state;
  page.attempt += 1;
  disconnect();
  stopCamera();
  clearInterval(page.reporter);
  if (state === "erased") forgetToken(); // after the class it is still good for being erased
  say(text, "idle");
  show();
}

// Acts on what an answer means for everyone; false if it is an error that the caller must tell of.
function settled(status) {
  if (status === 404) finish("ended", "The class has ended. Your camera is off.");
  else if (status === 410) finish("erased", LEFT_OUT);
  else if (status === 409) join();
  else if (status === 403) {
    forgetToken();
    join();
  } else return status === 200;
  return true;
}

async function report() {
  if (page.state !== "live") return;
  try {
    const on = page.cameraOn && Boolean(page.stream);
    const { status, answer } = await send("/camera", { token: token(), on });
    // The browser takes many seconds to notice that the other end of a connection is gone.
    if (settled(status) && page.connection && answer.receiving === false) comeBack();
  } catch {
    comeBack(); // the network is gone
  }
}

async function pulse(button) {
  const note = el("pulse-note");
  try {
    const { status, answer } = await send("/pulse", { token: token(), kind: button.dataset.kind });
    if (status === 200) note.textContent = `Sent: ${button.textContent}`;
    else if (status === 429) note.textContent = "Not sent: one tap a second. Tap again.";
    else if (!settled(status)) note.textContent = answer.error ?? "That did not work: try again.";
  } catch {
    note.textContent = "Not sent: there was no connection. Tap again.";
    comeBack();
  }
}

// ---- the connection ----------------------------------------------------------------------------

function disconnect() {
  clearTimeout(page.broken);
  page.connection?.close();
  page.connection = null;
}

function watch(connection) {
  connection.addEventListener("connectionstatechange", () => {
    if (connection !== page.connection) return;
    clearTimeout(page.broken);
    const state = connection.connectionState;
    if (state === "connected") {
      page.reached = true;
      page.unreached = 0;
    }
    if (state === "connected" && page.state === "live") sayLive();
    else if (state === "failed" || state === "closed") comeBack();
    else if (state === "disconnected") {
      say("The connection is unsteady…", "waiting");
      page.broken = setTimeout(comeBack, BREAK_MS);
      report();
    }
  });
}

function comeBack() {
  if (page.state !== "live") return;
  page.state = "waiting";
  if (page.connection && !page.reached) page.unreached += 1;
  if (page.unreached >= MANY_UNREACHED) goWithoutCamera(NO_WAY);
  show();
  join();
}

// Join, or join again after a break, until it works or there is nothing more to try.
async function join() {
  const attempt = ++page.attempt;
  const again = page.state === "live" || page.state === "waiting";
  page.state = again ? "waiting" : "joining";
  clearInterval(page.reporter);
  show();
  for (let failures = 0; ; failures += 1) {
    if (failures >= MANY_FAILURES) say(OVER_PERHAPS, "waiting");
    else say(failures || again ? "The connection broke. Trying again…" : "Joining…", "waiting");
    if (failures) await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length) - 1] * (0.75 + Math.random() / 2));
    if (attempt !== page.attempt) return;
    const done = await tryToJoin(attempt);
    if (done || attempt !== page.attempt) return;
  }
}

async function tryToJoin(attempt) {
  disconnect();
  const offer = await prepareOffer();
  if (attempt !== page.attempt) return true;
  const connection = page.connection;
  try {
    const known = token();
    const { status, answer } = await send("/offer", {
      sdp: offer.sdp,
      type: offer.type,
      name: el("name").value.trim() || null,
      consent: el("consent").checked,
      individual: el("individual").checked,
      ...(known ? { token: known } : {}),
    });
    if (attempt !== page.attempt) return true;
    if (answer.token) keepToken(answer.token);
    if (answer.participant_id) el("number").textContent = answer.participant_id.slice(0, NUMBER_CHARS);
    if (status === 403 && known) {
      forgetToken(); // a class that began anew under the same code
      return false;
    }
    if (status === 404 || status === 410) return settled(status);
    if (status !== 200 && status !== 422) return refused(status, answer);
    if (!answer.sdp) disconnect();
    else if (!(await accepted(connection, answer))) return attempt !== page.attempt;
    live(status === 422 ? answer.error : "");
    return true;
  } catch {
    if (connection === page.connection) disconnect();
    return false;
  }
}

// The offer of a new connection for the camera: without one where there is none, or none can be sent.
async function prepareOffer() {
  const without = { sdp: null, type: null };
  if (!page.stream && (page.cameraOn || page.cameraTrouble)) return without;
  let connection = null;
  try {
    connection = page.connection = newConnection();
    page.reached = false;
    watch(connection);
    return await makeOffer(connection, page.stream?.getVideoTracks()[0] ?? null);
  } catch {
    if (connection === page.connection) goWithoutCamera(NO_CONNECTION); // else closed by the join that overtook this one
    return without;
  }
}

// Trying again would end the same way; the buttons work without a camera.
function goWithoutCamera(trouble) {
  disconnect();
  stopCamera();
  page.unreached = 0;
  page.cameraTrouble = trouble;
}

async function accepted(connection, answer) {
  try {
    await connection.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    return true;
  } catch {
    if (connection === page.connection) goWithoutCamera(NO_CONNECTION);
    return false;
  }
}

function refused(status, answer) {
  if (status === 429 || (status >= 500 && page.state === "waiting")) return false;
  finish("left", answer.error ?? "Joining did not work: load the page anew and try again.");
  el("status").dataset.state = "trouble";
  return true;
}

function live(trouble) {
  page.state = "live";
  if (trouble) {
    stopCamera();
    page.cameraTrouble = trouble;
  }
  page.reporter = setInterval(report, REPORT_MS);
  sayLive();
  show();
  if (document.activeElement === document.body) el("in-class-title").focus(); // Join is gone, and the focus with it
  report();
}

// ---- leaving -----------------------------------------------------------------------------------

async function leave(said, known) {
  finish("left", said);
  page.cameraOn = sends;
  page.cameraTrouble = standingTrouble();
  show();
  el("consent").checked = false;
  el("join").disabled = true;
  if (known) await send("/leave", { token: known }).catch(() => {});
  el("notice").before(el("status")); // where the page begins anew
  el("status").focus();
}

// A duplicated tab is the same student, by the same token: the two would pull the connection back and forth.
const tabs = typeof BroadcastChannel === "function" ? new BroadcastChannel(address("")) : null;
tabs?.addEventListener("message", ({ data: joining }) => {
  if (joining && token() === joining && !SILENT_OK.has(page.state)) leave(ELSEWHERE);
});

async function erase() {
  el("erase-dialog").close();
  try {
    const { status, answer } = await send("/me", { token: token() }, "DELETE");
    if (status === 200) {
      finish("erased", "You were erased from this class. Your camera is off.");
      el("status").focus(); // the button is gone, and the focus with it
    } else if (!settled(status)) say(answer.error ?? "Erasing did not work: try again.", "trouble");
  } catch {
    say("Erasing did not work, there is no connection: try again.", "trouble");
  }
}

// After the class: the room is gone, what is kept is not.
async function eraseAfterwards() {
  const { done, said } = await eraseKept();
  if (done) finish("erased", said);
  else say(said, "trouble");
  el("status").focus(); // the button may be gone, and the focus with it
}

// ---- buttons -----------------------------------------------------------------------------------

el("consent").addEventListener("change", async () => {
  show();
  if (el("consent").checked) await camera(afterCameraChange);
  else if (SILENT_OK.has(page.state)) {
    stopCamera();
    page.cameraTrouble = standingTrouble();
    say("You are not in the class. Your camera is off.", "idle");
    show();
  }
});

el("join-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!el("consent").checked || page.state === "joining") return;
  page.state = "joining";
  tabs?.postMessage(token());
  el("join-more").after(el("status"));
  show();
  if (!page.stream) await camera(afterCameraChange);
  await join();
});

el("camera-select").addEventListener("change", async () => {
  await camera(afterCameraChange);
  await afterCameraChange();
});

el("camera-toggle").addEventListener("click", toggleCamera);
el("leave").addEventListener("click", () => leave(LEFT, token()));
el("erase").addEventListener("click", () => el("erase-dialog").showModal());
el("erase-confirm").addEventListener("click", erase);
el("erase-kept").addEventListener("click", eraseAfterwards);
el("erase-cancel").addEventListener("click", () => el("erase-dialog").close());
for (const button of document.querySelectorAll(".pulses button")) {
  button.addEventListener("click", () => pulse(button));
}

window.addEventListener("pagehide", () => {
  const known = token();
  if (known && !SILENT_OK.has(page.state)) {
    navigator.sendBeacon(address("/leave"), JSON.stringify({ token: known }));
  }
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // kept by the browser after leaving
});
window.addEventListener("online", () => comeBack());

show();
