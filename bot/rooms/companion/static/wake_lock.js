// Keeps the screen of a phone on while the student is in the class: a locked phone stops its camera.
let wanted = false;
let lock = null;

async function request() {
  if (!wanted || lock || document.visibilityState !== "visible") return;
  try {
    lock = await navigator.wakeLock.request("screen");
    lock.addEventListener("release", () => { lock = null; });
    if (!wanted) release();
  } catch {
    // The browser has no wake lock, or the battery is low: the screen may then go dark.
  }
}

function release() {
  lock?.release().catch(() => {});
}

/** Keep the screen on, or let it go dark again. */
export function keepScreenOn(on) {
  wanted = on;
  if (on) request();
  else release();
}

document.addEventListener("visibilitychange", request); // a hidden page loses the lock
