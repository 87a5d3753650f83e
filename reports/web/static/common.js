// Shared by the pages of the host: calls to the API, and times in the reader's time zone.

const TIMEOUT_MS = 30_000; // ending a class may take some seconds

/** Call the API. Returns the JSON, or null without content; throws an Error with the server's message. */
export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("the server cannot be reached: check that it is still running, then try again");
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const message = answer.error ?? `the server answered ${response.status}`;
    throw Object.assign(new Error(message), { status: response.status });
  }
  return answer;
}

/** Rewrite the times of the page in the reader's language and time zone. */
export function localTimes(root = document) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const instant = new Date(time.dateTime);
    if (!Number.isNaN(instant.valueOf())) time.textContent = format.format(instant);
  }
}

/** Seconds since the class began as h:mm:ss, or m:ss in the first hour. */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
