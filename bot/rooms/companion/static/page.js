// Shared by the scripts of the student page: state, status line, showing and hiding of parts, requests.
import { t } from "./texts.js";
import { keepScreenOn } from "./wake_lock.js";

export const FPS = Number(document.body.dataset.fps); // twice the sampling rate; more would be discarded
export const analysesFaces = document.body.dataset.faces === "yes"; // if not, no camera is used
export const canSend = analysesFaces && typeof RTCPeerConnection === "function"; // or no camera is opened
const NO_WEBRTC =
  t("this browser cannot send video because WebRTC is switched off. Switch it on, or open the link in another browser.");
export const el = (id) => document.getElementById(id);

const code = document.body.dataset.code;
const tokenKey = `classmood-${code.toLowerCase()}`;
const PREVIEW_BEFORE_JOINING = t("Only you see this. Nothing is sent before you join.");
const PREVIEW_IN_CLASS = t("No person but you sees this. A program analyses the images and stores none.");

const NO_FRAMES =
  t("You are in the class, but no pictures are arriving from your camera: another program may have it. Close that program, or on Windows 11 allow several: Settings, Bluetooth & devices, Cameras, your camera, Advanced.");
const SIGHTS = {
  fine: t("Your face is seen."),
  no_face: t("No face is seen: sit in front of the camera."),
  too_dark: t("It is too dark to see your face: turn on a light in front of you."),
  too_small: t("Your face is too small: move closer to the camera."),
};

/** Why there can be no camera, whatever the student does; empty if there can be one. */
export function permanentCameraTrouble() {
  if (!analysesFaces) return t("this class asks for none.");
  return canSend ? "" : NO_WEBRTC;
}

export const page = {
  state: "idle", // idle, joining, live, waiting, left, ended, erased
  stream: null, // of the open camera
  opening: null, // promise while the camera is being opened
  asking: false, // whether the browser's question about the camera has not been answered for a while
  cameraWanted: canSend, // whether the student wants the camera on
  cameraTrouble: permanentCameraTrouble(), // why there is no camera
  sight: null, // what the server says that the camera shows
  connection: null,
  connected: false, // whether the present connection was ever established
  failedConnections: 0, // connections in a row that were never established
  attempt: 0, // number of the latest attempt to join; older attempts stop
  disconnectTimer: 0,
  reportTimer: 0,
};

let tokenInMemory = null; // the token if the browser stores nothing; lost when the page is closed

function withStorage(action) {
  try {
    return action(sessionStorage); // throws if the browser is set to store nothing
  } catch {
    return null;
  }
}

export const token = () => withStorage((storage) => storage.getItem(tokenKey)) ?? tokenInMemory;

export function storeToken(newToken) {
  tokenInMemory = newToken;
  withStorage((storage) => storage.setItem(tokenKey, newToken));
}

export function forgetToken() {
  tokenInMemory = null;
  withStorage((storage) => storage.removeItem(tokenKey));
}

export const address = (path) => `/api/companion/${encodeURIComponent(code)}${path}`;

const TIMEOUT_MS = 10_000; // a frozen server or a lost network closes no connection

/** Send a request to the server. Throws if the network fails. */
export async function send(path, fields, method = "POST", timeoutMs = TIMEOUT_MS) {
  const response = await fetch(address(path), {
    method,
    signal: AbortSignal.timeout(timeoutMs),
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
  const answer = await response.json().catch(() => ({}));
  return { status: response.status, answer };
}

/** What the server said about a refused request, or else the given text. */
export const said = (answer, otherwise) => (answer.error ? t(answer.error) : otherwise);

export const ERASE_PENDING =
  t("Your data is deleted as soon as the server can write to its database. You need not wait for it.");

/** Have the student's stored data deleted after the class. Returns whether that is done, and a message. */
export async function eraseStored() {
  try {
    const { status, answer } = await send("/me", { token: token() }, "DELETE");
    if (status === 200) return { done: true, message: t("You were erased: nothing is stored about you any more.") };
    if (status === 202) return { done: true, message: `${t("You will be erased.")} ${ERASE_PENDING}` };
    if (status === 404) return { done: true, message: t("Nothing is stored about you.") };
    return { done: false, message: said(answer, t("Erasing did not work: try again.")) };
  } catch {
    return { done: false, message: t("Erasing did not work because there is no connection: try again.") };
  }
}

/** Set the status line and the colour beside it: idle, waiting, live or trouble. */
export function setStatus(text, colour) {
  el("status").textContent = text;
  el("status").dataset.state = colour;
}

/** Show the parts of the page that belong to its state. */
export function show() {
  const inClass = page.state === "live" || page.state === "waiting";
  const over = page.state === "ended" || page.state === "erased";
  el("in-class").hidden = !inClass;
  el("notice").hidden = inClass || over;
  el("join-form").hidden = inClass || over;
  el("join-more").hidden = inClass || over;
  if (el("phone")) el("phone").hidden = inClass || over;
  keepScreenOn(inClass);
  placeCamera(inClass);
  el("afterwards").hidden = page.state !== "ended" || !token();
  el("camera").hidden = over || !page.stream;
  el("join").disabled = !el("consent").checked || page.state === "joining";
  el("preview-note").textContent = inClass ? PREVIEW_IN_CLASS : PREVIEW_BEFORE_JOINING;
  el("camera-toggle").hidden = !canSend;
  el("camera-toggle").textContent = page.stream ? t("Turn camera off") : t("Turn camera on");
  for (const button of document.querySelectorAll("#in-class .pulses button")) {
    button.disabled = page.state !== "live";
  }
}

// Before joining, the preview is below the Join button. In class it is below the buttons.
function placeCamera(inClass) {
  const neighbour = el(inClass ? "in-class" : "join-form");
  if (neighbour.nextElementSibling === el("camera")) return;
  neighbour.insertAdjacentElement("afterend", el("camera"));
  el("preview").play().catch(() => {}); // moving a video pauses it
}

/** The status line of a student who is in the class, and what their camera shows. */
export function showLiveStatus() {
  const sight = page.stream && !page.cameraTrouble ? SIGHTS[page.sight] ?? "" : "";
  if (el("sight").textContent !== sight) el("sight").textContent = sight;
  if (page.cameraTrouble) setStatus(t("You are in the class, without a camera: {why}", { why: page.cameraTrouble }), "live");
  else if (!page.cameraWanted) setStatus(t("You are in the class. Your camera is off."), "live");
  else if (page.sight === "no_frames" || page.stream?.getVideoTracks()[0]?.muted) setStatus(NO_FRAMES, "trouble");
  else if (page.connection?.connectionState === "connected") setStatus(t("You are in the class. Your camera is on."), "live");
  else setStatus(t("You are in the class. Connecting your camera…"), "waiting");
}
