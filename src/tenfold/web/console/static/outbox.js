// Labels on their way to the hub: held for a moment, kept in the browser until they are taken.
"use strict";

const TENFOLD_RETRY_MS = [1000, 3000, 10000, 30000];

class TenfoldOutbox {
  // `send(label)` gives an answer of fetch; `on` is told of what was taken, refused, or waits.
  constructor(key, holdMs, send, on) {
    Object.assign(this, { key, holdMs, send, on, sending: null, failures: 0, why: "" });
    addEventListener("pagehide", () => this.#flush());
    addEventListener("online", () => this.#soon(0));
    this.#soon(0);
  }

  get all() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) ?? [];
    } catch {
      return [];
    }
  }

  put(label) {
    this.#keep([...this.all, { ...label, due: Date.now() + this.holdMs }]);
    if (!this.timer) this.#soon(this.holdMs + 10); // whoever is quick must not put it off
  }

  // Take a label back; false: it is on its way.
  take(key) {
    if (this.sending === key || !this.all.some((one) => one.key === key)) return false;
    this.#keep(this.all.filter((one) => one.key !== key));
    return true;
  }

  #keep(labels) {
    localStorage.setItem(this.key, JSON.stringify(labels));
  }

  #soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#work(), ms);
  }

  async #work() {
    this.timer = null;
    if (this.sending) return;
    const label = this.all[0];
    if (!label) return;
    const wait = label.due - Date.now();
    if (wait > 0 && wait <= this.holdMs) return this.#soon(wait + 10);
    this.sending = label.key;
    const problem = await this.#deliver(label);
    this.sending = null;
    this.why = problem ?? "";
    this.failures = problem === null ? 0 : this.failures + 1;
    this.on.waits(problem === null ? 0 : this.all.length, this.why);
    if (problem === null) return this.#soon(0);
    this.#soon(TENFOLD_RETRY_MS[Math.min(this.failures, TENFOLD_RETRY_MS.length) - 1]);
  }

  // null: it is over, one way or the other; else why it must be sent again.
  async #deliver(label) {
    let answer;
    try {
      answer = await this.send(label, false);
    } catch {
      return this.on.silent;
    }
    const told = await answer.json().catch(() => ({}));
    if (answer.status === 401 || answer.status === 403) return this.on.signedOut;
    if (answer.status >= 500 || answer.status === 429 || answer.status === 408) {
      return told.error ?? this.on.silent;
    }
    this.#keep(this.all.filter((one) => one.key !== label.key));
    if (answer.ok) this.on.taken(label);
    else this.on.refused(label, [told.error, told.hint].filter(Boolean).join(" "));
    return null;
  }

  // The page goes away: send what is held; what does not arrive is sent when one comes back.
  #flush() {
    for (const label of this.all) this.send(label, true).catch(() => {});
  }
}
