// Switches that this browser remembers for the next class.

/** Remember a switch. */
export function remember(key, on) {
  try {
    localStorage.setItem(key, on ? "1" : "");
  } catch {
    // The browser does not allow storage: the switch will be off the next time.
  }
}

/** Whether a switch was on. */
export function recall(key) {
  try {
    return localStorage.getItem(key) === "1";
  } catch {
    return false;
  }
}
