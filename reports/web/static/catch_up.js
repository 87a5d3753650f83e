// Loads the data of the class: when the page opens, and after events may have been missed.
import { showAlerts } from "./alerts.js";
import { showAsks } from "./asks.js";
import { readCheckIns } from "./check_ins.js";
import { showState } from "./class_state.js";
import { call } from "./common.js";
import { addWindow, newestWindow, showFigures } from "./figures.js";
import { showMarkers } from "./markers.js";
import { api } from "./page.js";
import { drawTimeline } from "./timeline.js";
import { showIndicator } from "./word.js";

/** Load the class, its markers, indicators and check-ins, and the windows from the newest known one on. */
export async function catchUp() {
  drawTimeline(); // not awaited: it needs none of the answers below
  const newest = newestWindow();
  const [info, windows, markers, indicators, asks] = await Promise.all([
    call("GET", api),
    call("GET", `${api}/windows?since_s=${newest ? newest.start_s : 0}`),
    call("GET", `${api}/markers`),
    call("GET", `${api}/indicators`),
    call("GET", `${api}/asks`),
    readCheckIns(),
  ]);
  windows.forEach(addWindow);
  showMarkers(markers);
  showIndicator(indicators.now);
  showAlerts(indicators.alerts);
  showAsks(asks);
  showFigures();
  showState(info);
}
