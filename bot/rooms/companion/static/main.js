// The student page: consent, joining, rejoining after a lost connection, pulses, leaving, erasing.
// Nothing is sent before the student joins. Leaving and the end of the class turn the camera off.
import { openCamera, stopCamera } from "./camera.js";
import { makeOffer, newConnection } from "./connection.js";
import {
  ERASE_PENDING, address, canSend, el, eraseStored, forgetToken, page, permanentCameraTrouble, said, send, setStatus,
  show, showLiveStatus, storeToken, token,
} from "./page.js";
import { watchPulses } from "./pulses.js";
import { stopQuestions, waitForQuestions } from "./questions.js";
import { t } from "./texts.js";

const DISCONNECTED_MS = 3000; // time for a connection to recover before it is replaced
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const MANY_FAILURES = 4; // reached after about ten seconds; the page then says how to turn the camera off
const MANY_FAILED_CONNECTIONS = 3; // reached after about forty seconds; the page then turns the camera off
const REPORT_MS = 5000;
const REPORT_TIMEOUT_MS = 7000; // a frozen server is noticed twelve seconds after the report before
const NUMBER_CHARS = 6; // same as NUMBER_CHARS in student.py
const NOT_IN_CLASS = new Set(["ended", "erased", "left", "idle"]);

const RETRYING = t("The connection is lost. Trying again…");
const RETRYING_LONG = `${RETRYING} ${t("If the class is over, close this page to turn your camera off.")}`;
const LEFT = t("You left the class. Your camera is off. You can join again.");
const LEFT_OUT = t("You are left out of this class: nothing about you is analysed or counted. Your camera is off.");
const OTHER_TAB =
  t("You are now taking part in another tab of this browser. This tab has left the class, and its camera is off. You can join again here.");
const CANNOT_CONNECT =
  t("the browser could not connect it. Turn it on to try again, or open the link in another browser.");
const NETWORK_BLOCKS_VIDEO = t("this network blocks video. Turn the camera on to try again, or use another network.");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- camera ------------------------------------------------------------------------------------

// The camera was turned on, turned off or replaced.
async function afterCameraChange() {
  show();
  if (page.state !== "live") return;
  const track = page.stream?.getVideoTracks()[0] ?? null;
  const sender = page.connection?.getSenders()[0];
  if (sender) await sender.replaceTrack(track);
  else if (track) return join(); // the student joined without a camera: now a connection is needed
  showLiveStatus();
  await report();
}

async function toggleCamera() {
  page.cameraWanted = !page.stream;
  page.failedConnections = 0;
  if (page.cameraWanted) await openCamera(afterCameraChange);
  else stopCamera();
  await afterCameraChange();
}

// ---- talking to the server ---------------------------------------------------------------------

// Stop taking part: close the connection, stop the camera, show the message.
function finish(state, message) {
  page.state = state;
  page.attempt += 1;
  disconnect();
  stopCamera();
  stopQuestions();
  clearInterval(page.reportTimer);
  if (state === "erased") forgetToken(); // in other states it is still needed, for erasing after the class
  setStatus(message, "idle");
  show();
}

// Handle the statuses that mean the same for every request.
// False if the status is an error that the caller must show.
function handleStatus(status) {
  if (status === 404) finish("ended", t("The class has ended. Your camera is off."));
  else if (status === 410) finish("erased", LEFT_OUT);
  else if (status === 409) join();
  else if (status === 403) {
    forgetToken();
    join();
  } else return status === 200;
  return true;
}

// Report whether the camera is on; also tells the server that the page is still open.
async function report() {
  if (page.state !== "live") return;
  try {
    const on = page.cameraWanted && Boolean(page.stream);
    const { status, answer } = await send("/camera", { token: token(), on }, "POST", REPORT_TIMEOUT_MS);
    page.sight = answer.sight ?? null;
    if (status === 200 && page.state === "live" && page.connection?.connectionState === "connected") showLiveStatus();
    // This answer arrives many seconds before the browser notices that the server closed the connection.
    if (handleStatus(status) && page.connection && answer.receiving === false) rejoin();
  } catch {
    rejoin(); // there is no network
  }
}

// ---- the connection ----------------------------------------------------------------------------

function disconnect() {
  clearTimeout(page.disconnectTimer);
  page.connection?.close();
  page.connection = null;
}

function watchConnection(connection) {
  connection.addEventListener("connectionstatechange", () => {
    if (connection !== page.connection) return; // it was replaced
    clearTimeout(page.disconnectTimer);
    const state = connection.connectionState;
    if (state === "connected") {
      page.connected = true;
      page.failedConnections = 0;
    }
    if (state === "connected" && page.state === "live") showLiveStatus();
    else if (state === "failed" || state === "closed") rejoin();
    else if (state === "disconnected") {
      setStatus(t("The connection is unstable…"), "waiting");
      page.disconnectTimer = setTimeout(rejoin, DISCONNECTED_MS);
      report();
    }
  });
}

function rejoin() {
  if (page.state !== "live") return;
  page.state = "waiting";
  if (page.connection && !page.connected) page.failedConnections += 1;
  if (page.failedConnections >= MANY_FAILED_CONNECTIONS) continueWithoutCamera(NETWORK_BLOCKS_VIDEO);
  show();
  join();
}

// Join, or join again after a lost connection, until it works or the server refuses for good.
async function join() {
  const attempt = ++page.attempt;
  const rejoining = page.state === "live" || page.state === "waiting";
  page.state = rejoining ? "waiting" : "joining";
  clearInterval(page.reportTimer);
  show();
  for (let failures = 0; ; failures += 1) {
    if (failures >= MANY_FAILURES) setStatus(RETRYING_LONG, "waiting");
    else setStatus(failures || rejoining ? RETRYING : t("Joining…"), "waiting");
    // The random factor keeps the pages of a class from trying again all at the same moment.
    if (failures) await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length) - 1] * (0.75 + Math.random() / 2));
    if (attempt !== page.attempt) return;
    const done = await tryToJoin(attempt);
    if (done || attempt !== page.attempt) return;
  }
}

let formerToken = null; // of the class before, by which the server recognises the student in this one

// Try once to join. True if there is nothing more to try.
async function tryToJoin(attempt) {
  disconnect();
  const offer = await prepareOffer();
  if (attempt !== page.attempt) return true;
  const connection = page.connection;
  try {
    const oldToken = token();
    const { status, answer } = await send("/offer", {
      sdp: offer.sdp,
      type: offer.type,
      name: el("name").value.trim() || null,
      consent: el("consent").checked,
      individual: el("individual").checked,
      ...(oldToken ? { token: oldToken } : {}),
      ...(formerToken ? { former_token: formerToken } : {}),
    });
    if (attempt !== page.attempt) return true;
    if (answer.token) {
      storeToken(answer.token);
      formerToken = null;
    }
    if (answer.participant_id) el("number").textContent = answer.participant_id.slice(0, NUMBER_CHARS);
    if (status === 403 && oldToken) {
      formerToken = oldToken; // a new class has started under the same code
      forgetToken();
      return false;
    }
    if (status === 404 || status === 410) return handleStatus(status);
    if (status !== 200 && status !== 422) return refused(status, answer);
    if (!answer.sdp) disconnect();
    else if (!(await applyAnswer(connection, answer))) return attempt !== page.attempt;
    enterClass(status === 422 ? said(answer, "") : "");
    return true;
  } catch {
    if (connection === page.connection) disconnect();
    return false;
  }
}

// Open a connection for the camera and return its offer, or an empty offer if the camera cannot be sent.
async function prepareOffer() {
  const withoutCamera = { sdp: null, type: null };
  if (!page.stream && (page.cameraWanted || page.cameraTrouble)) return withoutCamera;
  let connection = null;
  try {
    connection = page.connection = newConnection();
    page.connected = false;
    watchConnection(connection);
    return await makeOffer(connection, page.stream?.getVideoTracks()[0] ?? null);
  } catch {
    // If they differ, a newer attempt closed this connection.
    if (connection === page.connection) continueWithoutCamera(CANNOT_CONNECT);
    return withoutCamera;
  }
}

// Used when another attempt with the camera would fail too; the buttons work without a camera.
function continueWithoutCamera(trouble) {
  disconnect();
  stopCamera();
  page.failedConnections = 0;
  page.cameraTrouble = trouble;
}

async function applyAnswer(connection, answer) {
  try {
    await connection.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    return true;
  } catch {
    if (connection === page.connection) continueWithoutCamera(CANNOT_CONNECT);
    return false;
  }
}

// Show a refusal and return true; if it is only temporary, return false so that joining is tried again.
function refused(status, answer) {
  if (status === 429 || (status >= 500 && page.state === "waiting")) return false;
  finish("left", said(answer, t("Joining did not work: reload the page and try again.")));
  el("status").dataset.state = "trouble";
  return true;
}

function enterClass(trouble) {
  page.state = "live";
  if (trouble) {
    stopCamera();
    page.cameraTrouble = trouble;
  }
  page.reportTimer = setInterval(report, REPORT_MS);
  showLiveStatus();
  show();
  // The Join button is gone: if it had the focus, move the focus to the heading.
  if (document.activeElement === document.body) el("in-class-title").focus();
  if (page.stream && !page.connection) afterCameraChange(); // allowed while the page joined without it
  else report();
  waitForQuestions(handleStatus);
}

// ---- leaving -----------------------------------------------------------------------------------

async function leave(message, tokenToLeave) {
  finish("left", message);
  page.cameraWanted = canSend;
  page.cameraTrouble = permanentCameraTrouble();
  show();
  el("consent").checked = false;
  el("join").disabled = true;
  if (tokenToLeave) await send("/leave", { token: tokenToLeave }).catch(() => {});
  el("notice").before(el("status")); // at the top, where the student starts again
  el("status").focus();
}

// A duplicated tab has the same token and is the same student. Only one of the tabs may take part; otherwise
// each would replace the other's connection again and again. A tab that joins announces its token, and
// the other tab leaves.
const tabs = typeof BroadcastChannel === "function" ? new BroadcastChannel(address("")) : null;
tabs?.addEventListener("message", ({ data: joiningToken }) => {
  if (joiningToken && token() === joiningToken && !NOT_IN_CLASS.has(page.state)) leave(OTHER_TAB);
});

async function erase() {
  el("erase-dialog").close();
  try {
    const { status, answer } = await send("/me", { token: token() }, "DELETE");
    if (status === 200 || status === 202) {
      const stored = status === 202 ? ERASE_PENDING : t("Nothing is stored about you any more.");
      finish("erased", `${t("You were erased from this class. Your camera is off.")} ${stored}`);
      el("status").focus(); // the button that had the focus is gone
    } else if (!handleStatus(status)) setStatus(said(answer, t("Erasing did not work: try again.")), "trouble");
  } catch {
    setStatus(t("Erasing did not work because there is no connection: try again."), "trouble");
  }
}

// After the class the room no longer exists, but data about the student may still be stored.
async function eraseAfterwards() {
  const { done, message } = await eraseStored();
  if (done) finish("erased", message);
  else setStatus(message, "trouble");
  el("status").focus(); // the button that had the focus may be gone
}

// ---- buttons -----------------------------------------------------------------------------------

el("consent").addEventListener("change", async () => {
  show();
  if (el("consent").checked) await openCamera(afterCameraChange);
  else if (NOT_IN_CLASS.has(page.state)) {
    stopCamera();
    page.cameraTrouble = permanentCameraTrouble();
    setStatus(t("You are not in the class. Your camera is off."), "idle");
    show();
  }
});

el("join-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!el("consent").checked || page.state === "joining") return;
  page.state = "joining";
  tabs?.postMessage(token());
  el("question").before(el("status"));
  show();
  if (!page.stream && !page.asking) await openCamera(afterCameraChange);
  await join();
});

el("camera-select").addEventListener("change", async () => {
  await openCamera(afterCameraChange);
  await afterCameraChange();
});

el("camera-toggle").addEventListener("click", toggleCamera);
el("leave").addEventListener("click", () => leave(LEFT, token()));
el("erase").addEventListener("click", () => el("erase-dialog").showModal());
el("erase-confirm").addEventListener("click", erase);
el("erase-kept").addEventListener("click", eraseAfterwards);
el("erase-cancel").addEventListener("click", () => el("erase-dialog").close());
watchPulses(handleStatus, rejoin);

window.addEventListener("pagehide", () => {
  const oldToken = token();
  if (oldToken && !NOT_IN_CLASS.has(page.state)) {
    navigator.sendBeacon(address("/leave"), JSON.stringify({ token: oldToken }));
  }
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // the browser kept the page after it had left the class
});
window.addEventListener("online", () => rejoin());

el("too-old").remove();
show();
