// Renews the page when a twin changes, and now and then for what changes without one. What is
// shown is rendered by the site: the script only asks for it again.
const PAUSE_MS = 1000;
const LONGEST_MS = 10000;
const live = document.getElementById("live");
let asked = false;
let later = 0;

function tell(text, isStale) {
  // Only what is news is written: a reader that speaks would say it again each time.
  if (live.textContent !== text) live.textContent = text;
  document.body.classList.toggle("stale", isStale);
}

// What the keyboard can be in, by what it is, so that it is found again in the renewed page.
function held(main) {
  const found = new Map();
  for (const each of main.querySelectorAll("a[href], .frame")) {
    const name = each.getAttribute("href") ?? each.getAttribute("aria-label");
    let key = `${each.tagName} ${name}`;
    while (found.has(key)) key += "+";
    found.set(key, each);
  }
  return found;
}

function isMarking() {
  const marked = document.getSelection();
  return marked !== null && !marked.isCollapsed;
}

async function renew() {
  asked = false;
  clearTimeout(later);
  const main = document.querySelector("main");
  later = setTimeout(soon, Number(main.dataset.renewMs) || LONGEST_MS);
  if (document.hidden) return;
  // Somebody is marking text to copy it: it must not be taken away under the hand.
  if (isMarking()) {
    tell("waits while text is marked", false);
    return;
  }
  try {
    const answer = await fetch(location.href.split("#")[0], { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // Where the reader has scrolled a wide table to, and what the keyboard is in, stays.
    const before = held(main);
    const renewed = page.querySelector("main");
    if (isMarking()) return;
    const focused = document.activeElement;
    const scrolled = [...before].map(([key, each]) => [key, each.scrollLeft, each === focused]);
    main.replaceWith(renewed);
    document.title = page.title;
    const after = held(renewed);
    for (const [key, left, isFocused] of scrolled) {
      const each = after.get(key);
      if (!each) continue;
      each.scrollLeft = left;
      if (isFocused) each.focus({ preventScroll: true });
    }
    tell("live", false);
  } catch (error) {
    tell(`not renewed (${error.message})`, true);
  }
}

function soon() {
  if (asked) return;
  asked = true;
  setTimeout(renew, PAUSE_MS);
}

const stream = new EventSource("/api/stream");
stream.addEventListener("twin", soon);
stream.addEventListener("error", () => { tell("the site does not answer", true); });
document.addEventListener("visibilitychange", soon);
soon();
