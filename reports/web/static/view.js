// How much the page shows: quiet mode (only the word, the coverage and the marker form) and the small window.
import { byId, onShortcut, page } from "./page.js";

const QUIET_KEY = "classmood-quiet";

const isQuiet = () => document.body.classList.contains("quiet");

function setQuiet(quiet) {
  document.body.classList.toggle("quiet", quiet);
  byId("quiet").setAttribute("aria-pressed", String(quiet));
  try {
    localStorage.setItem(QUIET_KEY, quiet ? "1" : "");
  } catch {
    // The browser does not allow storage: quiet mode will be off the next time.
  }
}

function wasQuiet() {
  try {
    return localStorage.getItem(QUIET_KEY) === "1";
  } catch {
    return false;
  }
}

if (wasQuiet()) setQuiet(true);
byId("quiet").addEventListener("click", () => setQuiet(!isQuiet()));
onShortcut("q", () => setQuiet(!isQuiet()));

byId("pop-out")?.addEventListener("click", () => {
  const address = `${location.pathname}?view=small`;
  const opened = window.open(address, `classmood-${page.dataset.classId}`, "popup,width=320,height=660");
  if (!opened) location.assign(address); // pop-ups are blocked: use this window
});
