// What the browser itself must do: send forms to the hub's API, uploads in pieces, and keep keys quick.
"use strict";

const tenfold = {
  async signOut(csrf) {
    await fetch("/api/sign-out", { method: "POST", headers: { "X-CSRF-Token": csrf } });
    location.href = "/sign-in";
  },

  // Somebody did something here after their session had ended.
  signedOut() {
    const told = document.getElementById("signed-out");
    if (!told.open) told.showModal();
  },

  // The text of a task outlives what makes its page load anew, in this tab.
  takeUpDraft() {
    const field = document.getElementById("task");
    if (!field) return; // somebody went on
    const kept = sessionStorage.getItem(`tenfold task ${field.dataset.draft}`);
    if (kept === null || kept === field.value) return;
    field.value = kept;
    field.dispatchEvent(new Event("input"));
  },

  dropDraft() {
    const field = document.getElementById("task");
    if (field) sessionStorage.removeItem(`tenfold task ${field.dataset.draft}`);
  },

  proposeAnew() {
    tenfold.dropDraft();
    location.reload();
  },

  // Signing in, or making the first owner; no password ever stands in an address.
  async door(form) {
    const { kind, token, silent } = form.dataset;
    const told = { name: form.elements.name.value, password: form.elements.password.value };
    if (kind === "first") told.token = token;
    const wrong = form.querySelector(".wrong");
    wrong.textContent = "";
    try {
      const answer = await fetch(kind === "first" ? "/first" : "/api/sign-in", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(told),
      });
      if (answer.ok) {
        // Browsers read `/\elsewhere` as another machine: only what stays on this one is followed.
        const next = URL.parse(new URLSearchParams(location.search).get("next") || "/", location.href);
        location.href = next?.origin === location.origin ? next.href : "/";
        return;
      }
      wrong.textContent = (await answer.json()).error;
    } catch {
      wrong.textContent = silent;
    }
  },

  // A threshold that is tried on the page of a model: moves the mark, and says what it comes to.
  whatIf(input) {
    const root = input.closest("[data-points]");
    root.points ??= JSON.parse(root.dataset.points);
    const [threshold, x, ...counts] = root.points[input.value];
    const told = String(Number(threshold.toPrecision(4)));
    root.querySelector('[data-out="threshold"]').textContent = told;
    input.setAttribute("aria-valuetext", told);
    ["escape", "overkill"].forEach((kind, i) => {
      const [errors, perMille, upper] = counts.slice(3 * i, 3 * i + 3);
      root.querySelector(`[data-out="${kind}"]`).textContent = errors;
      const most = root.querySelector(`[data-out="${kind}-upper"]`);
      most.textContent = `${perMille / 10}\u202f%`;
      const limit = most.closest("tr").dataset.limit;
      most.classList.toggle("met", limit !== undefined && upper <= Number(limit));
      most.classList.toggle("unmet", limit !== undefined && upper > Number(limit));
    });
    for (const chart of root.querySelectorAll(".movable svg")) {
      let mark = chart.querySelector(".moved");
      if (!mark) {
        mark = document.createElementNS("http://www.w3.org/2000/svg", "line");
        for (const [name, value] of Object.entries({ class: "moved", y1: 28, y2: 258 })) {
          mark.setAttribute(name, value);
        }
        chart.append(mark);
      }
      mark.setAttribute("x1", x);
      mark.setAttribute("x2", x);
    }
  },

  ownThreshold(button) {
    const root = button.closest("[data-points]");
    const input = root.querySelector('input[type="range"]');
    input.value = root.dataset.own;
    tenfold.whatIf(input);
  },

  // A picture, or what the head found strange in it.
  heat(tile) {
    const picture = tile.querySelector("img");
    const isHot = tile.getAttribute("aria-pressed") === "true";
    tile.setAttribute("aria-pressed", String(!isHot));
    tile.classList.add("waiting");
    picture.onload = picture.onerror = () => tile.classList.remove("waiting");
    picture.src = isHot ? tile.dataset.plain : tile.dataset.heat;
  },

  // Sends a form with `data-send` to the hub's API.
  async send(form) {
    const { send, method, csrf, to, reveals } = form.dataset;
    const told = JSON.parse(form.dataset.told);
    const body = Object.fromEntries(new FormData(form));
    const wrong = form.querySelector(".wrong");
    wrong.textContent = "";
    if (told.again && body.again !== body.new) return void (wrong.textContent = told.again);
    delete body.again;
    try {
      const answer = await fetch(send, {
        method,
        headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
        body: JSON.stringify(body),
      });
      const found = await answer.json();
      if (!answer.ok) return void (wrong.textContent = told[answer.status] || found.error);
      if (!reveals) return void (to ? (location.href = to) : location.reload());
      const box = document.getElementById(reveals);
      box.hidden = false;
      box.querySelector("code").textContent = found[reveals];
      form.reset();
    } catch {
      wrong.textContent = told.silent;
    }
  },

  // Also where the hub is reached by plain HTTP, where browsers offer no clipboard.
  async copy(button) {
    const text = button.parentElement.querySelector("code");
    getSelection().selectAllChildren(text);
    if (navigator.clipboard) await navigator.clipboard.writeText(text.textContent);
    else document.execCommand("copy");
    button.textContent = button.dataset.done;
  },
};

// On the document, so that a form is never sent by the browser itself, however early.
document.addEventListener("submit", (event) => {
  if (event.target.id === "door") {
    event.preventDefault();
    tenfold.door(event.target);
  }
  if (!event.target.dataset.send) return;
  event.preventDefault();
  tenfold.send(event.target);
});

document.addEventListener("input", ({ target }) => {
  if (target.dataset.draft)
    sessionStorage.setItem(`tenfold task ${target.dataset.draft}`, target.value.slice(0, 3e5));
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "h" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, textarea, select")) return;
  const tile = document.querySelector("[data-heat]:hover") ?? document.activeElement;
  if (tile?.matches("[data-heat]")) tenfold.heat(tile);
});
