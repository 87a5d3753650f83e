// The markers of the class, and the form that sets one.
import { attempt } from "./attempt.js";
import { call, clock } from "./common.js";
import { api, byId, onShortcut, setText, t } from "./page.js";

export function showMarkers(markers) {
  const rows = markers.map((marker) => {
    const row = document.createElement("li");
    const at = document.createElement("time");
    const label = document.createElement("bdi"); // a right-to-left label must not move the time
    at.textContent = clock(marker.at_s);
    label.textContent = marker.label;
    row.append(at, label);
    row.dataset.kind = marker.kind;
    return row;
  });
  byId("markers").replaceChildren(...rows);
}

byId("marker-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("marker-label");
  attempt(byId("add-marker"), async () => {
    const marker = await call("POST", `${api}/markers`, { label: input.value.trim() || t("Marker") });
    input.value = "";
    setText("marker-result", t("Marked at {time}: {label}", { time: clock(marker.at_s), label: marker.label }));
  });
});

onShortcut("m", (event) => {
  if (byId("marker-form").hidden) return;
  event.preventDefault(); // otherwise the letter is typed into the field
  byId("marker-label").focus();
});
