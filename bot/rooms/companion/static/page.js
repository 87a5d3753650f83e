// What the student's page knows and shows: its state, the status line, which parts are in view, calls to the server.

export const FPS = Number(document.body.dataset.fps); // twice what is looked at: more would be sent for nothing
export const looks = document.body.dataset.faces === "yes"; // else no camera is asked for at all
export const sends = looks && typeof RTCPeerConnection === "function"; // else no camera is opened: it would be for nothing
const NO_WEBRTC = "WebRTC, which it needs, is switched off in this browser. Switch it on, or open the link in another browser.";
export const el = (id) => document.getElementById(id);

const code = document.body.dataset.code;
const tokenKey = `classmood-${code.toLowerCase()}`;
const ALONE = "Only you see this. Nothing is sent before you join.";
const READ = "Nobody sees this but you. A program reads it and keeps no picture.";

/** Why no camera can be had, whatever the student does; empty where nothing stands against one. */
export function standingTrouble() {
  if (!looks) return "this class asks for none.";
  return sends ? "" : NO_WEBRTC;
}

export const page = {
  state: "idle", // idle, joining, live, waiting, left, ended, erased
  stream: null, // what the camera gives
  opening: null, // promise of the camera being opened
  cameraOn: sends, // what the student wants
  cameraTrouble: standingTrouble(), // why there is no camera
  connection: null,
  reached: false, // whether the connection has ever been one
  unreached: 0, // connections in a row that never were
  attempt: 0, // tells a join that was overtaken from the current one
  broken: 0, // timer of a connection that may come back
  reporter: 0,
};

let unstored = null; // the token where the browser keeps nothing; it then ends with the page

function stored(work) {
  try {
    return work(sessionStorage); // naming it raises where a browser is told to keep nothing
  } catch {
    return null;
  }
}

export const token = () => stored((storage) => storage.getItem(tokenKey)) ?? unstored;

export function keepToken(given) {
  unstored = given;
  stored((storage) => storage.setItem(tokenKey, given));
}

export function forgetToken() {
  unstored = null;
  stored((storage) => storage.removeItem(tokenKey));
}

export const address = (path) => `/api/companion/${encodeURIComponent(code)}${path}`;

/** Ask the server; a failed network throws. */
export async function send(path, fields, method = "POST") {
  const response = await fetch(address(path), {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
  const answer = await response.json().catch(() => ({}));
  return { status: response.status, answer };
}

/** Have deleted what is kept when the class is over: whether that is done, and what to say. */
export async function eraseKept() {
  try {
    const { status, answer } = await send("/me", { token: token() }, "DELETE");
    if (status === 200) return { done: true, said: "You were erased: nothing is kept that knows of you." };
    if (status === 404) return { done: true, said: "Nothing is kept that knows of you." };
    return { done: false, said: answer.error ?? "Erasing did not work: try again." };
  } catch {
    return { done: false, said: "Erasing did not work, there is no connection: try again." };
  }
}

/** The line that says how the student stands, and the colour beside it. */
export function say(text, state) {
  el("status").textContent = text;
  el("status").dataset.state = state;
}

/** Put in view what belongs to the state. */
export function show() {
  const inClass = page.state === "live" || page.state === "waiting";
  const over = page.state === "ended" || page.state === "erased";
  el("in-class").hidden = !inClass;
  el("notice").hidden = inClass || over;
  el("join-form").hidden = inClass || over;
  el("join-more").hidden = inClass || over;
  placeCamera(inClass);
  el("afterwards").hidden = page.state !== "ended" || !token();
  el("camera").hidden = over || !page.stream;
  el("join").disabled = !el("consent").checked || page.state === "joining";
  el("preview-note").textContent = inClass ? READ : ALONE;
  el("camera-toggle").hidden = !sends;
  el("camera-toggle").textContent = page.stream ? "Turn camera off" : "Turn camera on";
  for (const button of document.querySelectorAll(".pulses button")) {
    button.disabled = page.state !== "live";
  }
}

// Before joining the preview stands beside the consent, in class below the buttons, which are needed more.
function placeCamera(inClass) {
  const [before, place] = inClass ? [el("in-class"), "afterend"] : [el("join-more"), "beforebegin"];
  const placed = inClass ? before.nextElementSibling : before.previousElementSibling;
  if (placed === el("camera")) return;
  before.insertAdjacentElement(place, el("camera"));
  el("preview").play().catch(() => {}); // a picture that is moved stands still
}

/** The status line of somebody who is in the class. */
export function sayLive() {
  if (page.cameraTrouble) say(`You are in the class, without a camera: ${page.cameraTrouble}`, "live");
  else if (!page.cameraOn) say("You are in the class. Your camera is off.", "live");
  else if (page.connection?.connectionState === "connected") say("You are in the class. Your camera is on.", "live");
  else say("You are in the class. Connecting your camera…", "waiting");
}
