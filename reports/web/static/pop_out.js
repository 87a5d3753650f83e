// The small window. Where the browser can keep one on top of all others (Document Picture-in-Picture), the word,
// what students say, the alerts and the markers move into it. Elsewhere it is a page of its own.
import { byId, page, setPopped } from "./page.js";

const WIDTH = 320;
const HEIGHT = 660;
const PARTS = [".glance-row", ".card:has(> #marker-form)"];

/** Open the small window, or bring it to the front. */
export async function popOut() {
  if (window.documentPictureInPicture) {
    try {
      return moveInto(await documentPictureInPicture.requestWindow({ width: WIDTH, height: HEIGHT }));
    } catch {
      // The browser refuses, for example because another window of this kind is open.
    }
  }
  const address = `${location.pathname}?view=small`;
  const opened = window.open(address, `classmood-${page.dataset.classId}`, `popup,width=${WIDTH},height=${HEIGHT}`);
  if (!opened) location.assign(address); // pop-ups are blocked: use this window
}

function moveInto(small) {
  const inside = small.document;
  for (const sheet of document.querySelectorAll('link[rel="stylesheet"]')) inside.head.append(sheet.cloneNode());
  inside.documentElement.lang = document.documentElement.lang;
  inside.documentElement.dir = document.documentElement.dir;
  inside.title = document.title;
  const main = inside.createElement("main");
  main.id = "class";
  Object.assign(main.dataset, { faces: page.dataset.faces });
  inside.body.append(main);
  const homes = PARTS.map((selector) => {
    const part = page.querySelector(selector);
    const home = document.createComment("in the small window");
    part.replaceWith(home);
    main.append(part);
    return [home, part];
  });
  setPopped(inside);
  const copyClasses = () => { inside.body.className = `small ${document.body.className}`; };
  const observer = new MutationObserver(copyClasses);
  observer.observe(document.body, { attributeFilter: ["class"] });
  copyClasses();
  byId("pop-out").disabled = true;
  small.addEventListener("pagehide", () => {
    observer.disconnect();
    for (const [home, part] of homes) home.replaceWith(part);
    setPopped(null);
    byId("pop-out").disabled = false;
  });
}
