// A WebRTC connection that only sends video: a few small frames a second, in temporal layers if the browser
// supports them.
import { FPS } from "./page.js";

const ENCODING = { maxFramerate: FPS, maxBitrate: 150000 };
const LAYERS = "L1T3"; // losing a frame of an upper layer then harms no other frame
const GATHER_MS = 3000; // longest wait for the browser's network addresses

const iceServers = JSON.parse(document.body.dataset.iceServers);

/** A connection without a camera yet. */
export const newConnection = () => new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });

// Prefer the codecs that the server decodes: VP8, then H.264.
function preferDecodable(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs;
  if (!codecs || !transceiver.setCodecPreferences) return;
  const rank = (codec) => ({ "video/vp8": 0, "video/h264": 1 })[codec.mimeType.toLowerCase()] ?? 2;
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
}

function addCamera(connection, track) {
  const add = (encoding) => connection.addTransceiver(track ?? "video", { direction: "sendonly", sendEncodings: [encoding] });
  try {
    return add({ ...ENCODING, scalabilityMode: LAYERS });
  } catch {
    return add(ENCODING); // this browser has no temporal layers
  }
}

/** Make the offer for ``track`` (null if the camera is off). Gathers addresses for at most GATHER_MS. */
export async function makeOffer(connection, track) {
  preferDecodable(addCamera(connection, track));
  await connection.setLocalDescription(await connection.createOffer());
  if (connection.iceGatheringState !== "complete") {
    const gathered = new Promise((resolve) => {
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState === "complete") resolve();
      });
    });
    await Promise.race([gathered, new Promise((resolve) => setTimeout(resolve, GATHER_MS))]);
  }
  return connection.localDescription;
}
