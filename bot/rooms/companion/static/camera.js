// The student's camera: opened after the consent, turned off when the student leaves or the class ends.
import { FPS, analysesFaces, canSend, el, page, setStatus, show, showLiveStatus } from "./page.js";
import { t } from "./texts.js";

const CAMERA = { width: { ideal: 320 }, height: { ideal: 180 }, frameRate: { ideal: FPS, max: Math.max(FPS, 15) } };

function cameraError(error) {
  if (!isSecureContext) return t("the link does not begin with https, so the browser allows no camera. Ask for an https link.");
  if (!navigator.mediaDevices?.getUserMedia) return t("this browser does not let web pages use a camera. Open the link in another one.");
  if (error?.name === "NotAllowedError") return t("the browser is not allowed to use it. Allow it with the icon beside the page's address.");
  if (error?.name === "NotFoundError") return t("none was found.");
  if (error?.name === "NotReadableError") return t("another program is using it.");
  return t("it could not be started.");
}

const ASKING_MS = 8000; // after this time, a student may have missed that the browser asks for permission

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Turn the camera off, including its light. */
export function stopCamera() {
  stop(page.stream);
  page.stream = null;
  el("preview").srcObject = null;
}

async function startCamera(onLost) {
  const chosen = el("camera-select").value;
  try {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("no camera for web pages");
    const video = chosen ? { ...CAMERA, deviceId: { exact: chosen } } : CAMERA;
    const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    if (!el("consent").checked || page.state === "ended" || page.state === "erased") {
      stop(stream); // the student left or withdrew the consent while the browser asked for permission
      return;
    }
    stopCamera();
    page.stream = stream;
    page.cameraTrouble = "";
    const [track] = stream.getVideoTracks();
    for (const change of ["mute", "unmute"]) {
      track.addEventListener(change, () => { if (page.state === "live") showLiveStatus(); });
    }
    track.addEventListener("ended", () => {
      if (page.stream !== stream) return;
      stopCamera();
      page.cameraTrouble = t("it was unplugged or switched off.");
      onLost();
    });
    el("preview").srcObject = stream;
    await listCameras(track.getSettings().deviceId);
    if (page.state === "idle" || page.state === "left") setStatus(t("Your camera is ready. You have not joined yet."), "idle");
  } catch (error) {
    stopCamera();
    // The list of cameras is hidden without a preview, so the next attempt uses any camera.
    if (chosen) el("camera-select").value = "";
    page.cameraTrouble = cameraError(error);
    if (error?.name === "NotReadableError") el("phone").open = true;
    showNoCamera();
  }
  show();
}

function showNoCamera() {
  if (page.state !== "idle" && page.state !== "left") return;
  setStatus(t("There is no camera: {why} You can join without one and use the buttons.", { why: page.cameraTrouble }), "trouble");
}

/**
 * Open the camera if the class analyses faces and the browser can send video. Calls while it is being opened
 * share one promise. ``onLost`` is called when the camera is unplugged.
 */
export function openCamera(onLost) {
  if (!canSend) {
    if (analysesFaces) showNoCamera();
    return Promise.resolve();
  }
  if (page.asking) return Promise.resolve();
  page.opening ??= askForCamera(onLost).finally(() => { page.opening = null; });
  return page.opening;
}

// Open the camera. If the browser's question is not answered, say so and let the student join without a camera;
// the camera is used as soon as it is allowed.
async function askForCamera(onLost) {
  let answered = false;
  const started = startCamera(onLost).then(() => { answered = true; });
  await Promise.race([started, new Promise((resolve) => setTimeout(resolve, ASKING_MS))]);
  if (answered) return;
  page.asking = true;
  page.cameraTrouble = t("the browser asks whether this page may use it. Allow it at the top of the window.");
  showNoCamera();
  show();
  started.then(() => {
    page.asking = false;
    onLost();
  });
}

async function listCameras(current) {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const cameras = devices.filter((device) => device.kind === "videoinput");
  el("camera-select").replaceChildren(...cameras.map((device, index) => {
    const option = new Option(device.label || t("Camera {number}", { number: index + 1 }), device.deviceId);
    option.selected = device.deviceId === current;
    return option;
  }));
}
