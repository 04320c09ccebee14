// Renews the page when a twin changes, and every ten seconds for the ages of the data. What is
// shown is rendered by the site: the script only asks for it again.
const PAUSE_MS = 1000;
const LONGEST_MS = 10000;
const live = document.getElementById("live");
let asked = false;

async function renew() {
  asked = false;
  if (document.hidden) return;
  try {
    const answer = await fetch("/", { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // Where the reader has scrolled a wide table to, and which one the keyboard is in, stays.
    const held = new Map();
    for (const frame of document.querySelectorAll(".frame")) {
      const focused = frame === document.activeElement;
      held.set(frame.getAttribute("aria-label"), { left: frame.scrollLeft, focused });
    }
    document.querySelector("main").replaceWith(page.querySelector("main"));
    for (const frame of document.querySelectorAll(".frame")) {
      const before = held.get(frame.getAttribute("aria-label"));
      if (!before) continue;
      frame.scrollLeft = before.left;
      if (before.focused) frame.focus({ preventScroll: true });
    }
    live.textContent = "live";
  } catch (error) {
    live.textContent = `not renewed (${error.message})`;
  }
}

function soon() {
  if (asked) return;
  asked = true;
  setTimeout(renew, PAUSE_MS);
}

const stream = new EventSource("/api/stream");
stream.addEventListener("twin", soon);
stream.addEventListener("error", () => { live.textContent = "the site does not answer"; });
setInterval(soon, LONGEST_MS);
document.addEventListener("visibilitychange", soon);
