// The list of classes, and the form that starts one.
import { call, localTimes } from "./common.js";

localTimes();

const form = document.getElementById("start-class");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const message = document.getElementById("start-error");
  const button = form.querySelector("button");
  const room = form.room.value.trim();
  message.textContent = "";
  button.disabled = true;
  try {
    const info = await call("POST", "/api/classes", { title: form.title.value, ...(room ? { room } : {}) });
    location.assign(`/classes/${encodeURIComponent(info.id)}`);
  } catch (error) {
    message.textContent = error.message;
    button.disabled = false;
  }
});
