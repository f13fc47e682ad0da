// What the browser itself must do: send forms to the hub's API, uploads in pieces, and keep keys quick.
"use strict";

const tenfold = {
  async signOut(csrf) {
    await fetch("/api/sign-out", { method: "POST", headers: { "X-CSRF-Token": csrf } });
    location.href = "/sign-in";
  },

  door(silent) {
    const form = document.getElementById("door");
    if (!form) return;
    form.querySelector("input").focus();
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { kind, token } = form.dataset;
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
          const next = new URLSearchParams(location.search).get("next") || "/";
          location.href = next.startsWith("/") && !next.startsWith("//") ? next : "/";
          return;
        }
        wrong.textContent = (await answer.json()).error;
      } catch {
        wrong.textContent = silent;
      }
    });
  },

  // Files go to the hub by tus 1.0.0, three at a time; what has come stays there.
  drop(csrf, said) {
    const form = document.getElementById("drop");
    if (!form) return;
    const bar = form.querySelector(".progress"), told = form.querySelector(".told");
    const wrong = form.querySelector(".wrong"), go = form.querySelector("[type=submit]");
    const name = form.elements.name;
    let chosen = [];

    const choose = (files) => {
      chosen = files.filter(([path]) => !path.split("/").some((part) => part.startsWith(".")));
      const bytes = chosen.reduce((sum, [, file]) => sum + file.size, 0);
      told.textContent = said.chosen.replace("{count}", chosen.length).replace("{size}", (bytes / 1e6).toFixed(1));
      go.disabled = !chosen.length;
      const root = chosen.length ? chosen[0][0].split("/")[0] : "";
      if (!name.value) name.value = root.replace(/\.\w+$/, "").replace(/[^\w.-]+/g, "-").slice(0, 100);
    };
    const taken = (field) =>
      choose([...field.files].map((file) => [file.webkitRelativePath || file.name, file]));
    for (const field of form.querySelectorAll("input[type=file]")) {
      field.addEventListener("change", () => taken(field));
      if (field.files.length) taken(field);
    }
    form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
    form.addEventListener("dragleave", () => form.classList.remove("over"));
    form.addEventListener("drop", async (event) => {
      event.preventDefault();
      form.classList.remove("over");
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
      choose((await Promise.all(entries.map((entry) => tenfold.within(entry, "")))).flat());
    });

    const ask = (place, method, headers, body) =>
      fetch(place, { method, body, headers: { "Tus-Resumable": "1.0.0", "X-CSRF-Token": csrf, ...headers } });
    const fail = async (answer) => { throw new Error((await answer.json().catch(() => ({}))).error || said.silent); };
    const base64 = (text) => btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
    const strip = (path, root) => (root && path.startsWith(root) ? path.slice(root.length) : path);

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true; wrong.textContent = ""; bar.classList.remove("unseen");
      const root = chosen.every(([path]) => path.includes("/") && path.split("/")[0] === chosen[0][0].split("/")[0])
        ? chosen[0][0].split("/")[0] + "/" : "";
      const ids = [], queue = chosen.map((one, at) => [at, ...one]);
      let sent = 0;
      const worker = async () => {
        for (let next; (next = queue.shift()); ) {
          const [at, path, file] = next;
          const made = await ask("/api/uploads", "POST", {
            "Upload-Length": file.size, "Upload-Metadata": `filename ${base64(strip(path, root))}` });
          if (!made.ok) await fail(made);
          const { id } = await made.json();
          for (let offset = 0; offset < file.size; ) {
            const piece = file.slice(offset, offset + 8e6);
            const taken = await ask(`/api/uploads/${id}`, "PATCH", {
              "Upload-Offset": offset, "Content-Type": "application/offset+octet-stream" }, piece);
            if (!taken.ok) await fail(taken);
            offset += piece.size;
          }
          ids[at] = id;
          sent += 1;
          bar.firstElementChild.style.width = `${(100 * sent) / chosen.length}%`;
          told.textContent = `${sent} / ${chosen.length}`;
        }
      };
      try {
        await Promise.all([worker(), worker(), worker()]);
        const begun = await ask("/api/datasets", "POST", { "Content-Type": "application/json" },
          JSON.stringify({ name: name.value, uploads: ids }));
        if (!begun.ok) await fail(begun);
        location.href = `/jobs/${(await begun.json()).key}`;
      } catch (error) {
        wrong.textContent = error.message === "Failed to fetch" ? said.silent : error.message;
        go.disabled = false;
      }
    });
  },

  async within(entry, path) {
    if (entry.isFile) return [[path + entry.name, await new Promise((done, not) => entry.file(done, not))]];
    const reader = entry.createReader(), found = [];
    for (;;) {
      const some = await new Promise((done, not) => reader.readEntries(done, not));
      if (!some.length) return found;
      for (const one of some) found.push(...(await tenfold.within(one, `${path}${entry.name}/`)));
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

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.send) return;
  event.preventDefault();
  tenfold.send(event.target);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "h" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, textarea, select")) return;
  const tile = document.querySelector("[data-heat]:hover") ?? document.activeElement;
  if (tile?.matches("[data-heat]")) tenfold.heat(tile);
});
