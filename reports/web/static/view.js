// How much the page shows: quiet mode (only the word, the coverage and the marker form) and the small window.
import { byId, onShortcut } from "./page.js";
import { popOut } from "./pop_out.js";
import { recall, remember } from "./remembered.js";

const QUIET_KEY = "classmood-quiet";

const isQuiet = () => document.body.classList.contains("quiet");

function setQuiet(quiet) {
  document.body.classList.toggle("quiet", quiet);
  byId("quiet").setAttribute("aria-pressed", String(quiet));
  remember(QUIET_KEY, quiet);
}

if (recall(QUIET_KEY)) setQuiet(true);
byId("quiet").addEventListener("click", () => setQuiet(!isQuiet()));
onShortcut("q", () => setQuiet(!isQuiet()));
byId("pop-out")?.addEventListener("click", popOut);
