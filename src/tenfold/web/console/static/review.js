// Review: one picture at a time, by keys; the next pictures are there before they are asked for.
"use strict";

window.tenfoldReview = (() => {
  const HOLD_MS = 4000, AHEAD = 5, BATCH = 20, LOOK_AGAIN_MS = 20000;
  const said = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const fresh = () =>
    [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const { headers, path } = tenfoldApi;

  class Review {
    constructor(root) {
      this.root = root;
      this.config = JSON.parse(root.dataset.config);
      this.told = this.config.told;
      this.queue = []; // samples that come
      this.known = new Set(); // samples that came, whatever became of them
      this.images = new TenfoldImages((sample) => this.#url(sample));
      this.history = [];
      this.chosen = new Set();
      this.left = 0;
      this.current = null;
      this.viewer = new TenfoldViewer(root.querySelector(".stage"), {
        onBox: () => this.viewer.draw(false) ?? this.#tools(),
        onZoom: () => (this.hasZoomed = true),
      });
      const { actor, deployment } = this.config;
      this.outbox = new TenfoldOutbox(
        `tenfold review ${actor} ${deployment}`,
        HOLD_MS,
        (label, isLast) => this.#send(label, isLast),
        {
          silent: this.told.silent,
          signedOut: this.told.signedOut,
          taken: (label) => this.#taken(label),
          refused: (label, why) => this.#say(said(this.told.refused, { why }), true),
          waits: (n, why) => this.#part(".unsent", n ? said(this.told.unsent, { n, why }) : ""),
        },
      );
      for (const one of this.outbox.all) this.known.add(one.sample);
      root.addEventListener("click", (event) => this.#click(event));
      document.addEventListener("keydown", (event) => this.#key(event));
      document.addEventListener("visibilitychange", () => this.#clock());
      this.#refill();
    }

    // ---- pictures

    async #refill() {
      if (this.isAsking) return;
      this.isAsking = true;
      const { deployment } = this.config;
      const limit = BATCH + this.outbox.all.length + this.queue.length;
      try {
        const answer = await fetch(`/api/review/${path(deployment)}?limit=${limit}`);
        const told = await answer.json();
        if (!answer.ok) throw new Error(told.error);
        const pending = new Set(this.outbox.all.map((one) => one.sample));
        const more = told.pictures.filter((one) => !this.known.has(one.sample));
        for (const { sample } of more) this.known.add(sample);
        this.queue.push(...more.map((one) => one.sample));
        this.left = Math.max(told.left - pending.size, this.queue.length + (this.current ? 1 : 0));
      } catch (error) {
        this.#say(error instanceof TypeError ? this.told.silent : error.message, true);
      } finally {
        this.isAsking = false;
      }
      if (!this.current) this.#next();
      this.#preload();
      this.#progress();
      if (!this.current && !this.queue.length) setTimeout(() => this.#refill(), LOOK_AGAIN_MS);
    }

    #url(sample, kind = "picked") {
      return `/console/${kind}/${sample}?deployment=${encodeURIComponent(this.config.deployment)}`;
    }

    #preload() {
      const wanted = this.queue.slice(0, AHEAD);
      for (const sample of wanted) this.images.get(sample);
      this.images.keep([...wanted, this.current, this.history.at(-1)?.sample]);
    }

    #next() {
      const sample = this.queue.shift() ?? null;
      this.#show(sample, 0);
      if (this.queue.length < AHEAD + 3 && sample) this.#refill();
    }

    #show(sample, spentMs) {
      this.current = sample;
      this.spentMs = spentMs;
      this.since = null;
      this.hasZoomed = this.sawHeat = this.isHot = false;
      this.isCorrecting = false;
      this.chosen.clear();
      this.#tools();
      if (!sample) {
        this.viewer.clear(this.#note(this.isAsking ? this.told.loading : this.told.done, this.told.doneHint));
        return this.#progress();
      }
      const { image, ready } = this.images.get(sample);
      if (image.complete && image.naturalWidth) this.#ready(sample, image);
      else this.viewer.clear(this.#note(this.told.loading));
      ready.then(
        () => this.current === sample && this.viewer.image !== image && this.#ready(sample, image),
        () => {
          if (this.current !== sample) return;
          this.images.drop(sample);
          this.viewer.clear(this.#note(this.told.broken));
        },
      );
      this.#preload();
      this.#progress();
    }

    #ready(sample, image) {
      this.viewer.show(image);
      this.since = document.hidden ? null : performance.now();
    }

    #note(text, hint) {
      const note = document.createElement("div");
      note.className = "note-over";
      for (const [tag, words] of [["strong", text], ["p", hint]]) {
        if (words) note.append(Object.assign(document.createElement(tag), { textContent: words }));
      }
      return note;
    }

    // Only while somebody looks at it.
    #clock() {
      if (document.hidden && this.since !== null) {
        this.spentMs += performance.now() - this.since;
        this.since = null;
      } else if (!document.hidden && this.current && this.viewer.image) {
        this.since ??= performance.now();
      }
    }

    // ---- labels

    say(label) {
      if (!this.current) return;
      const now = performance.now();
      const ms = this.spentMs + (this.since === null ? 0 : now - this.since);
      const shown = { zoom: this.hasZoomed ? "yes" : "no" };
      if (this.sawHeat) shown.heat_map = this.config.live;
      if (this.isCorrecting) shown.correction = this.reasonOf === this.current ? "after the reason" : "yes";
      const entry = {
        sample: this.current,
        label,
        boxes: this.viewer.boxes.map((box) => [...box]),
        seconds: Math.round(ms) / 1000,
        shown,
        key: fresh(),
      };
      this.outbox.put(entry);
      this.history.push({ ...entry, wasCorrection: this.isCorrecting });
      this.history = this.history.slice(-50);
      if (!this.isCorrecting) this.left = Math.max(0, this.left - 1);
      this.#say(said(this.told.said, { word: label || this.told.cannot }));
      this.#next();
    }

    undo() {
      const last = this.history.pop();
      if (!last) return this.#say(this.told.nothing);
      const isBack = this.outbox.take(last.key);
      if (this.current) this.queue.unshift(this.current);
      this.#show(last.sample, isBack ? last.seconds * 1000 : 0);
      this.isCorrecting = !isBack || last.wasCorrection;
      if (!this.isCorrecting) this.left += 1;
      this.#progress();
      this.#say(isBack ? this.told.undone : this.told.correct);
    }

    skip() {
      if (!this.current) return;
      this.queue.push(this.current);
      this.#next();
    }

    async #send(label, isLast) {
      const { due, ...body } = label;
      return fetch(`/api/review/${path(this.config.deployment)}`, {
        method: "POST",
        headers: headers(this.config.csrf, { "Content-Type": "application/json" }),
        body: JSON.stringify(body),
        keepalive: isLast,
      });
    }

    async #taken(label) {
      const answer = await fetch(this.#url(label.sample, "why")).catch(() => null);
      const told = answer?.ok ? await answer.json() : null;
      if (!told?.reasons.length) return;
      const reasons = told.reasons.map((one) => this.config.reasons[one] ?? one).join(this.told.joint);
      const parts = [said(this.told.picked, { reasons })];
      if (told.said) parts.push(said(this.told.hadSaid, { word: told.said }));
      this.reasonOf = label.sample;
      this.#part(".last", parts.join(" "));
    }

    // ---- keys, buttons, words

    #click(event) {
      const made = event.target.closest("button");
      if (!made || !this.root.contains(made)) return;
      if (made.dataset.word !== undefined) this.#choose(made.dataset.word);
      else if (made.dataset.do) this.do(made.dataset.do);
      made.blur();
    }

    #choose(word) {
      if (!this.config.multi || !word) return this.say(word);
      if (!this.chosen.delete(word)) this.chosen.add(word);
      this.#tools();
    }

    do(action) {
      if (action === "undo") this.undo();
      else if (action === "skip") this.skip();
      else if (action === "fit") this.viewer.fit();
      else if (action === "in") this.viewer.zoom(1.35);
      else if (action === "out") this.viewer.zoom(1 / 1.35);
      else if (action === "heat") this.heat();
      else if (action === "send" && this.chosen.size) {
        this.say(this.config.words.filter((word) => this.chosen.has(word)).join(";"));
      } else if (action === "region" && this.viewer.image) {
        this.viewer.draw(!this.viewer.isDrawing);
        if (this.viewer.isDrawing) this.#say(this.told.drawing);
      } else if (action === "drop") {
        this.viewer.draw(false);
        this.viewer.drop();
      }
      this.#tools();
    }

    async heat() {
      const sample = this.current;
      if (!this.config.heat || !sample || !this.viewer.image) return;
      this.isHot = !this.isHot;
      if (!this.isHot) return this.viewer.cover(null);
      this.#say(this.told.heating);
      const image = new Image();
      image.src = this.#url(sample, "picked-heat");
      try {
        await image.decode();
      } catch {
        this.isHot = false;
        if (this.current === sample) this.#say(this.told.noHeat, true);
        return this.#tools();
      }
      if (this.current !== sample || !this.isHot) return;
      this.sawHeat = true;
      this.viewer.cover(image);
      this.#say("");
    }

    #key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.root.isConnected) return;
      if (event.target.closest?.("input, textarea, select")) return;
      const keys = {
        u: "undo", s: "skip", f: "fit", h: "heat", r: "region",
        "+": "in", "=": "in", "-": "out", "−": "out", Escape: "drop", Enter: "send",
      };
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (key === "Enter" && event.target.closest?.("a, button, summary")) return;
      if (event.repeat && !"+=-".includes(key)) return;
      if (/^[1-9]$/.test(key)) {
        const word = this.config.words[Number(key) - 1];
        if (word !== undefined) this.#choose(word);
      } else if (key === "0" || key === "?" || key === "？") this.say("");
      else if (keys[key]) this.do(keys[key]);
      else return;
      event.preventDefault();
    }

    #tools() {
      const on = { region: this.viewer.isDrawing, heat: this.isHot };
      for (const one of this.root.querySelectorAll("[data-do]")) {
        if (one.dataset.do in on) one.setAttribute("aria-pressed", String(on[one.dataset.do]));
      }
      if (!this.config.multi) return;
      for (const one of this.root.querySelectorAll("[data-word]")) {
        one.setAttribute("aria-pressed", String(this.chosen.has(one.dataset.word)));
      }
    }

    #progress() {
      const n = this.current ? Math.max(this.left, 1) : 0;
      const place = document.querySelector(".review-head .left");
      if (place) place.textContent = said(this.told.left, { n });
      this.root.classList.toggle("idle", !this.current);
    }

    #say(text, isWrong = false) {
      this.#part(".told", text);
      this.root.querySelector(".told").classList.toggle("wrong", isWrong);
    }

    #part(which, text) {
      this.root.querySelector(which).textContent = text;
    }
  }

  return { begin: (root) => new Review(root) };
})();
dispatchEvent(new Event("tenfold-review"));
