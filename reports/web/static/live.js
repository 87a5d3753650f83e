// The live page of a class: follows the live feed, and loads what was missed after a lost connection.
import "./host_actions.js";
import "./leave_out.js";
import "./view.js";
import "./chime.js";
import { showAlerts } from "./alerts.js";
import { showAsk } from "./asks.js";
import { catchUp } from "./catch_up.js";
import { readCheckIns } from "./check_ins.js";
import { hasEnded, showConnection, showState } from "./class_state.js";
import { addWindow, showFigures } from "./figures.js";
import { api, byId, page, RETRY_MS, t } from "./page.js";
import { drawTimeline } from "./timeline.js";
import { showIndicator } from "./word.js";

const SILENT_MS = 12_000; // heartbeats come every four seconds
const CHECK_MS = 1000;

let stream = null;
let heardAt = 0; // when the last event came

function connect() {
  if (hasEnded()) return;
  stream = new EventSource(`${api}/live`);
  heardAt = Date.now();
  stream.addEventListener("open", () => {
    showConnection("open", t("connected"));
    byId("failed").textContent = ""; // errors from while the connection was lost
    // After the stream is open: an event between loading and opening would be missed.
    catchUp().catch(() => {});
  });
  stream.addEventListener("error", () => {
    if (hasEnded()) return;
    showConnection("lost", t("connection lost, trying again…"));
    // The browser reconnects by itself, except after an error answer.
    if (stream.readyState === EventSource.CLOSED) setTimeout(reconnect, RETRY_MS);
  });
  onEvent("heartbeat", () => {});
  onEvent("state", (info) => {
    showState(info);
    if (hasEnded()) catchUp().catch(() => {});
  });
  onEvent("summary", (window) => {
    addWindow(window);
    showFigures();
    drawTimeline();
  });
  onEvent("indicator", showIndicator);
  onEvent("alert", (alert) => showAlerts([alert]));
  onEvent("ask", showAsk);
  onEvent("marker", () => catchUp().catch(() => {}));
  onEvent("check_in", () => readCheckIns().catch(() => {}));
  onEvent("resync", () => catchUp().catch(() => {})); // the server no longer has the missed events
}

function onEvent(name, handler) {
  stream.addEventListener(name, (event) => {
    heardAt = Date.now();
    handler(JSON.parse(event.data));
  });
}

// A frozen server or a lost network does not close the connection: the browser would notice it after minutes.
setInterval(() => {
  if (hasEnded() || stream?.readyState !== EventSource.OPEN || Date.now() - heardAt < SILENT_MS) return;
  showConnection("lost", t("no answer from the server, trying again…"));
  stream.close();
  reconnect();
}, CHECK_MS);

/** Reconnect after an error answer, unless the class was deleted or this browser is signed out. */
async function reconnect() {
  try {
    await catchUp();
    connect();
  } catch (error) {
    if (error.status === 401) showConnection("lost", t("signed out: open a new host link"));
    else if (error.status === 404) showConnection("lost", t("this class was deleted"));
    else setTimeout(reconnect, RETRY_MS);
  }
}

page.addEventListener("ended", () => stream?.close());

if (hasEnded()) {
  showConnection("ended", t("class over"));
  catchUp().catch((error) => {
    byId("failed").textContent = t("The class could not be loaded: {why}.", { why: error.message });
  });
} else {
  connect();
}
