// The timeline, which the server draws as SVG. One request runs at a time; at most one more is queued.
import { byId, page, RETRY_MS } from "./page.js";

const box = byId("timeline");
let loading = false;
let loadAgain = false;

/** Load the timeline for the width of the page. */
export async function drawTimeline() {
  if (loading) {
    loadAgain = true;
    return;
  }
  if (!box.clientWidth) return; // it is hidden, in the small window and in quiet mode
  loading = true;
  try {
    // The SVG is made for a root font of 16 pixels and then scaled, so that its text grows with the page.
    const width = Math.floor((box.clientWidth * 16) / parseFloat(getComputedStyle(document.documentElement).fontSize));
    const path = `/classes/${encodeURIComponent(page.dataset.classId)}/timeline.svg?width=${width}`;
    const response = await fetch(path);
    if (response.ok) {
      const svg = new DOMParser().parseFromString(await response.text(), "image/svg+xml").documentElement;
      if (svg.localName === "svg") box.replaceChildren(document.importNode(svg, true));
    }
  } catch {
    setTimeout(drawTimeline, RETRY_MS); // the server cannot be reached
  }
  loading = false;
  if (loadAgain) {
    loadAgain = false;
    drawTimeline();
  }
}

let drawnWidth = box.clientWidth;
let resizing;
new ResizeObserver(() => {
  const width = box.clientWidth;
  if (width === drawnWidth) return; // only the height changed, because a new timeline was inserted
  drawnWidth = width;
  clearTimeout(resizing);
  resizing = setTimeout(drawTimeline, 150); // wait until the resizing has stopped
}).observe(box);
