// One WebRTC connection to the bot that only sends: small pictures, few a second, in layers where the browser can.
import { FPS } from "./page.js";

const ENCODING = { maxFramerate: FPS, maxBitrate: 150000 };
const LAYERS = "L1T3"; // a lost picture of an upper layer then harms no other
const GATHER_MS = 3000;

const iceServers = JSON.parse(document.body.dataset.iceServers);

/** A connection with nothing on it yet. */
export const newConnection = () => new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });

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

/** The offer for ``track`` (null: a camera that is off), once the addresses are gathered or time is up. */
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
