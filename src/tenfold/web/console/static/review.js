// Review by keys: the next pictures are decoded before they are asked for, and what was said is sent
// behind one's back; the last stays here until the next is said, so that it can be taken back.
"use strict";

function tenfoldReview(told) {
  const AHEAD = 6, MANY = 40, HELD_MS = 4000, AGAIN_MS = 3000;
  const root = document.getElementById("review");
  const stage = root.querySelector(".stage"), left = root.querySelector(".left");
  const last = root.querySelector(".last"), wrong = root.querySelector(".wrong");
  const say = told.say;
  let queue = [], gone = new Set(), before = [], ready = new Map();
  let now = null, began = 0, boxes = [], isHeat = false, isDrawing = false, waiting = Number.NaN;
  let held = null, timer = 0, unsent = [], isSending = false, isLoading = false;
  let scale = 1, shift = [0, 0];

  const address = (sample) =>
    `/api/review/pictures/${sample}?deployment=${encodeURIComponent(told.name)}`;
  const path = told.name.split("/").map(encodeURIComponent).join("/");

  function prepared(sample) {
    if (!ready.has(sample)) {
      const picture = new Image();
      picture.src = address(sample);
      picture.alt = "";
      picture.draggable = false;
      picture.decode().catch(() => {});
      ready.set(sample, picture);
    }
    return ready.get(sample);
  }

  async function load() {
    if (isLoading) return;
    isLoading = true;
    try {
      const answer = await fetch(`/api/review/${path}?limit=${MANY}`);
      const found = await answer.json();
      if (!answer.ok) { wrong.textContent = found.error; return; }
      const known = new Set([...queue, ...gone, now && now.sample]);
      queue.push(...found.pictures.map((one) => one.sample).filter((one) => !known.has(one)));
      queue.slice(0, AHEAD).forEach(prepared);
      if (!now) next();
    } catch { wrong.textContent = say.unsent.replace("{count}", unsent.length); }
    finally { isLoading = false; }
  }

  function next() {
    const sample = queue.shift();
    show(sample ? { sample } : null);
    queue.slice(0, AHEAD).forEach(prepared);
    if (queue.length < AHEAD) load();
  }

  function show(one) {
    now = one; boxes = []; isHeat = false; isDrawing = false; scale = 1; shift = [0, 0];
    began = performance.now();
    stage.classList.remove("drawing");
    if (!one) {
      const empty = document.createElement("p");
      empty.textContent = say.done;
      stage.replaceChildren(empty);
      return;
    }
    const frame = document.createElement("div");
    frame.className = "frame";
    frame.appendChild(prepared(one.sample));
    stage.replaceChildren(frame);
    place();
  }

  function choose(label) {
    if (!now) return;
    release();
    const seconds = (performance.now() - began) / 1000;
    held = { sample: now.sample, label, boxes, seconds: Math.min(seconds, 3600),
      shown: { screen: "console", heat: isHeat ? "yes" : "no" }, key: crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}` };
    gone.add(now.sample);
    before.push(now.sample);
    count(-1);
    timer = setTimeout(release, HELD_MS);
    next();
  }

  function count(step) {
    if (Number.isNaN(waiting)) waiting = Number(left.textContent.replace(/\D/g, ""));
    waiting = Math.max(0, waiting + step);
    left.textContent = say.left.replace("{count}", waiting);
  }

  function undo() {
    const sample = before.pop();
    if (!sample) return;
    if (held && held.sample === sample) { held = null; clearTimeout(timer); }
    gone.delete(sample);
    if (now) queue.unshift(now.sample);
    count(1);
    show({ sample });
  }

  function release() {
    clearTimeout(timer);
    if (held) unsent.push(held);
    held = null;
    send();
  }

  async function send() {
    if (isSending) return;
    isSending = true;
    try {
      while (unsent.length) {
        const one = unsent[0];
        const answer = await fetch(`/api/review/${path}`, {
          method: "POST", keepalive: true, body: JSON.stringify(one),
          headers: { "Content-Type": "application/json", "X-CSRF-Token": told.csrf } });
        const taken = await answer.json().catch(() => ({}));
        if (answer.status >= 500 || answer.status === 429) throw new Error(taken.error);
        unsent.shift();
        wrong.textContent = answer.ok ? "" : taken.error;
        if (answer.ok) tell(one, taken);
      }
    } catch {
      wrong.textContent = say.unsent.replace("{count}", unsent.length);
      setTimeout(send, AGAIN_MS);
    } finally { isSending = false; }
  }

  function tell(one, taken) {
    const why = taken.why.map((reason) => say.why[reason] || reason).join(", ");
    last.textContent = say.last.replace("{label}", one.label || say.unsure).replace("{why}", why)
      + (taken.more ? ` ${say.more}` : "");
  }

  const place = () => {
    const frame = stage.querySelector(".frame");
    if (frame) frame.style.transform = `translate(${shift[0]}px, ${shift[1]}px) scale(${scale})`;
  };
  const zoom = (factor) => {
    scale = Math.min(12, Math.max(1, scale * factor));
    if (scale === 1) shift = [0, 0];
    place();
  };

  function heat() {
    if (!told.model || !now) return;
    isHeat = !isHeat;
    const shown = stage.querySelector(".frame > .heat");
    if (!isHeat) { if (shown) shown.remove(); return; }
    const picture = stage.querySelector(".frame").appendChild(document.createElement("img"));
    picture.className = "heat";
    picture.alt = "";
    picture.src = `/console/heat/${told.model}/${now.sample}`;
  }

  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    if (!now) return;
    from = { x: event.clientX, y: event.clientY, shift: [...shift], box: null };
    stage.setPointerCapture(event.pointerId);
    if (isDrawing) {
      from.box = stage.querySelector(".frame").appendChild(document.createElement("div"));
      from.box.className = "region";
    }
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    if (from.box) { outline(event); return; }
    shift = [from.shift[0] + event.clientX - from.x, from.shift[1] + event.clientY - from.y];
    place();
  });
  stage.addEventListener("pointerup", (event) => {
    if (from && from.box) {
      const drawn = outline(event);
      if (drawn[2] - drawn[0] >= 2 && drawn[3] - drawn[1] >= 2) boxes.push(drawn);
      else from.box.remove();
    }
    from = null;
  });
  function outline(event) {
    const picture = stage.querySelector(".frame > img"), area = picture.getBoundingClientRect();
    const per = picture.naturalWidth / area.width;
    const inside = (value, most) => Math.min(Math.max(value, 0), most);
    const xs = [from.x, event.clientX].map((x) => inside((x - area.left) * per, picture.naturalWidth)).sort((a, b) => a - b);
    const ys = [from.y, event.clientY].map((y) => inside((y - area.top) * per, picture.naturalHeight)).sort((a, b) => a - b);
    Object.assign(from.box.style, {
      left: `${(100 * xs[0]) / picture.naturalWidth}%`, width: `${(100 * (xs[1] - xs[0])) / picture.naturalWidth}%`,
      top: `${(100 * ys[0]) / picture.naturalHeight}%`, height: `${(100 * (ys[1] - ys[0])) / picture.naturalHeight}%` });
    return [xs[0], ys[0], xs[1], ys[1]].map((value) => Math.round(value * 10) / 10);
  }
  stage.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2); }, { passive: false });

  for (const choice of root.querySelectorAll(".choice"))
    choice.addEventListener("click", () => choose(choice.dataset.label));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (/^[1-9]$/.test(event.key) && told.words[event.key - 1] !== undefined) choose(told.words[event.key - 1]);
    else if (event.key === "0" || event.key === "?") choose("");
    else if (event.key === "u") undo();
    else if (event.key === "h") heat();
    else if (event.key === "r") {
      isDrawing = !isDrawing;
      stage.classList.toggle("drawing", isDrawing);
      last.textContent = isDrawing ? say.region : "";
    } else if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else return;
    event.preventDefault();
  });
  addEventListener("pagehide", release);
  load();
}
