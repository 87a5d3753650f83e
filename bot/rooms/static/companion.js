// The student's page: consent, camera, one connection to the bot that mends itself, pulse buttons.
// Nothing is sent before Join; the camera stops whenever the student is out of the class.

const FPS = Number(document.body.dataset.fps); // twice what is looked at: more would be sent for nothing
const CAMERA = { width: { ideal: 320 }, height: { ideal: 180 }, frameRate: { ideal: FPS, max: Math.max(FPS, 15) } };
const ENCODING = { maxFramerate: FPS, maxBitrate: 150000 };
const LAYERS = "L1T3"; // a lost picture of an upper layer then harms no other
const GATHER_MS = 3000;
const BREAK_MS = 3000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const REPORT_MS = 5000;
const NUMBER_CHARS = 6; // as bot/companion/student.py takes it
const SILENT_OK = new Set(["ended", "erased", "left", "idle"]);

const code = document.body.dataset.code;
const looks = document.body.dataset.faces === "yes"; // else no camera is asked for at all
const iceServers = JSON.parse(document.body.dataset.iceServers);
const api = `/api/companion/${encodeURIComponent(code)}`;
const tokenKey = `classmood-${code.toLowerCase()}`;
const el = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const page = {
  state: "idle", // idle, joining, live, waiting, left, ended, erased
  stream: null, // what the camera gives
  opening: null, // promise of the camera being opened
  cameraOn: looks, // what the student wants
  cameraTrouble: looks ? "" : "this class asks for none.", // why there is no camera
  connection: null,
  attempt: 0, // tells a join that was overtaken from the current one
  broken: 0, // timer of a connection that may come back
  reporter: 0,
};

// ---- words -------------------------------------------------------------------------------------

function say(text, state) {
  el("status").textContent = text;
  el("status").dataset.state = state;
}

function show() {
  const inClass = page.state === "live" || page.state === "waiting";
  const over = page.state === "ended" || page.state === "erased";
  el("in-class").hidden = !inClass;
  el("notice").hidden = inClass || over;
  el("join-form").hidden = inClass || over;
  el("join-more").hidden = inClass || over;
  placeCamera(inClass);
  el("camera").hidden = over || !page.stream;
  el("join").disabled = !el("consent").checked || page.state === "joining";
  el("preview-note").hidden = inClass;
  el("camera-toggle").hidden = !looks;
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

function sayLive() {
  if (page.cameraTrouble) say(`You are in the class, without a camera: ${page.cameraTrouble}`, "live");
  else if (!page.cameraOn) say("You are in the class. Your camera is off.", "live");
  else if (page.connection?.connectionState === "connected") say("You are in the class. Your camera is on.", "live");
  else say("You are in the class. Connecting your camera…", "waiting");
}

// ---- camera ------------------------------------------------------------------------------------

function cameraError(error) {
  if (!navigator.mediaDevices) return "this page was not opened over https, so the browser gives no camera.";
  if (error?.name === "NotAllowedError") return "the browser was not allowed to use it. You can change that beside the address.";
  if (error?.name === "NotFoundError") return "none was found.";
  if (error?.name === "NotReadableError") return "another program is using it.";
  return "it could not be started.";
}

function stopCamera() {
  for (const track of page.stream?.getTracks() ?? []) track.stop();
  page.stream = null;
  el("preview").srcObject = null;
}

async function openCamera() {
  const wanted = el("camera-select").value;
  try {
    if (!navigator.mediaDevices) throw new Error("no mediaDevices");
    const video = wanted ? { ...CAMERA, deviceId: { exact: wanted } } : CAMERA;
    const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    stopCamera();
    page.stream = stream;
    page.cameraTrouble = "";
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () => {
      if (page.stream !== stream) return;
      stopCamera();
      page.cameraTrouble = "it was unplugged or switched off.";
      afterCameraChange();
    });
    el("preview").srcObject = stream;
    await listCameras(track.getSettings().deviceId);
    if (page.state === "idle" || page.state === "left") say("Your camera is ready. You have not joined yet.", "idle");
  } catch (error) {
    stopCamera();
    page.cameraTrouble = cameraError(error);
    if (page.state === "idle" || page.state === "left") {
      say(`There is no camera: ${page.cameraTrouble} You can join without one and use the buttons.`, "trouble");
    }
  }
  show();
}

function camera() {
  if (!looks) return Promise.resolve();
  page.opening ??= openCamera().finally(() => { page.opening = null; });
  return page.opening;
}

async function listCameras(current) {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const cameras = devices.filter((device) => device.kind === "videoinput");
  el("camera-select").replaceChildren(...cameras.map((device, index) => {
    const option = new Option(device.label || `Camera ${index + 1}`, device.deviceId);
    option.selected = device.deviceId === current;
    return option;
  }));
}

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
  if (page.cameraOn) await camera();
  else stopCamera();
  await afterCameraChange();
}

// ---- talking to the server ---------------------------------------------------------------------

async function send(path, fields, method = "POST") {
  const response = await fetch(`${api}${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
  const answer = await response.json().catch(() => ({}));
  return { status: response.status, answer };
}

const token = () => sessionStorage.getItem(tokenKey);

function finish(state, text) {
  page.state = state;
  page.attempt += 1;
  disconnect();
  stopCamera();
  clearInterval(page.reporter);
  if (state !== "left") sessionStorage.removeItem(tokenKey);
  say(text, "idle");
  show();
}

// Acts on what an answer means for everyone; false if it is an error that the caller must tell of.
function settled(status) {
  if (status === 404) finish("ended", "The class has ended. Your camera is off.");
  else if (status === 410) finish("erased", "You were erased from this class. Your camera is off.");
  else if (status === 409) join();
  else if (status === 403) {
    sessionStorage.removeItem(tokenKey);
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
    if (settled(status) && page.connection && answer.receiving === false) retryLater();
  } catch {
    retryLater(); // the network is gone
  }
}

async function pulse(button) {
  const note = el("pulse-note");
  try {
    const { status, answer } = await send("/pulse", { token: token(), kind: button.dataset.kind });
    if (status === 200) note.textContent = `Sent: ${button.textContent}`;
    else if (status === 429) note.textContent = "That was quick: wait a second.";
    else if (!settled(status)) note.textContent = answer.error ?? "That did not work: try again.";
  } catch {
    note.textContent = "Not sent: there is no connection.";
    retryLater();
  }
}

// ---- the connection ----------------------------------------------------------------------------

function disconnect() {
  clearTimeout(page.broken);
  page.connection?.close();
  page.connection = null;
}

function preferDecodable(transceiver) {
  const known = RTCRtpReceiver.getCapabilities?.("video")?.codecs;
  if (!known || !transceiver.setCodecPreferences) return;
  const rank = (codec) => ({ "video/vp8": 0, "video/h264": 1 })[codec.mimeType.toLowerCase()] ?? 2;
  transceiver.setCodecPreferences([...known].sort((a, b) => rank(a) - rank(b)));
}

function addCamera(connection, track) {
  const add = (encoding) => connection.addTransceiver(track ?? "video", { direction: "sendonly", sendEncodings: [encoding] });
  try {
    return add({ ...ENCODING, scalabilityMode: LAYERS });
  } catch {
    return add(ENCODING); // a browser that offers no layers
  }
}

async function makeOffer(connection) {
  const track = page.stream?.getVideoTracks()[0] ?? null;
  preferDecodable(addCamera(connection, track));
  await connection.setLocalDescription(await connection.createOffer());
  if (connection.iceGatheringState !== "complete") {
    const gathered = new Promise((resolve) => {
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState === "complete") resolve();
      });
    });
    await Promise.race([gathered, sleep(GATHER_MS)]);
  }
  return connection.localDescription;
}

function watch(connection) {
  connection.addEventListener("connectionstatechange", () => {
    if (connection !== page.connection) return;
    clearTimeout(page.broken);
    const state = connection.connectionState;
    if (state === "connected" && page.state === "live") sayLive();
    else if (state === "failed" || state === "closed") retryLater();
    else if (state === "disconnected") {
      say("The connection is unsteady…", "waiting");
      page.broken = setTimeout(retryLater, BREAK_MS);
      report();
    }
  });
}

function retryLater() {
  if (page.state !== "live") return;
  page.state = "waiting";
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
    say(failures || again ? "The connection broke. Trying again…" : "Joining…", "waiting");
    if (failures) await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length) - 1] * (0.75 + Math.random() / 2));
    if (attempt !== page.attempt) return;
    const done = await tryToJoin(attempt);
    if (done || attempt !== page.attempt) return;
  }
}

async function tryToJoin(attempt) {
  disconnect();
  const withCamera = Boolean(page.stream) || (!page.cameraOn && !page.cameraTrouble);
  let connection = null;
  try {
    let offer = { sdp: null, type: null };
    if (withCamera) {
      connection = page.connection = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
      watch(connection);
      offer = await makeOffer(connection);
    }
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
    if (answer.token) sessionStorage.setItem(tokenKey, answer.token);
    if (answer.participant_id) el("number").textContent = answer.participant_id.slice(0, NUMBER_CHARS);
    if (status === 403 && known) {
      sessionStorage.removeItem(tokenKey); // a class that began anew under the same code
      return false;
    }
    if (status === 404 || status === 410) return settled(status);
    if (status !== 200 && status !== 422) return refused(status, answer);
    if (answer.sdp) await connection.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    else disconnect();
    live(status === 422 ? answer.error : "");
    return true;
  } catch {
    if (connection === page.connection) disconnect();
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

async function leave() {
  const known = token();
  finish("left", "You left the class. Your camera is off. You can join again.");
  page.cameraOn = true;
  page.cameraTrouble = "";
  show();
  el("consent").checked = false;
  el("join").disabled = true;
  if (known) await send("/leave", { token: known }).catch(() => {});
  el("consent").focus();
}

async function erase() {
  el("erase-dialog").close();
  try {
    const { status, answer } = await send("/me", { token: token() }, "DELETE");
    if (status === 200) finish("erased", "You were erased from this class. Your camera is off.");
    else if (!settled(status)) say(answer.error ?? "Erasing did not work: try again.", "trouble");
  } catch {
    say("Erasing did not work, there is no connection: try again.", "trouble");
  }
}

// ---- buttons -----------------------------------------------------------------------------------

el("consent").addEventListener("change", async () => {
  show();
  if (el("consent").checked) await camera();
  else if (SILENT_OK.has(page.state)) {
    stopCamera();
    show();
  }
});

el("join-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!el("consent").checked || page.state === "joining") return;
  page.state = "joining";
  show();
  if (!page.stream) await camera();
  await join();
});

el("camera-select").addEventListener("change", async () => {
  await camera();
  await afterCameraChange();
});

el("camera-toggle").addEventListener("click", toggleCamera);
el("leave").addEventListener("click", leave);
el("erase").addEventListener("click", () => el("erase-dialog").showModal());
el("erase-confirm").addEventListener("click", erase);
el("erase-cancel").addEventListener("click", () => el("erase-dialog").close());
for (const button of document.querySelectorAll(".pulses button")) {
  button.addEventListener("click", () => pulse(button));
}

window.addEventListener("pagehide", () => {
  const known = token();
  if (known && !SILENT_OK.has(page.state)) {
    navigator.sendBeacon(`${api}/leave`, JSON.stringify({ token: known }));
  }
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // kept by the browser after leaving
});
window.addEventListener("online", () => retryLater());

show();
