// A soft sound when the class needs the host: off by default, and remembered by this browser.
import { byId, page } from "./page.js";
import { recall, remember } from "./remembered.js";

const KEY = "classmood-sound";
let audio = null;

const isOn = () => byId("chime").getAttribute("aria-pressed") === "true";

function play() {
  if (!isOn() || typeof AudioContext !== "function") return;
  audio ??= new AudioContext();
  audio.resume();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = 520;
  volume.gain.setValueAtTime(0.06, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.7);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.7);
}

function set(on) {
  byId("chime").setAttribute("aria-pressed", String(on));
  remember(KEY, on);
}

set(recall(KEY));
byId("chime").addEventListener("click", () => {
  set(!isOn());
  play(); // browsers allow sound only after a click
});
page.addEventListener("level", ({ detail }) => { if (detail.before && detail.now === "act") play(); });
page.addEventListener("alert", play);
