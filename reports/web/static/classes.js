// The list of classes: the form that starts one.
import { call, localTimes } from "./common.js";

localTimes();

const form = document.getElementById("start-class");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const error = document.getElementById("start-error");
  const button = form.querySelector("button");
  const room = form.room.value.trim();
  error.textContent = "";
  button.disabled = true;
  try {
    const made = await call("POST", "/api/classes", { title: form.title.value, ...(room ? { room } : {}) });
    location.assign(`/classes/${encodeURIComponent(made.id)}`);
  } catch (refused) {
    error.textContent = refused.message;
    button.disabled = false;
  }
});
