// A missed defect: the picture, and where it is.
"use strict";

class TenfoldMiss {
  constructor(form) {
    this.form = form;
    this.config = JSON.parse(form.dataset.config);
    this.stage = form.querySelector(".stage");
    this.viewer = new TenfoldViewer(this.stage);
    form.elements.picture.addEventListener("change", () => this.#show());
    form.addEventListener("submit", (event) => this.#send(event));
  }

  async #show() {
    const file = this.form.elements.picture.files[0];
    if (this.address) URL.revokeObjectURL(this.address);
    this.stage.hidden = !file;
    this.#say("");
    if (!file) return;
    const image = new Image();
    image.draggable = false;
    image.src = this.address = URL.createObjectURL(file);
    try {
      await image.decode();
      this.viewer.show(image);
      this.viewer.draw(true);
    } catch {
      this.stage.hidden = true;
      this.viewer.clear();
      this.#say(this.config.unshown);
    }
  }

  async #send(event) {
    event.preventDefault();
    const { deployment, csrf, silent, sending, done } = this.config;
    const asked = new URLSearchParams();
    for (const box of this.viewer.boxes) asked.append("region", box.join(","));
    if (this.form.elements.label?.value) asked.set("label", this.form.elements.label.value);
    const button = this.form.querySelector("button");
    button.disabled = true;
    this.#say(sending);
    try {
      const answer = await fetch(`/api/misses/${tenfoldApi.path(deployment)}?${asked}`, {
        method: "POST",
        headers: tenfoldApi.headers(csrf, { "Content-Type": "application/octet-stream" }),
        body: this.form.elements.picture.files[0],
      });
      const told = await answer.json();
      if (answer.ok) {
        this.form.reset();
        this.stage.hidden = true;
        this.viewer.clear();
      }
      this.#say(answer.ok ? done : [told.error, told.hint].filter(Boolean).join(" "), !answer.ok);
    } catch {
      this.#say(silent, true);
    }
    button.disabled = false;
  }

  #say(text, isWrong = false) {
    const place = this.form.querySelector(".told");
    place.textContent = text;
    place.classList.toggle("wrong", isWrong);
  }
}

window.tenfoldMiss = { begin: (form) => new TenfoldMiss(form) };
dispatchEvent(new Event("tenfold-miss"));
