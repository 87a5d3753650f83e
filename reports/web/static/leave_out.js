// The form that leaves a student out of the analysis. The name or number typed here is not stored.
import { call } from "./common.js";
import { api, byId, t } from "./page.js";

byId("leave-out-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = byId("leave-out-result");
  const who = byId("leave-out-who");
  try {
    const { left_out: count } = await call("POST", `${api}/leave-out`, { who: who.value });
    result.textContent = count === 1 ? t("Left out from now on.") : t("{count} students left out from now on.", { count });
    who.value = "";
  } catch (error) {
    result.textContent = `${error.message}.`;
  }
});
