// What the host can do with the class: end it, delete it, copy the student link.
import { attempt } from "./attempt.js";
import { catchUp } from "./catch_up.js";
import { showState } from "./class_state.js";
import { call } from "./common.js";
import { api, byId, setText, t } from "./page.js";

/** Open the dialog on a click, and run the action if the answer is yes. */
function onConfirmed(dialog, button, action) {
  button.addEventListener("click", () => {
    dialog.returnValue = "no"; // Escape would keep the previous answer
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") attempt(button, action);
  });
}

onConfirmed(byId("end-dialog"), byId("end-class"), async () => {
  showState(await call("POST", `${api}/end`));
  byId("report-link").focus(); // the button that had the focus is hidden now
  await catchUp();
});

onConfirmed(byId("delete-dialog"), byId("delete-class"), async () => {
  await call("DELETE", api).catch((error) => {
    if (error.status !== 404) throw error; // 404: it was deleted in another window
  });
  location.assign("/");
});

byId("copy-link").addEventListener("click", async () => {
  const link = byId("student-link");
  try {
    await navigator.clipboard.writeText(link.href);
    setText("copied", t("copied"));
  } catch {
    // Without HTTPS, browsers block the clipboard: select the link, so that Ctrl+C copies it.
    getSelection().selectAllChildren(link);
    setText("copied", t("selected: press Ctrl+C to copy it"));
  }
});
