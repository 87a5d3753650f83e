// Leaving a student out at their word to the host: by what the host knows of them, which is not kept.
import { call } from "./common.js";

const byId = (id) => document.getElementById(id);

/** Let the form work for the class at ``api``. */
export function offerLeavingOut(api) {
  byId("leave-out-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = byId("leave-out-said");
    const who = byId("leave-out-who");
    try {
      const { left_out: count } = await call("POST", `${api}/leave-out`, { who: who.value });
      said.textContent = count === 1 ? "Left out from now on." : `${count} left out from now on.`;
      who.value = "";
    } catch (error) {
      said.textContent = `${error.message}.`;
    }
  });
}
