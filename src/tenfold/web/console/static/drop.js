// Folders, zips and pictures go to the hub in pieces (tus 1.0.0), a few at a time; what has come stays.
"use strict";

const PIECE_BYTES = 8e6, AT_ONCE = 4, TRIES = 6;

const tenfoldDrop = {
  begin(csrf, said) {
    const form = document.getElementById("drop");
    if (!form) return;
    const find = (selector) => form.querySelector(selector);
    const view = { form, csrf, said, told: find(".sent"), wrong: find(".wrong"), bar: find(".progress"),
      go: find("[type=submit]"), name: form.elements.name, chosen: [] };
    tenfoldDrop.listen(view);
    view.name.addEventListener("input", () => { view.wrong.textContent = ""; });
    form.addEventListener("submit", (event) => { event.preventDefault(); tenfoldDrop.send(view); });
  },

  // Files that are chosen, or dropped on the form.
  listen(view) {
    const { form, said } = view;
    for (const field of form.querySelectorAll("input[type=file]")) {
      const choose = () =>
        tenfoldDrop.choose(view, [...field.files].map((file) => [file.webkitRelativePath || file.name, file]));
      field.addEventListener("change", choose);
      if (field.files.length) choose(); // somebody was quicker than this script
    }
    form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
    form.addEventListener("dragleave", (event) => {
      if (!form.contains(event.relatedTarget)) form.classList.remove("over");
    });
    form.addEventListener("drop", async (event) => {
      event.preventDefault();
      form.classList.remove("over");
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
      const loose = entries.length ? [] : [...event.dataTransfer.files].map((file) => [file.name, file]);
      view.told.textContent = said.looking;
      tenfoldDrop.choose(view, loose.concat(...(await Promise.all(entries.map((one) => tenfoldDrop.within(one, ""))))));
    });
  },

  // Every file below what was dropped, with its path.
  async within(entry, above) {
    const path = above + entry.name;
    if (entry.isFile) return [[path, await new Promise((done, not) => entry.file(done, not))]];
    const reader = entry.createReader(), found = [];
    for (;;) {
      const some = await new Promise((done, not) => reader.readEntries(done, not));
      if (!some.length) return found;
      found.push(...(await Promise.all(some.map((one) => tenfoldDrop.within(one, `${path}/`)))).flat());
    }
  },

  choose(view, files) {
    // What systems leave in folders; an empty file cannot be sent.
    const isLitter = ([path]) => /(^|\/)(\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX\/.*|\.git\/.*)$/.test(path);
    view.chosen = files.filter((one) => !isLitter(one) && one[1].size);
    view.wrong.textContent = view.chosen.length ? "" : view.said.none;
    view.told.textContent = view.chosen.length ? tenfoldDrop.fill(view.said.chosen, {
      count: tenfoldDrop.count(view.chosen.length), size: tenfoldDrop.size(tenfoldDrop.bytes(view)) }) : "";
    view.go.disabled = !view.chosen.length;
    view.onChosen?.();
    if (!view.name) return;
    const root = view.chosen.length ? view.chosen[0][0].split("/")[0].replace(/\.\w+$/, "") : "";
    if (root && (!view.name.value || view.name.value === view.named))
      view.name.value = view.named = root.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-._]+/, "").slice(0, 90);
  },

  // A folder that holds all of it says nothing: its name is not kept.
  root(view) {
    const first = view.chosen[0][0].split("/")[0] + "/";
    return view.chosen.every(([path]) => path.startsWith(first)) ? first.length : 0;
  },

  async send(view) {
    const { said } = view;
    if (said.taken.includes(view.name.value)) {
      view.wrong.textContent = said.isTaken;
      view.name.focus();
      return;
    }
    view.wrong.textContent = "";
    view.go.disabled = true;
    view.form.classList.add("is-sending");
    const stay = (event) => event.preventDefault();
    addEventListener("beforeunload", stay);
    try {
      const body = JSON.stringify({ name: view.name.value, uploads: await tenfoldDrop.all(view) });
      const begun = await tenfoldDrop.ask(view, "/api/datasets", "POST", { "Content-Type": "application/json" }, body);
      const { key } = await begun.json();
      removeEventListener("beforeunload", stay);
      location.href = `/jobs/${key}`;
    } catch (error) {
      removeEventListener("beforeunload", stay);
      view.wrong.textContent = error.message || said.silent;
      view.go.disabled = false;
      view.form.classList.remove("is-sending");
    }
  },

  // Sends all that was chosen; the ids of its uploads, in order.
  async all(view) {
    const ids = [], queue = view.chosen.map((one, at) => [at, ...one]), cut = tenfoldDrop.root(view);
    const state = { sent: 0, files: 0, total: tenfoldDrop.bytes(view) };
    const work = async () => {
      for (let next; (next = queue.shift()); ) {
        const [at, path, file] = next;
        ids[at] = await tenfoldDrop.one(view, path.slice(cut), file, state);
        state.files += 1;
        tenfoldDrop.show(view, state);
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    } catch (error) {
      queue.length = 0;
      throw error;
    }
    return ids;
  },

  async one(view, path, file, state) {
    const name = btoa(String.fromCodePoint(...new TextEncoder().encode(path)));
    const made = await tenfoldDrop.ask(view, "/api/uploads", "POST",
      { "Upload-Length": file.size, "Upload-Metadata": `filename ${name}` });
    const { id } = await made.json(), place = `/api/uploads/${id}`;
    for (let offset = 0, tries = 0; offset < file.size; ) {
      const piece = file.slice(offset, offset + PIECE_BYTES);
      try {
        await tenfoldDrop.ask(view, place, "PATCH",
          { "Upload-Offset": offset, "Content-Type": "application/offset+octet-stream" }, piece);
        offset += piece.size;
        state.sent += piece.size;
        tries = 0;
      } catch (error) {
        if (error.isFinal || ++tries > TRIES) throw error;
        await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
        const head = await tenfoldDrop.ask(view, place, "HEAD", {}).catch(() => null);
        const here = head ? Number(head.headers.get("Upload-Offset")) : offset;
        state.sent += here - offset;
        offset = here;
      }
      tenfoldDrop.show(view, state);
    }
    return id;
  },

  async ask(view, place, method, headers, body) {
    let answer;
    try {
      answer = await fetch(place, { method, body,
        headers: { "Tus-Resumable": "1.0.0", "X-CSRF-Token": view.csrf, ...headers } });
    } catch {
      throw new Error(view.said.silent);
    }
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    const error = new Error([told.error || view.said.silent, told.hint].filter(Boolean).join(" "));
    error.isFinal = answer.status < 500 && answer.status !== 409;
    throw error;
  },

  show(view, state) {
    const share = Math.round((100 * state.sent) / state.total);
    view.bar.firstElementChild.style.width = `${share}%`;
    view.bar.setAttribute("aria-valuenow", share);
    view.told.textContent = tenfoldDrop.fill(view.said.sent, {
      files: tenfoldDrop.count(state.files), count: tenfoldDrop.count(view.chosen.length),
      sent: tenfoldDrop.size(state.sent), size: tenfoldDrop.size(state.total) });
  },

  bytes: (view) => view.chosen.reduce((sum, [, file]) => sum + file.size, 0),
  fill: (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]),
  count: (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f"),
  size(bytes) {
    const units = ["B", "kB", "MB", "GB"];
    let at = 0;
    for (; bytes >= 1000 && at < 3; at += 1) bytes /= 1000;
    return `${Number(bytes.toPrecision(3))}\u202f${units[at]}`;
  },
};
