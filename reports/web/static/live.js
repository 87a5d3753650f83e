// The live page of a class: follows the live feed, and loads what was missed after a lost connection.
import "./host_actions.js";
import "./leave_out.js";
import "./view.js";
import { showAlerts } from "./alerts.js";
import { catchUp } from "./catch_up.js";
import { readCheckIns } from "./check_ins.js";
import { hasEnded, showConnection, showState } from "./class_state.js";
import { addTap, addWindow, showFigures } from "./figures.js";
import { api, byId, page, RETRY_MS } from "./page.js";
import { drawTimeline } from "./timeline.js";
import { showIndicator } from "./word.js";

let stream = null;

function connect() {
  if (hasEnded()) return;
  stream = new EventSource(`${api}/live`);
  stream.addEventListener("open", () => {
    showConnection("open", "connected");
    byId("failed").textContent = ""; // errors from while the connection was lost
    // After the stream is open: an event between loading and opening would be missed.
    catchUp().catch(() => {});
  });
  stream.addEventListener("error", () => {
    if (hasEnded()) return;
    showConnection("lost", "connection lost, trying again…");
    // The browser reconnects by itself, except after an error answer.
    if (stream.readyState === EventSource.CLOSED) setTimeout(reconnect, RETRY_MS);
  });
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
  onEvent("pulse", addTap);
  onEvent("marker", () => catchUp().catch(() => {}));
  onEvent("check_in", () => readCheckIns().catch(() => {}));
  onEvent("resync", () => catchUp().catch(() => {})); // the server no longer has the missed events
}

function onEvent(name, handler) {
  stream.addEventListener(name, (event) => handler(JSON.parse(event.data)));
}

/** Reconnect after an error answer, unless the class was deleted or this browser is signed out. */
async function reconnect() {
  try {
    await catchUp();
    connect();
  } catch (error) {
    if (error.status === 401) showConnection("lost", "signed out: open a new host link");
    else if (error.status === 404) showConnection("lost", "this class was deleted");
    else setTimeout(reconnect, RETRY_MS);
  }
}

page.addEventListener("ended", () => stream?.close());

if (hasEnded()) {
  showConnection("ended", "class over");
  catchUp().catch((error) => {
    byId("failed").textContent = `The class could not be loaded: ${error.message}.`;
  });
} else {
  connect();
}
