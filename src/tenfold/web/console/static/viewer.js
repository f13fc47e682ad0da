// A picture that can be zoomed, moved and drawn upon.
"use strict";

class TenfoldViewer {
  constructor(stage, { onBox = () => {}, onZoom = () => {} } = {}) {
    Object.assign(this, { stage, onBox, onZoom, scale: 1, x: 0, y: 0, boxes: [], isDrawing: false });
    this.sheet = document.createElement("div");
    this.sheet.className = "sheet";
    stage.replaceChildren(this.sheet);
    this.marks = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.fingers = new Map();
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      stage.addEventListener(name, (event) => this.#up(event));
    }
    new ResizeObserver(() => this.fit()).observe(stage);
  }

  show(image) {
    this.image = image;
    this.boxes = [];
    this.width = image.naturalWidth;
    this.height = image.naturalHeight;
    this.sheet.style.width = `${this.width}px`;
    this.sheet.style.height = `${this.height}px`;
    this.marks.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.sheet.replaceChildren(image, this.marks);
    this.draw(false);
    this.fit();
    this.#paint();
  }

  clear(element) {
    this.image = null;
    this.boxes = [];
    this.sheet.removeAttribute("style");
    this.sheet.replaceChildren(...(element ? [element] : []));
  }

  // Another picture over the first one, or none.
  cover(image) {
    this.sheet.querySelector(".cover")?.remove();
    if (!image || !this.image) return;
    image.className = "cover";
    this.image.after(image);
  }

  fit() {
    if (!this.image) return;
    const { clientWidth: w, clientHeight: h } = this.stage;
    this.least = Math.min(w / this.width, h / this.height);
    this.scale = this.least;
    this.x = (w - this.width * this.scale) / 2;
    this.y = (h - this.height * this.scale) / 2;
    this.#place();
  }

  zoom(by, at = [this.stage.clientWidth / 2, this.stage.clientHeight / 2]) {
    if (!this.image) return;
    const scale = Math.min(Math.max(this.scale * by, this.least * 0.5), Math.max(32, this.least));
    this.x = at[0] - ((at[0] - this.x) * scale) / this.scale;
    this.y = at[1] - ((at[1] - this.y) * scale) / this.scale;
    this.scale = scale;
    this.onZoom();
    this.#place();
  }

  draw(isDrawing) {
    this.isDrawing = isDrawing;
    this.stage.classList.toggle("drawing", isDrawing);
  }

  drop() {
    this.boxes = [];
    this.#paint();
  }

  #place() {
    this.sheet.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.sheet.classList.toggle("crisp", this.scale > 3);
  }

  #paint() {
    this.marks.replaceChildren(
      ...this.boxes.map(([x0, y0, x1, y1]) => {
        const one = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        const sides = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
        for (const [name, value] of Object.entries(sides)) one.setAttribute(name, value);
        return one;
      }),
    );
  }

  #at(event) {
    const frame = this.stage.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  #pixel([x, y]) {
    const within = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
    return [
      within((x - this.x) / this.scale, this.width),
      within((y - this.y) / this.scale, this.height),
    ];
  }

  #wheel(event) {
    if (!this.image) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), this.#at(event));
  }

  #down(event) {
    if (!this.image || event.button) return;
    this.stage.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, this.#at(event));
    if (this.isDrawing && this.fingers.size === 1) {
      this.corner = this.#pixel(this.#at(event));
      this.boxes.push([...this.corner, ...this.corner]);
    }
  }

  #move(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before || !this.image) return;
    const at = this.#at(event);
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    this.fingers.set(event.pointerId, at);
    if (other) {
      const far = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
      this.zoom(far(at) / Math.max(far(before), 1), other);
    } else if (this.corner) {
      const [x, y] = this.#pixel(at);
      const [cx, cy] = this.corner;
      const box = [Math.min(x, cx), Math.min(y, cy), Math.max(x, cx), Math.max(y, cy)];
      this.boxes[this.boxes.length - 1] = box;
      this.#paint();
    } else {
      this.x += at[0] - before[0];
      this.y += at[1] - before[1];
      this.#place();
    }
  }

  #up(event) {
    this.fingers.delete(event.pointerId);
    if (!this.corner) return;
    this.corner = null;
    const [x0, y0, x1, y1] = this.boxes[this.boxes.length - 1];
    if (x1 - x0 < 2 || y1 - y0 < 2) this.boxes.pop();
    this.#paint();
    this.onBox(this.boxes);
  }
}

// Pictures that are on their way or there, decoded.
class TenfoldImages {
  constructor(address) {
    this.address = address;
    this.known = new Map();
  }

  get(sample) {
    if (!this.known.has(sample)) {
      const image = new Image();
      image.draggable = false;
      image.alt = "";
      image.src = this.address(sample);
      const ready = image.decode();
      ready.catch(() => {});
      this.known.set(sample, { image, ready });
    }
    return this.known.get(sample);
  }

  drop(sample) {
    this.known.delete(sample);
  }

  keep(samples) {
    for (const sample of this.known.keys()) if (!samples.includes(sample)) this.drop(sample);
  }
}

// How the hub's API is asked.
const tenfoldApi = {
  path: (name) => name.split("/").map(encodeURIComponent).join("/"),
  headers: (csrf, more) => (csrf ? { "X-CSRF-Token": csrf, ...more } : more),

  // The hub puts the page together after its scripts have run.
  begin(id, make) {
    const place = document.getElementById(id);
    if (!place) return setTimeout(() => tenfoldApi.begin(id, make), 30);
    if (!place.dataset.begun) make(place);
    place.dataset.begun = "yes";
  },
};
