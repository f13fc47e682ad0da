// The screens of a station: what is new comes as a stream, and only that is drawn.
"use strict";

window.tenfoldLine = (() => {
  const said = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const DEAD_MS = 5000, AGAIN_MS = 1000, TRIES = 12, TRY_MS = 250, GUARD_MS = 400;
  const two = (n) => String(n).padStart(2, "0");
  const clock = (at) => {
    const when = new Date(at);
    return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`;
  };
  const make = (tag, classes, text) =>
    Object.assign(document.createElement(tag), { className: classes ?? "", textContent: text ?? "" });

  class Line {
    constructor(root) {
      this.root = root;
      this.config = JSON.parse(root.dataset.config);
      this.told = this.config.told;
      this.now = {};
      this.isHot = false;
      this.#put(this.config.first);
      this.#listen();
      root.addEventListener("click", (event) => {
        const found = event.target.closest("[data-do]");
        if (found) this.#do(found.dataset.do);
      });
      document.addEventListener("keydown", (event) => this.#key(event));
      this.#dialog();
      setInterval(() => this.#tick(), 1000);
    }

    at(name) {
      return this.root.querySelector(`[data-at="${name}"]`);
    }

    // ---- the stream

    #listen() {
      this.heard = performance.now();
      const stream = new EventSource(`/console/line/${encodeURIComponent(this.config.station)}/live`);
      stream.onmessage = (event) => {
        this.heard = performance.now();
        this.#put(JSON.parse(event.data));
        this.#deaf(false);
      };
      stream.onerror = () => {
        stream.close();
        setTimeout(() => this.root.isConnected && this.#listen(), AGAIN_MS);
      };
      // A browser may take a dead line for a quiet one.
      clearInterval(this.guard);
      this.guard = setInterval(() => {
        if (performance.now() - this.heard < DEAD_MS) return;
        this.#deaf(true);
        stream.close();
        clearInterval(this.guard);
        setTimeout(() => this.root.isConnected && this.#listen(), AGAIN_MS);
      }, 500);
    }

    #deaf(isDeaf) {
      if (this.isDeaf === isDeaf) return;
      this.isDeaf = isDeaf;
      this.#stand(this.now.stand);
    }

    #put(sections) {
      for (const [name, value] of Object.entries(sections)) {
        this.now[name] = value;
        this[`on_${name}`]?.(value);
      }
      dispatchEvent(new CustomEvent("tenfold-line-news", { detail: sections }));
    }

    // ---- sections

    on_stand(value) {
      this.#stand(value);
    }

    #stand(value) {
      const box = this.at("stand");
      const shown = this.isDeaf
        ? { kind: "silent", what: this.told.silent, do: this.told.silentHint, rabbits: [] }
        : value;
      this.root.dataset.stand = shown.kind;
      if (!box) return;
      box.hidden = shown.kind === "ready";
      const begin = { not: this.told.notReady, silent: this.isDeaf ? "" : this.told.gone }[shown.kind] ?? "";
      this.#text(box, ".line-so", begin);
      this.#text(box, ".line-what", shown.what);
      this.#text(box, ".line-do", shown.do);
      box.querySelector(".line-rabbits").replaceChildren(...shown.rabbits.map((one) => make("b", "", one)));
    }

    on_last(part) {
      if (part?.id !== this.pictured) this.#picture(part);
      const box = this.at("last");
      if (!box) return;
      box.dataset.kind = part ? part.kind : "none";
      this.#text(box, ".line-sign", part?.sign ?? "");
      this.#text(box, ".line-word", part?.word ?? this.told.none);
      this.#text(box, ".line-why", part ? part.reason : this.told.noneHint);
      this.#text(box, ".line-do", part?.do ?? "");
      this.#text(box, ".line-by", part?.overruled ?? "");
      for (const key of ["part", "serial", "lot"]) this.#of(box, key, part?.[key] || "–");
      this.#inspect(part);
      if (part?.rabbit) this.#of(box, "serial", `${part.serial} · ${this.told.rabbit}`);
      this.#of(box, "at", part ? clock(part.at) : "–");
    }

    // A part in shadow waits for the inspector's word. What came just now is nobody's answer yet:
    // whoever pressed a key meant the part before.
    #inspect(part) {
      const box = this.at("inspect");
      if (!box) return;
      box.hidden = !part?.asks;
      if (part?.id === this.asking) return;
      this.asking = part?.id;
      this.askedAt = performance.now();
    }

    async #say(verdict) {
      const part = this.now.last;
      if (!part?.asks || !this.config.labels || performance.now() - this.askedAt < GUARD_MS) return;
      if (this.saying === part.id) return;
      this.saying = part.id;
      const why = await this.#send("POST", `/parts/${part.id}/overrule`, { verdict, why: "inspected" });
      if (why) this.saying = null;
    }

    on_counts(counts) {
      const box = this.at("counts");
      const shift = this.at("shift");
      if (shift) shift.textContent = counts.shift;
      if (box) for (const [key, value] of Object.entries(counts)) this.#of(box, key, value);
    }

    on_rejects(parts) {
      const box = this.at("rejects");
      if (!box) return;
      const known = new Map([...box.children].map((tile) => [tile.dataset.id, tile]));
      const tiles = parts.map((part) => this.#tile(part, known.get(String(part.id))));
      if (!tiles.length) tiles.push(make("p", "muted", this.told.noRejects));
      box.replaceChildren(...tiles);
    }

    on_lamps(lamps) {
      const box = this.at("lamps");
      if (!box) return;
      for (const [key, [kind, how]] of Object.entries(lamps)) {
        const lamp = box.querySelector(`[data-of="${key}"]`);
        lamp.className = kind;
        this.#text(lamp, ".how", how);
      }
    }

    on_beats(beats) {
      const lamp = this.at("lamps")?.querySelector('[data-of="beat"]');
      if (!lamp) return;
      if (beats !== null && beats !== this.beats) this.beatAt = performance.now();
      this.beats = beats;
      this.#tick();
      lamp.classList.toggle("odd", beats % 2 === 1);
    }

    #tick() {
      const lamp = this.at("lamps")?.querySelector('[data-of="beat"]');
      if (!lamp) return;
      const ago = this.beatAt === undefined ? null : Math.round((performance.now() - this.beatAt) / 1000);
      const isWell = this.beats !== null && ago !== null && ago < 3 && this.now.stand?.kind === "ready";
      lamp.classList.toggle("good", isWell);
      lamp.classList.toggle("bad", !isWell);
      this.#text(lamp, ".how", ago === null ? "–" : said(this.told.ago, { n: ago }));
    }

    on_asked(text) {
      const box = this.at("asked");
      if (!box) return;
      box.textContent = text;
      if (text && this.config.labels) {
        const back = make("button", "button", this.told.takeBack);
        back.type = "button";
        back.dataset.do = "takeBack";
        box.append(" ", back);
      }
    }

    on_wrong(text) {
      this.root.dataset.wrong = text;
    }

    #tile(part, old) {
      const tile = old ?? make("a", "line-tile");
      if (!old) {
        tile.dataset.id = part.id;
        tile.href = `/line/${encodeURIComponent(this.config.station)}/parts/${part.id}`;
        const image = make("img");
        image.alt = "";
        this.#load(image, `/console/line/${encodeURIComponent(this.config.station)}/small/${part.id}`);
        tile.append(make("span", "face"), make("b"), make("small"));
        tile.firstChild.append(image, make("i", "mark"));
      }
      tile.className = `line-tile ${part.kind}`;
      tile.querySelector(".mark").textContent = part.sign;
      tile.querySelector("b").textContent = part.reason;
      tile.querySelector("small").textContent = [clock(part.at), part.serial].filter(Boolean).join(" · ");
      return tile;
    }

    // ---- the picture, which is there a moment after the part

    async #picture(part) {
      this.pictured = part?.id;
      const box = this.at("picture");
      if (!box) return;
      const frame = box.querySelector(".line-face");
      if (!part) return void frame.replaceChildren(make("p", "muted", ""));
      const base = `/console/line/${encodeURIComponent(this.config.station)}`;
      for (let tries = 0; tries < TRIES; tries++) {
        const found = await this.#kept(`${base}/evidence/${part.id}`);
        if (this.pictured !== part.id) return;
        if (found?.picture) return this.#shown(part, found.maps);
        await new Promise((done) => setTimeout(done, TRY_MS));
        if (this.pictured !== part.id) return;
      }
      this.plain = this.hot = null;
      box.querySelector(".line-maps").replaceChildren();
      frame.replaceChildren(make("p", "muted", this.told.noPicture));
      this.#text(box, ".line-of", "");
    }

    async #kept(address) {
      try {
        const answer = await fetch(address);
        return answer.ok ? await answer.json() : null;
      } catch {
        return null;
      }
    }

    #shown(part, maps) {
      const base = `/api/line/${encodeURIComponent(this.config.station)}/parts/${part.id}`;
      const heat = (region) => `${base}/maps/${encodeURIComponent(region)}`;
      const order = [...maps].sort(
        (a, b) => (part.regions.indexOf(a) + 1 || 99) - (part.regions.indexOf(b) + 1 || 99),
      );
      this.plain = `${base}/picture`;
      this.maps = order.map((region) => ({ region, address: heat(region) }));
      this.at("picture")
        .querySelector(".line-maps")
        .replaceChildren(
          ...this.maps.slice(0, 4).map(({ region, address }) => {
            const one = make("button", "line-map");
            one.type = "button";
            const image = make("img");
            Object.assign(image, { src: address, alt: "" });
            one.append(image, make("span", "", region.replaceAll("_", " ")));
            one.addEventListener("click", () => this.#face(this.hot === region ? null : region));
            return one;
          }),
        );
      this.#face(this.isHot ? (this.maps[0]?.region ?? null) : null);
    }

    // The whole part, or what was found strange in a region.
    #face(region) {
      this.hot = region;
      const box = this.at("picture");
      const address = this.maps?.find((one) => one.region === region)?.address ?? this.plain;
      if (!box || !address) return;
      const image = make("img");
      Object.assign(image, { src: address, alt: "" });
      box.querySelector(".line-face").replaceChildren(image);
      const named = region && said(this.told.heatOf, { region: region.replaceAll("_", " ") });
      this.#text(box, ".line-of", named || this.told.whole);
      for (const [place, one] of box.querySelectorAll(".line-map").entries()) {
        one.setAttribute("aria-pressed", String(this.maps[place].region === region));
      }
    }

    #load(image, address, left = TRIES) {
      image.onerror = () => {
        image.classList.add("none");
        if (left > 0) setTimeout(() => this.#load(image, address, left - 1), TRY_MS * 2);
      };
      image.onload = () => image.classList.remove("none");
      image.src = `${address}?${left}`;
    }

    // ---- keys and buttons

    #key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.matches?.("input, textarea, select") || this.dialog?.open) return;
      const action = { m: "manual", o: "overrule", h: "heat", f: "wall", 1: "good", 2: "bad" }[event.key.toLowerCase()];
      if (!action || (action !== "heat" && action !== "wall" && !this.config.labels)) return;
      event.preventDefault();
      this.#do(action);
    }

    #do(action) {
      if (action === "manual") this.#send("POST", "/manual");
      if (action === "good") this.#say("ok");
      if (action === "bad") this.#say("reject");
      if (action === "takeBack") this.#send("DELETE", "/manual");
      if (action === "heat" && this.plain) {
        this.isHot = !this.hot;
        this.#face(this.hot ? null : (this.maps[0]?.region ?? null));
      }
      if (action === "wall") {
        if (document.fullscreenElement) document.exitFullscreen();
        else this.root.requestFullscreen?.();
      }
      if (action === "overrule" && this.now.last) this.#ask(this.now.last);
      if (action === "close") this.dialog.close();
    }

    async #send(method, path, body) {
      const headers = tenfoldApi.headers(this.config.csrf, { "Content-Type": "application/json" });
      const address = `/api/line/${encodeURIComponent(this.config.station)}${path}`;
      let why;
      try {
        const answer = await fetch(address, { method, headers, body: body && JSON.stringify(body) });
        if (answer.ok) return "";
        if (answer.status === 401) why = this.told.signedOut;
        else why = (await answer.json()).error;
      } catch {
        why = this.told.silent;
      }
      if (!this.dialog?.open) this.at("asked")?.replaceChildren(make("span", "wrong", why));
      return why;
    }

    #dialog() {
      this.dialog = this.root.querySelector("#overrule");
      if (!this.dialog) return;
      const form = this.dialog.querySelector("form");
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const told = Object.fromEntries(new FormData(form));
        const why = await this.#send("POST", `/parts/${this.about.id}/overrule`, told);
        this.#text(form, ".wrong", why);
        if (!why) this.dialog.close();
      });
      form.addEventListener("change", () => this.#fields(form));
    }

    #fields(form) {
      const isBad = form.elements.verdict.value === "reject";
      for (const one of form.querySelectorAll(".line-region")) {
        one.hidden = !isBad || !this.about.regions.length;
      }
      if (!isBad) form.elements.region.value = form.elements.label.value = "";
    }

    // The part that was on the screen when the key was pressed, whatever comes meanwhile.
    #ask(part) {
      this.about = part;
      const form = this.dialog.querySelector("form");
      form.reset();
      const names = [part.serial, part.part, clock(part.at)].filter(Boolean).join(" · ");
      const isOurs = part.station !== "reject" && !part.rabbit;
      const mayPass = this.config.approves || isOurs;
      this.#text(this.dialog, ".line-about", [names, mayPass ? "" : this.told.approve].filter(Boolean).join(". "));
      for (const one of form.elements.verdict) {
        one.disabled = one.value === part.kind || (one.value === "ok" && !mayPass);
      }
      const regions = ["", ...part.regions].map((name) =>
        Object.assign(make("option", "", name ? name.replaceAll("_", " ") : "–"), { value: name }),
      );
      form.elements.region.replaceChildren(...regions);
      this.#text(form, ".wrong", "");
      this.#fields(form);
      this.dialog.showModal();
    }

    #text(box, selector, text) {
      const place = box.querySelector(selector);
      if (place && place.textContent !== text) place.textContent = text;
    }

    #of(box, key, text) {
      this.#text(box, `[data-of="${key}"]`, text);
    }
  }

  return { begin: (root) => new Line(root) };
})();
dispatchEvent(new Event("tenfold-line"));
