// The teaching screen: regions over the reference picture, moved by pointer and by keys; pictures
// go to the hub in pieces, and then a job teaches.
"use strict";

window.tenfoldTeach = (() => {
  const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
  const LEAST_PX = 8, STEPS = 200;
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const make = (tag, given = {}, ...inside) => {
    const made = Object.assign(document.createElement(tag), given);
    made.append(...inside);
    return made;
  };
  const between = (low, value, high) => Math.min(Math.max(value, low), Math.max(low, high));

  class Teach {
    constructor(root) {
      this.root = root;
      Object.assign(this, JSON.parse(root.dataset.config), { rows: [], chosen: null, bads: [] });
      this.goods = this.#pick(this.at("goods"));
      this.goods.onChosen = () => { this.ids = null; };
      root.addEventListener("click", (event) => {
        const found = event.target.closest("[data-do]");
        if (found) this.#do(found.dataset.do, found);
      });
      for (const form of root.querySelectorAll("form")) this.#still(form);
      this.at("goods").elements.part.addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.#propose();
      });
      this.at("reference").addEventListener("change", (event) => this.#propose(event.target.value));
      const stage = this.at("stage");
      stage.addEventListener("pointerdown", (event) => this.#down(event));
      stage.addEventListener("pointermove", (event) => this.#move(event));
      for (const name of ["pointerup", "pointercancel"]) {
        stage.addEventListener(name, () => { this.drag = null; });
      }
      stage.addEventListener("keydown", (event) => this.#key(event));
    }

    at(name) {
      return this.root.querySelector(`[data-at="${name}"]`);
    }

    #still(form) {
      form.addEventListener("submit", (event) => event.preventDefault());
    }

    #pick(form) {
      const find = (selector) => form.querySelector(selector);
      const view = { form, csrf: this.csrf, said: this.said, told: find(".sent"), bar: find(".progress"),
        wrong: find(".wrong") ?? make("p"), chosen: [], go: make("button") };
      tenfoldDrop.listen(view);
      return view;
    }

    #do(action, button) {
      if (action === "propose") this.#propose();
      if (action === "add") this.#add();
      if (action === "bad") this.#addBad();
      if (action === "drop-bad") this.#dropBad(button.closest("form"));
      if (action === "teach") this.#teach();
    }

    // ---- what the hub is asked

    async #ask(path, body) {
      const address = `/api/line/${encodeURIComponent(this.station)}${path}`;
      const headers = { "Content-Type": "application/json" };
      return (await tenfoldDrop.ask(this, address, "POST", headers, JSON.stringify(body))).json();
    }

    // Pictures are sent once; their ids serve the proposal and the teaching.
    async #send(view) {
      view.form.classList.add("is-sending");
      try {
        return await tenfoldDrop.all(view);
      } finally {
        view.form.classList.remove("is-sending");
      }
    }

    async #propose(reference = "") {
      const { wrong, told, chosen } = this.goods;
      const part = this.at("goods").elements.part.value.trim();
      const isZip = chosen.some(([path]) => /\.zip$/i.test(path));
      wrong.textContent = "";
      if (chosen.length < this.said.least && !isZip) {
        return void (wrong.textContent = fill(this.said.few, { count: chosen.length }));
      }
      if (!NAME.test(part)) return void (wrong.textContent = this.said.partName);
      if (this.isBusy) return;
      this.#busy(true);
      const before = told.textContent;
      try {
        this.ids ??= await this.#send(this.goods);
        told.textContent = this.said.proposing;
        this.#proposed(await this.#ask("/propose", { part, uploads: this.ids, reference }));
        told.textContent = before;
      } catch (error) {
        told.textContent = before;
        wrong.textContent = error.message || this.said.silent;
      }
      this.#busy(false);
    }

    #busy(isBusy) {
      this.isBusy = isBusy;
      for (const one of this.root.querySelectorAll('[data-do="propose"], [data-do="teach"]')) one.disabled = isBusy;
      this.root.setAttribute("aria-busy", String(isBusy));
    }

    #proposed(found) {
      Object.assign(this, { spec: found.part, width: found.width_px, height: found.height_px });
      this.rows = found.part.regions.map((one) => ({ ...one, box: [...one.box], kind: "surface", thing: "" }));
      this.chosen = null;
      for (const name of ["regions", "bads", "go"]) this.at(name).hidden = false;
      const count = this.rows.length, files = found.pictures.length - found.lost.length;
      this.at("proposed").textContent = fill(this.said.proposed, { count, files });
      const lost = this.at("lost");
      lost.hidden = !found.lost.length;
      lost.replaceChildren(...[this.said.lost, ...found.lost].map((text) => make("li", { textContent: text })));
      const known = this.at("known");
      known.hidden = !found.is_known;
      known.textContent = fill(this.said.known, { name: found.part.part });
      const options = found.pictures.map((name) => make("option", { value: name, textContent: name }));
      this.at("reference").replaceChildren(...options);
      this.at("reference").value = found.part.reference;
      const { style } = this.at("stage"), shape = this.width / this.height;
      Object.assign(style, { aspectRatio: shape, width: `min(100%, ${(62 * shape).toFixed(2)}vh)` });
      this.image = make("img", { src: found.picture, alt: "", draggable: false });
      this.#draw();
      this.at("regions").scrollIntoView({ block: "start" });
    }

    // ---- regions: boxes on the picture, and the same as numbers in a table

    #draw() {
      for (const row of this.rows) {
        row.place ??= this.#box(row);
        row.line ??= this.#line(row);
      }
      this.at("stage").replaceChildren(this.image, ...this.rows.map((row) => row.place));
      this.at("rows").replaceChildren(...this.rows.map((row) => row.line.element));
      this.rows.forEach((row) => this.#paint(row));
      for (const bad of this.bads) this.#badRegions(bad);
    }

    #box(row) {
      const place = make("div", { className: "teach-box", tabIndex: 0 }, make("span"));
      place.setAttribute("role", "button");
      place.setAttribute("aria-describedby", "teach-keys");
      for (const corner of ["lt", "rt", "lb", "rb"]) {
        const handle = make("i");
        handle.dataset.corner = corner;
        place.append(handle);
      }
      place.addEventListener("focus", () => this.#choose(row));
      place.row = row;
      return place;
    }

    #line(row) {
      const field = (type, label, onInput, more = {}) => {
        const made = make("input", { type, className: "field", ...more });
        made.setAttribute("aria-label", label);
        made.addEventListener("input", () => { onInput(made); this.#paint(row, made); });
        return made;
      };
      const name = field("text", this.root.querySelector("thead th").textContent, (it) => { row.name = it.value.trim(); },
        { value: row.name, maxLength: 100, autocomplete: "off", spellcheck: false });
      const sides = this.said.sides.map((side, at) =>
        field("number", side, (it) => { row.box[at] = Math.round(Number(it.value)) || 0; }, { min: 0, step: 1 }));
      const kind = make("select", { className: "field" });
      kind.setAttribute("aria-label", this.said.check);
      kind.append(...Object.entries(this.said.checks).map(([value, text]) => make("option", { value, textContent: text })));
      const thing = field("text", this.said.thing, (it) => { row.thing = it.value.trim(); },
        { placeholder: this.said.thingHint, maxLength: 60, hidden: true, autocomplete: "off" });
      kind.addEventListener("change", () => {
        row.kind = kind.value;
        thing.hidden = row.kind !== "assembly";
        for (const bad of this.bads) this.#badRegions(bad);
      });
      const away = make("button", { type: "button", className: "button plain", textContent: this.said.remove });
      away.addEventListener("click", () => this.#remove(row));
      const cell = (...inside) => make("td", {}, ...inside);
      const both = make("div", { className: "stack" }, kind, thing);
      const element = make("tr", {}, cell(name), ...sides.map((one) => cell(one)), cell(both), cell(away));
      element.addEventListener("focusin", () => this.#choose(row));
      return { element, name, sides, thing, away };
    }

    // All that shows a region, but for the field that somebody writes in.
    #paint(row, written) {
      const [left, top, right, bottom] = row.box, { style } = row.place;
      const share = (value, whole) => `${(100 * value) / whole}%`;
      style.left = share(left, this.width);
      style.top = share(top, this.height);
      style.width = share(Math.max(0, right - left), this.width);
      style.height = share(Math.max(0, bottom - top), this.height);
      row.place.querySelector("span").textContent = row.name;
      const named = fill(this.said.region, { name: row.name });
      const told = this.said.sides.map((side, at) => `${side} ${row.box[at]}`).join(", ");
      row.place.setAttribute("aria-label", `${named}: ${told}`);
      row.place.setAttribute("aria-pressed", String(row === this.chosen));
      row.line.away.setAttribute("aria-label", `${this.said.remove}: ${row.name}`);
      row.line.sides.forEach((field, at) => { if (field !== written) field.value = row.box[at]; });
      for (const one of [row.place, row.line.element]) one.classList.toggle("is-chosen", row === this.chosen);
      const isOutside = !this.#lies(row.box);
      row.place.classList.toggle("is-wrong", isOutside);
      for (const field of row.line.sides) field.setAttribute("aria-invalid", String(isOutside));
      row.line.name.setAttribute("aria-invalid", String(!NAME.test(row.name)));
      if (written === row.line.name) for (const bad of this.bads) this.#badRegions(bad);
    }

    #lies([left, top, right, bottom]) {
      return 0 <= left && left < right && right <= this.width && 0 <= top && top < bottom && bottom <= this.height;
    }

    #choose(row) {
      const before = this.chosen;
      this.chosen = row;
      for (const one of [before, row]) if (one && this.rows.includes(one)) this.#paint(one);
    }

    #add(box) {
      const [w, h] = [this.width, this.height].map((side) => Math.round(side / 4));
      const x = Math.round((this.width - w) / 2), y = Math.round((this.height - h) / 2);
      const names = this.rows.map((one) => one.name);
      let number = this.rows.length + 1;
      while (names.includes(`region_${number}`)) number += 1;
      const row = { name: `region_${number}`, box: box ?? [x, y, x + w, y + h], kind: "surface", thing: "" };
      this.rows.push(row);
      this.#draw();
      if (!box) row.place.focus();
      this.#choose(row);
      return row;
    }

    #remove(row) {
      const at = this.rows.indexOf(row);
      this.rows.splice(at, 1);
      if (this.chosen === row) this.chosen = null;
      this.#draw();
      (this.rows[at] ?? this.rows[at - 1])?.place.focus();
      this.at("state").textContent = fill(this.said.removed, { name: row.name });
    }

    // ---- pointer and keys

    #pixel(event) {
      const frame = this.at("stage").getBoundingClientRect();
      const x = ((event.clientX - frame.left) / frame.width) * this.width;
      const y = ((event.clientY - frame.top) / frame.height) * this.height;
      return [between(0, Math.round(x), this.width), between(0, Math.round(y), this.height)];
    }

    #down(event) {
      if (event.button || !this.image) return;
      const place = event.target.closest(".teach-box"), start = this.#pixel(event);
      event.preventDefault();
      this.at("stage").setPointerCapture(event.pointerId);
      if (!place) return void (this.drag = { start, corner: "rb", isNew: true });
      place.focus();
      this.drag = { row: place.row, start, from: [...place.row.box], corner: event.target.dataset.corner };
    }

    #move(event) {
      const { drag } = this;
      if (!drag) return;
      const now = this.#pixel(event);
      if (drag.isNew) {
        const far = Math.max(Math.abs(now[0] - drag.start[0]), Math.abs(now[1] - drag.start[1]));
        if (far < LEAST_PX) return;
        drag.row ??= this.#add([...drag.start, ...now]);
        const xs = [drag.start[0], now[0]].sort((a, b) => a - b), ys = [drag.start[1], now[1]].sort((a, b) => a - b);
        drag.row.box = [xs[0], ys[0], Math.max(xs[1], xs[0] + 1), Math.max(ys[1], ys[0] + 1)];
        return this.#paint(drag.row);
      }
      const [dx, dy] = [now[0] - drag.start[0], now[1] - drag.start[1]];
      if (drag.corner) this.#resize(drag.row, drag.from, drag.corner, dx, dy);
      else this.#shift(drag.row, drag.from, dx, dy);
    }

    #shift(row, [left, top, right, bottom], dx, dy) {
      dx = between(-left, dx, this.width - right);
      dy = between(-top, dy, this.height - bottom);
      row.box = [left + dx, top + dy, right + dx, bottom + dy];
      this.#paint(row);
    }

    #resize(row, [left, top, right, bottom], corner, dx, dy) {
      if (corner.includes("l")) left = between(0, left + dx, right - LEAST_PX);
      else right = between(left + LEAST_PX, right + dx, this.width);
      if (corner.includes("t")) top = between(0, top + dy, bottom - LEAST_PX);
      else bottom = between(top + LEAST_PX, bottom + dy, this.height);
      row.box = [left, top, right, bottom];
      this.#paint(row);
    }

    #key(event) {
      const row = event.target.row;
      if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = Math.max(1, Math.round(Math.max(this.width, this.height) / STEPS));
      const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
      if (way && event.shiftKey) this.#resize(row, row.box, "rb", ...way);
      else if (way) this.#shift(row, row.box, ...way);
      else if (event.key === "Delete" || event.key === "Backspace") this.#remove(row);
      else return;
      event.preventDefault();
    }

    // ---- parts known to be bad

    #addBad() {
      const template = this.at("bads").querySelector("template");
      const form = (template.content.querySelector("form") ?? template.querySelector("form")).cloneNode(true);
      this.#still(form);
      this.at("bad-list").append(form);
      const bad = { form, region: make("select", { className: "field" }), view: this.#pick(form) };
      form.querySelector('[data-slot="region"]').replaceWith(bad.region);
      bad.slot = form.querySelector('[data-slot="label"]');
      bad.region.addEventListener("change", () => this.#badLabel(bad));
      bad.view.onChosen = () => { bad.ids = null; };
      this.bads.push(bad);
      this.#badRegions(bad);
      bad.region.focus();
    }

    #dropBad(form) {
      this.bads = this.bads.filter((one) => one.form !== form);
      form.remove();
    }

    // Regions that a head looks at, by the names they have now.
    #badRegions(bad) {
      const of = bad.row, rows = this.rows.filter((row) => row.kind !== "golden");
      bad.options = rows;
      bad.region.replaceChildren(...rows.map((row, at) => make("option", { value: at, textContent: row.name })));
      bad.region.value = Math.max(0, rows.indexOf(of));
      this.#badLabel(bad);
    }

    #badLabel(bad) {
      const row = (bad.row = bad.options[Number(bad.region.value)]);
      const kind = row?.kind === "assembly" ? "assembly" : "surface";
      if (bad.kind === kind) return;
      bad.kind = kind;
      const options = Object.entries(this.said.meanings).map(([value, text]) => make("option", { value, textContent: text }));
      bad.label = kind === "assembly"
        ? make("select", { className: "field" }, ...options)
        : make("input", { className: "field", type: "text", maxLength: 100, placeholder: this.said.defect, autocomplete: "off" });
      bad.slot.replaceWith(bad.label);
      bad.slot = bad.label;
    }

    // ---- teach

    // What is wrong with the regions, in words; nothing: they can be taught.
    #wrong() {
      const { said, rows } = this, names = rows.map((one) => one.name);
      if (!rows.length) return [said.noRegion];
      for (const row of rows) {
        const values = { name: row.name, width: this.width, height: this.height };
        if (!NAME.test(row.name)) return [fill(said.name, values), row.line.name];
        if (names.indexOf(row.name) !== names.lastIndexOf(row.name)) return [fill(said.twice, values), row.line.name];
        if (!this.#lies(row.box)) return [fill(said.outside, values), row.line.sides[0]];
        if (row.kind === "assembly" && !row.thing) return [fill(said.noThing, values), row.line.thing];
      }
      return [];
    }

    #region({ name, box, kind, thing }) {
      const head = `${this.station}-${this.spec.part}-${name}`;
      // a head that has seen good ones alone calls the others a defect
      const meanings = { absent: ["missing"], wrong: ["wrong", "defect"], turned: ["turned"] };
      const checks = {
        surface: { check: "surface", head },
        assembly: { check: "assembly", head, thing, present: ["good"], ...meanings },
        golden: { check: "golden" },
      };
      return { name, box, checks: [checks[kind]] };
    }

    async #teach() {
      const [told, field] = this.#wrong();
      this.at("regions-wrong").textContent = told ?? "";
      const wrong = this.at("wrong"), state = this.at("state");
      wrong.textContent = state.textContent = "";
      if (told) return void field?.focus();
      for (const bad of this.bads) {
        if (!bad.label.value.trim()) return void (wrong.textContent = this.said.noLabel, bad.label.focus());
        if (!bad.view.chosen.length) return void (wrong.textContent = this.said.noBad);
      }
      if (this.isBusy) return;
      this.#busy(true);
      const stay = (event) => event.preventDefault();
      addEventListener("beforeunload", stay);
      try {
        state.textContent = this.said.sending;
        this.ids ??= await this.#send(this.goods);
        for (const bad of this.bads) bad.ids ??= await this.#send(bad.view);
        const bad = this.bads.map((one) => ({ region: one.row.name, label: one.label.value.trim(), uploads: one.ids }));
        const part = { ...this.spec, regions: this.rows.map((row) => this.#region(row)) };
        const { key } = await this.#ask("/teach", { part, good: this.ids, bad });
        removeEventListener("beforeunload", stay);
        location.href = `/jobs/${key}`;
      } catch (error) {
        removeEventListener("beforeunload", stay);
        state.textContent = "";
        wrong.textContent = error.message || this.said.silent;
        this.#busy(false);
      }
    }
  }

  return { begin: (root) => new Teach(root) };
})();
dispatchEvent(new Event("tenfold-teach"));
