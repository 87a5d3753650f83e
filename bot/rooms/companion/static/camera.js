// The student's camera: asked for after the consent, stopped whenever the student is out of the class.
import { FPS, el, looks, page, say, sends, show } from "./page.js";

const CAMERA = { width: { ideal: 320 }, height: { ideal: 180 }, frameRate: { ideal: FPS, max: Math.max(FPS, 15) } };

function cameraError(error) {
  if (!isSecureContext) return "this page was not opened over https, so the browser gives no camera. Ask for an https link.";
  if (!navigator.mediaDevices?.getUserMedia) return "this browser gives pages none. Open the link in another browser.";
  if (error?.name === "NotAllowedError") return "the browser was not allowed to use it. You can change that beside the address.";
  if (error?.name === "NotFoundError") return "none was found.";
  if (error?.name === "NotReadableError") return "another program is using it.";
  return "it could not be started.";
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Turn it off; its light goes out. */
export function stopCamera() {
  stop(page.stream);
  page.stream = null;
  el("preview").srcObject = null;
}

async function openCamera(onLost) {
  const wanted = el("camera-select").value;
  try {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("no camera for pages");
    const video = wanted ? { ...CAMERA, deviceId: { exact: wanted } } : CAMERA;
    const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    if (!el("consent").checked || page.state === "ended" || page.state === "erased") {
      stop(stream); // the student left, or took the consent back, while the browser was asking
      return;
    }
    stopCamera();
    page.stream = stream;
    page.cameraTrouble = "";
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () => {
      if (page.stream !== stream) return;
      stopCamera();
      page.cameraTrouble = "it was unplugged or switched off.";
      onLost();
    });
    el("preview").srcObject = stream;
    await listCameras(track.getSettings().deviceId);
    if (page.state === "idle" || page.state === "left") say("Your camera is ready. You have not joined yet.", "idle");
  } catch (error) {
    stopCamera();
    if (wanted) el("camera-select").value = ""; // hidden now: the next try takes any camera, not the one that failed
    page.cameraTrouble = cameraError(error);
    sayNoCamera();
  }
  show();
}

function sayNoCamera() {
  if (page.state !== "idle" && page.state !== "left") return;
  say(`There is no camera: ${page.cameraTrouble} You can join without one and use the buttons.`, "trouble");
}

/**
 * Open it, if the class looks at faces and the browser can send; one opening at a time. ``onLost`` is called
 * when it is unplugged.
 */
export function camera(onLost) {
  if (!sends) {
    if (looks) sayNoCamera();
    return Promise.resolve();
  }
  page.opening ??= openCamera(onLost).finally(() => { page.opening = null; });
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
